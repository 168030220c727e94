/** A page in the Chromium that playwright drives. */
import type { Browser, Page } from 'playwright';
import { launchChromium } from './chromium.js';
import { READY_LIMIT_MS, type PageCall, type PageHost, type PageHostOptions } from './page_host.js';
import { startPageServer } from './page_server.js';

export interface ChromiumPage extends PageHost {
  readonly page: Page;
}

/** See `openPageHost`. */
export async function openChromiumPage(options: PageHostOptions): Promise<ChromiumPage> {
  const server = await startPageServer(options);
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    await server.close();
  };
  try {
    browser = await launchChromium(options);
    const page = await browser.newPage();
    const problems = watchProblems(page, options.ignore);
    if (options.onProgress) await page.exposeFunction('reportProgress', options.onProgress);
    await page.goto(server.urls[0]);
    await page.waitForFunction((name) => name in window, options.readyWhen, { timeout: READY_LIMIT_MS });
    return { page, problems, close, call: callerOf(page) };
  } catch (error) {
    await close();
    throw error;
  }
}

function callerOf(page: Page): PageCall {
  return (name, ...args) =>
    page
      .evaluate(([f, list]) => (window as unknown as Record<string, (...a: unknown[]) => never>)[f](...list), [
        name as string,
        args as unknown[],
      ] as const)
      .catch((error: Error) => {
        throw new Error(messageOf(error), { cause: error });
      });
}

/** Playwright puts its own name in front of the message, and the page's stack behind it. */
function messageOf({ message }: Error): string {
  return message
    .split('\n')
    .filter((line) => !/^\s+at /.test(line))
    .join('\n')
    .replace(/^page\.evaluate: (\w*Error: )?/, '');
}

function watchProblems(page: Page, ignore: RegExp | undefined): string[] {
  const problems: string[] = [];
  page.on('console', (message) => {
    const isProblem = message.type() === 'error' || message.type() === 'warning';
    if (isProblem && !ignore?.test(message.text())) problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
  page.on('crash', () => problems.push('the page crashed'));
  return problems;
}
