/**
 * `npm run eval`: COCO keypoint AP of a model on your own machine, through the library in a browser (Chromium unless told otherwise).
 * Nothing is uploaded:
 * pictures, annotations and weights are served from this machine to a browser on it.
 */
import { existsSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, parse, resolve } from 'node:path';
import { Command } from 'commander';
import type { PageHost } from '../../tests/support/page_host.js';
import { progress, runTool } from '../../tests/support/tool.js';
import { positiveInteger } from '../options.js';
import {
  addModelOptions,
  addressOf,
  isDefault,
  isFile,
  MODEL_HELP,
  modelRequest,
  printModel,
  requireFiles,
  sourceRequest,
  withPage,
  type ModelOptions,
} from './cli_options.js';
import type { FinishReply, StartReply } from './page.js';

const PICTURE = /\.(png|jpe?g|webp|bmp|gif|avif)$/i;

interface Options extends ModelOptions {
  readonly images: string;
  readonly annotations: string;
  readonly boxes: string;
  readonly detCheckpoint?: string;
  readonly detConfig?: string;
  readonly limit?: number;
  readonly out?: string;
}

const options = addModelOptions(new Command('eval'))
  .requiredOption('--model <file>', MODEL_HELP)
  .requiredOption('--images <dir>', 'pictures; matched with the annotations by file stem')
  .requiredOption('--annotations <file>', 'COCO-format annotations')
  .option('--boxes <gt|file>', 'annotated boxes, or COCO detection results', 'gt')
  .option('--det-checkpoint <file>', "checkpoint of an RTMDet, whose boxes are taken as in MMPose's demo")
  .option('--det-config <file>', 'its MMDetection config as JSON (default: as for --config)')
  .option('--limit <n>', 'stop after the picture that reaches this many people', positiveInteger)
  .option('--out <file>', 'write one JSON record per person')
  .parse()
  .opts<Options>();

await runTool('eval', () => main(options));

async function main(opts: Options): Promise<boolean> {
  const files = await findFiles(opts);
  const lookup = (path: string) => serve(files, path);
  const page = { script: 'bench/eval/page.ts', readyWhen: 'startEval', files: lookup } as const;
  return withPage('eval', page, opts, (opened) => evaluate(opened, opts, files));
}

async function evaluate(page: PageHost, opts: Options, files: Files): Promise<void> {
  if (files.detector) await findPeople(page, opts, files);
  const started = await start(page, opts, files);
  printStart(started, opts);
  for (const [i, { stem }] of started.pictures.entries()) {
    await page.call('evalPicture', stem);
    progress(`${i + 1} of ${started.pictures.length} pictures`);
  }
  progress('');
  const result = await page.call('finishEval');
  if (opts.out) await writeFile(resolve(opts.out), `${JSON.stringify(result.people)}\n`);
  printResult(result, started, opts);
}

/** Everybody in all pictures, before the first pose: COCO's evaluation wants the boxes as detection results. */
async function findPeople(page: PageHost, opts: Options, files: Files): Promise<void> {
  const source = await sourceRequest('detector', files.detector, opts.detConfig);
  await page.call('startDetector', { ...source, backend: opts.backend });
  let boxes = 0;
  for (const [i, stem] of [...files.pictures.keys()].entries()) {
    boxes += await page.call('detectPicture', stem);
    progress(`${i + 1} of ${files.pictures.size} pictures searched`);
  }
  progress('');
  await page.call('finishDetector');
  console.log(`detector: ${basename(files.detector!)}, ${boxes} boxes in ${files.pictures.size} pictures`);
}

interface Files {
  /** null: the default model, which the library finds itself. */
  readonly model: string | null;
  readonly detector: string | null;
  readonly annotations: string;
  readonly detections: string | null;
  /** Path of each picture by its stem. */
  readonly pictures: ReadonlyMap<string, string>;
}

async function findFiles(opts: Options): Promise<Files> {
  const { model, config, annotations, boxes, images, detCheckpoint, detConfig } = opts;
  const detections = boxes === 'gt' ? null : resolve(boxes);
  if (detConfig && !detCheckpoint) throw new Error('--det-config: found no --det-checkpoint; give both');
  if (detCheckpoint && detections) throw new Error('--boxes: found --det-checkpoint too; give one of them');
  requireFiles(isDefault(model) ? null : model, config, annotations, detections, detCheckpoint, detConfig);
  if (!existsSync(images) || isFile(images))
    throw new Error(`${images}: not found; give the path of an existing folder`);
  const names = (await readdir(images)).filter((name) => PICTURE.test(name)).sort();
  if (names.length === 0) throw new Error(`${images}: found no pictures; expected .jpg, .png or the like`);
  const pictures = new Map(names.map((name) => [parse(name).name, resolve(images, name)]));
  return {
    model: isDefault(model) ? null : resolve(model),
    detector: detCheckpoint ? resolve(detCheckpoint) : null,
    annotations: resolve(annotations),
    ...{ detections, pictures },
  };
}

async function serve(files: Files, path: string): Promise<Uint8Array | null> {
  const [kind, name] = [dirname(path), basename(path)];
  if (kind === 'image') return readFile(files.pictures.get(name)!);
  const served = {
    model: files.model,
    detector: files.detector,
    annotations: files.annotations,
    detections: files.detections,
  }[kind];
  return served && name === basename(served) ? readFile(served) : null;
}

async function start(page: PageHost, opts: Options, files: Files): Promise<StartReply> {
  const request = {
    ...(await modelRequest(files.model, opts)),
    annotations: addressOf('annotations', files.annotations),
    detections: files.detections && addressOf('detections', files.detections),
    stems: [...files.pictures.keys()],
    limit: opts.limit ?? null,
  };
  return page.call('startEval', request);
}

function printStart(started: StartReply, opts: Options): void {
  const { pictures, absent, badBoxes } = started;
  const people = pictures.reduce((sum, picture) => sum + picture.people, 0);
  printModel(started, opts);
  console.log(`people: ${people} in ${pictures.length} pictures`);
  if (badBoxes > 0) console.log(`boxes left out, without area or outside their picture: ${badBoxes}`);
  if (absent.length > 0) console.log(`absent pictures, left out of AP (${absent.length}): ${absent.join(', ')}`);
}

function printResult({ metrics, ms, timedPeople, people }: FinishReply, { backend }: StartReply, opts: Options): void {
  if (!metrics) console.log('AP: not defined, this dataset publishes no OKS sigmas');
  for (const [name, value] of Object.entries(metrics ?? {})) console.log(`${name.padEnd(14)} ${value.toFixed(4)}`);
  const rate = ms > 0 ? ((timedPeople * 1000) / ms).toFixed(1) : 'not measured (one picture)';
  console.log(`people per second: ${rate} (${backend}, after the first picture)`);
  if (opts.out) console.log(`wrote ${people.length} people to ${opts.out}`);
}
