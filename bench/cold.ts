/**
 * `npm run bench:cold`: a model of the benchmark from nothing to its first result on WebGPU, in one page of real Chromium: how long
 * it takes, how long the page's main thread is held at a time, and how much JavaScript a frame costs afterwards.
 */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import { encodeSafetensors } from '../src/checkpoint/index.js';
import { readGoldenFile } from '../tests/golden/format.js';
import { weightTensor } from '../tests/golden/formula.js';
import { openChromiumPage } from '../tests/support/chromium_page.js';
import type { ColdReport } from './cold_page.js';
import { BENCH_MODELS, type BenchModelName } from './models.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
/** What browsers call a long task, ms. */
const LIMIT_MS = 50;

interface Options {
  readonly model: BenchModelName;
  readonly frames: number;
  readonly flip?: boolean;
}

const options = new Command('bench:cold')
  .addOption(new Option('--model <name>').choices(Object.keys(BENCH_MODELS)).default('hrnet_w32'))
  .option('--frames <n>', 'frames after the first result', count, 10)
  .option('--flip', 'with flip test')
  .parse()
  .opts<Options>();

print(await measure(options));

function count(text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('expected a whole number');
}

async function measure({ model, frames, flip = false }: Options): Promise<ColdReport & ProcessorTimes> {
  const { config, weights } = await formulaCheckpoint(model);
  const host = await openChromiumPage({
    project: PROJECT,
    script: 'bench/cold_page.ts',
    readyWhen: 'coldStart',
    files: (path) => Promise.resolve(path === 'weights.safetensors' ? weights : null),
  });
  try {
    const request = { config, checkpoint: '/@files/weights.safetensors', flipTest: flip, frames };
    const browser = host.page.context().browser()!;
    await browser.startTracing(host.page, { categories: ['toplevel', 'blink.user_timing', '__metadata'] });
    const report = await host.call('coldStart', request);
    const times = processorTimes(await browser.stopTracing(), frames);
    if (host.problems.length > 0) throw new Error(host.problems.join('\n'));
    return { ...report, ...times };
  } finally {
    await host.close();
  }
}

/** What tasks of the page's main thread need where nothing else wants the processor, ms. */
interface ProcessorTimes {
  readonly longest: number;
  /** All tasks from the call to the result of a frame. */
  readonly perFrame: number;
}

interface TraceEvent {
  readonly ts: number;
  readonly name: string;
  readonly pid: number;
  readonly tid: number;
  /** CPU time, us. */
  readonly tdur?: number;
}

function processorTimes(trace: Buffer, frames: number): ProcessorTimes {
  const { traceEvents } = JSON.parse(trace.toString()) as { traceEvents: TraceEvent[] };
  const key = ({ pid, tid }: TraceEvent) => `${pid} ${tid}`;
  const at = (name: string) => traceEvents.find((event) => event.name === name);
  const [begin, end] = [at('frames begin')!, at('frames end')!];
  const tasks = traceEvents.filter((event) => event.name.endsWith('RunTask') && key(event) === key(begin));
  const ofFrames = tasks.filter(({ ts }) => ts > begin.ts && ts < end.ts);
  const cpu = ({ tdur = 0 }: TraceEvent) => tdur / 1000;
  return {
    longest: Math.max(0, ...tasks.map(cpu)),
    perFrame: ofFrames.reduce((sum, task) => sum + cpu(task), 0) / Math.max(frames, 1),
  };
}

/** The golden set's network of that name with formula weights, as a file. */
async function formulaCheckpoint(model: BenchModelName) {
  const { fixture } = BENCH_MODELS[model];
  const read = async (name: string) => new Uint8Array(await readFile(join(PROJECT, 'bench/fixtures', name)));
  const file = (await readGoldenFile({ read, readShared: () => Promise.resolve(null) }, `${fixture}.json`))!;
  const { params, state_dict, kept_values } = file.decode(file.cases[0]);
  const entries = (state_dict as [string, number[], string?][]).filter(([, , mark]) => !mark || mark === 'keep');
  const stateDict = new Map(
    entries.map(([name, shape, mark]) => {
      const values = () => (mark === 'keep' ? kept_values[name].data : weightTensor(name, shape, params.weights).data);
      return [name, { dtype: 'float32' as const, shape, read: () => Promise.resolve(values()) }];
    }),
  );
  return { config: params.config as Record<string, unknown>, weights: await encodeSafetensors(stateDict) };
}

function print(report: ColdReport & ProcessorTimes): void {
  const { backend, created, first, stages, longTasks, js, totals, bytesPerFrame, longest, perFrame } = report;
  const ms = (value: number) => `${value.toFixed(value < 10 ? 2 : 0)} ms`;
  const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1];
  console.log(backend);
  for (const [stage, at] of Object.entries(stages)) console.log(`${stage} done at ${ms(at)}`);
  console.log(`create: ${ms(created)}; first result: ${ms(first)}`);
  const worst = Math.max(0, ...longTasks.map(({ duration }) => duration));
  console.log(`tasks over ${LIMIT_MS} ms on the main thread: ${longTasks.length}, the longest ${ms(worst)}`);
  console.log(`the longest task needs ${ms(longest)} of processor time`);
  for (const { start, duration } of longTasks) console.log(`  ${ms(duration)} at ${ms(start)}`);
  process.exitCode = longest > LIMIT_MS ? 1 : 0;
  if (js.length === 0) return;
  console.log(
    `frames: JavaScript ${ms(median(js))} (median; fastest ${ms(Math.min(...js))}), ${bytesPerFrame} bytes read`,
  );
  console.log(`frames: processor time of the main thread ${ms(perFrame)} each`);
  console.log(`frames: total ${ms(median(totals))} (median)`);
}
