/**
 * A page of ours in real Chromium, with the Vite server that serves it: what the golden runner, the accuracy harness and the
 * benchmarks have in common. Files from outside the project are served through `/@files/...` by a function of the caller's.
 */
import { join } from 'node:path';
import type { Browser, Page } from 'playwright';
import { createServer, type Plugin, type ViteDevServer } from 'vite';
import { launchChromium, type ChromiumOptions } from './chromium.js';

/** Bytes for the path after `/@files/`, or null when there is no such file. */
export type FileLookup = (path: string) => Promise<Uint8Array | null>;

export interface PageHostOptions extends ChromiumOptions {
  /** Root of the project. */
  readonly project: string;
  /** Path below the project of the script that is all there is of the page; relative addresses in it are relative to its folder. */
  readonly script: string;
  /** Name of the function on `window` that the page sets when it is ready. */
  readonly readyWhen: string;
  readonly files: FileLookup;
  /** Names the place of the packages that are bundled for the page; servers that run at the same time need places of their own. */
  readonly cache?: string;
  /** Console messages that are no fault; everything else at level warning or error is. */
  readonly ignore?: RegExp;
}

export interface PageHost {
  readonly page: Page;
  /** Console errors and warnings, page errors, crashes so far. A run with any has failed. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

const READY_LIMIT_MS = 180_000;

/** Serves the project, opens the page and waits until it is ready. The caller closes it. */
export async function openPageHost(options: PageHostOptions): Promise<PageHost> {
  const server = await startServer(options);
  let browser: Browser | undefined;
  const close = async () => {
    await browser?.close();
    await server.close();
  };
  try {
    browser = await launchChromium(options);
    const page = await browser.newPage();
    const problems = watchProblems(page, options.ignore);
    await page.goto(new URL(addressOf(options.script), server.resolvedUrls!.local[0]).href);
    await page.waitForFunction((name) => name in window, options.readyWhen, { timeout: READY_LIMIT_MS });
    return { page, problems, close };
  } catch (error) {
    await close();
    throw error;
  }
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

async function startServer({ project, script, files, cache = script }: PageHostOptions): Promise<ViteDevServer> {
  const server = await createServer({
    root: project,
    configFile: join(project, 'vite.config.ts'),
    logLevel: 'error',
    plugins: [scriptPage(script), outsideFiles(files)],
    // Packages that are found while the page runs would reload it. Vite looks for them only when it finds none bundled already, so
    // that each page needs a place of its own for them.
    optimizeDeps: { entries: [script] },
    cacheDir: join(project, 'node_modules/.vite', cache.replaceAll(/\W/g, '_')),
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null, headers: ISOLATION_HEADERS },
  });
  return server.listen();
}

/** Cross-origin isolation, so that wasm may use threads. */
const ISOLATION_HEADERS = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

function addressOf(script: string): string {
  return `/${script}.html`;
}

function scriptPage(script: string): Plugin {
  const html = `<!doctype html>
<meta charset="utf-8" />
<title>${script}</title>
<link rel="icon" href="data:," />
<script type="module" src="/${script}"></script>
`;
  return {
    name: 'inpose:script-page',
    configureServer({ middlewares }) {
      middlewares.use(addressOf(script), (_request, response) => {
        response.writeHead(200, { ...ISOLATION_HEADERS, 'Content-Type': 'text/html' }).end(html);
      });
    },
  };
}

/** Anything missing is an empty 204: a 404 would be a console error. Honours `Range`, as the checkpoint reader asks. */
function outsideFiles(files: FileLookup): Plugin {
  return {
    name: 'inpose:outside-files',
    configureServer({ middlewares }) {
      middlewares.use('/@files/', async (request, response) => {
        const path = decodeURIComponent((request.url ?? '').replace(/^\//, '').replace(/\?.*$/, ''));
        const body = await files(path).catch(() => null);
        response.setHeader('Content-Type', path.endsWith('.json') ? 'application/json' : 'application/octet-stream');
        response.setHeader('Accept-Ranges', 'bytes');
        const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
        if (!body) return void response.writeHead(204).end();
        if (!range) return void response.writeHead(200).end(body);
        const [start, end] = [Number(range[1]), Math.min(Number(range[2] || Infinity), body.length - 1)];
        response.setHeader('Content-Range', `bytes ${start}-${end}/${body.length}`);
        response.writeHead(206).end(body.subarray(start, end + 1));
      });
    },
  };
}
