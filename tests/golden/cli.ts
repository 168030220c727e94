/**
 * `npm run test:golden`: runs every recorded case of MMPose against this library and says how many agree.
 * Groups without tensors run in Node; models, tta and e2e run in a browser, on the backend asked for.
 */
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, Option } from 'commander';
import { addBrowserOptions, type BrowserOptions } from '../support/page_host.js';
import { progress, runTool } from '../support/tool.js';
import type { GoldenCase } from './format.js';
import { listJson, nodeSource } from './node_source.js';
import type { PageRunner } from './page_runner.js';
import { PAGE_GROUPS, runGoldenFile, type CaseReport } from './runner.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));

interface Options extends BrowserOptions {
  readonly dir?: string;
  readonly group?: string;
  readonly case?: string;
  readonly backend: string;
  readonly report?: string;
  readonly corrupt?: boolean;
}

interface Job {
  readonly root: number;
  readonly path: string;
  readonly group: string;
  readonly file: string;
  readonly cases: readonly string[];
}

const options = addBrowserOptions(new Command('test:golden'))
  .option('--dir <dir>', 'golden folder (default: the fixtures of the repository, and ../shared/golden where present)')
  .option('--group <group>', 'only this group')
  .option('--case <glob>', 'only cases whose file/name matches')
  .addOption(new Option('--backend <name>').choices(['wasm', 'webgpu', 'webgl', 'cpu']).default('wasm'))
  .option('--report <file>', 'write one JSON record per case')
  .option('--corrupt', 'change one number of every expected output: every case must then fail')
  .parse()
  .opts<Options>();

await runTool('golden', () => main(options));

async function main(opts: Options): Promise<boolean> {
  const roots = goldenRoots(opts.dir);
  const jobs = await findJobs(roots, opts);
  if (jobs.length === 0) {
    console.log('no case matches; see --help for what selects cases');
    return summarise([], [], false);
  }
  const { reports, problems } = await runJobs(roots, jobs, opts);
  if (opts.report) await writeFile(resolve(opts.report), `${JSON.stringify(reports, jsonNumber, 1)}\n`);
  return summarise(reports, problems, opts.corrupt ?? false);
}

function goldenRoots(dir: string | undefined): string[] {
  if (dir) {
    if (!existsSync(dir)) throw new Error(`${dir}: not found; give the path of an existing folder`);
    return [resolve(dir)];
  }
  return [join(PROJECT, 'tests/fixtures/golden'), resolve(PROJECT, '../shared/golden')].filter((root) =>
    existsSync(root),
  );
}

/** One job per file; a case that two folders hold (fixtures are a selection) runs once. */
async function findJobs(roots: readonly string[], opts: Options): Promise<Job[]> {
  const jobs: Job[] = [];
  const seen = new Set<string>();
  const matches = globMatcher(opts.case);
  for (const [root, folder] of roots.entries()) {
    const source = nodeSource(folder, PROJECT);
    for (const path of await listJson(folder)) {
      const json = parseJson(await source.read(path), join(folder, path));
      if (json?.format !== 'inpose-golden-1' || !Array.isArray(json.cases)) continue;
      if (opts.group && json.group !== opts.group) continue;
      const cases = (json.cases as GoldenCase[])
        .map((c) => c.name)
        .filter((name) => {
          const id = `${json.group}/${json.name}/${name}`;
          return matches(json.name, name) && !seen.has(id) && seen.add(id);
        });
      if (cases.length > 0) jobs.push({ root, path, group: json.group, file: json.name, cases });
    }
  }
  return jobs;
}

function parseJson(bytes: Uint8Array, path: string) {
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch (error) {
    throw new Error(`${path}: expected JSON; ${(error as Error).message}`, { cause: error });
  }
}

/** `*` and `?` match any characters, also `/`, since names of cases hold slashes; `{a,b}` is either. */
function globMatcher(glob: string | undefined): (file: string, name: string) => boolean {
  if (!glob) return () => true;
  const escaped = glob
    .replace(/[.+^$()|[\]\\]/g, '\\$&')
    .replace(/\{([^}]*)\}/g, (_, choices: string) => `(${choices.replaceAll(',', '|')})`)
    .replace(/\*/g, '.*')
    .replace(/\?/g, '.');
  const pattern = new RegExp(`^${escaped}$`);
  return (file, name) => pattern.test(`${file}/${name}`) || pattern.test(`${file}.json/${name}`);
}

async function runJobs(roots: readonly string[], jobs: readonly Job[], opts: Options) {
  const reports: CaseReport[] = [];
  let page: PageRunner | undefined;
  try {
    for (const job of jobs) {
      if (PAGE_GROUPS.has(job.group)) page ??= await openPage(roots, opts);
      const inPage = PAGE_GROUPS.has(job.group);
      const running = inPage ? runInPage(page!, job, opts) : runInNode(roots, job, opts);
      reports.push(...(await running.catch((error) => allFailed(job, inPage ? opts.backend : 'node', error))));
      progress(`${reports.length} cases, ${job.group}/${job.file}`);
    }
  } finally {
    progress('');
    await page?.close();
  }
  return { reports, problems: page?.problems ?? [] };
}

/** Vite and a browser, only when a group needs them. */
async function openPage(roots: readonly string[], opts: Options): Promise<PageRunner> {
  const { backend, corrupt = false } = opts;
  const { startPageRunner } = await import('./page_runner.js');
  // The test command has several runs side by side.
  return startPageRunner(PROJECT, roots, corrupt ? 'golden-corrupt' : `golden-${backend}`, opts);
}

function runInNode(roots: readonly string[], job: Job, opts: Options): Promise<CaseReport[]> {
  const names = new Set(job.cases);
  const source = nodeSource(roots[job.root], PROJECT);
  return runGoldenFile(source, job.path, {
    backend: 'node',
    corrupt: opts.corrupt ?? false,
    wanted: (_group, _file, name) => names.has(name),
  });
}

function runInPage(page: PageRunner, { root, path, cases }: Job, opts: Options): Promise<CaseReport[]> {
  return page.run({ root, path, cases, backend: opts.backend, corrupt: opts.corrupt ?? false });
}

/** When the page dies, or a file cannot be read at all, every case of the file has failed, and says so. */
function allFailed({ group, file, cases }: Job, backend: string, error: unknown): CaseReport[] {
  const message = error instanceof Error ? error.message : String(error);
  const nothing = { compared: 0, maxAbs: null, maxRel: null, tolerance: null, notes: [] };
  return cases.map((name) => ({ group, file, name, op: '', backend, ...nothing, status: 'failed', message }));
}

/** Prints one line per group, the failures, and the closing line. True when the run is good. */
function summarise(reports: readonly CaseReport[], problems: readonly string[], corrupt: boolean): boolean {
  for (const group of new Set(reports.map((r) => r.group))) {
    console.log(
      groupLine(
        group,
        reports.filter((r) => r.group === group),
      ),
    );
  }
  const line = jitLine(reports);
  if (line) console.log(line);
  const failed = reports.filter((r) => r.status === 'failed');
  const passed = reports.filter((r) => r.status === 'passed');
  const unsupported = reports.filter((r) => r.status === 'not supported');
  if (!corrupt)
    for (const r of failed)
      console.log(`FAILED ${r.group} ${r.file}/${r.name} [${r.backend}]: ${r.message.slice(0, 600)}`);
  for (const r of reports.filter(({ status }) => status === 'skipped'))
    console.log(`SKIPPED ${r.group} ${r.file}/${r.name}: ${r.message}`);
  for (const problem of problems) console.log(`FAILED page: ${problem.slice(0, 600)}`);
  if (corrupt)
    for (const r of passed)
      console.log(`NOT NOTICED ${r.group} ${r.file}/${r.name}: passed though an expected number was changed`);
  console.log(`golden: ${passed.length} passed, ${failed.length} failed, ${unsupported.length} not supported yet`);
  if (problems.length > 0) return false;
  return corrupt ? passed.length === 0 && failed.length > 0 : failed.length === 0 && passed.length > 0;
}

function groupLine(group: string, list: readonly CaseReport[]): string {
  const count = (status: CaseReport['status']) => list.filter((r) => r.status === status).length;
  const missing = [...new Set(list.filter((r) => r.status === 'not supported').map((r) => r.message))];
  const absent = [...new Set(list.filter((r) => r.status === 'skipped').map((r) => r.message))];
  return (
    `${group}: ${count('passed')} passed, ${count('failed')} failed, ${count('not supported')} not supported` +
    (missing.length > 0 ? ` (${missing.join('; ')})` : '') +
    (absent.length > 0 ? `, ${count('skipped')} skipped (${absent.join('; ')})` : '')
  );
}

/** How many models the jit compiled, and what kept the others from it; empty on backends without a jit. */
function jitLine(reports: readonly CaseReport[]): string {
  const tried = reports.filter(({ notes }) => notes.length > 0);
  if (tried.length === 0) return '';
  const others = tried.filter(({ notes }) => notes.some((note) => note !== 'jit'));
  const why = others.map(({ file, notes }) => `${file}: ${notes.filter((note) => note !== 'jit').join(', ')}`);
  const reasons = why.length > 0 ? ` (${why.join('; ')})` : '';
  return `jit: ${tried.length - others.length} of ${tried.length} models compiled${reasons}`;
}

/** JSON has no Infinity and NaN. */
function jsonNumber(_key: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
