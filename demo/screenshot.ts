/**
 * Takes the README's picture: the demo page with its sample and the skeleton that the default model, or another one, really finds.
 *
 *     npx tsx demo/screenshot.ts [--model FILE] [--out demo/screenshot.png]
 *
 * The picture in this repository shows only our own material: the rendered sample and the default model.
 */
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { Page } from 'playwright';
import { createServer } from 'vite';
import { launchChromium } from '../tests/support/chromium.js';

const PROJECT = fileURLToPath(new URL('..', import.meta.url));
const LIMIT_MS = 120_000;

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
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
  await waitForResult(page);
  if (values.model) {
    await page.setInputFiles('#model-input', values.model);
    await page.waitForSelector(`#model-facts:has-text("${basename(values.model)}"), #message:not([hidden])`);
    await waitForResult(page);
  }
  await page.screenshot({ path: values.out });
} finally {
  await browser.close();
  await server.close();
}

/** Waits for a result, or fails with what the page says is wrong. */
async function waitForResult(page: Page): Promise<void> {
  const outcome = '#message:not([hidden]), body:has(#status:not(.busy)):has(#results:not([hidden]))';
  await page.waitForSelector(outcome, { timeout: LIMIT_MS });
  if (await page.locator('#message').isVisible()) throw new Error(await page.locator('#message').innerText());
}
