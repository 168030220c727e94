/**
 * Frames of a stream one ahead: the next frame goes to the GPU shortly before the last one's result is there, so that the GPU need
 * not wait for the page to read, decode and draw. Not much earlier, since a frame that waits is no longer the newest.
 */

/** Where frames come from, as far as this file needs it. */
export interface FrameTimes {
  /** Waits for a frame that was not taken; null when there will be none. */
  next(): Promise<number | null>;
  /** A frame that was not taken, if there is one already. */
  take(): number | null;
}

/** Part of the last frame's duration after which the next may begin. */
const HEAD_START = 0.75;

interface Started<T> {
  readonly result: Promise<T>;
  /** ms */
  readonly at: number;
}

export class LookAhead<T> {
  readonly #times: FrameTimes;
  readonly #start: (timestamp: number) => Promise<T>;
  readonly #queue: Started<T>[] = [];
  /** Of the last frame, ms; unknown before the first. */
  #duration = Infinity;

  /** @param start - begins a frame and resolves with its result */
  constructor(times: FrameTimes, start: (timestamp: number) => Promise<T>) {
    this.#times = times;
    this.#start = start;
  }

  /** The next frame's result, in order; null when there are no more frames. */
  async next(): Promise<T | null> {
    if (this.#queue.length === 0) {
      const timestamp = await this.#times.next();
      if (timestamp === null) return null;
      this.#begin(timestamp);
    }
    const [frame] = this.#queue;
    await this.#beginNext(frame);
    this.#queue.shift();
    const result = await frame.result;
    this.#duration = performance.now() - frame.at;
    return result;
  }

  #begin(timestamp: number): void {
    const result = this.#start(timestamp);
    // Nobody may ask for it: whoever reads the stream may stop.
    result.catch(() => {});
    this.#queue.push({ result, at: performance.now() });
  }

  /** Waits until `frame` is about to end, and begins the one after it if there is one to be seen. */
  async #beginNext(frame: Started<T>): Promise<void> {
    if (this.#duration === Infinity) return;
    const wait = frame.at + this.#duration * HEAD_START - performance.now();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const soon = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(true), wait);
    });
    const ended = frame.result.then(
      () => false,
      () => false,
    );
    const inTime = await Promise.race([ended, soon]);
    clearTimeout(timer);
    const timestamp = inTime ? this.#times.take() : null;
    if (timestamp !== null) this.#begin(timestamp);
  }
}
