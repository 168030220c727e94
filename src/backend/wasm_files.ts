/**
 * Where tfjs's three `.wasm` files are. The build copies them to `dist/`; the ES build finds them beside its own files through
 * `import.meta.url`. `vite.config.ts` replaces this one module in the two self-contained builds: there they lie beside
 * `inpose.bundle.mjs`, and beside the script that defined `window.inpose`.
 */

import { packageUrl } from '../page_url.js';

/** File names as tfjs asks for them. */
export type WasmFile =
  'tfjs-backend-wasm.wasm' | 'tfjs-backend-wasm-simd.wasm' | 'tfjs-backend-wasm-threaded-simd.wasm';

/**
 * Absolute URL of each file. The three `new URL(...)` stay literal, since that is what bundlers look for when they copy an
 * asset into an application. In Node tfjs reads its own copies from its own folder, so nothing needs to be set there.
 */
export function wasmFiles(): Record<WasmFile, string> {
  return {
    'tfjs-backend-wasm.wasm': packageUrl(new URL('../tfjs-backend-wasm.wasm', import.meta.url).href),
    'tfjs-backend-wasm-simd.wasm': packageUrl(new URL('../tfjs-backend-wasm-simd.wasm', import.meta.url).href),
    'tfjs-backend-wasm-threaded-simd.wasm': packageUrl(
      new URL('../tfjs-backend-wasm-threaded-simd.wasm', import.meta.url).href,
    ),
  };
}
