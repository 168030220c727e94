/**
 * A page of ours in a browser, with the server that serves it: what the golden runner, the accuracy harness and the benchmarks have
 * in common. Its functions on `window` are called from here.
 */
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { ChromiumOptions } from './chromium.js';
import { INSTALLED_BROWSERS, type InstalledBrowser } from './installed_browser.js';
import type { PageServerOptions } from './page_server.js';

/** `own`: any browser in which a person opens the address. */
export type PageBrowser = 'chromium' | InstalledBrowser | 'own';
export const PAGE_BROWSERS: readonly PageBrowser[] = ['chromium', ...INSTALLED_BROWSERS, 'own'];

export interface PageHostOptions extends PageServerOptions, ChromiumOptions {
  /** @default 'chromium' */
  readonly browser?: PageBrowser;
  /** Name of the function on `window` that the page sets when it is ready. */
  readonly readyWhen: keyof Window & string;
  /** Console messages that are no fault; everything else at level warning or error is. */
  readonly ignore?: RegExp;
  /** What the page says while a call runs, by `window.reportProgress`. */
  readonly onProgress?: (text: string) => void;
}

/** A function on `window`, with what it gives. */
type PageFunction<K extends keyof Window> = Extract<Window[K], (...args: never[]) => unknown>;
/** The call of a function of the page. Arguments and result are plain data; numbers may be NaN or infinite. */
export type PageCall = <K extends keyof Window & string>(
  name: K,
  ...args: Parameters<PageFunction<K>>
) => Promise<Awaited<ReturnType<PageFunction<K>>>>;

export interface PageHost {
  /** Rejects with the message of what the page threw, or when the page is gone. */
  readonly call: PageCall;
  /** Console errors and warnings, page errors, crashes so far. A run with any has failed. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

declare global {
  interface Window {
    reportProgress?(text: string): void;
  }
}

export const READY_LIMIT_MS = 180_000;

/** Serves the project, opens the page and waits until it is ready. The caller closes it. */
export async function openPageHost(options: PageHostOptions): Promise<PageHost> {
  if ((options.browser ?? 'chromium') === 'chromium') {
    const { openChromiumPage } = await import('./chromium_page.js');
    return openChromiumPage(options);
  }
  const { openRemotePage } = await import('./remote_page.js');
  return openRemotePage(options);
}

/** What a command line says of the browser. */
export interface BrowserOptions {
  readonly browser: PageBrowser;
  readonly host?: string;
}

/** Adds `--browser` and `--host`. */
export function addBrowserOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--browser <name>', 'own: any browser, here or on a phone, in which you open the address')
        .choices(PAGE_BROWSERS)
        .default('chromium'),
    )
    .option('--host <address>', 'with --browser own: listen there, and not on this machine alone', address);
}

function address(text: string): string {
  if (/^[\w.:-]+$/.test(text)) return text;
  throw new InvalidArgumentError('expected an address of this machine, such as 0.0.0.0');
}
