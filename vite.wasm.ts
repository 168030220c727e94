/**
 * tfjs's three `.wasm` files in each build. `src/backend/wasm_files.ts` says where they are; that answer differs between the ES
 * modules, the two self-contained files, the demo and the dev server, so each build gets its own version of that one module.
 */
import { copyFileSync, mkdirSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Plugin } from 'vite';

const WASM_FILES = ['tfjs-backend-wasm.wasm', 'tfjs-backend-wasm-simd.wasm', 'tfjs-backend-wasm-threaded-simd.wasm'];

/** Set by the IIFE while it runs for the first time: later `document.currentScript` is null, or somebody else's. */
export const SCRIPT_URL = '__inposeScriptUrl';
export const SCRIPT_URL_INTRO = `var ${SCRIPT_URL} = typeof document === 'undefined' ? self.location.href : (document.currentScript && document.currentScript.src) || document.baseURI;`;

/** Folder of the installed `@tensorflow/tfjs-backend-wasm` that holds the `.wasm` files. */
function wasmFolder(): string {
  return dirname(createRequire(import.meta.url).resolve('@tensorflow/tfjs-backend-wasm'));
}

/** Copies the files to `folder`, which the ES modules, the bundle and the IIFE share. */
export function copyWasm(folder: string): Plugin {
  return {
    name: 'inpose:copy-wasm',
    apply: 'build',
    closeBundle() {
      mkdirSync(folder, { recursive: true });
      for (const file of WASM_FILES) copyFileSync(join(wasmFolder(), file), join(folder, file));
    },
  };
}

/** Stands for `import.meta.url` until `locateWasm` writes the code out: Vite's library mode would look for the files now, and warn. */
export const META_URL = '__inposeMetaUrl';

/**
 * Replaces `src/backend/wasm_files.ts`: URLs one folder up (`tree`, its place among the ES modules), beside the one file of the
 * build (`module`, `script`), or assets of an application.
 */
export function locateWasm(place: 'tree' | 'module' | 'script' | 'assets'): Plugin {
  return {
    name: 'inpose:locate-wasm',
    apply: 'build',
    enforce: 'pre',
    load(id) {
      if (!id.replaceAll('\\', '/').endsWith('/src/backend/wasm_files.ts')) return null;
      if (place === 'assets') return assetModule();
      return urlModule(place === 'tree' ? '..' : '.', place === 'script' ? SCRIPT_URL : META_URL);
    },
    generateBundle(_options, bundle) {
      for (const output of Object.values(bundle)) {
        if (output.type === 'chunk') output.code = output.code.replaceAll(META_URL, 'import.meta.url');
      }
    },
  };
}

function urlModule(folder: '.' | '..', base: string): string {
  const entries = WASM_FILES.map((file) => `'${file}': packageUrl(new URL('${folder}/${file}', ${base}).href)`);
  return `import { packageUrl } from '../page_url.js';\nexport function wasmFiles() {\n  return { ${entries.join(', ')} };\n}`;
}

function assetModule(): string {
  const imports = WASM_FILES.map((file, i) => `import url${i} from '@tensorflow/tfjs-backend-wasm/dist/${file}?url';`);
  const entries = WASM_FILES.map((file, i) => `'${file}': new URL(url${i}, document.baseURI).href`);
  return `${imports.join('\n')}\nexport const wasmFiles = () => ({ ${entries.join(', ')} });`;
}

/**
 * tfjs sends the text of its threaded wasm factory to its workers. That function uses `_scriptDir` of the scope around it, behind
 * a `typeof` guard which every minifier removes as needless: the workers then die of a ReferenceError, on cross-origin isolated
 * pages only. With the name gone there is nothing to miss; where the `.wasm` files are is given explicitly anyway.
 */
export function repairWasmThreads(): Plugin {
  return {
    name: 'inpose:repair-wasm-threads',
    apply: 'build',
    load(id) {
      if (!id.replaceAll('\\', '/').endsWith('/src/backend/wasm_threads.ts')) return null;
      return 'export const threadsSurviveBundling = () => true;';
    },
    transform(code, id) {
      if (!id.split('?')[0].endsWith('/tfjs-backend-wasm-threaded-simd.js')) return null;
      const repaired = code
        .replace('typeof _scriptDir !== "undefined" && _scriptDir', 'false')
        .replace('Module["mainScriptUrlOrBlob"]||_scriptDir', 'Module["mainScriptUrlOrBlob"]');
      if (repaired.split('_scriptDir').length !== code.split('_scriptDir').length - 3) {
        throw new Error('repair-wasm-threads: tfjs-backend-wasm changed; see whether its threads still need this.');
      }
      return { code: repaired, map: null };
    },
  };
}

/** In the dev server nothing has been copied: whatever the folder asked for, these names come from node_modules. */
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
