/**
 * Takes the README's picture: the demo page with its sample and, when a model is given, the skeleton that it really finds.
 *
 *     npx tsx demo/screenshot.ts [--model FILE | --prototype FILE] [--out demo/screenshot.png]
 *
 * `--prototype` takes the checkpoint of our own network's training script (see prototype_model.ts). The picture in this repository
 * shows only our own material: the rendered sample and that network.
 */
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright';
import { createServer } from 'vite';
import { launchChromium } from '../tests/support/chromium.js';
import { convertPrototype } from './prototype_model.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const LIMIT_MS = 120_000;
/** Around the person of the sample, px. */
const PERSON = { x1: 112, y1: 72, x2: 376, y2: 546 };

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    prototype: { type: 'string' },
    out: { type: 'string', default: `${PROJECT}demo/screenshot.png` },
  },
});

const server = await createServer({
  configFile: `${PROJECT}vite.config.ts`,
  logLevel: 'error',
  server: { port: 0, open: false, hmr: false, watch: null },
});
await server.listen();
const browser = await launchChromium();
try {
  const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
  await page.goto(server.resolvedUrls!.local[0]);
  await page.waitForFunction(() => document.querySelector<HTMLImageElement>('#photo')?.naturalWidth);
  const model = await modelFile();
  if (model) {
    await page.setInputFiles('#model-input', model);
    await waitForResult(page);
    await drawBox(page);
    await waitForResult(page);
  }
  await page.screenshot({ path: values.out });
} finally {
  await browser.close();
  await server.close();
}

async function modelFile(): Promise<{ name: string; mimeType: string; buffer: Buffer } | null> {
  const path = values.prototype ?? values.model;
  if (!path) return null;
  const bytes = await readFile(path);
  const own = values.prototype !== undefined;
  const buffer = own ? Buffer.from(await convertPrototype(new Uint8Array(bytes).buffer)) : bytes;
  return { name: own ? 'synthetic-prototype.safetensors' : basename(path), mimeType: '', buffer };
}

/** Drags a box round the person, as a visitor would. */
async function drawBox(page: Page): Promise<void> {
  const frame = (await page.locator('#media').boundingBox())!;
  const photo = await page.evaluate(() => {
    const { naturalWidth, naturalHeight } = document.querySelector<HTMLImageElement>('#photo')!;
    return { width: naturalWidth, height: naturalHeight };
  });
  const x = (value: number) => frame.x + (value * frame.width) / photo.width;
  const y = (value: number) => frame.y + (value * frame.height) / photo.height;
  await page.mouse.move(x(PERSON.x1), y(PERSON.y1));
  await page.mouse.down();
  await page.mouse.move(x(PERSON.x2), y(PERSON.y2), { steps: 5 });
  await page.mouse.up();
}

/** Waits for a result, or fails with what the page says is wrong. */
async function waitForResult(page: Page): Promise<void> {
  const outcome = '#message:not([hidden]), body:has(#status:not(.busy)):has(#results:not([hidden]))';
  await page.waitForSelector(outcome, { timeout: LIMIT_MS });
  if (await page.locator('#message').isVisible()) throw new Error(await page.locator('#message').innerText());
}
