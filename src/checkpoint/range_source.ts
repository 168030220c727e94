/** A large remote file, read in pieces with Range requests. */
import { CheckpointError } from '../errors.js';
import { checkRange, type ByteSource } from './byte_source.js';
import { RANGE_BLOCK_BYTES, RANGE_BLOCKS_KEPT, RANGE_BLOCKS_PER_REQUEST } from './limits.js';
import { isEncoded, type Remote } from './remote.js';

/** The file's length from `Content-Range: bytes 0-1/1234`; null when hidden (cross-origin), unknown, or of an encoded body. */
export function totalSize(response: Response): number | null {
  const size = /^bytes \d+-\d+\/(\d+)$/.exec(response.headers.get('content-range') ?? '')?.[1];
  return size !== undefined && !isEncoded(response) ? Number(size) : null;
}

/** A remote file in blocks: neighbouring tensors share a request, and the last blocks are kept. */
export class RangeSource implements ByteSource {
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
