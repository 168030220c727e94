/**
 * Packs `npm run bench:node` into a folder that runs on a Linux x64 machine with a Vulkan driver and nothing else: no Node, no
 * npm, no network. Run: `npm run bench:pack [-- --out .gpu --loaders DIR]`, copy the folder there, and run
 * `bash .gpu/run.sh OUT_DIR --profile`.
 *
 * `--loaders` is a folder of Debian packages (libvulkan1 and what it needs), for machines whose driver came without the loader.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { build } from 'vite';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** What onnxruntime-web's WebGPU build consists of. */
const ORT = ['ort.webgpu.min.mjs', 'ort-wasm-simd-threaded.asyncify.mjs'];
const ORT_WASM = 'ort-wasm-simd-threaded.asyncify.wasm';
const DAWN = 'node_modules/webgpu/dist/linux-x64/dawn.node';

const { out, loaders } = new Command('bench:pack')
  .option('--out <dir>', 'folder to make', '.gpu')
  .option('--loaders <dir>', 'Debian packages to take along')
  .parse()
  .opts<{ readonly out: string; readonly loaders?: string }>();

if (process.platform !== 'linux' || process.arch !== 'x64') {
  throw new Error(`bench:pack: found ${process.platform} ${process.arch}; expected Linux x64, whose Node is packed.`);
}
const target = resolve(out);
for (const part of ['app', 'loaders']) rmSync(join(target, part), { recursive: true, force: true });
mkdirSync(join(target, 'app/node_modules/webgpu/dist/linux-x64'), { recursive: true });
await bundle(join(target, 'app'));
cpSync(join(PROJECT, 'bench/fixtures'), join(target, 'app/fixtures'), { recursive: true });
for (const file of ['index.js', 'package.json']) {
  copyFileSync(join(PROJECT, 'node_modules/webgpu', file), join(target, 'app/node_modules/webgpu', file));
}
writeFileSync(join(target, 'app/package.json'), '{ "type": "module" }\n');
mkdirSync(join(target, 'app/ort'));
for (const file of ORT)
  copyFileSync(join(PROJECT, 'node_modules/onnxruntime-web/dist', file), join(target, 'app/ort', file));
compress(join(PROJECT, 'node_modules/onnxruntime-web/dist', ORT_WASM), join(target, `${ORT_WASM}.xz`));
compress(process.execPath, join(target, 'node.xz'));
compress(join(PROJECT, DAWN), join(target, 'dawn.node.xz'));
copyFileSync(join(PROJECT, 'bench/gpu/run.sh'), join(target, 'run.sh'));
if (loaders) copyPackages(resolve(loaders), join(target, 'loaders'));
console.log(`${target}: ${(bytesOf(target) / 2 ** 20).toFixed(1)} MiB`);

/** One file with everything but Dawn, which is a native module. */
async function bundle(folder: string): Promise<void> {
  await build({
    root: PROJECT,
    configFile: false,
    logLevel: 'warn',
    ssr: { noExternal: true, external: ['webgpu'] },
    build: {
      ssr: join(PROJECT, 'bench/node.ts'),
      outDir: folder,
      emptyOutDir: false,
      target: 'node20',
      rolldownOptions: { external: ['webgpu'], output: { entryFileNames: 'bench.js', codeSplitting: false } },
    },
  });
}

/** Takes minutes, so what is there and newer stays. */
function compress(from: string, to: string): void {
  if (existsSync(to) && statSync(to).size > 0 && statSync(to).mtimeMs > statSync(from).mtimeMs) return;
  // -6 needs little memory to unpack, and a tenth of the time of -9e.
  execFileSync('bash', ['-c', 'xz -6 -T0 -c "$0" >"$1"', from, to]);
}

function copyPackages(from: string, to: string): void {
  if (!existsSync(from)) throw new Error(`${from}: not found; expected a folder of .deb files`);
  mkdirSync(to);
  for (const name of readdirSync(from).filter((file) => file.endsWith('.deb'))) {
    copyFileSync(join(from, name), join(to, name));
  }
}

function bytesOf(folder: string): number {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
}
