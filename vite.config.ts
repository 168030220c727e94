/**
 * The builds, one per mode (`npm run build` runs them all):
 *
 * - `es`: the source tree as ES modules, one file per module, so that each backbone, head and codec is a chunk of its own and an
 *   application's bundler takes only what it uses; tfjs stays an import. The command line tool is built with it.
 * - `bundle`: `dist/inpose.bundle.mjs`, everything inside, for `<script type="module">` without a bundler.
 * - `iife`: `dist/inpose.iife.js`, the same for a plain script tag, as `window.inpose`.
 * - `demo`: the demo page. Without a mode, `vite` serves it from source.
 */
import { existsSync } from 'node:fs';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';
import type { Plugin, UserConfig } from 'vite';
import { copyPackageFiles, locatePackageFiles } from './vite.package_files.js';
import { dropIndentation } from './vite.shaders.js';
import { quietTfjs } from './vite.tfjs.js';
import { locateWorker } from './vite.worker.js';
import { copyWasm, locateWasm, repairWasmThreads, SCRIPT_URL_INTRO, serveWasm } from './vite.wasm.js';

const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

/** Public entry points of the ES build; `exports` in package.json names the same ones. */
const ENTRIES = {
  index: 'src/index.ts',
  'checkpoint/index': 'src/checkpoint/index.ts',
  'codecs/index': 'src/codecs/index.ts',
  'datasets/index': 'src/datasets/index.ts',
  'evaluation/index': 'src/evaluation/index.ts',
  'structures/index': 'src/structures/index.ts',
  'tracking/index': 'src/tracking/index.ts',
  'visualization/index': 'src/visualization/index.ts',
  'worker/index': 'src/worker/index.ts',
  'apis/pose_detection': 'src/apis/pose_detection.ts',
  'cli/inpose': 'src/cli/inpose.ts',
};

/** What the dev servers bundle once, before the first page asks. */
export const TFJS = ['core', 'backend-cpu', 'backend-wasm', 'backend-webgl', 'backend-webgpu'].map(
  (name) => `@tensorflow/tfjs-${name}`,
);

const SELF_CONTAINED = 'src/iife.ts';

export default defineConfig(({ mode, command }): UserConfig => {
  if (mode === 'es') return esModules();
  if (mode === 'bundle') return selfContained('es', 'inpose.bundle.mjs');
  if (mode === 'iife') return selfContained('iife', 'inpose.iife.js');
  return demo(command);
});

/** What all library builds share: modern syntax (the floor is where WebGPU and wasm SIMD are), nothing from a public folder. */
const LIBRARY = { target: 'es2022', outDir: path('dist'), copyPublicDir: false, reportCompressedSize: false } as const;

function esModules(): UserConfig {
  const entries = Object.entries(ENTRIES).filter(([, file]) => existsSync(path(file)));
  return {
    plugins: [
      importTfjsDirectly(),
      ...[locateWasm('tree'), copyWasm(path('dist'))],
      ...[locatePackageFiles('tree'), copyPackageFiles(path('dist'))],
      locateWorker('tree'),
    ],
    build: {
      ...LIBRARY,
      emptyOutDir: true,
      minify: false,
      lib: { entry: Object.fromEntries(entries.map(([name, file]) => [name, path(file)])), formats: ['es'] },
      rolldownOptions: {
        external: [/^@tensorflow\//, /^node:/, 'commander', 'cli-progress'],
        output: { preserveModules: true, preserveModulesRoot: path('src'), entryFileNames: '[name].js' },
      },
    },
  };
}

/**
 * `src/tf.ts` is `export * from '@tensorflow/tfjs-core'`. Kept as a module with that import external, it would become an object
 * with every export of tfjs, which no application's bundler can shake; so its importers name tfjs-core themselves.
 */
function importTfjsDirectly(): Plugin {
  return {
    name: 'inpose:import-tfjs-directly',
    enforce: 'pre',
    resolveId: (id) => (/^(\.\.?\/)+tf\.js$/.test(id) ? { id: '@tensorflow/tfjs-core', external: true } : null),
  };
}

function selfContained(format: 'es' | 'iife', fileName: string): UserConfig {
  const place = format === 'es' ? 'module' : 'script';
  return {
    plugins: [
      locateWasm(place),
      locatePackageFiles(place),
      locateWorker(place),
      repairWasmThreads(),
      quietTfjs(),
      dropIndentation(),
    ],
    // `vite build` leaves process.env to the application in library mode; here there is no application's bundler to answer.
    define: { 'process.env.NODE_ENV': '"production"' },
    build: {
      ...LIBRARY,
      emptyOutDir: false,
      minify: true,
      lib: { entry: path(SELF_CONTAINED), formats: [format], name: 'inpose', fileName: () => fileName },
      rolldownOptions: {
        output: { codeSplitting: false, minify: true, ...(format === 'iife' ? { intro: SCRIPT_URL_INTRO } : {}) },
      },
    },
  };
}

function demo(command: 'build' | 'serve'): UserConfig {
  const port = process.env.PORT;
  return {
    root: path('demo'),
    base: command === 'build' ? './' : '/',
    plugins: [serveWasm(), locateWasm('assets'), repairWasmThreads()],
    // Found while the page runs, they would reload it under the user.
    optimizeDeps: { include: TFJS },
    resolve: { alias: { inpose: path('src/index.ts') } },
    // The demo imports the source, which lies beside its root.
    server: {
      port: port ? Number(port) : 5173,
      strictPort: port !== undefined,
      open: hasViewer(),
      fs: { allow: [path('.')] },
    },
    build: { target: 'es2022', outDir: path('dist/demo'), emptyOutDir: true, chunkSizeWarningLimit: 3000 },
  };
}

/** `npm run demo` opens a browser where somebody can see it; the test tools that start this server never do. */
function hasViewer(): boolean {
  if (process.env.npm_lifecycle_event !== 'demo' || process.env.CI) return false;
  return process.platform !== 'linux' || Boolean(process.env.DISPLAY || process.env.WAYLAND_DISPLAY);
}
