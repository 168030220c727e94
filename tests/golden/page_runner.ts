/** Runs golden files in a browser, one page per run. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openPageHost, type BrowserOptions } from '../support/page_host.js';
import { findShared } from './node_source.js';
import type { PageRequest } from './page.js';
import type { CaseReport } from './runner.js';

export interface PageRunner {
  run(request: PageRequest): Promise<CaseReport[]>;
  /** Console errors and page errors so far; a run with any has failed. */
  readonly problems: readonly string[];
  close(): Promise<void>;
}

/**
 * Starts server and browser.
 *
 * @param roots - the golden folders that requests name by index
 * @param cache - see `openPageHost`
 */
export async function startPageRunner(
  project: string,
  roots: readonly string[],
  cache: string,
  { browser, host }: BrowserOptions,
): Promise<PageRunner> {
  const { call, problems, close } = await openPageHost({
    project,
    script: 'tests/golden/page.ts',
    ...{ browser, host, cache },
    readyWhen: 'runGolden',
    files: (path) => readGolden(project, roots, path),
  });
  return { problems, close, run: (request) => call('runGolden', request) };
}

/** `<root index>/file/<path>` below a golden folder, or `<root index>/shared/shared/<path>`. */
async function readGolden(project: string, roots: readonly string[], request: string): Promise<Uint8Array | null> {
  const [, index, kind, path] = /^(\d+)\/(file|shared)\/(.*)$/.exec(request) ?? [];
  const root = roots[Number(index)];
  if (!root || path.split('/').includes('..')) return null;
  const file = kind === 'shared' ? findShared(root, project, path) : join(root, path);
  return file ? readFile(file) : null;
}
