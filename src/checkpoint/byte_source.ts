/**
 * Bytes of a weights file behind one small interface: memory, `Blob`/`File`, or a URL read in pieces with Range requests. The
 * readers above ask for slices and never learn which of them it is. (A file on a disk is in `cli/`, for Node only.)
 */
import { Slices } from '../slices.js';
import { CheckpointError, InputError } from '../errors.js';
import { RANGE_BLOCK_BYTES, RANGE_BLOCKS_KEPT, RANGE_BLOCKS_PER_REQUEST } from './limits.js';

/** Random access to the bytes of one file. */
export interface ByteSource {
  /** For messages: a file name or URL. */
  readonly name?: string;
  /** Bytes in all. */
  readonly size: number;
  /** Exactly the bytes `start`..`end` (end excluded). May be a view of shared memory: callers do not write to it. */
  read(start: number, end: number): Promise<Uint8Array>;
  /** Text of the config file that lies beside this one as `NAME.config.json`, or null. */
  sidecar?(): Promise<string | null>;
}

export type Fetch = (input: string, init?: RequestInit) => Promise<Response>;

export interface ByteSourceOptions {
  /** Stands in for the global `fetch`. */
  fetch?: Fetch;
  /** Ends downloads; the promise then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** Bytes received so far and in all (0: not known). Only called for URLs. */
  onProgress?: (loadedBytes: number, totalBytes: number) => void;
  /** Name for messages, instead of the file's or URL's own. */
  name?: string;
}

export type ByteSourceLike = ArrayBuffer | ArrayBufferView | Blob | string | URL | ByteSource;

/**
 * Opens anything that holds a file. A string is a URL, relative to the page.
 *
 * @throws CheckpointError when a URL does not answer with the file
 * @throws InputError for anything that is not one of the kinds above
 */
export async function openByteSource(source: ByteSourceLike, options: ByteSourceOptions = {}): Promise<ByteSource> {
  options.signal?.throwIfAborted();
  if (isArrayBuffer(source)) return new MemorySource(new Uint8Array(source), options.name);
  if (ArrayBuffer.isView(source)) {
    return new MemorySource(new Uint8Array(source.buffer, source.byteOffset, source.byteLength), options.name);
  }
  if (typeof source === 'string' || source instanceof URL) return openUrl(String(source), options);
  if (typeof Blob !== 'undefined' && source instanceof Blob) return new BlobSource(source, options.name);
  if (isByteSource(source)) return source;
  throw new InputError(
    'openCheckpoint: expected an ArrayBuffer, a typed array, a Blob or File, a URL or a ByteSource.',
  );
}

/** Also true for an ArrayBuffer of another frame or realm, where `instanceof` fails. */
function isArrayBuffer(value: unknown): value is ArrayBuffer {
  const tag = Object.prototype.toString.call(value);
  return tag === '[object ArrayBuffer]' || tag === '[object SharedArrayBuffer]';
}

function isByteSource(value: unknown): value is ByteSource {
  const source = value as ByteSource | null;
  return typeof source === 'object' && typeof source?.size === 'number' && typeof source.read === 'function';
}

/** The place of `name.pth`'s config: the same path, ending in `.config.json`. */
export function sidecarName(name: string): string {
  return `${name.replace(/\.(pth|pt|bin|safetensors)$/i, '')}.config.json`;
}

/** @throws CheckpointError when `start`..`end` does not lie in the file */
export function checkRange(source: ByteSource, start: number, end: number): void {
  if (start >= 0 && start <= end && end <= source.size) return;
  throw new CheckpointError(
    `${source.name ?? 'checkpoint'}: bytes ${start}..${end} are wanted, but the file ends at ${source.size}; it is truncated or corrupt, download it again.`,
  );
}

class MemorySource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array, name = 'checkpoint') {
    [this.#bytes, this.size, this.name] = [bytes, bytes.length, name];
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    checkRange(this, start, end);
    return this.#bytes.subarray(start, end);
  }
}

class BlobSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #blob: Blob;

  constructor(blob: Blob, name?: string) {
    this.name = name ?? (blob as Partial<File>).name ?? 'checkpoint';
    [this.#blob, this.size] = [blob, blob.size];
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    checkRange(this, start, end);
    try {
      return new Uint8Array(await this.#blob.slice(start, end).arrayBuffer());
    } catch (cause) {
      // A File goes stale when it is changed or removed after it was picked.
      throw new CheckpointError(`${this.name}: bytes ${start}..${end} cannot be read any more; pick the file again.`, {
        cause,
      });
    }
  }
}

// ---- URLs

/** A URL with what is needed to ask for it. */
class Remote {
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
      throw new CheckpointError(
        `${this.name}: the download failed (${cause instanceof Error ? cause.message : String(cause)}); check the address, the connection, and that the server allows cross-origin requests.`,
        { cause },
      );
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

/**
 * Asks for two bytes. A server that answers with a range, and says how long the file is, is read in pieces; any other sends the
 * whole file. (Not HEAD: caches that compress drop its headers. Not `bytes=0-0`: sirv, which is Vite's dev server, takes an end
 * of 0 for none given and answers with everything.)
 */
async function openUrl(url: string, options: ByteSourceOptions): Promise<ByteSource> {
  const remote = new Remote(url, options);
  const probe = await remote.get({ Range: 'bytes=0-1' });
  if (probe.status === 206) {
    const size = totalSize(probe);
    // Two bytes are read to their end: browsers list a cancelled request as a failed one.
    if (Number(probe.headers.get('content-length') ?? Infinity) <= 2) await probe.arrayBuffer().catch(() => {});
    else await probe.body?.cancel().catch(() => {});
    if (size !== null) return new RangeSource(remote, size);
    return downloadAll(remote, await remote.get());
  }
  // 416: not one byte to give, or a server that dislikes the question.
  return downloadAll(remote, probe.status === 416 ? await remote.get() : probe);
}

/** The file's length from `Content-Range: bytes 0-1/1234`; null when hidden (cross-origin), unknown, or of an encoded body. */
function totalSize(response: Response): number | null {
  const size = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  const encoding = response.headers.get('content-encoding') ?? 'identity';
  return size !== undefined && encoding === 'identity' ? Number(size) : null;
}

async function downloadAll(remote: Remote, response: Response): Promise<ByteSource> {
  if (!response.ok) {
    await response.body?.cancel().catch(() => {});
    throw new CheckpointError(
      `${remote.name}: found HTTP status ${response.status}; expected the file; check the address.`,
    );
  }
  const length = Number(response.headers.get('content-length') ?? 0);
  const encoded = (response.headers.get('content-encoding') ?? 'identity') !== 'identity';
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of remote.pieces(response, encoded ? 0 : length)) pieces.push(piece);
  // A Blob, not one array: the browser may keep it on disk, and nothing is copied here.
  const source = new BlobSource(new Blob(pieces), remote.name);
  if (!encoded && length > 0 && source.size !== length) {
    throw new CheckpointError(
      `${remote.name}: found ${source.size} bytes; expected ${length}; the download was cut off, try again.`,
    );
  }
  return Object.assign(source, { sidecar: () => remote.sidecar() });
}

/** A remote file in blocks: neighbouring tensors share a request, and the last blocks are kept. */
class RangeSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #remote: Remote;
  readonly #blocks = new Map<number, Promise<Uint8Array>>();

  constructor(remote: Remote, size: number) {
    [this.#remote, this.size, this.name] = [remote, size, remote.name];
  }

  sidecar(): Promise<string | null> {
    return this.#remote.sidecar();
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    checkRange(this, start, end);
    const out = new Uint8Array(end - start);
    const stop = Math.ceil(end / RANGE_BLOCK_BYTES);
    for (let index = Math.floor(start / RANGE_BLOCK_BYTES); index < stop; index++) {
      const block = await this.#block(index, stop);
      const at = index * RANGE_BLOCK_BYTES;
      const from = Math.max(start - at, 0);
      out.set(block.subarray(from, Math.min(end - at, block.length)), at + from - start);
    }
    return out;
  }

  /** One block; asks in the same request for those missing after it, up to block `stop`. */
  #block(index: number, stop: number): Promise<Uint8Array> {
    const known = this.#blocks.get(index);
    if (known) return known;
    let last = index + 1;
    while (last < stop && last - index < RANGE_BLOCKS_PER_REQUEST && !this.#blocks.has(last)) last++;
    const run = this.#fetchRun(index, last);
    for (let i = index; i < last; i++) {
      const from = (i - index) * RANGE_BLOCK_BYTES;
      const block = run.then((bytes) => bytes.subarray(from, from + RANGE_BLOCK_BYTES));
      block.catch(() => this.#blocks.delete(i)); // so that the next read tries again
      this.#blocks.set(i, block);
    }
    for (const old of this.#blocks.keys()) {
      if (this.#blocks.size <= RANGE_BLOCKS_KEPT) break;
      this.#blocks.delete(old);
    }
    return run.then((bytes) => bytes.subarray(0, RANGE_BLOCK_BYTES));
  }

  async #fetchRun(first: number, last: number): Promise<Uint8Array> {
    const start = first * RANGE_BLOCK_BYTES;
    const end = Math.min(last * RANGE_BLOCK_BYTES, this.size);
    const response = await this.#remote.get({ Range: `bytes=${start}-${end - 1}` });
    if (response.status !== 206 || totalSize(response) !== this.size) {
      await response.body?.cancel().catch(() => {});
      throw new CheckpointError(
        `${this.name}: found HTTP status ${response.status} for bytes ${start}..${end}; expected a part of the same ${this.size}-byte file; it may have changed, load it again.`,
      );
    }
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    for await (const piece of this.#remote.pieces(response, this.size)) {
      if (filled + piece.length <= bytes.length) bytes.set(piece, filled);
      filled += piece.length;
    }
    if (filled === bytes.length) return bytes;
    throw new CheckpointError(
      `${this.name}: found ${filled} bytes; expected ${bytes.length} from ${start} on; try again.`,
    );
  }
}
