/** Runs golden files in real Chromium: a Vite server for the page and the files, and one page per run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createServer, type Plugin, type ViteDevServer } from 'vite';
import { launchChromium } from '../support/chromium.js';
import { findShared } from './node_source.js';
import type { PageRequest } from './page.js';
import type { CaseReport } from './runner.js';

export interface PageRunner {
  run(request: PageRequest): Promise<CaseReport[]>;
  /** Console errors and page errors so far; a run with any has failed. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/** Starts server and browser. `roots` are the golden folders that requests name by index. */
export async function startPageRunner(project: string, roots: readonly string[]): Promise<PageRunner> {
  const server = await startServer(project, roots);
  const browser = await launchChromium();
  const page = await browser.newPage();
  const problems: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning')
      problems.push(`console ${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => problems.push(`page error: ${error.message}`));
  page.on('crash', () => problems.push('the page crashed'));
  await page.goto(`${server.resolvedUrls!.local[0]}tests/golden/page.html`);
  await page.waitForFunction(() => 'runGolden' in window, undefined, { timeout: 120_000 });
  return {
    problems,
    run: (request) => page.evaluate((r) => window.runGolden(r), request),
    close: async () => {
      await browser.close();
      await server.close();
    },
  };
}

async function startServer(project: string, roots: readonly string[]): Promise<ViteDevServer> {
  const server = await createServer({
    root: project,
    configFile: join(project, 'vite.config.ts'),
    logLevel: 'error',
    plugins: [goldenFiles(project, roots)],
    server: { host: '127.0.0.1', port: 0, hmr: false, watch: null },
  });
  return server.listen();
}

/** `/@golden/<root index>/file|shared/<path>`; anything missing is an empty 204. */
function goldenFiles(project: string, roots: readonly string[]): Plugin {
  return {
    name: 'golden-files',
    configureServer({ middlewares }) {
      middlewares.use('/@golden/', async (request, response) => {
        const [, index, kind, encoded] = (request.url ?? '').split('/');
        const path = decodeURIComponent(encoded ?? '');
        const root = roots[Number(index)];
        const file =
          kind === 'shared' ? findShared(root, project, path) : path.includes('..') ? null : join(root, path);
        const body = file && (await readFile(file).catch(() => null));
        response.statusCode = body ? 200 : 204;
        response.setHeader('Content-Type', 'application/octet-stream');
        response.end(body ?? undefined);
      });
    },
  };
}
