/**
 * What the browser offers, found out before tfjs is asked: tfjs prints when it finds no WebGL, and cannot tell a GPU from a
 * program that imitates one (SwiftShader, llvmpipe), which is slower than wasm.
 */
import type { BackendName } from './init.js';

export type Probe = { readonly available: false; readonly why: string } | Usable;

export interface Usable {
  readonly available: true;
  /** Whether the hardware is a program. */
  readonly software: boolean | 'perhaps';
  /** The hardware in the browser's words; empty where there is none to name. */
  readonly adapter: string;
}

const SOFTWARE =
  /swiftshader|llvmpipe|lavapipe|softpipe|microsoft basic render|software (renderer|adapter|rasterizer)|mesa offscreen|\bwarp\b/i;

/** Whether `name` can be tried here. */
export async function probe(name: BackendName): Promise<Probe> {
  switch (name) {
    case 'webgpu':
      return probeWebGPU();
    case 'webgl':
      return probeWebGL();
    case 'wasm':
      return probeWasm();
    case 'cpu':
      return { available: true, software: false, adapter: '' };
    default:
      return name satisfies never;
  }
}

async function probeWebGPU(): Promise<Probe> {
  const gpu = (globalThis.navigator as { gpu?: GpuLike } | undefined)?.gpu;
  if (!gpu)
    return { available: false, why: 'this browser has no navigator.gpu (insecure page, or WebGPU not supported)' };
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
  if (!adapter) return { available: false, why: 'the browser found no WebGPU adapter' };
  const { info } = adapter;
  const words = [info?.vendor, info?.architecture, info?.device, info?.description].filter(Boolean).join(' ');
  const fallback = adapter.isFallbackAdapter === true || info?.isFallbackAdapter === true;
  return { available: true, software: fallback || SOFTWARE.test(words), adapter: words };
}

/** Asked once: browsers allow few contexts per page, and drop the oldest one beyond that. */
let webgl: Probe | undefined;

function probeWebGL(): Probe {
  webgl ??= askWebGL();
  return webgl;
}

function askWebGL(): Probe {
  const gl = webglContext();
  if (!gl) return { available: false, why: 'the browser gives no WebGL context' };
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  const adapter = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  // Most browsers that hide the renderer's name still refuse a software one when asked to.
  const software = SOFTWARE.test(adapter) || webglContext(true) === null;
  return { available: true, software: software || (isMasked(adapter) && 'perhaps'), adapter };
}

/** WebKit calls every renderer so, on Linux too, and there refuses no software. */
function isMasked(adapter: string): boolean {
  return adapter === 'Apple GPU' && /linux|x11/i.test(globalThis.navigator?.userAgent ?? '');
}

/** WebGL on a canvas of one pixel, of version 2 where there is one; null when the browser gives none. */
export function webglContext(failIfMajorPerformanceCaveat = false): WebGLRenderingContext | null {
  for (const version of ['webgl2', 'webgl'] as const) {
    for (const canvas of smallCanvases()) {
      const gl = canvas.getContext(version, { failIfMajorPerformanceCaveat }) as WebGLRenderingContext | null;
      if (gl) return gl;
    }
  }
  return null;
}

/** Some WebKits have WebGL on canvas elements only. */
function smallCanvases(): (OffscreenCanvas | HTMLCanvasElement)[] {
  return [
    ...(typeof OffscreenCanvas === 'undefined' ? [] : [new OffscreenCanvas(1, 1)]),
    ...(typeof document === 'undefined' ? [] : [document.createElement('canvas')]),
  ];
}

/** The smallest module: fails where WebAssembly is absent or the page's security policy forbids it. */
function probeWasm(): Probe {
  try {
    void new WebAssembly.Module(new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]));
    return { available: true, software: false, adapter: '' };
  } catch {
    return { available: false, why: 'WebAssembly is missing, or the page\'s security policy lacks "wasm-unsafe-eval"' };
  }
}

/** The few members of WebGPU's entry points that are used here. */
interface GpuLike {
  requestAdapter(options: { powerPreference: string }): Promise<{
    readonly isFallbackAdapter?: boolean;
    readonly info?: {
      readonly vendor?: string;
      readonly architecture?: string;
      readonly device?: string;
      readonly description?: string;
      readonly isFallbackAdapter?: boolean;
    };
  } | null>;
}
