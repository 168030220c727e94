/**
 * An op is a contract: a definition composed of tfjs ops, which runs everywhere and is the meaning, and kernels for the backends
 * where something faster was written. Kernels go through tfjs's own engine, so that `tidy`, `tf.profile` and `tf.memory` see them,
 * and nothing is registered on import: a kernel enters tfjs's registry when its backend first needs it.
 *
 * WGSL is written once (`wgsl`): tfjs's WebGPU backend runs it eagerly, and the jit records the op as one node and replays it. GLSL
 * (`glsl`) serves WebGL, where composed ops would be dozens of shaders to compile.
 */
import * as tf from '../tf.js';
import type { KernelFunc, Tensor } from '../tf.js';
import { webglKernel, type GlslOp } from './webgl/flat_program.js';
import { activeWasmKernels } from './wasm/wasm_op.js';
import { webgpuKernel, type WgslOp } from './webgpu/flat_program.js';

/** Inputs by name, as tfjs's kernels take them. */
export type OpInputs = Readonly<Record<string, Tensor>>;
/** Numbers, strings, booleans and lists of them. */
export type OpAttrs = Readonly<Record<string, unknown>>;

export interface OpSpec<I extends OpInputs, A extends OpAttrs, T extends Tensor | Tensor[]> {
  /** Unique in tfjs's registry: begin with `Inpose`. */
  readonly name: string;
  /** The op in terms of tfjs's ops. Runs in a tidy; borrows its inputs. */
  composed(inputs: I, attrs: A): T;
  /** One WGSL program, for WebGPU and the jit. */
  readonly wgsl?: WgslOp;
  /** One GLSL program, for WebGL 2. */
  readonly glsl?: GlslOp;
  /** Kernels of other forms. */
  readonly webgpu?: KernelFunc;
  readonly webgl?: KernelFunc;
  /** With the library's kernels (`src/backend/wasm/`), where the backend has them. */
  readonly wasm?: KernelFunc;
}

/** What a backend of our own (the jit's recorder) needs to know of an op. */
export interface NamedWgslOp {
  readonly name: string;
  readonly wgsl: WgslOp;
}

/** Makes a backend's kernel for an op. */
type KernelMaker = (op: NamedWgslOp) => KernelFunc;

const makers = new Map<string, KernelMaker>();

/** Tells ops how the backend `backendName` takes those that have WGSL; the others run composed there. */
export function addOpBackend(backendName: string, make: KernelMaker): void {
  makers.set(backendName, make);
}

/**
 * Makes the function that runs the op on the active backend, by its kernel where it has one. tfjs passes `inputs` and `attrs`
 * to the kernel as they are.
 */
export function defineOp<I extends OpInputs, A extends OpAttrs, T extends Tensor | Tensor[] = Tensor>(
  spec: OpSpec<I, A, T>,
): (inputs: I, attrs: A) => T {
  return (inputs, attrs) => {
    const backend = tf.getBackend();
    if (!tf.getKernel(spec.name, backend)) {
      const kernelFunc = kernelOf(spec, backend);
      if (!kernelFunc) return tf.tidy(() => spec.composed(inputs, attrs));
      // The kernel goes with its backend when that is removed, and comes again with the next call.
      tf.registerKernel({ kernelName: spec.name, backendName: backend, kernelFunc });
    }
    return tf
      .engine()
      .runKernel(spec.name, inputs as unknown as tf.NamedTensorMap, attrs as unknown as tf.NamedAttrMap) as T;
  };
}

function kernelOf(
  { name, wgsl, glsl, webgpu, webgl, wasm }: Omit<OpSpec<never, never, Tensor>, 'composed'>,
  backend: string,
): KernelFunc | undefined {
  if (backend === 'webgl')
    return webgl ?? (glsl && tf.env().getNumber('WEBGL_VERSION') === 2 ? webglKernel(glsl) : undefined);
  if (backend === 'wasm') return activeWasmKernels() ? wasm : undefined;
  if (backend === 'webgpu') return webgpu ?? (wgsl && webgpuKernel(name, wgsl));
  return wgsl && makers.get(backend)?.({ name, wgsl });
}
