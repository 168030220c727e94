/**
 * Calls on one model run one after the other, in the order they came; closing it rejects all of them. A call that only waits for
 * the GPU any more lets the next one begin, so that this is encoded while the other's numbers are read.
 */

interface Turn {
  /** Resolves when the next call may begin. */
  readonly issued: Promise<unknown>;
  /** Resolves when this call and all earlier ones have ended. */
  readonly ended: Promise<unknown>;
  /** Resolves when all earlier ones have ended. */
  readonly earlier: Promise<unknown>;
}

const DONE = Promise.resolve();
const NO_TURN: Turn = { issued: DONE, ended: DONE, earlier: DONE };

export class TaskQueue {
  #last: Turn = NO_TURN;
  #closed: Error | null = null;
  readonly #waiting = new Set<(reason: Error) => void>();

  /** The reason given to `close`, or null. */
  get closed(): Error | null {
    return this.#closed;
  }

  /**
   * Runs `task` after all earlier ones, and ends after them. Rejects at once when the signal is aborted or the queue is closed, also
   * while `task` runs (which then ends unheard).
   *
   * @param task - may call `issued` when only its results are missing; the next one then begins, but no third
   */
  run<T>(task: (issued: () => void) => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const before = this.#last;
    let onIssued = () => {};
    const issued = new Promise<void>((resolve) => {
      onIssued = resolve;
    });
    const result = Promise.all([before.issued, before.earlier]).then(() => {
      if (this.#closed) throw this.#closed;
      signal?.throwIfAborted();
      return task(onIssued);
    });
    const ended = Promise.allSettled([result, before.ended]).then(onIssued);
    this.#last = { issued, ended, earlier: before.ended };
    return this.#orClosed(
      ended.then(() => result),
      signal,
    );
  }

  #orClosed<T>(result: Promise<T>, signal?: AbortSignal): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const onAbort = () => reject(signal?.reason as Error);
      const forget = () => {
        this.#waiting.delete(reject);
        signal?.removeEventListener('abort', onAbort);
      };
      this.#waiting.add(reject);
      signal?.addEventListener('abort', onAbort);
      result.then(resolve, reject).finally(forget);
    });
  }

  /** Calls `listener` when the queue is closed. Returns how to stop listening. */
  onClose(listener: (reason: Error) => void): () => void {
    this.#waiting.add(listener);
    return () => this.#waiting.delete(listener);
  }

  /** Rejects running, waiting and later tasks with `reason`. Resolves when the running one has really ended. */
  async close(reason: Error): Promise<void> {
    this.#closed ??= reason;
    for (const reject of this.#waiting) reject(this.#closed);
    await this.#last.ended;
  }
}
