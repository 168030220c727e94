/** Anything that holds a file as a `ByteSource`. */
import { CheckpointError, InputError } from '../errors.js';
import type { ByteSource, ByteSourceLike, ByteSourceOptions } from './byte_source.js';
import { MAX_STREAMED_BYTES } from './limits.js';
import { BlobSource, MemorySource } from './local_source.js';
import { RangeSource, totalSize } from './range_source.js';
import { bodySize, Remote } from './remote.js';
import { StreamSource } from './stream_source.js';

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

/**
 * Asks for the file. One of moderate size, as models for pages are, is read while it arrives; of a larger one only the parts that are
 * wanted are fetched, where the server knows Range requests.
 */
async function openUrl(url: string, options: ByteSourceOptions): Promise<ByteSource> {
  const remote = new Remote(url, options);
  const response = await remote.get();
  const size = response.ok ? bodySize(response) : null;
  if (size === null) return downloadAll(remote, response);
  // Another origin does not tell whether it compressed the file, and then the size is not the file's.
  if (size <= MAX_STREAMED_BYTES)
    return response.type === 'cors' ? downloadAll(remote, response) : new StreamSource(remote, response, size);
  await response.body?.cancel().catch(() => {});
  return openLarge(remote);
}

/**
 * Asks for two bytes. A server that answers with a range, and says how long the file is, is read in pieces; any other sends the
 * whole file. (Not HEAD: caches that compress drop its headers. Not `bytes=0-0`: sirv, which is Vite's dev server, takes an end
 * of 0 for none given and answers with everything.)
 */
async function openLarge(remote: Remote): Promise<ByteSource> {
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

async function downloadAll(remote: Remote, response: Response): Promise<ByteSource> {
  if (!response.ok) {
    await response.body?.cancel().catch(() => {});
    throw new CheckpointError(
      `${remote.name}: found HTTP status ${response.status}; expected the file; check the address.`,
    );
  }
  const length = bodySize(response);
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of remote.pieces(response, length ?? 0)) pieces.push(piece);
  // A Blob, not one array: the browser may keep it on disk, and nothing is copied here.
  const source = new BlobSource(new Blob(pieces), remote.name);
  if (source.size < (length ?? 0)) {
    throw new CheckpointError(
      `${remote.name}: found ${source.size} bytes; expected ${length}; the download was cut off, try again.`,
    );
  }
  return Object.assign(source, { sidecar: () => remote.sidecar() });
}
