/**
 * `npm run bench`: the library's runners beside onnxruntime-web's on the same networks, in one page of a browser (Chromium unless told
 * otherwise). Fails when a runner's numbers are not MMPose's, or when the page reports an error.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { addBrowserOptions, openPageHost, type BrowserOptions, type PageHost } from '../tests/support/page_host.js';
import { progress, runTool } from '../tests/support/tool.js';
import type { Row } from './measure.js';
import { BENCH_MODELS, type BenchModelName } from './models.js';
import { integers, listOf, positiveInteger } from './options.js';
import type { ModelRequest, StartReply } from './page.js';
import { failures, printProfiles, printTable } from './report.js';
import { RUNNER_NAMES, type RunnerName } from './runners/runner.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const MODEL_NAMES = Object.keys(BENCH_MODELS) as BenchModelName[];
const DEFAULT_RUNNERS = RUNNER_NAMES.filter((name) => !/(fp16|tuned)$/.test(name));

interface Options extends BrowserOptions {
  readonly models: readonly BenchModelName[];
  readonly runners: readonly RunnerName[];
  readonly runs: number;
  readonly cap: number;
  readonly persons: readonly number[];
  readonly threads: number;
  readonly json?: string;
  readonly profile?: boolean;
}

const options = addBrowserOptions(new Command('bench'))
  .option('--models <names>', `of ${MODEL_NAMES.join(', ')}`, listOf(MODEL_NAMES), MODEL_NAMES)
  .option('--runners <names>', `of ${RUNNER_NAMES.join(', ')}`, listOf(RUNNER_NAMES), DEFAULT_RUNNERS)
  .option('--runs <n>', 'timed runs of each runner', positiveInteger, 10)
  .option(
    '--cap <s>',
    'no more than two runs of a runner whose runs take longer than this together',
    positiveInteger,
    30,
  )
  .option('--persons <numbers>', 'persons per frame, such as 1,2,4', integers, [1])
  .option('--threads <n>', 'threads of the wasm runners', positiveInteger, 2)
  .option('--json <file>', 'write adapter, versions and rows')
  .option('--profile', 'time per kernel, where the runner can say')
  .parse()
  .opts<Options>();

await runTool('bench', () => main(options));

async function main(opts: Options): Promise<boolean> {
  const host = await openPageHost({
    project: PROJECT,
    script: 'bench/page.ts',
    readyWhen: 'benchModel',
    files: () => Promise.resolve(null),
    onProgress: progress,
    ...{ browser: opts.browser, host: opts.host },
  });
  const rows: Row[] = [];
  let started: StartReply;
  let errors: readonly string[];
  try {
    started = await host.call('startBench', { threads: opts.threads });
    console.log(`adapter: ${started.adapter}`);
    if (!started.crossOriginIsolated)
      throw new Error('the page is not cross-origin isolated: wasm would have one thread');
    for (const model of opts.models) {
      for (const persons of opts.persons) rows.push(...(await runModel(host, model, persons, opts)));
    }
    errors = await host.call('benchErrors');
  } finally {
    await host.close();
  }
  if (opts.profile) printProfiles(rows);
  if (opts.json) await writeJson(resolve(opts.json), started, rows);
  const problems = [...failures(rows), ...host.problems, ...errors.map((error) => `WebGPU: ${error}`)];
  for (const problem of problems) console.error(`bench: ${problem}`);
  return problems.length === 0 && rows.length > 0;
}

async function runModel(host: PageHost, model: BenchModelName, persons: number, opts: Options): Promise<Row[]> {
  const { runners, runs, cap, profile = false } = opts;
  const request: ModelRequest = { model, runners, persons, runs, capMs: cap * 1000, profile };
  const rows = await host.call('benchModel', request);
  progress('');
  printTable(rows);
  return rows;
}

async function writeJson(path: string, { adapter, versions }: StartReply, rows: readonly Row[]): Promise<void> {
  const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8'));
  const report = { adapter, versions: { inpose: version, node: process.version, ...versions }, rows };
  await writeFile(path, `${JSON.stringify(report, null, 1)}\n`);
}
