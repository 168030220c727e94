/** Requests for one remote file. */
import { CheckpointError } from '../errors.js';
import { Slices } from '../slices.js';
import { sidecarName, type ByteSourceOptions } from './byte_source.js';

/** A URL with what is needed to ask for it. */
export class Remote {
  readonly url: string;
  readonly options: ByteSourceOptions;
  readonly name: string;
  #loaded = 0;

  constructor(url: string, options: ByteSourceOptions) {
    [this.url, this.options] = [url, options];
    this.name = options.name ?? url.replace(/[?#].*$/, '');
  }

  /** One request; network failures become CheckpointErrors, aborts stay what they are. */
  async get(headers: Record<string, string> = {}, url = this.url): Promise<Response> {
    const { signal, fetch = globalThis.fetch } = this.options;
    try {
      return await fetch(url, { headers, signal });
    } catch (cause) {
      signal?.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new CheckpointError(`${this.name}: the download failed (${why}); ${advice()}.`, { cause });
    }
  }

  /** The pieces of a response's body, counted for `onProgress`. */
  async *pieces(response: Response, total: number): AsyncGenerator<Uint8Array<ArrayBuffer>> {
    const { signal, onProgress } = this.options;
    const reader = response.body?.getReader();
    const slices = new Slices();
    try {
      for (;;) {
        await slices.pause();
        const piece = await reader?.read();
        if (!piece || piece.done) return;
        signal?.throwIfAborted();
        this.#loaded += piece.value.length;
        onProgress?.(this.#loaded, total);
        yield piece.value;
      }
    } catch (cause) {
      signal?.throwIfAborted();
      if (cause instanceof CheckpointError) throw cause;
      throw new CheckpointError(`${this.name}: the connection broke after ${this.#loaded} bytes; try again.`, {
        cause,
      });
    } finally {
      await reader?.cancel().catch(() => {});
    }
  }

  /** The text beside the file, or null. Servers of single-page apps answer every path with a page: that is not a config. */
  async sidecar(): Promise<string | null> {
    const url = this.url.replace(/^([^?#]*)/, (path) => sidecarName(path));
    try {
      const response = await this.get({}, url);
      const text = response.ok ? await response.text() : '';
      return text.trimStart().startsWith('{') ? text : null;
    } catch {
      this.options.signal?.throwIfAborted();
      return null;
    }
  }
}

/** Bytes of a response's body as it is kept; null when it does not say, or comes compressed. */
export function bodySize(response: Response): number | null {
  const length = Number(response.headers.get('content-length') ?? 0);
  return length > 0 && !isEncoded(response) ? length : null;
}

/** Whether a response's sizes are not the file's. */
export function isEncoded(response: Response): boolean {
  return (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
}

function advice(): string {
  const { location } = globalThis as Partial<Pick<typeof globalThis, 'location'>>;
  return location?.protocol === 'file:'
    ? 'a page opened from a disk may load no files: serve its folder, with `npx vite` for one'
    : 'check the address, the connection, and that the server allows cross-origin requests';
}
