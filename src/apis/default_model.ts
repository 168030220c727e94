/**
 * The model that comes with the package: `models/inpose-default.safetensors`, trained on rendered people only. The build copies it to
 * `dist/`, beside tfjs's `.wasm` files, and it is found the same way: through `import.meta.url`, or beside the script that defined
 * `window.inpose`. `vite.package_files.ts` replaces the address below in the library's builds.
 */
import type { ByteSourceLike, Fetch } from '../checkpoint/index.js';
import { CheckpointError } from '../errors.js';
import { packageUrl } from '../page_url.js';
import { nodeFiles } from './node_files.js';

/**
 * Absolute URL of the default model's file, to fetch it early or to keep it for use without a network. An application that serves the
 * file from elsewhere passes that address as `checkpoint`.
 */
export function defaultModelUrl(): string {
  return packageUrl(new URL('../../models/inpose-default.safetensors', import.meta.url).href);
}

/** The default model as a checkpoint to open. Node's `fetch` reads no files, so there the bytes are read. */
export async function defaultCheckpoint(fetch?: Fetch): Promise<ByteSourceLike> {
  const url = defaultModelUrl();
  const fs = fetch ? undefined : nodeFiles(url);
  if (!fs) return url;
  return fs.readFile(new URL(url)).catch((cause: unknown) => {
    throw new CheckpointError(`${url}: could not be read; expected the model that comes with the package.`, { cause });
  });
}
