/** A remote file that is read while it arrives. */
import { CheckpointError } from '../errors.js';
import { checkRange, type ByteSource } from './byte_source.js';
import type { Remote } from './remote.js';

interface Waiting {
  readonly end: number;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/** One request for all of it, which browsers keep in their cache; parts of files only some of them do. */
export class StreamSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #remote: Remote;
  readonly #bytes: Uint8Array;
  readonly #waiting = new Set<Waiting>();
  #loaded = 0;
  #failure: { readonly reason: unknown } | null = null;
  #cancelled = false;

  /** @param size - of the response's body */
  constructor(remote: Remote, response: Response, size: number) {
    [this.#remote, this.size, this.name] = [remote, size, remote.name];
    this.#bytes = new Uint8Array(size);
    this.#receive(response).catch((reason: unknown) => this.#fail(reason));
  }

  sidecar(): Promise<string | null> {
    return this.#remote.sidecar();
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    checkRange(this, start, end);
    if (end > this.#loaded) await this.#arrival(end);
    return this.#bytes.subarray(start, end);
  }

  cancel(): void {
    this.#cancelled = true;
  }

  async #receive(response: Response): Promise<void> {
    for await (const piece of this.#remote.pieces(response, this.size)) {
      if (this.#cancelled) return;
      if (this.#loaded + piece.length > this.size)
        throw this.#problem(`more than ${this.size}`, 'it may have changed, load it again');
      this.#bytes.set(piece, this.#loaded);
      this.#loaded += piece.length;
      for (const one of this.#waiting) if (one.end <= this.#loaded) this.#settle(one, one.resolve);
    }
    if (this.#loaded < this.size) throw this.#problem(this.#loaded, 'the download was cut off, try again');
  }

  #problem(found: number | string, advice: string): CheckpointError {
    return new CheckpointError(`${this.name}: found ${found} bytes; expected ${this.size}; ${advice}.`);
  }

  #arrival(end: number): Promise<void> {
    if (this.#failure) return Promise.reject(this.#failure.reason as Error);
    return new Promise((resolve, reject) => this.#waiting.add({ end, resolve, reject }));
  }

  #fail(reason: unknown): void {
    this.#failure = { reason };
    for (const one of this.#waiting) this.#settle(one, () => one.reject(reason));
  }

  #settle(one: Waiting, how: () => void): void {
    this.#waiting.delete(one);
    how();
  }
}
