/**
 * Bytes of a weights file behind one small interface: memory, `Blob`/`File`, or a URL. The readers above ask for slices and never learn
 * which of them it is. (A file on a disk is in `cli/`, for Node only.)
 */
import { CheckpointError } from '../errors.js';

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
  /** Ends what is still on its way; nobody reads afterwards. */
  cancel?(): void;
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

/** The name of a weights file up to its `.pth`, `.safetensors` and the like. */
export function withoutExtension(name: string): string {
  return name.replace(/\.(pth|pt|bin|safetensors)$/i, '');
}

/** The place of `name.pth`'s config: the same path, ending in `.config.json`. */
export function sidecarName(name: string): string {
  return `${withoutExtension(name)}.config.json`;
}

/** @throws CheckpointError when `start`..`end` does not lie in the file */
export function checkRange(source: ByteSource, start: number, end: number): void {
  if (start >= 0 && start <= end && end <= source.size) return;
  throw new CheckpointError(
    `${source.name ?? 'checkpoint'}: bytes ${start}..${end} are wanted, but the file ends at ${source.size}; it is truncated or corrupt, download it again.`,
  );
}
