/**
 * The worker in the library's builds: `src/worker/start_worker.ts` starts it from source, as a module; the builds start the script-tag
 * build, which lies in `dist/` with the other files and has tfjs inside.
 */
import type { Plugin } from 'vite';
import { META_URL, SCRIPT_URL } from './vite.wasm.js';

const FILE = 'inpose.iife.js';

/** One folder up (`tree`, the module's place among the others), or beside or in the one file of the build (`module`, `script`). */
export function locateWorker(place: 'tree' | 'module' | 'script'): Plugin {
  const folder = place === 'tree' ? '..' : '.';
  const address = place === 'script' ? `new URL(${SCRIPT_URL})` : `new URL('${folder}/${FILE}', ${META_URL})`;
  return {
    name: 'inpose:locate-worker',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      if (!id.replaceAll('\\', '/').endsWith('/src/worker/start_worker.ts')) return null;
      return `import { startClassic } from './start_classic.js';\nexport const startWorker = () => startClassic(${address}.href);\n`;
    },
  };
}
