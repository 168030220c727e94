/**
 * Tells when a playing video shows a new frame. While the consumer is busy, newer frames replace the waiting one, so that results
 * never lag behind by more than one.
 */

/** The part of `requestVideoFrameCallback`'s metadata that is used. */
interface FrameMetadata {
  readonly mediaTime: number;
}

interface VideoFrameCallbacks {
  requestVideoFrameCallback?: (callback: (now: number, metadata: FrameMetadata) => void) => number;
  cancelVideoFrameCallback?: (handle: number) => void;
}

/** Interval of the look-out where the browser has no frame callbacks, ms. */
const POLL_MS = 15;

export class FrameTicker {
  readonly #video: HTMLVideoElement;
  readonly #callbacks: VideoFrameCallbacks;
  /** Presentation time of the newest frame that was not taken yet, s. */
  #fresh: number | null = null;
  #ended = false;
  #wake: (() => void) | null = null;
  #handle = 0;
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    this.#callbacks = video as unknown as VideoFrameCallbacks;
    if (this.#callbacks.requestVideoFrameCallback) this.#listen();
    else this.#timer = setInterval(() => this.#poll(), POLL_MS);
    // Also the frame that a paused video shows already.
    const HAVE_CURRENT_DATA = 2;
    if (video.readyState >= HAVE_CURRENT_DATA) this.#fresh = video.currentTime;
    for (const type of END_EVENTS) video.addEventListener(type, this.#onEnd);
  }

  /** Presentation time in ms of the newest frame, as soon as there is one that was not taken; null when the video is over. */
  async next(): Promise<number | null> {
    while (this.#fresh === null && !this.#ended) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return this.take();
  }

  /** The same without waiting: null, too, when there is no frame that was not taken. */
  take(): number | null {
    const time = this.#fresh;
    this.#fresh = null;
    return time === null ? null : time * 1000;
  }

  /** Ends a waiting `next` with null, too. */
  stop(): void {
    this.#ended = true;
    this.#fresh = null;
    clearInterval(this.#timer);
    this.#callbacks.cancelVideoFrameCallback?.(this.#handle);
    for (const type of END_EVENTS) this.#video.removeEventListener(type, this.#onEnd);
    this.#wake?.();
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    this.#wake?.();
  };

  #listen(): void {
    this.#handle = this.#callbacks.requestVideoFrameCallback!((_, { mediaTime }) => {
      if (this.#ended) return;
      this.#announce(mediaTime);
      this.#listen();
    });
  }

  #lastTime = NaN;

  #poll(): void {
    const { currentTime, readyState } = this.#video;
    const HAVE_CURRENT_DATA = 2;
    if (readyState < HAVE_CURRENT_DATA || currentTime === this.#lastTime) return;
    this.#lastTime = currentTime;
    this.#announce(currentTime);
  }

  #announce(time: number): void {
    this.#fresh = time;
    this.#wake?.();
  }
}

/** `emptied`: another source was set; `error`: the rest cannot be played. */
const END_EVENTS = ['ended', 'emptied', 'error'] as const;
