/** A file on the disk as a `ByteSource`: an open handle, read in the pieces that are asked for. Node only. */
import { open, readFile, type FileHandle } from 'node:fs/promises';
import { checkRange, sidecarName, type ByteSource } from '../checkpoint/byte_source.js';
import { CheckpointError, InputError } from '../errors.js';

export class FileSource implements ByteSource {
  readonly name: string;
  readonly size: number;
  readonly #handle: FileHandle;

  private constructor(name: string, size: number, handle: FileHandle) {
    [this.name, this.size, this.#handle] = [name, size, handle];
  }

  /** @throws InputError when there is no such file, or it cannot be read */
  static async open(path: string): Promise<FileSource> {
    let handle: FileHandle | undefined;
    try {
      handle = await open(path, 'r');
      const stat = await handle.stat();
      if (stat.isFile()) return new FileSource(path, stat.size, handle);
    } catch (cause) {
      await handle?.close();
      throw fileError(path, 'read', cause);
    }
    await handle.close();
    throw new InputError(`${path}: this is not a file; give the path of a .pth or .safetensors file.`);
  }

  async read(start: number, end: number): Promise<Uint8Array> {
    checkRange(this, start, end);
    const bytes = new Uint8Array(end - start);
    let filled = 0;
    while (filled < bytes.length) {
      const { bytesRead } = await this.#handle.read(bytes, filled, bytes.length - filled, start + filled);
      if (bytesRead === 0) {
        throw new CheckpointError(`${this.name}: the file became shorter while it was read; try again.`);
      }
      filled += bytesRead;
    }
    return bytes;
  }

  /** `NAME.config.json` beside the file, or null. */
  async sidecar(): Promise<string | null> {
    return readFile(sidecarName(this.name), 'utf8').catch(() => null);
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file or folder',
  EACCES: 'permission is missing',
  EISDIR: 'this is a folder',
  ENOSPC: 'the disk is full',
};

/** A failed file operation in words. */
export function fileError(path: string, verb: 'read' | 'write', cause: unknown): InputError {
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return new InputError(`${path}: cannot ${verb} it, ${REASONS[code] ?? message}; check the path.`, { cause });
}
