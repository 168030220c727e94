/**
 * Telling tfjs where its `.wasm` files are. The one that will be used is looked at first: tfjs prints when it is missing or
 * served with the wrong type, and after such a failure its module refuses to be told again.
 */
import { BackendError } from '../errors.js';
import * as tf from '../tf.js';
import { wasmFiles, type WasmFile } from './wasm_files.js';
import { threadsSurviveBundling } from './wasm_threads.js';

/** A folder (with or without a slash at its end), or each file's URL. */
export type WasmPaths = string | Readonly<Record<WasmFile, string>>;

/** What this file needs of the package, which only init.ts imports. */
export interface WasmPackage {
  setWasmPaths(paths: Record<string, string>, usePlatformFetch?: boolean): void;
}

const MAGIC = [0x00, 0x61, 0x73, 0x6d];

/** @throws BackendError naming the URL that cannot be read */
export async function configureWasm(wasm: WasmPackage, paths?: WasmPaths, signal?: AbortSignal): Promise<void> {
  // In Node tfjs reads its own folder.
  if (paths === undefined && tf.env().getBool('IS_NODE')) return;
  if (!threadsSurviveBundling()) tf.env().set('WASM_HAS_MULTITHREAD_SUPPORT', false);
  const files = resolve(paths);
  const url = files[await fileInUse()];
  const typed = await checkWasm(url, signal);
  // Compiling while downloading needs the right content type; tfjs's other way does not.
  wasm.setWasmPaths(files, !typed);
}

function resolve(paths: WasmPaths | undefined): Record<WasmFile, string> {
  if (paths === undefined) return wasmFiles();
  if (typeof paths !== 'string') return { ...paths };
  const folder = paths.endsWith('/') ? paths : `${paths}/`;
  return {
    'tfjs-backend-wasm.wasm': `${folder}tfjs-backend-wasm.wasm`,
    'tfjs-backend-wasm-simd.wasm': `${folder}tfjs-backend-wasm-simd.wasm`,
    'tfjs-backend-wasm-threaded-simd.wasm': `${folder}tfjs-backend-wasm-threaded-simd.wasm`,
  };
}

/** tfjs's own choice: threads only on cross-origin isolated pages. */
async function fileInUse(): Promise<WasmFile> {
  const simd = await tf.env().getAsync('WASM_HAS_SIMD_SUPPORT');
  if (!simd) return 'tfjs-backend-wasm.wasm';
  const threads = await tf.env().getAsync('WASM_HAS_MULTITHREAD_SUPPORT');
  return threads ? 'tfjs-backend-wasm-threaded-simd.wasm' : 'tfjs-backend-wasm-simd.wasm';
}

/**
 * Fetches the file; tfjs, which asks next, has it from the browser's cache. Returns whether the server names the content type that
 * streaming compilation asks for. The beginning would be enough, but then browsers ask for the rest alone, and servers that compress parts
 * by themselves (Express and Next.js do) give one that does not fit.
 */
async function checkWasm(url: string, signal?: AbortSignal): Promise<boolean> {
  const fail = (found: string, cause?: unknown) =>
    new BackendError(
      `backend "wasm": ${url}: ${found}; expected tfjs's .wasm file. Copy the three files from inpose's dist folder there, or set the option wasmPaths.`,
      { cause },
    );
  let response: Response;
  let bytes: Uint8Array;
  try {
    response = await fetch(url, { credentials: 'same-origin', signal });
    bytes = new Uint8Array(await response.arrayBuffer());
  } catch (error) {
    signal?.throwIfAborted();
    throw fail('could not be fetched', error);
  }
  if (!response.ok) throw fail(`the server answered ${response.status}`);
  if (!MAGIC.every((byte, i) => bytes[i] === byte))
    throw fail('is not a WebAssembly module (a page instead of the file?)');
  return /^application\/wasm\b/i.test(response.headers.get('content-type') ?? '');
}
