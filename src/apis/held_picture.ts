/** A picture that stays as it is while it is looked at several times; a video goes on, a canvas is drawn over. */
import { InputError } from '../errors.js';
import { notAPicture, type FrameReader, type FrameSource, type Snapshot } from './frame.js';

/** What shows something else a moment later, or is gone. */
const FLEETING = ['HTMLVideoElement', 'HTMLCanvasElement', 'OffscreenCanvas', 'ImageBitmap', 'VideoFrame'];

export class HeldPicture {
  readonly #source: FrameSource;
  readonly #kind: string;
  readonly #frames: FrameReader;
  #still: Promise<Snapshot['source']> | null = null;

  constructor(source: FrameSource, frames: FrameReader) {
    this.#source = source;
    this.#frames = frames;
    this.#kind = Object.prototype.toString.call(source).slice(8, -1);
  }

  /** px; null for a file, which has to be decoded first. */
  get imgShape(): [h: number, w: number] | null {
    return this.#isFile ? null : this.#shapeOf(this.#source);
  }

  /**
   * px, of a file too.
   *
   * @throws InputError for what is no picture
   */
  async decodedShape(): Promise<[h: number, w: number]> {
    return this.#shapeOf(await this.still());
  }

  /**
   * The picture as it was when this was first called.
   *
   * @throws InputError for what is no picture
   */
  still(): Promise<FrameSource> {
    if (!this.#isFile && !FLEETING.includes(this.#kind)) return Promise.resolve(this.#source);
    this.#still ??= this.#hold();
    return this.#still;
  }

  /** Frees the copy. */
  close(): void {
    this.#still?.then(
      (picture) => {
        if ('close' in picture) picture.close();
      },
      () => {},
    );
  }

  #hold(): Promise<Snapshot['source']> {
    const still = this.#frames.snapshot(this.#source, { straightAlpha: true }).then(({ source }) => source);
    still.catch(() => {}); // until somebody waits for it
    return still;
  }

  #shapeOf(picture: FrameSource): [h: number, w: number] {
    const { width, height } = sizeOf(picture);
    if (width > 0 && height > 0) return [height, width];
    if (Number.isNaN(width)) throw notAPicture(picture);
    throw new InputError(
      `image: found ${this.#kind} of ${width} x ${height} px; expected a picture that can be shown.`,
    );
  }

  get #isFile(): boolean {
    return this.#kind === 'Blob' || this.#kind === 'File';
  }
}

/** Each kind of picture has names of its own for its size. */
function sizeOf(source: FrameSource): { width: number; height: number } {
  const sizes = source as unknown as Readonly<Record<string, number | undefined>>;
  const of = (...names: string[]) =>
    names.map((name) => sizes?.[name]).find((value) => typeof value === 'number') ?? NaN;
  return {
    width: of('videoWidth', 'displayWidth', 'naturalWidth', 'width'),
    height: of('videoHeight', 'displayHeight', 'naturalHeight', 'height'),
  };
}
