/** The README's code, word for word, in Chromium: a newcomer copies it. */
import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Browser } from 'playwright';
import { build } from 'vite';
import { afterAll, beforeAll, expect, inject, test } from 'vitest';
import { encodeModelMetadata, encodeSafetensors, openCheckpoint } from '../../src/checkpoint/index.js';
import { CASES as RTMDETS, detectorWeights } from '../support/rtmdet.js';
import { launchChromium } from '../support/chromium.js';
import { encodePng } from '../support/png.js';
import { SAMPLE_PICTURE } from '../support/sample.js';
import { SAMPLE_SIZE } from '../support/sample_pck.js';
import sample from '../fixtures/sample_keypoints.json' with { type: 'json' };
import { serveFolders } from '../support/static_server.js';
import { watchPage } from '../support/watch_page.js';
import { writeFixture } from './fixture.js';
import { command } from './installed.js';
import { readmeBlock } from './readme_block.js';

const folder = join(inject('scratch'), 'readme');
const installed = join(inject('app'), 'node_modules/inpose');
let browser: Browser;
/** Of `photo.jpg`, px. */
let size: readonly number[];

const page = (body: string) =>
  `<!doctype html><html lang="en"><head><meta charset="utf-8" /><link rel="icon" href="data:," /></head><body>${body}</body></html>`;

beforeAll(async () => {
  const source = join(folder, 'source');
  await writeFixture(source);
  const { width, height } = JSON.parse(await readFile(join(source, 'picture.json'), 'utf8'));
  size = [width, height];
  // Under the README's names. Browsers look at a picture's content, not at its name.
  await mkdir(join(folder, 'public/models'), { recursive: true });
  const png = encodePng(await readFile(join(source, 'picture.rgb')), width, height);
  await writeFile(join(folder, 'public/photo.jpg'), png);
  const model = join(folder, 'public/models/rtmpose-m.safetensors');
  const inpose = join(installed, 'dist/cli/inpose.js');
  const config = ['--config', join(source, 'config.json')];
  await command(folder, process.execPath, inpose, 'convert', join(source, 'model.safetensors'), '-o', model, ...config);
  await copyFile(model, join(folder, 'public/rtmpose-m.safetensors'));
  browser = await launchChromium();
});

afterAll(() => browser?.close());

/** Opens a page and waits until it shows a canvas with something on it. */
async function expectDrawing(root: string, path: string, expectedSize = size): Promise<void> {
  const server = await serveFolders([root, join(folder, 'public')]);
  const context = await browser.newContext();
  try {
    const tab = await context.newPage();
    const problems = watchPage(tab);
    await tab.goto(`${server.url}/${path}`);
    await tab.waitForSelector('body > canvas', { timeout: 60_000 }).catch((error: Error) => {
      throw new Error(`${error.message}\n${problems.join('\n')}`, { cause: error });
    });
    const drawn = await tab.evaluate(() => {
      const [canvas, photo] = [document.querySelector('canvas')!, document.querySelector('img')!];
      const plain = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d')!;
      plain.drawImage(photo, 0, 0);
      const pixels = (c: { getImageData: CanvasRenderingContext2D['getImageData'] }) =>
        c.getImageData(0, 0, canvas.width, canvas.height).data;
      const [before, after] = [pixels(plain), pixels(canvas.getContext('2d')!)];
      return { size: [canvas.width, canvas.height], changed: after.filter((v, i) => v !== before[i]).length };
    });
    expect(drawn.size).toEqual(expectedSize);
    expect(drawn.changed).toBeGreaterThan(100);
    expect(problems).toEqual([]);
  } finally {
    await context.close();
    await server.close();
  }
}

test('as an ES module', async () => {
  await expectDrawing(await builtApp('readme', readmeBlock('js', 'PoseLocalVisualizer')), 'index.html');
});

test('one person found without boxes, by the default model', async () => {
  const code = readmeBlock('js', 'RoiTracker').replace(
    /(sample\.predInstances\.trackIds\.data\[0\]);/,
    'window.found = $1;',
  );
  const dist = await builtApp('readme-tracker', code);
  await copyFile(SAMPLE_PICTURE, join(dist, 'photo.jpg'));
  expect(await foundBy([dist])).toBe(0);
});

test('in place of pose-detection', async () => {
  const code = readmeBlock('js', 'poseDetection').replace(/(poses\[0\]\.keypoints\[0\]);/, 'window.found = $1;');
  const dist = await builtApp('readme-pose-detection', `const video = document.querySelector('img');\n${code}`);
  await copyFile(SAMPLE_PICTURE, join(dist, 'photo.jpg'));
  const [x, y] = sample.keypoints[0];
  const nose = (await foundBy([dist])) as { x: number; y: number; name: string };
  expect(nose.name).toBe('nose');
  expect(Math.hypot(SAMPLE_SIZE[0] - 1 - nose.x - x, nose.y - y)).toBeLessThan(10);
});

test('everybody, with a detector', async () => {
  const code = readmeBlock('js', 'detCheckpoint').replace(
    /(sample\.predInstances\.bboxes);/,
    'window.found = $1.shape[0];',
  );
  const dist = await builtApp('readme-detector', code);
  const [c] = RTMDETS;
  const { stateDict } = await openCheckpoint(await detectorWeights(c));
  const metadata = encodeModelMetadata({ config: c.config, datasetMeta: null, versions: new Map(), stateDict });
  const file = join(folder, 'public/models/rtmdet_nano_person.safetensors');
  await writeFile(file, await encodeSafetensors(stateDict, { metadata }));
  expect(await foundBy([dist, join(folder, 'public')])).toBeGreaterThan(1);
});

/** Opens a page and waits for what it puts into `window.found`. */
async function foundBy(folders: readonly string[]): Promise<unknown> {
  const server = await serveFolders(folders);
  const tab = await browser.newPage();
  try {
    const problems = watchPage(tab);
    await tab.goto(`${server.url}/index.html`);
    await tab.waitForFunction('"found" in window', undefined, { timeout: 60_000 });
    expect(problems).toEqual([]);
    return await tab.evaluate('window.found');
  } finally {
    await tab.close();
    await server.close();
  }
}

/** Builds a page with `photo.jpg` and this script as an application would. Gives the folder. */
async function builtApp(name: string, code: string): Promise<string> {
  const root = join(inject('app'), name);
  await mkdir(root, { recursive: true });
  const body = '<img src="/photo.jpg" /><script type="module" src="./main.js"></script>';
  await writeFile(join(root, 'index.html'), page(body));
  await writeFile(join(root, 'main.js'), code);
  await build({ root, configFile: false, logLevel: 'error', publicDir: false });
  return join(root, 'dist');
}

test('as a script tag', async () => {
  const root = await plainPage('readme-script', 'inpose.iife.js');
  await expectDrawing(root, 'index.html', SAMPLE_SIZE);
});

/** A page without a bundler, from the README's block that names `file`. Gives the folder. */
async function plainPage(name: string, file: string): Promise<string> {
  const root = join(inject('app'), name);
  await mkdir(root, { recursive: true });
  const names = await readdir(join(installed, 'dist'));
  for (const one of names.filter((n) => n === file || /\.(wasm|safetensors)$/.test(n))) {
    await copyFile(join(installed, 'dist', one), join(root, one));
  }
  await writeFile(join(root, 'index.html'), page(readmeBlock('html', file)));
  await copyFile(SAMPLE_PICTURE, join(root, 'photo.jpg'));
  return root;
}

test('over a webcam', async () => {
  const server = await serveFolders([await plainPage('readme-webcam', 'inpose.bundle.mjs')]);
  const tab = await browser.newPage();
  try {
    const problems = watchPage(tab);
    await tab.addInitScript(showPictureAsWebcam);
    await tab.goto(`${server.url}/index.html`);
    await tab.waitForFunction(hasSkeleton, undefined, { timeout: 60_000 });
    const { video, canvas } = await tab.evaluate(() => {
      const looks = (element: HTMLElement) => {
        const { x, y, width, height } = element.getBoundingClientRect();
        const { objectFit, transform } = getComputedStyle(element);
        return { x, y, width, height, objectFit, transform };
      };
      const [v, c] = [document.querySelector('video')!, document.querySelector('canvas')!];
      return {
        video: { ...looks(v), pixels: [v.videoWidth, v.videoHeight] },
        canvas: { ...looks(c), pixels: [c.width, c.height] },
      };
    });
    expect(canvas).toEqual(video);
    expect(canvas.pixels).toEqual(SAMPLE_SIZE);
    expect(problems).toEqual([]);
  } finally {
    await tab.close();
    await server.close();
  }
});

/** In the page: the sample picture, ten times a second. */
function showPictureAsWebcam(): void {
  navigator.mediaDevices.getUserMedia = async () => {
    const photo = new Image();
    photo.src = 'photo.jpg';
    await photo.decode();
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [photo.naturalWidth, photo.naturalHeight];
    const context = canvas.getContext('2d')!;
    setInterval(() => context.drawImage(photo, 0, 0), 100);
    return canvas.captureStream();
  };
}

/** In the page: something is drawn on the overlay, and most of it is left clear. */
function hasSkeleton(): boolean {
  const canvas = document.querySelector<HTMLCanvasElement>('.camera > canvas');
  if (!canvas || canvas.width === 300) return false;
  const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height);
  const drawn = data.filter((v, i) => i % 4 === 3 && v > 0).length;
  return drawn > 100 && drawn < (canvas.width * canvas.height) / 4;
}
