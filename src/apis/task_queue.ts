/** Calls on one model run one after the other, in the order they came; closing it rejects all of them. */

export class TaskQueue {
  #tail: Promise<unknown> = Promise.resolve();
  #closed: Error | null = null;
  readonly #waiting = new Set<(reason: Error) => void>();

  /** The reason given to `close`, or null. */
  get closed(): Error | null {
    return this.#closed;
  }

  /**
   * Runs `task` after all earlier ones. Rejects at once when the signal is aborted or the queue is closed, also while `task` runs
   * (which then ends unheard).
   */
  run<T>(task: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (signal?.aborted) return Promise.reject(signal.reason as Error);
    const result = this.#tail.then(() => {
      if (this.#closed) throw this.#closed;
      signal?.throwIfAborted();
      return task();
    });
    this.#tail = result.catch(() => {});
    return this.#orClosed(result, signal);
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
    await this.#tail;
  }
}
