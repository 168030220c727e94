/** Pages in browsers that nothing drives: here a Chromium in which the printed address is opened, as a person would. */
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { launchChromium } from '../support/chromium.js';
import { openInstalled } from '../support/installed_browser.js';
import { openPageHost, type PageHost } from '../support/page_host.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

declare global {
  interface Window {
    echo(...values: readonly unknown[]): readonly unknown[];
    refuse(message: string): Promise<never>;
    complain(): void;
    neverAnswer(): Promise<void>;
  }
}

let browser: Browser;
let tab: Page;
let host: PageHost;
const progress: string[] = [];

beforeAll(async () => {
  browser = await launchChromium();
  const print = vi.spyOn(console, 'log').mockImplementation(() => {});
  const opening = openPageHost({
    project: PROJECT,
    script: 'tests/tools/remote_page_script.ts',
    readyWhen: 'echo',
    browser: 'own',
    files: () => Promise.resolve(null),
    ignore: /harmless/,
    onProgress: (text) => progress.push(text),
  });
  await vi.waitUntil(() => print.mock.calls.length > 0, { timeout: 60_000 });
  const [, address] = /^open in a browser: (http:\S+)$/.exec(String(print.mock.calls[0][0]))!;
  print.mockRestore();
  tab = await browser.newPage();
  await tab.goto(address);
  host = await opening;
});

afterAll(async () => {
  await host?.close();
  await browser?.close();
});

test('calls, with whatever numbers, and what the page says meanwhile', async () => {
  const values = [1, 'two', [3, { four: 4 }], null, true, NaN, Infinity, -Infinity];
  expect(await host.call('echo', ...values)).toEqual(values);
  expect(await Promise.all([host.call('echo', 1), host.call('echo', 2)])).toEqual([[1], [2]]);
  expect(progress).toContain('8 values');
});

test('an error of the page is one here, and the next call works', async () => {
  await expect(host.call('refuse', 'box 3 is empty')).rejects.toThrow(/^box 3 is empty$/);
  expect(await host.call('echo')).toEqual([]);
});

test('whatever goes wrong on the side is noticed, but for what is known', async () => {
  expect(host.problems).toEqual([]);
  await host.call('complain');
  await vi.waitUntil(() => host.problems.length >= 3, { timeout: 10_000 });
  expect(host.problems.toSorted()).toEqual([
    'console error: wrong 1',
    'page error: Uncaught Error: thrown',
    'page error: nobody waits',
  ]);
});

test('a page that is loaded again has lost its call', async () => {
  const waiting = expect(host.call('neverAnswer')).rejects.toThrow(/loaded a second time, or has crashed/);
  await tab.reload();
  await waiting;
  await expect(host.call('echo')).rejects.toThrow(/loaded a second time/);
});

test('a browser that the machine lacks: what is missing, and how to get it', async () => {
  vi.stubEnv('PATH', '/nowhere');
  try {
    await expect(openInstalled('firefox', 'about:blank', ['/nowhere'])).rejects.toThrow(
      /^firefox: found no firefox or firefox-esr on this machine; install it \(Debian: apt-get install firefox-esr xvfb\)\.$/,
    );
  } finally {
    vi.unstubAllEnvs();
  }
});
