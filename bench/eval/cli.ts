/**
 * `npm run eval`: COCO keypoint AP of a model on your own machine, through the library in real Chromium. Nothing is uploaded:
 * pictures, annotations and weights are served from this machine to a browser on it.
 */
import { existsSync, statSync } from 'node:fs';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, dirname, join, parse, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { PageHost } from '../../tests/support/page_host.js';
import type { FinishReply, StartReply } from './page.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
/** The word for the model that comes with the library. */
const DEFAULT = 'default';
const PICTURE = /\.(png|jpe?g|webp|bmp|gif|avif)$/i;

interface Options {
  readonly model: string;
  readonly config?: string;
  readonly images: string;
  readonly annotations: string;
  readonly boxes: string;
  readonly backend: 'webgpu' | 'webgl' | 'wasm' | 'cpu';
  readonly flip?: boolean;
  readonly limit?: number;
  readonly out?: string;
}

const options = new Command('eval')
  .requiredOption('--model <file>', 'checkpoint: .pth or .safetensors; or "default", the model that comes with inpose')
  .option(
    '--config <file>',
    'MMPose config as JSON (default: the one inside the checkpoint, else NAME.config.json beside it)',
  )
  .requiredOption('--images <dir>', 'pictures; matched with the annotations by file stem')
  .requiredOption('--annotations <file>', 'COCO-format annotations')
  .option('--boxes <gt|file>', 'annotated boxes, or COCO detection results', 'gt')
  .addOption(new Option('--backend <name>').choices(['webgpu', 'webgl', 'wasm', 'cpu']).default('wasm'))
  .option('--flip', 'flip test')
  .option('--limit <n>', 'stop after the picture that reaches this many people', positiveInteger)
  .option('--out <file>', 'write one JSON record per person')
  .parse()
  .opts<Options>();

try {
  process.exitCode = (await main(options)) ? 0 : 1;
} catch (error) {
  console.error(`eval: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}

function positiveInteger(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('expected a whole number from 1.');
  return value;
}

async function main(opts: Options): Promise<boolean> {
  const files = await findFiles(opts);
  // Vite and a browser: only when there is something to run.
  const { openPageHost } = await import('../../tests/support/page_host.js');
  const host = await openPageHost({
    project: PROJECT,
    page: 'bench/eval/page.html',
    readyWhen: 'startEval',
    files: (path) => serve(files, path),
  });
  try {
    const started = await start(host, opts, files);
    printStart(started, opts);
    for (const [i, { stem }] of started.pictures.entries()) {
      await host.page.evaluate((name) => window.evalPicture(name), stem);
      if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${i + 1} of ${started.pictures.length} pictures`);
    }
    if (process.stderr.isTTY) process.stderr.write('\r\x1b[K');
    const result = await host.page.evaluate(() => window.finishEval());
    if (opts.out) await writeFile(resolve(opts.out), `${JSON.stringify(result.people)}\n`);
    printResult(result, started, opts);
  } catch (error) {
    throw new Error(firstLines(error), { cause: error });
  } finally {
    await host.close();
  }
  for (const problem of host.problems) console.error(`eval: ${problem}`);
  return host.problems.length === 0;
}

interface Files {
  /** null: the default model, which the library finds itself. */
  readonly model: string | null;
  readonly annotations: string;
  readonly detections: string | null;
  /** Path of each picture by its stem. */
  readonly pictures: ReadonlyMap<string, string>;
}

async function findFiles({ model, config, annotations, boxes, images }: Options): Promise<Files> {
  const detections = boxes === 'gt' ? null : resolve(boxes);
  const checkpoint = model === DEFAULT ? null : resolve(model);
  for (const path of [checkpoint && model, config, annotations, detections]) {
    if (path && !isFile(path)) throw new Error(`${path}: not found; give the path of an existing file`);
  }
  if (!existsSync(images) || isFile(images))
    throw new Error(`${images}: not found; give the path of an existing folder`);
  const names = (await readdir(images)).filter((name) => PICTURE.test(name)).sort();
  if (names.length === 0) throw new Error(`${images}: found no pictures; expected .jpg, .png or the like`);
  const pictures = new Map(names.map((name) => [parse(name).name, resolve(images, name)]));
  return { model: checkpoint, annotations: resolve(annotations), detections, pictures };
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}

async function serve(files: Files, path: string): Promise<Uint8Array | null> {
  const [kind, name] = [dirname(path), basename(path)];
  if (kind === 'image') return readFile(files.pictures.get(name)!);
  const served = { model: files.model, annotations: files.annotations, detections: files.detections }[kind];
  return served && name === basename(served) ? readFile(served) : null;
}

async function start(host: PageHost, opts: Options, files: Files): Promise<StartReply> {
  const { model } = files;
  const beside = model && join(dirname(model), `${parse(model).name}.config.json`);
  const request = {
    checkpoint: model && addressOf('model', model),
    config: opts.config ? await readConfigFile(opts.config) : null,
    sidecar: beside && isFile(beside) ? await readFile(beside, 'utf8') : null,
    backend: opts.backend,
    flip: opts.flip ?? false,
    annotations: addressOf('annotations', files.annotations),
    detections: files.detections && addressOf('detections', files.detections),
    stems: [...files.pictures.keys()],
    limit: opts.limit ?? null,
  };
  return host.page.evaluate((r) => window.startEval(r), request);
}

function addressOf(kind: string, path: string): string {
  return `/@files/${kind}/${encodeURIComponent(basename(path))}`;
}

/** A line break at the end, since the library takes a text without one for an address. */
async function readConfigFile(path: string): Promise<string> {
  return `${await readFile(path, 'utf8')}\n`;
}

function printStart({ reason, notices, pictures, absent, badBoxes }: StartReply, opts: Options): void {
  const people = pictures.reduce((sum, picture) => sum + picture.people, 0);
  console.log(`model: ${basename(opts.model)}, flip test ${opts.flip ? 'on' : 'off'}`);
  console.log(`backend: ${reason}`);
  for (const notice of notices) console.log(`note: ${notice}`);
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

/** Playwright puts the page's stack behind the message; only the message is for people. */
function firstLines(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  return message
    .split('\n')
    .filter((line) => !/^\s+at /.test(line))
    .join('\n')
    .replace(/^page\.evaluate: (\w*Error: )?/, '');
}
