/**
 * Pixels as a picture's file has them, which is how OpenCV reads it: colours neither multiplied by alpha nor converted by a profile.
 *
 * `createImageBitmap` promises both, but WebKit (2.50) keeps neither promise; what WebGL takes from an image element has both there.
 */
import { webglContext } from '../backend/probe.js';
import type { PixelImage } from '../datasets/transforms/warp_affine.js';
import { InputError } from '../errors.js';

export const BITMAP_OPTIONS: ImageBitmapOptions = { colorSpaceConversion: 'none', premultiplyAlpha: 'none' };

/** One opaque pixel of a file that asks for a gamma of 1. */
const PIXEL = [200, 100, 50] as const;
const PIXEL_PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAABGdBTUEAAYagMeiWXwAAAAxJREFUeNpjOJFiBAADVgFf1upX/gAAAABJRU5ErkJggg==';

let answer: Promise<boolean> | undefined;

/** Whether this browser's bitmaps keep their promise: tried out once. Never rejects. */
export function bitmapsKeepPixels(): Promise<boolean> {
  answer ??= tryOut().catch(() => true);
  return answer;
}

async function tryOut(): Promise<boolean> {
  const bytes = Uint8Array.from(atob(PIXEL_PNG), (char) => char.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes], { type: 'image/png' }), BITMAP_OPTIONS);
  const context = makeCanvas().getContext('2d', { willReadFrequently: true }) as CanvasRenderingContext2D;
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  const { data } = context.getImageData(0, 0, 1, 1);
  return PIXEL.every((value, i) => data[i] === value);
}

/** @throws InputError where there is none, as in Node */
export function makeCanvas(): OffscreenCanvas | HTMLCanvasElement {
  if (typeof OffscreenCanvas !== 'undefined') return new OffscreenCanvas(1, 1);
  if (typeof document !== 'undefined') return document.createElement('canvas');
  throw new InputError('image: there is no canvas here; hand over plain pixels { data, width, height, channels }.');
}

/** An element that shows the picture; null where there are none (in workers), or it cannot be decoded. */
export async function elementOf(blob: Blob): Promise<HTMLImageElement | null> {
  if (typeof Image === 'undefined') return null;
  const image = new Image();
  const url = URL.createObjectURL(blob);
  image.src = url;
  try {
    await image.decode();
    return image;
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** Reads by way of a WebGL texture; the context is kept. */
export class FilePixelReader {
  #gl: WebGLRenderingContext | null = null;

  /**
   * null when there is no WebGL, or the picture is too large for it.
   *
   * @throws DOMException (SecurityError) for a picture of another origin
   */
  read(source: ImageBitmap | HTMLImageElement, width: number, height: number): PixelImage | null {
    if (!this.#gl || this.#gl.isContextLost()) this.#gl = webglContext();
    const gl = this.#gl;
    if (!gl || Math.max(width, height) > (gl.getParameter(gl.MAX_TEXTURE_SIZE) as number)) return null;
    const texture = gl.createTexture();
    const framebuffer = gl.createFramebuffer();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.pixelStorei(gl.UNPACK_PREMULTIPLY_ALPHA_WEBGL, false);
    gl.pixelStorei(gl.UNPACK_COLORSPACE_CONVERSION_WEBGL, gl.NONE);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, source);
    gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const data = new Uint8Array(width * height * 4);
    gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, data);
    const ok = gl.getError() === gl.NO_ERROR;
    gl.deleteFramebuffer(framebuffer);
    gl.deleteTexture(texture);
    return ok ? { data: new Uint8ClampedArray(data.buffer), width, height, channels: 4 } : null;
  }
}
