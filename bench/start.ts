/**
 * `npm run bench:start`: from opening the built demo page to the first skeleton on its sample, in real Chromium. Each run is a new
 * browser with an empty profile, which reaches no host but this machine.
 */
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import type { Page } from 'playwright';
import { serveBuiltDemo } from '../tests/support/built_demo.js';
import { launchChromium, type ChromiumOptions } from '../tests/support/chromium.js';
import { watchPage } from '../tests/support/watch_page.js';
import { positiveInteger } from './options.js';
import { median } from './stats.js';

/** A browser that has just been started is still busy with itself. */
const SETTLE_MS = 2000;
const LIMIT_MS = 120_000;
/** Rarely, since asking takes the page's time. */
const POLL_MS = 250;
const TRACED = ['toplevel', 'devtools.timeline', 'blink.user_timing', 'v8', 'v8.wasm', 'gpu', 'loading', '__metadata'];

/** What Chromium itself says when a page asks for WebGPU and there is none. */
const NO_WEBGPU = /^console\.warning: Failed to create WebGPU Context Provider/;

interface Options {
  readonly runs: number;
  readonly gpu: NonNullable<ChromiumOptions['gpu']>;
  readonly folder?: string;
  readonly trace?: string;
}

/** ms after the navigation began. */
interface Start {
  /** The page's own script began, and the model was there. */
  readonly script: number;
  readonly model: number;
  /** The frame with the skeleton was made. */
  readonly drawn: number;
  readonly backend: string;
}

const options = new Command('bench:start')
  .option('--runs <n>', 'browsers, one after the other', positiveInteger, 7)
  .addOption(
    new Option('--gpu <kind>', 'what the browser has: a program that imitates a GPU, a GPU, or neither')
      .choices(['software', 'hardware', 'none'])
      .default('software'),
  )
  .option('--folder <dir>', 'a demo that has been built; left out, it is built first')
  .option('--trace <file>', "write Chromium's trace of the last run, for its DevTools or ui.perfetto.dev")
  .parse()
  .opts<Options>();

try {
  print(await main(options));
} catch (error) {
  console.error(`bench:start: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

async function main({ runs, gpu, folder, trace }: Options): Promise<Start[]> {
  const demo = await serveBuiltDemo(folder);
  try {
    const starts: Start[] = [];
    for (let i = 0; i < runs; i++) starts.push(await openOnce(demo.origin, gpu, i === runs - 1 ? trace : undefined));
    return starts;
  } finally {
    await demo.close();
  }
}

async function openOnce(origin: string, gpu: Options['gpu'], trace?: string): Promise<Start> {
  const browser = await launchChromium({ gpu });
  try {
    const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
    const problems = watchPage(page);
    page.on('request', (request) => {
      if (!/^(blob|data):/.test(request.url()) && new URL(request.url()).origin !== origin)
        problems.push(`asked for ${request.url()}`);
    });
    await page.addInitScript(watchSkeleton);
    await sleep(SETTLE_MS);
    if (trace) await browser.startTracing(page, { categories: TRACED });
    const start = await measure(page, origin);
    if (trace) await writeFile(trace, await browser.stopTracing());
    const unexpected = problems.filter((problem) => !NO_WEBGPU.test(problem));
    if (unexpected.length > 0) throw new Error(unexpected.join('\n'));
    return start;
  } finally {
    await browser.close();
  }
}

declare global {
  interface Window {
    /** ms; when the frame with the first result was made. */
    skeletonDrawn?: number;
  }
}

/** In the page, before its own scripts. */
function watchSkeleton(): void {
  new PerformanceObserver((list, observer) => {
    if (list.getEntriesByName('inpose:result').length === 0) return;
    observer.disconnect();
    requestAnimationFrame(() => setTimeout(() => (window.skeletonDrawn = performance.now())));
  }).observe({ type: 'mark', buffered: true });
}

async function measure(page: Page, origin: string): Promise<Start> {
  await page.goto(origin);
  const over = 'window.skeletonDrawn !== undefined || !message.hidden';
  await page.waitForFunction(over, undefined, { timeout: LIMIT_MS, polling: POLL_MS });
  return page.evaluate(() => {
    if (window.skeletonDrawn === undefined) throw new Error(document.querySelector<HTMLElement>('#message')!.innerText);
    const canvas = document.querySelector<HTMLCanvasElement>('#overlay')!;
    const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
    if (!data.some((value) => value > 0)) throw new Error('nothing was drawn over the sample');
    return {
      script: performance.getEntriesByName('inpose:script')[0].startTime,
      model: performance.getEntriesByName('inpose:model')[0].startTime,
      drawn: window.skeletonDrawn,
      backend: document.querySelector<HTMLElement>('#backend-reason')!.innerText,
    };
  });
}

function print(starts: readonly Start[]): void {
  console.log(`${starts[0].backend}; ${availableParallelism()} processors`);
  console.log('ms after opening the page: its script, the model, the skeleton');
  const line = (of: (key: 'script' | 'model' | 'drawn') => number) =>
    (['script', 'model', 'drawn'] as const).map((key) => of(key).toFixed(0).padStart(7)).join('');
  for (const [i, start] of starts.entries()) console.log(`run ${i + 1}`.padEnd(8) + line((key) => start[key]));
  console.log('median'.padEnd(8) + line((key) => median(starts.map((start) => start[key]))));
}
