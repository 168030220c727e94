/**
 * Pictures of every kind that a page has, as bytes on the CPU or as something that a GPU can copy. The bytes are those of the file: no colour profile applied (OpenCV
 * knows none), no alpha multiplied in, EXIF orientation applied (as `cv2.imread` does).
 */
import type { PixelImage } from '../datasets/transforms/warp_affine.js';
import { InputError } from '../errors.js';
import { BITMAP_OPTIONS, bitmapsKeepPixels, elementOf, FilePixelReader, makeCanvas } from './file_pixels.js';

/** Everything that `infer` takes. A `PixelImage` holds RGB or RGBA bytes, and is the only kind that Node has. */
export type FrameSource =
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData
  | VideoFrame
  | Blob
  | PixelImage;

/** An RGB or RGBA picture, 0..255. */
export type Frame = PixelImage;

/** A picture as it was when it was handed over: the caller's own bytes, or a copy that the browser keeps wherever it likes. */
export interface Snapshot {
  /** What the caller handed over, for messages. */
  readonly kind: string;
  readonly source: PixelImage | ImageBitmap | VideoFrame;
  /** px */
  readonly width: number;
  /** px */
  readonly height: number;
  /** Lets go of the copy. Safe to call twice. */
  close(): void;
}

/** What a GPU can do with copies of pictures. */
export interface SnapshotOptions {
  /** Frames of videos stay where they are, instead of being copied to a bitmap. @default false */
  readonly videoFrames?: boolean;
  /** Colours reach a texture as they are beside their alpha; otherwise pictures that may have alpha are read here. @default false */
  readonly straightAlpha?: boolean;
}

/** Browsers' limit for the area of a canvas, px. */
const MAX_CANVAS_AREA = 2 ** 28;

type Drawable = HTMLVideoElement | HTMLCanvasElement | OffscreenCanvas | ImageBitmap | VideoFrame;
type Canvas2D = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

/** Reads frames through one canvas, which is kept: making a canvas costs more than drawing on it. */
export class FrameReader {
  #context: Canvas2D | null = null;
  #filePixels: FilePixelReader | null = null;

  /**
   * The picture's pixels. Starts reading before the first await wherever the source is a moving picture.
   *
   * @throws InputError when the picture cannot be decoded, is empty, closed, not ready yet, or of another origin
   */
  async read(source: FrameSource): Promise<Frame> {
    const kind = kindOf(source);
    switch (kind) {
      case 'ImageData':
        return fromImageData(source as ImageData);
      case 'PixelImage':
        return checkPixels(source as PixelImage);
      case 'Blob':
      case 'HTMLImageElement':
        return this.#decode(source as Blob | HTMLImageElement, kind);
      case 'HTMLVideoElement':
      case 'VideoFrame': {
        const video = source as HTMLVideoElement | VideoFrame;
        return this.#draw(video, kind, ...sizeOfVideo(video, kind));
      }
      case 'ImageBitmap':
      case 'HTMLCanvasElement':
      case 'OffscreenCanvas': {
        const canvas = source as ImageBitmap | HTMLCanvasElement | OffscreenCanvas;
        return this.#draw(canvas, kind, canvas.width, canvas.height);
      }
      default:
        throw notAPicture(source);
    }
  }

  /**
   * The picture without reading its bytes, for the GPU. The copy is of this moment wherever the source may change. The caller
   * closes it.
   *
   * @throws InputError as `read`; that a picture is of another origin shows when it is copied to the GPU
   */
  async snapshot(source: FrameSource, { videoFrames, straightAlpha }: SnapshotOptions = {}): Promise<Snapshot> {
    const kind = kindOf(source);
    switch (kind) {
      case 'Blob':
      case 'HTMLImageElement':
        if (!(straightAlpha || isJpeg(source as Blob | HTMLImageElement)) || !(await bitmapsKeepPixels())) {
          return ofPixels(kind, await this.read(source));
        }
        return ofBitmap(kind, await this.#bitmap(source as Blob | HTMLImageElement, kind));
      case 'HTMLVideoElement':
      case 'VideoFrame': {
        const [width, height] = sizeOfVideo(source as HTMLVideoElement | VideoFrame, kind);
        if (videoFrames) return ofVideoFrame(kind, source as HTMLVideoElement | VideoFrame, width, height);
        return this.#copy(source as HTMLVideoElement | VideoFrame, kind, width, height);
      }
      case 'ImageBitmap':
      case 'HTMLCanvasElement':
      case 'OffscreenCanvas': {
        const canvas = source as ImageBitmap | HTMLCanvasElement | OffscreenCanvas;
        checkSize(kind, canvas.width, canvas.height);
        return this.#copy(canvas, kind, canvas.width, canvas.height);
      }
      default:
        return ofPixels(kind, await this.read(source));
    }
  }

  /** The picture of this moment, in the colours that the page shows. Without options: any would have the browser convert it on the CPU. */
  async #copy(source: Drawable, kind: string, width: number, height: number): Promise<Snapshot> {
    try {
      return ofBitmap(kind, await createImageBitmap(source));
    } catch (error) {
      if ((error as DOMException).name !== 'InvalidStateError') throw explain(error, kind);
      // A browser whose GPU process is not ready (just started, or started again) allocates no bitmaps, but draws; a closed source fails here, too.
      return ofPixels(kind, this.#draw(source, kind, width, height));
    }
  }

  /**
   * The bytes of a snapshot after all, where no GPU can take it.
   *
   * @throws InputError as `read`
   */
  readSnapshot({ kind, source, width, height }: Snapshot): Frame {
    if ('data' in source) return source;
    return source instanceof ImageBitmap ? this.#readBitmap(source, kind) : this.#draw(source, kind, width, height);
  }

  async #decode(source: Blob | HTMLImageElement, kind: string): Promise<Frame> {
    const exact = (await bitmapsKeepPixels()) ? null : await this.#readElement(source, kind);
    if (exact) return exact;
    const bitmap = await this.#bitmap(source, kind);
    try {
      return this.#readBitmap(bitmap, kind);
    } finally {
      bitmap.close();
    }
  }

  /** null where only a bitmap can be had, or the picture is broken. */
  async #readElement(source: Blob | HTMLImageElement, kind: string): Promise<Frame | null> {
    const image = kind === 'Blob' ? await elementOf(source as Blob) : checkImage(source as HTMLImageElement);
    try {
      return image && this.#pixelsOf(image, image.naturalWidth, image.naturalHeight);
    } catch (error) {
      throw explain(error, kind);
    }
  }

  #pixelsOf(source: ImageBitmap | HTMLImageElement, width: number, height: number): Frame | null {
    return (this.#filePixels ??= new FilePixelReader()).read(source, width, height);
  }

  async #bitmap(source: Blob | HTMLImageElement, kind: string): Promise<ImageBitmap> {
    const image = kind === 'Blob' ? source : checkImage(source as HTMLImageElement);
    try {
      return await createImageBitmap(image, BITMAP_OPTIONS);
    } catch (error) {
      const expected =
        kind === 'Blob'
          ? 'expected a JPEG, PNG, WebP or another format that this browser shows'
          : 'expected an image that has loaded';
      throw new InputError(`image: this ${kind} could not be decoded; ${expected}.`, { cause: error });
    }
  }

  #readBitmap(bitmap: ImageBitmap, kind: string): Frame {
    const frame = this.#draw(bitmap, kind, bitmap.width, bitmap.height);
    // A 2D canvas stores colours multiplied by alpha, which loses bits.
    return isOpaque(frame.data) ? frame : (this.#pixelsOf(bitmap, bitmap.width, bitmap.height) ?? frame);
  }

  #draw(source: Drawable, kind: string, width: number, height: number): Frame {
    checkSize(kind, width, height);
    const context = this.#canvas(width, height);
    try {
      context.clearRect(0, 0, width, height);
      context.drawImage(source, 0, 0, width, height);
      const { data } = context.getImageData(0, 0, width, height);
      return { data, width, height, channels: 4 };
    } catch (error) {
      // A canvas that has drawn a foreign picture stays tainted.
      this.#context = null;
      throw explain(error, kind);
    }
  }

  #canvas(width: number, height: number): Canvas2D {
    this.#context ??= makeCanvas().getContext('2d', {
      willReadFrequently: true,
      colorSpace: 'srgb',
    }) as Canvas2D | null;
    const context = this.#context;
    if (!context) throw new InputError('image: this browser gives no 2D canvas; hand over ImageData or plain pixels.');
    const { canvas } = context;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    return context;
  }

  /** Frees the canvas. The reader can be used again. */
  dispose(): void {
    if (this.#context) this.#context.canvas.width = this.#context.canvas.height = 0;
    this.#context = null;
    this.#filePixels = null;
  }
}

/** A picture without alpha; what an image element shows may have any. */
function isJpeg(source: Blob | HTMLImageElement): boolean {
  return 'type' in source && source.type === 'image/jpeg';
}

/** `HTMLVideoElement`, ... by the object's own tag: `instanceof` fails for objects of another frame. */
function kindOf(source: unknown): string {
  if (typeof source !== 'object' || source === null) return 'unknown';
  const tag = Object.prototype.toString.call(source).slice(8, -1);
  if (tag === 'File') return 'Blob';
  return tag === 'Object' && 'data' in source && 'width' in source ? 'PixelImage' : tag;
}

/** For what is none of `FrameSource`. */
export function notAPicture(source: unknown): InputError {
  return new InputError(
    `image: found ${describe(source)}; expected an image, video or canvas element, OffscreenCanvas, ImageBitmap, ImageData, VideoFrame, Blob, or { data, width, height, channels }.`,
  );
}

function describe(source: unknown): string {
  if (typeof source === 'string') return 'a string (fetch it, and hand over the Blob)';
  if (source === null || source === undefined) return String(source);
  return Object.prototype.toString.call(source).slice(8, -1);
}

function fromImageData(image: ImageData): Frame {
  if (!(image.data instanceof Uint8ClampedArray)) {
    throw new InputError('image: found ImageData with float pixels; expected 8-bit RGBA.');
  }
  return checkPixels({ data: image.data, width: image.width, height: image.height, channels: 4 });
}

function checkPixels(image: PixelImage): Frame {
  const { data, width, height, channels } = image;
  checkSize('picture', width, height);
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  if (bytes && (channels === 3 || channels === 4) && data.length === width * height * channels) return image;
  throw new InputError(
    `image: found ${data?.length} values, ${channels} channels, for ${width} x ${height} px; expected a Uint8Array of width * height * channels, with 3 (RGB) or 4 (RGBA).`,
  );
}

function checkSize(kind: string, width: number, height: number): void {
  if (!(width > 0 && height > 0)) {
    const hint = kind === 'ImageBitmap' || kind === 'VideoFrame' ? '; it is closed or was transferred' : '';
    throw new InputError(`image: this ${kind} is ${width} x ${height} px${hint}; expected at least 1 x 1.`);
  }
  if (width * height > MAX_CANVAS_AREA && kind !== 'picture') {
    throw new InputError(
      `image: this ${kind} is ${width} x ${height} px, more than a canvas holds; scale it down first.`,
    );
  }
}

function checkImage(image: HTMLImageElement): HTMLImageElement {
  if (image.complete && image.naturalWidth > 0) return image;
  const state = image.complete ? 'has no pixels: it failed to load, or has no size of its own' : 'has not loaded yet';
  throw new InputError(`image: this HTMLImageElement ${state}; await image.decode() first.`);
}

function checkVideo(video: HTMLVideoElement): HTMLVideoElement {
  const HAVE_CURRENT_DATA = 2;
  if (video.readyState >= HAVE_CURRENT_DATA && video.videoWidth > 0) return video;
  throw new InputError('image: this HTMLVideoElement has no frame yet; wait for its "loadeddata" event.');
}

/** @throws InputError when there is no frame */
function sizeOfVideo(source: HTMLVideoElement | VideoFrame, kind: string): [width: number, height: number] {
  const size: [number, number] =
    kind === 'VideoFrame'
      ? // A closed frame has no format, and sizes of 0.
        [(source as VideoFrame).displayWidth, (source as VideoFrame).displayHeight]
      : [checkVideo(source as HTMLVideoElement).videoWidth, (source as HTMLVideoElement).videoHeight];
  checkSize(kind, ...size);
  return size;
}

function ofPixels(kind: string, pixels: Frame): Snapshot {
  return { kind, source: pixels, width: pixels.width, height: pixels.height, close: () => {} };
}

function ofBitmap(kind: string, bitmap: ImageBitmap): Snapshot {
  const { width, height } = bitmap;
  return { kind, source: bitmap, width, height, close: () => bitmap.close() };
}

function ofVideoFrame(kind: string, source: HTMLVideoElement | VideoFrame, width: number, height: number): Snapshot {
  try {
    const frame = new VideoFrame(source);
    return { kind, source: frame, width, height, close: () => frame.close() };
  } catch (error) {
    throw explain(error, kind);
  }
}

/** What a browser says of a picture that it will not read, in our words. */
export function explain(error: unknown, kind: string): InputError {
  const { name, message } = error as Error | DOMException;
  if (name === 'SecurityError') {
    return new InputError(
      `image: this ${kind} comes from another origin, so the browser does not let its pixels be read; serve it with CORS headers and set crossOrigin = "anonymous".`,
      { cause: error },
    );
  }
  const state =
    name === 'InvalidStateError' ? 'is closed, was transferred, or is broken' : `could not be read (${message})`;
  return new InputError(`image: this ${kind} ${state}; hand over one that is open.`, { cause: error });
}

function isOpaque(rgba: Uint8Array | Uint8ClampedArray): boolean {
  for (let i = 3; i < rgba.length; i += 4) if (rgba[i] !== 255) return false;
  return true;
}
