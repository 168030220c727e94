/**
 * `npm test`: brings a browser, runs every check as a child process, and ends with the one line `N passed, M failed`.
 * `npm test -- unit golden` runs only the steps named.
 */
import { spawn } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { findChromium } from './chromium.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = join(PROJECT, 'tests/fixtures/golden');
const TINY = ['--group', 'models', '--case', '{hrnet_tiny,hrnet_tiny_multiscale,litehrnet_naive,rtmpose_t_face6_64}/*'];
/** A step that hangs must not hide the results of the others. */
const STEP_LIMIT_MS = 20 * 60_000;

interface Tally {
  readonly passed: number;
  readonly failed: number;
  /** What is neither, in words; empty when there is none. */
  readonly note: string;
}

type Step = (scratch: string) => Promise<Tally>;

const STEPS: Readonly<Record<string, Step>> = {
  typecheck: () => check('typescript', 'tsc', ['--noEmit']),
  lint: () => check('oxlint', 'oxlint', ['--quiet']),
  format: () => check('prettier', 'prettier', ['--check', '--log-level', 'warn', '.']),
  unit: (scratch) => vitest('node', scratch),
  golden: (scratch) => golden([], scratch),
  'golden-corrupt': (scratch) => golden(['--corrupt'], scratch),
  // Tiny networks only: on software GPUs the full set takes an hour, and has commands of its own.
  'golden-webgpu': (scratch) => golden([...TINY, '--backend', 'webgpu'], scratch),
  'golden-webgl': (scratch) => golden([...TINY, '--backend', 'webgl'], scratch),
  browser: (scratch) => vitest('browser', scratch),
  bundle: (scratch) => vitest('bundle', scratch),
};

/** Steps that take one core each and may share the machine; the others follow one by one. */
const TOGETHER = [
  ['typecheck', 'lint', 'format'],
  ['golden', 'golden-corrupt'],
];

process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;

async function main(names: readonly string[]): Promise<boolean> {
  const unknown = names.filter((name) => !(name in STEPS));
  if (unknown.length > 0) {
    console.error(`npm test: found ${unknown.join(', ')}; expected any of ${Object.keys(STEPS).join(', ')}.`);
    return false;
  }
  process.env.INPOSE_CHROMIUM = await findChromium();
  const scratch = await mkdtemp(join(tmpdir(), 'inpose-test-'));
  const results = new Map<string, Tally>();
  try {
    const wanted = Object.keys(STEPS).filter((name) => names.length === 0 || names.includes(name));
    for (const group of groupsOf(wanted)) {
      const tallies = await Promise.all(group.map((name) => timed(name, STEPS[name], scratch)));
      for (const [i, name] of group.entries()) results.set(name, tallies[i]);
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return summarise(results);
}

/** The steps in order, those that run at once in one group. */
function groupsOf(names: readonly string[]): string[][] {
  const groups = names.map((name) => TOGETHER.find((group) => group.includes(name)) ?? [name]);
  return [...new Set(groups)].map((group) => group.filter((name) => names.includes(name)));
}

async function timed(name: string, step: Step, scratch: string): Promise<Tally> {
  const start = Date.now();
  console.log(`\n== ${name}`);
  const tally = await step(scratch).catch((error: unknown) => ({ passed: 0, failed: 1, note: String(error) }));
  console.log(`== ${name}: ${describe(tally)} in ${((Date.now() - start) / 1000).toFixed(0)} s`);
  return tally;
}

function summarise(results: ReadonlyMap<string, Tally>): boolean {
  const sum = (of: (tally: Tally) => number) => [...results.values()].reduce((total, tally) => total + of(tally), 0);
  console.log('');
  for (const [name, tally] of results) console.log(`${name}: ${describe(tally)}`);
  const [passed, failed] = [sum((t) => t.passed), sum((t) => t.failed)];
  console.log(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0;
}

function describe({ passed, failed, note }: Tally): string {
  return `${passed} passed, ${failed} failed${note && ` (${note})`}`;
}

/** A tool that only says yes or no counts as one test. */
async function check(name: string, bin: string, args: readonly string[]): Promise<Tally> {
  const code = await run(binary(name, bin), args);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, note: '' };
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

async function vitest(project: string, scratch: string): Promise<Tally> {
  const file = join(scratch, `${project}.json`);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const code = await run(binary('vitest', 'vitest'), ['run', '--project', project, ...reporters]);
  const report: VitestReport = JSON.parse(await readFile(file, 'utf8'));
  // A file that could not be loaded has no tests to fail; an error between tests fails the run and no test.
  const broken = report.testResults.filter((r) => r.status === 'failed' && r.assertionResults.length === 0).length;
  const failed = report.numFailedTests + broken;
  const unexplained = code !== 0 && failed === 0 ? 1 : 0;
  const note = report.numPendingTests > 0 ? `${report.numPendingTests} skipped` : '';
  return atLeastOne({ passed: report.numPassedTests, failed: failed + unexplained, note });
}

async function golden(flags: readonly string[], scratch: string): Promise<Tally> {
  const file = join(scratch, `golden${flags.join('').replaceAll(/\W/g, '')}.json`);
  const args = [join(PROJECT, 'tests/golden/cli.ts'), '--dir', FIXTURES, '--report', file, ...flags];
  const code = await run(binary('tsx', 'tsx'), args);
  const report: { status: string }[] = JSON.parse(await readFile(file, 'utf8'));
  const count = (status: string) => report.filter((r) => r.status === status).length;
  // With a number changed in every expected output, failing is what each case has to do.
  const [good, bad] = flags.includes('--corrupt') ? ['failed', 'passed'] : ['passed', 'failed'];
  const unexplained = code !== 0 && count(bad) === 0 ? 1 : 0;
  const rest = ['not supported', 'skipped'].filter((status) => count(status) > 0);
  const note = rest.map((status) => `${count(status)} ${status}`).join(', ');
  return atLeastOne({ passed: count(good), failed: count(bad) + unexplained, note });
}

/** A step that ran nothing has not passed. */
function atLeastOne(tally: Tally): Tally {
  return tally.passed + tally.failed > 0 ? tally : { passed: 0, failed: 1, note: 'nothing ran' };
}

/** The script behind a package's command, so that no shell and no `npx` stands in between. */
function binary(packageName: string, bin: string): string {
  const require = createRequire(import.meta.url);
  const manifest = join(PROJECT, 'node_modules', packageName, 'package.json');
  const field: string | Record<string, string> = require(manifest).bin;
  return join(dirname(manifest), typeof field === 'string' ? field : field[bin]);
}

/** Runs a Node script with our output as its output; gives its exit status. */
function run(script: string, args: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, ...args], {
      cwd: PROJECT,
      stdio: ['ignore', 'inherit', 'inherit'],
      timeout: STEP_LIMIT_MS,
    });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
