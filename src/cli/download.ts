/** A file from the web onto the disk, checked against the hash in its name. Node only. */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { bodySize, Remote } from '../checkpoint/remote.js';
import { CheckpointError } from '../errors.js';
import { fileError } from './file_source.js';

export interface DownloadOptions {
  /** Bytes received so far and in all (0: not known). */
  readonly onProgress?: (loaded: number, total: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Writes what `url` answers to `path`.
 *
 * @throws CheckpointError when the file cannot be had, is cut off, or is not the one whose hash its name bears; InputError when it
 *   cannot be written. What was written stays then.
 */
export async function download(url: string, path: string, { onProgress, signal }: DownloadOptions = {}): Promise<void> {
  const remote = new Remote(url, { onProgress, signal });
  const response = await remote.get();
  if (!response.ok)
    throw new CheckpointError(`${url}: the server answered ${response.status}; expected a weights file.`);
  const total = bodySize(response) ?? 0;
  const hash = createHash('sha256');
  const file = await open(path, 'w').catch((cause: unknown) => {
    throw fileError(path, 'write', cause);
  });
  let loaded = 0;
  try {
    for await (const bytes of remote.pieces(response, total)) {
      await file.writeFile(bytes).catch((cause: unknown) => {
        throw fileError(path, 'write', cause);
      });
      hash.update(bytes);
      loaded += bytes.length;
    }
  } finally {
    await file.close();
  }
  if (loaded < total) throw new CheckpointError(`${url}: found ${loaded} bytes of ${total}; download it again.`);
  checkHash(url, hash.digest('hex'));
}

/** Published files are named `NAME-HASH_DATE.pth`, with the beginning of their SHA-256; a few have none. */
function checkHash(url: string, hash: string): void {
  const expected = /[-_]([0-9a-f]{7,8})(?:_\d{8})?\.pth$/.exec(url)?.[1];
  if (expected === undefined || hash.startsWith(expected)) return;
  throw new CheckpointError(
    `${url}: found SHA-256 ${hash.slice(0, expected.length)}..., expected ${expected}...; it was damaged on the way, download it again.`,
  );
}
