/**
 * The package's own files that are read while it runs, in the library's builds: copied to `dist/`, and their addresses in `src/` turned
 * to there. The demo and the dev servers need nothing of this, since Vite follows the addresses that stand in the source.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Plugin } from 'vite';
import { META_URL, SCRIPT_URL } from './vite.wasm.js';

/** In `models/`, and the module that says where each is. */
const FILES: readonly (readonly [file: string, module: string])[] = [
  ['inpose-default.safetensors', 'src/apis/default_model.ts'],
  ['inpose-zoo.json', 'src/apis/zoo.ts'],
];

/** Copies the files to `folder`, which the ES modules, the bundle and the IIFE share. */
export function copyPackageFiles(folder: string): Plugin {
  return {
    name: 'inpose:copy-package-files',
    apply: 'build',
    closeBundle() {
      mkdirSync(folder, { recursive: true });
      for (const [file] of FILES)
        copyFileSync(fileURLToPath(new URL(`models/${file}`, import.meta.url)), join(folder, file));
    },
  };
}

/** One folder up (`tree`, the modules' place among the others), or beside the one file of the build (`module`, `script`). */
export function locatePackageFiles(place: 'tree' | 'module' | 'script'): Plugin {
  const folder = place === 'tree' ? '..' : '.';
  const base = place === 'script' ? SCRIPT_URL : META_URL;
  return {
    name: 'inpose:locate-package-files',
    apply: 'build',
    enforce: 'pre',
    transform(code, id) {
      const entry = FILES.find(([, module]) => id.replaceAll('\\', '/').endsWith(`/${module}`));
      if (!entry) return null;
      const inSource = `new URL('../../models/${entry[0]}', import.meta.url)`;
      if (!code.includes(inSource)) throw new Error(`locate-package-files: expected ${inSource} in ${id}`);
      return { code: code.replace(inSource, `new URL('${folder}/${entry[0]}', ${base})`), map: null };
    },
  };
}
