/**
 * The package from outside: installed from its tarball and used in a Vite build, Vite's dev servers, a webpack build, a plain script, a
 * plain module script and Node. Each must find MMPose's keypoints, print nothing, and miss no file.
 */
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser } from 'playwright';
import { build, createServer } from 'vite';
import type { InlineConfig } from 'vite';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import webpack from 'webpack';
import { launchChromium } from '../support/chromium.js';
import { writeSamplePixels } from '../support/sample.js';
import { LEAST_PCK, SAMPLE_SIZE, samplePck } from '../support/sample_pck.js';
import { serveFolders, type StaticServerOptions } from '../support/static_server.js';
import { watchPage } from '../support/watch_page.js';
import { writeBundledApp, writeNodeApp, writePlainPages } from './apps.js';
import { flippedAnswer, writeFixture, type Found } from './fixture.js';
import { command } from './installed.js';
import { readmeBlock } from './readme_block.js';

/** Half a SimCC bin is 1.9 px here: a wrong bin cannot hide. */
const KEYPOINT_TOLERANCE_PX = 0.02;
/** Of the largest score, as for network outputs. */
const SCORE_TOLERANCE = 1e-3;
/** Asked for beside weights that bring no config, before the list of published models is. */
const NO_CONFIG = /20230127\.config\.json/;
const GPUS = ['webgl', 'webgpu'];
const PAGES = ['script.html', 'module.html'];

const app = inject('app');
const files = join(inject('scratch'), 'files');
let expected: Awaited<ReturnType<typeof writeFixture>>;
let browser: Browser;

beforeAll(async () => {
  expected = await writeFixture(files);
  browser = await launchChromium();
  const [width, height] = SAMPLE_SIZE;
  await writeFile(join(files, 'sample.json'), JSON.stringify({ width, height }));
  await writeSamplePixels(join(files, 'sample.rgb'), browser);
});

afterAll(() => browser?.close());

/** Opens a page of an application and waits for its answer. */
async function open(url: string): Promise<Found> {
  const context = await browser.newContext();
  const page = await context.newPage();
  const problems = watchPage(page);
  try {
    await page.goto(url);
    await page.waitForFunction(() => 'found' in window, undefined, { timeout: 120_000 });
    const found = await page.evaluate(() => (window as unknown as { found: Found }).found);
    expect(problems.filter((problem) => !NO_CONFIG.test(problem))).toEqual([]);
    return found;
  } finally {
    await context.close();
  }
}

function expectMmposeNumbers(found: Found, answer = expected): void {
  expect(found).not.toHaveProperty('failed');
  expect(found.backend).toBe('wasm');
  expect(found.keypoints.length).toBe(answer.keypoints.length);
  const largest = Math.max(...answer.scores);
  answer.keypoints.forEach(([x, y], k) => {
    expect(Math.abs(found.scores[k] - answer.scores[k]), `score of ${k}`).toBeLessThan(SCORE_TOLERANCE * largest);
    expect(Math.hypot(found.keypoints[k][0] - x, found.keypoints[k][1] - y), `keypoint ${k}`).toBeLessThan(
      KEYPOINT_TOLERANCE_PX,
    );
  });
}

/** `create()` without arguments: the model comes along, and is found, as is the list of published ones. */
function expectDefaultModel(found: Found): void {
  expect(found).not.toHaveProperty('failed');
  expect(found.backend).toBe('wasm');
  expect(samplePck(found.keypoints)).toBeGreaterThanOrEqual(LEAST_PCK);
  expect(found.published).toBe(364);
}

async function openStatic(folder: string, path: string, options: StaticServerOptions = {}): Promise<Found> {
  const server = await serveFolders([folder, files], options);
  try {
    return await open(`${server.url}/${path}`);
  } finally {
    await server.close();
  }
}

const vite = (root: string): InlineConfig => ({ root, configFile: false, logLevel: 'error', publicDir: false });

/** Fails on warnings, too. */
function buildByWebpack(root: string, folder: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const output = { path: folder, filename: 'main.js', publicPath: 'auto' };
    const quick = { optimization: { minimize: false }, performance: false } as const;
    webpack({ context: root, mode: 'production', entry: './main.js', output, ...quick }, (error, stats) => {
      if (error) reject(error);
      else if (stats!.hasErrors() || stats!.hasWarnings())
        reject(new Error(stats!.toString({ preset: 'errors-warnings' })));
      else resolve();
    });
  });
}

describe('Vite build', () => {
  let dist: string;
  beforeAll(async () => {
    const root = join(app, 'vite-build');
    await writeBundledApp(root);
    // In a folder below the server's root, as an application often is: nothing may depend on being at `/`.
    await build({ ...vite(root), base: './' });
    dist = join(root, 'dist');
  });

  test('wasm', async () => {
    expectMmposeNumbers(await openStatic(dist, 'index.html?backend=wasm'));
  });

  test('the default model', async () => {
    expectDefaultModel(await openStatic(dist, 'index.html?only=default'));
  });

  test('wasm and the default model in a worker', async () => {
    expectMmposeNumbers(await openStatic(dist, 'index.html?backend=wasm&in=worker'));
    expectDefaultModel(await openStatic(dist, 'index.html?only=default&in=worker'));
  });

  test('wasm from a server that compresses', async () => {
    expectMmposeNumbers(await openStatic(dist, 'index.html?backend=wasm', { compressed: true }));
  });

  test.each(['page', 'worker'])('published weights, known by their name, in a %s', async (where) => {
    const found = await openStatic(dist, `index.html?only=published&backend=wasm&in=${where}`);
    expectMmposeNumbers(found, await flippedAnswer());
  });

  test.each(GPUS)('%s starts', async (backend) => {
    expect(await openStatic(dist, `index.html?only=start&backend=${backend}`)).toEqual({ backend });
  });

  test('wasm on a cross-origin isolated page, where threads are on offer', async () => {
    expectMmposeNumbers(await openStatic(dist, 'index.html?backend=wasm', { isolated: true }));
  });
});

/** The wasm file, the default model and the worker's script must be found where that server has them. */
async function expectServes(
  create: typeof createServer,
  root: string,
  configFile: string | false = false,
): Promise<void> {
  await writeBundledApp(root);
  const server = await create({ ...vite(root), configFile, publicDir: files, server: { port: 0, host: '127.0.0.1' } });
  try {
    await server.listen();
    const url = server.resolvedUrls!.local[0];
    expectMmposeNumbers(await open(`${url}?backend=wasm`));
    expectDefaultModel(await open(`${url}?only=default`));
    expectMmposeNumbers(await open(`${url}?backend=wasm&in=worker`));
  } finally {
    await server.close();
  }
}

test('Vite dev server', () => expectServes(createServer, join(app, 'vite-dev')));

/** As in 5 and 6, the code is moved away from its files. */
describe('Vite 7 dev server', () => {
  const root = join(inject('scratch'), 'vite-7');
  let create: typeof createServer;
  beforeAll(async () => {
    await writePackage(root, { workspaces: ['apps/*'] });
    const quietly = ['--prefer-offline', '--no-audit', '--no-fund', '--silent'];
    await command(root, 'npm', 'install', ...quietly, inject('tarball'), 'vite@7.3.8');
    const entry = pathToFileURL(join(root, 'node_modules/vite/dist/node/index.js')).href;
    create = ((await import(/* @vite-ignore */ entry)) as { createServer: typeof createServer }).createServer;
  });

  test('the package in the application', () => expectServes(create, root));

  test("the package above the application, with the README's config", async () => {
    const below = join(root, 'apps/web');
    await writePackage(below);
    const config = join(below, 'vite.config.js');
    await writeFile(config, readmeBlock('js', 'optimizeDeps'));
    await expectServes(create, below, config);
  });

  async function writePackage(folder: string, more = {}): Promise<void> {
    await mkdir(folder, { recursive: true });
    const content = { name: 'app', private: true, type: 'module', ...more };
    await writeFile(join(folder, 'package.json'), JSON.stringify(content));
  }
});

describe('webpack build', () => {
  let dist: string;
  beforeAll(async () => {
    const root = join(app, 'webpack-build');
    dist = join(root, 'dist');
    await writeBundledApp(root);
    await buildByWebpack(root, dist);
    await copyFile(join(root, 'index.html'), join(dist, 'index.html'));
  });

  test('the default model, on the page and in a worker', async () => {
    expectDefaultModel(await openStatic(dist, 'index.html?only=default'));
    expectDefaultModel(await openStatic(dist, 'index.html?only=default&in=worker'));
  });

  test('published weights in a worker', async () => {
    const found = await openStatic(dist, 'index.html?only=published&backend=wasm&in=worker');
    expectMmposeNumbers(found, await flippedAnswer());
  });
});

describe('without a bundler', () => {
  /** Measured need: wasm is compiled, nothing else is; blobs are tfjs's worker threads. */
  const CSP = "default-src 'self' data:; script-src 'self' 'wasm-unsafe-eval'";
  let folder: string;
  beforeAll(async () => {
    folder = join(app, 'plain');
    await writePlainPages(folder);
    await mkdir(folder, { recursive: true });
    await symlink(join(app, 'node_modules/inpose/dist'), join(folder, 'lib'));
  });

  test.each(PAGES)('%s, wasm', async (path) => {
    expectMmposeNumbers(await openStatic(folder, `${path}?backend=wasm`));
  });

  test.each(PAGES)('%s, the default model', async (path) => {
    expectDefaultModel(await openStatic(folder, `${path}?only=default`));
  });

  test.each(PAGES)('%s in a worker, also with threads and under a strict content security policy', async (path) => {
    const page = `${path}?backend=wasm&in=worker`;
    expectMmposeNumbers(await openStatic(folder, page));
    expectMmposeNumbers(await openStatic(folder, page, { isolated: true }));
    expectMmposeNumbers(await openStatic(folder, page, { headers: { 'Content-Security-Policy': CSP } }));
    expectDefaultModel(await openStatic(folder, `${path}?only=default&in=worker`));
  });

  test('a script of another origin in a worker', async () => {
    const elsewhere = await serveFolders([folder, files], { headers: { 'Access-Control-Allow-Origin': '*' } });
    try {
      const path = `elsewhere.html?backend=wasm&in=worker&lib=${encodeURIComponent(elsewhere.url)}`;
      expectMmposeNumbers(await openStatic(folder, path));
    } finally {
      await elsewhere.close();
    }
  });

  test.each(PAGES.flatMap((path) => GPUS.map((backend) => [path, backend])))('%s, %s starts', async (path, backend) => {
    expect(await openStatic(folder, `${path}?only=start&backend=${backend}`)).toEqual({ backend });
  });

  test.each(PAGES)('%s with wasm threads', async (path) => {
    expectMmposeNumbers(await openStatic(folder, `${path}?backend=wasm`, { isolated: true }));
  });

  test.each(PAGES)('%s under a strict content security policy', async (path) => {
    const headers = { 'Content-Security-Policy': CSP };
    expectMmposeNumbers(await openStatic(folder, `${path}?backend=wasm`, { headers }));
  });
});

test('Node', async () => {
  const folder = join(app, 'node');
  await writeNodeApp(folder);
  const server = await serveFolders([files]);
  try {
    const run = (...args: string[]) => command(folder, process.execPath, 'main.js', 'wasm', `${server.url}/`, ...args);
    expectMmposeNumbers(JSON.parse(await run()));
    expectDefaultModel(JSON.parse(await run('default')));
  } finally {
    await server.close();
  }
});
