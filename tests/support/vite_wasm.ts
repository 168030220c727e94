/**
 * Serves tfjs's `.wasm` files in the Vite dev server (demo, browser tests), where nothing has been copied to `dist/` yet: every
 * request whose file name is one of theirs gets the file from node_modules.
 */
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

export const WASM_FILES = [
  'tfjs-backend-wasm.wasm',
  'tfjs-backend-wasm-simd.wasm',
  'tfjs-backend-wasm-threaded-simd.wasm',
];

/** Folder of the installed `@tensorflow/tfjs-backend-wasm` that holds the `.wasm` files. */
export function wasmFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
}

export function serveWasm(): Plugin {
  return {
    name: 'inpose:serve-wasm',
    apply: 'serve',
    configureServer(server) {
      server.middlewares.use((request, response, next) => {
        const name = (request.url ?? '').split(/[?#]/)[0].split('/').pop() ?? '';
        if (!WASM_FILES.includes(name)) return next();
        void readFile(join(wasmFolder(), name)).then((bytes) => {
          response.setHeader('Content-Type', 'application/wasm');
          response.end(bytes);
        }, next);
      });
    },
  };
}
