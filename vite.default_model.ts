/**
 * The default model in the library's builds: copied to `dist/`, and its address in `src/apis/default_model.ts` turned to there. The
 * demo and the dev servers need nothing of this, since Vite follows the address that stands in the source.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { META_URL, SCRIPT_URL } from './vite.wasm.js';

const FILE = 'inpose-default.safetensors';
const SOURCE_ADDRESS = `new URL('../../models/${FILE}', import.meta.url)`;

/** Copies the file to `folder`, which the ES modules, the bundle and the IIFE share. */
export function copyDefaultModel(folder: string): Plugin {
  return {
    name: 'inpose:copy-default-model',
    apply: 'build',
    closeBundle() {
      mkdirSync(folder, { recursive: true });
      copyFileSync(fileURLToPath(new URL(`models/${FILE}`, import.meta.url)), join(folder, FILE));
    },
  };
}

/** One folder up (`tree`, the module's place among the others), or beside the one file of the build (`module`, `script`). */
export function locateDefaultModel(place: 'tree' | 'module' | 'script'): Plugin {
  const address = `new URL('${place === 'tree' ? '..' : '.'}/${FILE}', ${place === 'script' ? SCRIPT_URL : META_URL})`;
  return {
    name: 'inpose:locate-default-model',
    apply: 'build',
    enforce: 'pre',
    transform(code, id) {
      if (!id.replaceAll('\\', '/').endsWith('/src/apis/default_model.ts')) return null;
      if (!code.includes(SOURCE_ADDRESS)) throw new Error(`locate-default-model: expected ${SOURCE_ADDRESS} in ${id}`);
      return { code: code.replace(SOURCE_ADDRESS, address), map: null };
    },
  };
}
