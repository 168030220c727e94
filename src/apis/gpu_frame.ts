/**
 * Pictures on their way into a WebGPU texture. A video's frame stays where it is, as an external texture, in browsers that can
 * import one (tried out once per device); every other picture is copied to a texture of its size, which is kept for the next.
 *
 * The external texture is unproved on real hardware: Chromium's software adapter, where the tests run, refuses the import.
 */
import type { PixelImage } from '../datasets/transforms/warp_affine.js';
import { explain, type Snapshot } from './frame.js';

/** A picture that a shader can read. */
export interface GpuPicture {
  /** A `GPUTextureView` or `GPUExternalTexture`, unnamed in published types. */
  readonly resource: unknown;
  readonly external: boolean;
}

/** px; a texture for a larger picture would be hundreds of MB, so its persons are cropped on the CPU. */
const MAX_AREA = 2 ** 24;

export class FrameTexture {
  readonly #device: GPUDevice;
  #texture: GPUTexture | null = null;
  #view: GPUTextureView | null = null;
  /** Whether frames of videos are imported in place. */
  importsVideo = false;

  /** @param device - a `GPUDevice`, unnamed in published types */
  constructor(device: unknown) {
    this.#device = device as GPUDevice;
  }

  /** Whether pictures of this size go to a texture. */
  fits({ width, height }: { readonly width: number; readonly height: number }): boolean {
    return Math.max(width, height) <= this.#device.limits.maxTextureDimension2D && width * height <= MAX_AREA;
  }

  /**
   * Copies or imports the picture. What was submitted before still sees the one before. Submit the work that reads it before
   * anything is awaited, and close the snapshot afterwards.
   *
   * @throws InputError for a picture of another origin, or one that was closed
   */
  upload(snapshot: Snapshot): GpuPicture {
    const { source, kind } = snapshot;
    if ('data' in source) return this.#write(source);
    const imported = this.#import(snapshot);
    if (imported) return imported;
    const { width, height } = snapshot;
    const texture = this.#textureOf(width, height);
    try {
      // No alpha multiplied in, no colours converted beyond what the browser did for the bitmap.
      this.#device.queue.copyExternalImageToTexture(
        { source: source as ImageBitmap },
        { texture, premultipliedAlpha: false },
        [width, height],
      );
    } catch (error) {
      throw explain(error, kind);
    }
    return { resource: this.#view!, external: false };
  }

  #import({ source, width, height }: Snapshot): GpuPicture | null {
    if (!this.importsVideo || !isPlainVideoFrame(source, width, height)) return null;
    try {
      return { resource: this.#device.importExternalTexture({ source: source as VideoFrame }), external: true };
    } catch {
      // The device could, but not this frame; and then probably not the next one either.
      this.importsVideo = false;
      return null;
    }
  }

  #write(pixels: PixelImage): GpuPicture {
    const { width, height } = pixels;
    const data = (pixels.channels === 4 ? pixels.data : withAlpha(pixels)) as Uint8Array<ArrayBuffer>;
    const texture = this.#textureOf(width, height);
    this.#device.queue.writeTexture({ texture }, data, { bytesPerRow: width * 4 }, [width, height]);
    return { resource: this.#view!, external: false };
  }

  #textureOf(width: number, height: number): GPUTexture {
    if (this.#texture?.width === width && this.#texture.height === height) return this.#texture;
    this.#texture?.destroy();
    this.#texture = this.#device.createTexture({
      label: 'frame',
      size: [width, height],
      format: 'rgba8unorm',
      // A copy from outside may be made by rendering.
      usage: GPUTextureUsage.TEXTURE_BINDING | GPUTextureUsage.COPY_DST | GPUTextureUsage.RENDER_ATTACHMENT,
    });
    this.#view = this.#texture.createView();
    return this.#texture;
  }

  dispose(): void {
    this.#texture?.destroy();
    this.#texture = null;
  }
}

/** Whether the frame's pixels are what is shown: neither cropped, nor stretched, nor turned. */
function isPlainVideoFrame(source: Snapshot['source'], width: number, height: number): boolean {
  if (typeof VideoFrame === 'undefined' || !(source instanceof VideoFrame)) return false;
  const { visibleRect, rotation = 0, flip = false } = source as VideoFrame & { rotation?: number; flip?: boolean };
  return visibleRect?.width === width && visibleRect.height === height && rotation === 0 && !flip;
}

/** RGB to RGBA, a pixel at a time; every machine with a browser is little-endian. */
function withAlpha({ data, width, height }: PixelImage): Uint8Array {
  const rgba = new Uint32Array(width * height);
  for (let from = 0, to = 0; to < rgba.length; from += 3, to++) {
    rgba[to] = data[from] | (data[from + 1] << 8) | (data[from + 2] << 16) | 0xff000000;
  }
  return new Uint8Array(rgba.buffer);
}
