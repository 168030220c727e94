/** Opens the FILE argument of a command: a path, or an http(s) URL. */
import { publishedConfig } from '../apis/zoo.js';
import {
  openByteSource,
  openCheckpoint,
  type ByteSource,
  type Checkpoint,
  type OpenCheckpointOptions,
} from '../checkpoint/index.js';
import { FileSource } from './file_source.js';

/** Calls `use` with the open checkpoint and its size in bytes, and closes the file afterwards. */
export async function withCheckpoint<T>(
  file: string,
  options: OpenCheckpointOptions,
  use: (checkpoint: Checkpoint, size: number) => Promise<T>,
): Promise<T> {
  const withPublished = { published: publishedConfig, ...options };
  const isUrl = /^https?:\/\//i.test(file);
  const source: ByteSource = isUrl ? await openByteSource(file, options) : await FileSource.open(file);
  try {
    return await use(await openCheckpoint(source, withPublished), source.size);
  } finally {
    source.cancel?.();
    if (source instanceof FileSource) await source.close();
  }
}

/** `5.8 MB` */
export function formatBytes(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const power = Math.min(Math.floor(Math.log10(Math.max(bytes, 1)) / 3), 3);
  return `${power === 0 ? bytes : (bytes / 1000 ** power).toFixed(1)} ${units[power]}`;
}
