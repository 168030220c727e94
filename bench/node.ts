/**
 * `npm run bench:node`: the compiled WebGPU networks under Dawn for Node, for machines with a GPU and no browser. Fails when the
 * numbers are not MMPose's, or when WebGPU reports an error.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { Command } from 'commander';
import { createBackend } from '../src/backend/init.js';
import { openDawn, type Dawn } from './dawn.js';
import { uncapturedErrors } from './gpu_meter.js';
import { measure, type Row } from './measure.js';
import { BENCH_MODELS, type BenchModelName } from './models.js';
import { loadBenchNetwork } from './network.js';
import { integers, listOf, positiveInteger, positiveNumber } from './options.js';
import { peakTflops } from './peak.js';
import { failures, printProfiles, printTable, printTuning } from './report.js';
import { jitRunner, type JitHost } from './runners/inpose_jit.js';
import { ortRunner, WEBGPU_WASM } from './runners/onnxruntime_web.js';
import type { Runner } from './runners/runner.js';

const MODEL_NAMES = Object.keys(BENCH_MODELS) as BenchModelName[];

/** Those that need no browser. */
const NODE_RUNNERS = [
  'inpose webgpu jit',
  'inpose webgpu jit tuned',
  'inpose webgpu jit fp16',
  'onnxruntime-web webgpu',
] as const;
type NodeRunner = (typeof NODE_RUNNERS)[number];

interface Options {
  readonly models: readonly BenchModelName[];
  readonly runners?: readonly NodeRunner[];
  readonly tuneSeconds: number;
  readonly ort: string;
  readonly runs: number;
  readonly burst: number;
  readonly cap: number;
  readonly persons: readonly number[];
  readonly peakTflops?: number;
  readonly fixtures: string;
  readonly json?: string;
  readonly profile?: boolean;
}

const options = new Command('bench:node')
  .option('--models <names>', `of ${MODEL_NAMES.join(', ')}`, listOf(MODEL_NAMES), MODEL_NAMES)
  .option(
    '--runners <names>',
    `of ${NODE_RUNNERS.join(', ')} (default: those that the device can run, but tuned)`,
    listOf(NODE_RUNNERS),
  )
  .option('--tune-seconds <s>', 'time for measuring kernels, per model and number of persons', positiveNumber, 6)
  .option(
    '--ort <dir>',
    "onnxruntime-web's folder dist",
    fileURLToPath(new URL('../node_modules/onnxruntime-web/dist', import.meta.url)),
  )
  .option('--runs <n>', 'timed runs of each runner', positiveInteger, 20)
  .option('--burst <n>', 'frames in flight at once, to measure throughput', positiveInteger, 8)
  .option('--cap <s>', 'two runs of a runner whose runs take longer than this together', positiveInteger, 20)
  .option('--persons <numbers>', 'persons per frame, such as 1,2,4', integers, [1])
  .option('--peak-tflops <n>', "the card's fp32 peak, TFLOP/s (known for some cards)", positiveNumber)
  .option('--fixtures <dir>', 'recorded numbers', fileURLToPath(new URL('fixtures', import.meta.url)))
  .option('--json <file>', 'write adapter, versions and rows; written anew after each comparison')
  .option('--profile', 'time per kernel')
  .parse()
  .opts<Options>();

try {
  process.exitCode = (await main(options)) ? 0 : 1;
} catch (error) {
  console.error(`bench:node: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exitCode = 1;
}

async function main(opts: Options): Promise<boolean> {
  const dawn = await openDawn();
  const peak = opts.peakTflops ?? peakTflops(dawn.adapter);
  console.log(`adapter: ${dawn.adapter}${peak ? `, ${peak} TFLOP/s` : ''}`);
  const runners = await makeRunners(dawn, opts);
  const rows: Row[] = [];
  const problems: string[] = [];
  for (const model of opts.models) {
    const network = await loadBenchNetwork(model, (name) => readFile(join(opts.fixtures, name)));
    for (const persons of opts.persons) {
      const { runs, burst, cap, profile = false } = opts;
      const measured = { persons, runs, burst, capMs: cap * 1000, profile };
      try {
        const found = await measure(network, runners, measured);
        printTable(found, peak);
        printTuning(found);
        if (profile) printProfiles(found, peak);
        rows.push(...found);
      } catch (error) {
        problems.push(`${model}, persons ${persons}: ${error instanceof Error ? error.message : String(error)}`);
      }
      if (opts.json) await writeJson(resolve(opts.json), dawn.adapter, peak, rows);
    }
  }
  problems.push(...failures(rows), ...uncapturedErrors().map((error) => `WebGPU: ${error}`));
  for (const problem of problems) console.error(`bench:node: ${problem}`);
  dawn.device.destroy();
  return problems.length === 0 && rows.length > 0;
}

async function makeRunners({ device }: Dawn, opts: Options): Promise<Runner[]> {
  // The weights wait on tfjs's cpu backend, whose values the compiler reads.
  const backend = await createBackend('cpu');
  const host = (): Promise<JitHost> => Promise.resolve({ device, run: (section) => backend.run(section) });
  const runsHere = (name: NodeRunner) => !name.endsWith('tuned');
  const names = opts.runners ?? NODE_RUNNERS.filter(runsHere);
  const make = async (name: NodeRunner) => {
    if (name !== 'onnxruntime-web webgpu') {
      const tuneMs = name.endsWith('tuned') ? opts.tuneSeconds * 1000 : undefined;
      return jitRunner(name, host, { fp16: name.endsWith('fp16'), tuneMs });
    }
    const wasm = await readFile(join(opts.ort, WEBGPU_WASM));
    return ortRunner(name, 'webgpu', { threads: 1, folder: `${pathToFileURL(resolve(opts.ort)).href}/`, wasm });
  };
  return Promise.all(names.map(make));
}

async function writeJson(path: string, adapter: string, peak: number | undefined, rows: readonly Row[]): Promise<void> {
  const report = { adapter, peak_tflops: peak ?? null, versions: { node: process.version }, rows };
  await writeFile(path, `${JSON.stringify(report, null, 1)}\n`);
}
