/**
 * `npm test`: brings a browser, runs every check as a child process, and ends with the one line `N passed, M failed`.
 * `npm test -- unit golden` runs only the steps named.
 *
 * Steps share the machine, two at a time. One that has it to itself prints as it goes; of two, each prints when it has ended.
 */
import { spawn, type ChildProcess } from 'node:child_process';
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

/** Runs a Node script to its end; gives its exit status. */
type Run = (script: string, args: readonly string[]) => Promise<number>;
type Step = (run: Run, scratch: string) => Promise<Tally>;

const STEPS: Readonly<Record<string, Step>> = {
  typecheck: (run) => check(run, 'typescript', 'tsc', ['--noEmit']),
  lint: (run) => check(run, 'oxlint', 'oxlint', ['--quiet']),
  format: (run) => check(run, 'prettier', 'prettier', ['--check', '--log-level', 'warn', '.']),
  unit: (run, scratch) => vitest(run, 'node', scratch),
  browser: (run, scratch) => vitest(run, 'browser', scratch),
  bundle: (run, scratch) => vitest(run, 'bundle', scratch),
  golden: (run, scratch) => golden(run, [], scratch),
  'golden-corrupt': (run, scratch) => golden(run, ['--corrupt'], scratch),
  // Tiny networks only: on software GPUs the full set takes an hour, and has commands of its own.
  'golden-webgpu': (run, scratch) => golden(run, [...TINY, '--backend', 'webgpu'], scratch),
  'golden-webgl': (run, scratch) => golden(run, [...TINY, '--backend', 'webgl'], scratch),
  'golden-firefox': (run, scratch) => golden(run, ['--browser', 'firefox'], scratch),
  'golden-webkit': (run, scratch) => golden(run, ['--browser', 'webkit'], scratch),
};

/** In browsers that only some machines have: by name only. */
const BY_NAME = ['golden-firefox', 'golden-webkit'];

/**
 * One phase after another; within a phase two steps at a time. The longest two have the machine to themselves: some of their tests wait
 * for a page only so long.
 */
const PHASES = [
  ['typecheck', 'lint', 'format'],
  ['unit'],
  ['golden', 'golden-corrupt', 'golden-webgpu', 'golden-webgl'],
  ['browser'],
  ['bundle'],
  BY_NAME,
];
const AT_A_TIME = 2;

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
    const wanted = Object.keys(STEPS).filter((name) =>
      names.length === 0 ? !BY_NAME.includes(name) : names.includes(name),
    );
    for (const phase of PHASES) {
      const waiting = phase.filter((name) => wanted.includes(name));
      const run = waiting.length > 1 ? runQuietly : runAloud;
      const lane = async () => {
        for (let name = waiting.shift(); name; name = waiting.shift())
          results.set(name, await timed(name, run, scratch));
      };
      await Promise.all(Array.from({ length: AT_A_TIME }, lane));
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  return summarise(results);
}

async function timed(name: string, run: Run, scratch: string): Promise<Tally> {
  const start = Date.now();
  console.log(`\n== ${name}`);
  const tally = await STEPS[name](run, scratch).catch((error: unknown) => ({
    passed: 0,
    failed: 1,
    note: String(error),
  }));
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
async function check(run: Run, name: string, bin: string, args: readonly string[]): Promise<Tally> {
  const code = await run(binary(name, bin), args);
  return { passed: code === 0 ? 1 : 0, failed: code === 0 ? 0 : 1, note: '' };
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly { readonly status: string; readonly assertionResults: readonly unknown[] }[];
}

async function vitest(run: Run, project: string, scratch: string): Promise<Tally> {
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

async function golden(run: Run, flags: readonly string[], scratch: string): Promise<Tally> {
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

/** With our output as its output. */
function runAloud(script: string, args: readonly string[]): Promise<number> {
  return ended(start(script, args, 'inherit'));
}

/** What it says comes in one piece, at its end. */
async function runQuietly(script: string, args: readonly string[]): Promise<number> {
  const child = start(script, args, 'pipe');
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk: Buffer) => said.push(chunk));
  const code = await ended(child);
  process.stdout.write(Buffer.concat(said));
  return code;
}

function start(script: string, args: readonly string[], output: 'inherit' | 'pipe'): ChildProcess {
  return spawn(process.execPath, [script, ...args], {
    cwd: PROJECT,
    stdio: ['ignore', output, output],
    timeout: STEP_LIMIT_MS,
  });
}

function ended(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
