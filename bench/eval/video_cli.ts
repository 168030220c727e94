/**
 * `npm run eval:video`: follows the one person of a video without boxes, in real Chromium, and says in how many frames it was found.
 * Nothing is uploaded: the video is served from this machine to a browser on it.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { Command } from 'commander';
import type { PageHost } from '../../tests/support/page_host.js';
import { progress, runTool } from '../../tests/support/tool.js';
import { positiveInteger } from '../options.js';
import {
  addModelOptions,
  addressOf,
  isDefault,
  MODEL_HELP,
  modelRequest,
  printModel,
  requireFiles,
  withPage,
  type ModelOptions,
} from './cli_options.js';
import type { FrameRecord, VideoReply } from './video.js';

interface Options extends ModelOptions {
  readonly video: string;
  readonly fps: number;
  readonly out?: string;
  readonly overlays?: string;
  readonly every: number;
}

const options = addModelOptions(new Command('eval:video'))
  .requiredOption('--video <file>', 'a video that Chromium plays, with one person')
  .option('--model <file>', MODEL_HELP, 'default')
  .option('--fps <n>', 'frames per second to look at', positiveInteger, 10)
  .option('--out <file>', 'write one JSON record per frame')
  .option('--overlays <dir>', 'write frames with their skeleton as PNG')
  .option('--every <n>', 'with --overlays: every n-th frame only', positiveInteger, 1)
  .parse()
  .opts<Options>();

await runTool('eval:video', () => main(options));

async function main(opts: Options): Promise<boolean> {
  const model = isDefault(opts.model) ? null : resolve(opts.model);
  requireFiles(opts.video, model, opts.config);
  const served = new Map([opts.video, ...(model ? [model] : [])].map((path) => [basename(path), path]));
  const files = async (path: string) => (served.has(basename(path)) ? readFile(served.get(basename(path))!) : null);
  let records: readonly FrameRecord[] = [];
  const page = { script: 'bench/eval/video.ts', readyWhen: 'startVideo', files } as const;
  const isClean = await withPage('eval:video', page, opts, async (opened) => {
    records = await follow(opened, opts, model);
  });
  if (opts.out) await writeFile(resolve(opts.out), `${JSON.stringify(records)}\n`);
  return printResult(records) && isClean;
}

async function follow(page: PageHost, opts: Options, model: string | null): Promise<FrameRecord[]> {
  const request = { ...(await modelRequest(model, opts)), video: addressOf('video', opts.video), fps: opts.fps };
  const started = await page.call('startVideo', request);
  printStart(started, opts);
  if (opts.overlays) await mkdir(opts.overlays, { recursive: true });
  const records: FrameRecord[] = [];
  for (let i = 0; i < started.frames; i++) {
    const wanted = opts.overlays !== undefined && i % opts.every === 0;
    const { record, overlay } = await page.call('evalFrame', i, wanted);
    records.push(record);
    if (overlay) await writeFile(overlayFile(opts, i), Buffer.from(overlay.split(',')[1], 'base64'));
    progress(`${i + 1} of ${started.frames} frames`);
  }
  progress('');
  await page.call('finishVideo');
  return records;
}

function overlayFile({ overlays, video }: Options, index: number): string {
  return join(resolve(overlays!), `${basename(video).replace(/\.\w+$/, '')}_${String(index).padStart(4, '0')}.png`);
}

function printStart(started: VideoReply, opts: Options): void {
  const { frames, size } = started;
  printModel(started, opts);
  const folder = dirname(opts.video) === '.' ? '' : `${dirname(opts.video)}/`;
  console.log(
    `video: ${folder}${basename(opts.video)}, ${size.join(' x ')} px, ${frames} frames at ${opts.fps} a second`,
  );
}

/** @returns whether the person was found in every frame after the first */
function printResult(records: readonly FrameRecord[]): boolean {
  const later = records.slice(1);
  const found = later.filter((record) => record.found);
  const scores = found.map(({ score }) => score).sort((a, b) => a - b);
  const lost = later.filter((record) => !record.found).map(({ time }) => time.toFixed(1));
  console.log(`found after the first frame: ${found.length} of ${later.length}`);
  if (lost.length > 0) console.log(`not found at (s): ${lost.join(', ')}`);
  if (scores.length > 0) {
    const median = scores[scores.length >> 1];
    console.log(`mean keypoint score: median ${median.toFixed(2)}, lowest ${scores[0].toFixed(2)}`);
    const ids = new Set(found.map(({ track_id }) => track_id)).size;
    console.log(`found anew: ${ids - 1} times`);
  }
  const ms = later.reduce((sum, record) => sum + record.ms, 0);
  if (later.length > 0) console.log(`frames per second: ${((1000 * later.length) / ms).toFixed(1)} (after the first)`);
  return lost.length === 0;
}
