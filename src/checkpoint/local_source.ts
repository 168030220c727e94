/** Files that are at hand: in memory, or picked by the user. */
import { CheckpointError } from '../errors.js';
import { checkRange, type ByteSource } from './byte_source.js';

export class MemorySource implements ByteSource {
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

export class BlobSource implements ByteSource {
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
