/**
 * Runs golden cases against our functions. One table per group (`ops/<group>.ts`) maps the name of the Python operation to a
 * function that computes the same and lists what to compare; a case whose operation has no entry is "not supported yet".
 */
import { merge, type CheckResult, type Comparison } from './compare.js';
import { readGoldenFile, type GoldenCase, type GoldenSource } from './format.js';

export type { Comparison } from './compare.js';
export { close, exact, outcome } from './compare.js';

/** What an operation of the table gets: the decoded case and the way to its files. */
export interface CaseContext extends GoldenCase {
  readonly group: string;
  /** Name of the case's file, without `.json`. */
  readonly file: string;
  /** The backend that tensors should run on; `node` for groups without a network. */
  readonly backend: string;
  /** Sentences for the report, such as how a network was run. */
  readonly notes: Set<string>;
  /** Bytes of a file beside the case's JSON. */
  readFile(name: string): Promise<Uint8Array>;
  /** Bytes of a `{ file: 'shared/...' }` input. Throws `Skipped` when it is not on this machine. */
  readShared(path: string): Promise<Uint8Array>;
}

export type GoldenOp = (ctx: CaseContext) => readonly Comparison[] | Promise<readonly Comparison[]>;
export type OpTable = Readonly<Record<string, GoldenOp>>;

/** Thrown by an operation whose type (a backbone, a codec) does not exist here yet. */
export class NotSupported extends Error {}

/** Thrown when a picture or another outside file is missing: never a pass. */
export class Skipped extends Error {}

export type Status = 'passed' | 'failed' | 'not supported' | 'skipped';

export interface CaseReport {
  readonly group: string;
  readonly file: string;
  readonly name: string;
  readonly op: string;
  readonly backend: string;
  readonly compared: number;
  readonly maxAbs: number | null;
  readonly maxRel: number | null;
  readonly tolerance: number | null;
  readonly status: Status;
  /** Why it failed, or what is missing. */
  readonly message: string;
  /** What the operation had to say: `jit`, or `eager` and why. */
  readonly notes: readonly string[];
}

export interface RunOptions {
  readonly backend: string;
  readonly corrupt: boolean;
  /** Selects cases; receives the file's group and name and the case's name. */
  readonly wanted: (group: string, file: string, name: string) => boolean;
  readonly onCase?: (report: CaseReport) => void;
}

/** The tables, loaded when a group is first run. */
export const GROUPS: Readonly<Record<string, () => Promise<{ OPS: OpTable }>>> = {
  checkpoints: () => import('./ops/checkpoints.js'),
  codecs: () => import('./ops/codecs.js'),
  e2e: () => import('./ops/e2e.js'),
  evaluation: () => import('./ops/evaluation.js'),
  models: () => import('./ops/models.js'),
  structures: () => import('./ops/structures.js'),
  tta: () => import('./ops/tta.js'),
  visualizer: () => import('./ops/visualizer.js'),
};

/** Groups that run networks or tensors, and so run in a page, on the backend asked for. */
export const PAGE_GROUPS: ReadonlySet<string> = new Set(['models', 'tta', 'e2e']);

/** Runs the wanted cases of one file. */
export async function runGoldenFile(source: GoldenSource, path: string, options: RunOptions): Promise<CaseReport[]> {
  const file = await readGoldenFile(source, path);
  if (!file) return [];
  const table = await loadTable(file.group);
  const folder = path.slice(0, path.lastIndexOf('/') + 1);
  const reports: CaseReport[] = [];
  for (const raw of file.cases) {
    if (!options.wanted(file.group, file.name, raw.name)) continue;
    const at = { group: file.group, file: file.name, name: raw.name, op: raw.op, backend: options.backend };
    const notes = new Set<string>();
    const verdict = await runCase(table[raw.op], at, options.corrupt, () => ({
      ...file.decode(raw),
      ...at,
      notes,
      readFile: (name) => source.read(folder + name),
      readShared: async (shared) => (await source.readShared(shared)) ?? skip(shared),
    }));
    const report = { ...verdict, notes: [...notes] };
    options.onCase?.(report);
    reports.push(report);
  }
  return reports;
}

async function loadTable(group: string): Promise<OpTable> {
  const load = GROUPS[group];
  if (!load) return {};
  return (await load()).OPS;
}

function skip(path: string): never {
  throw new Skipped(`${path} is not on this machine`);
}

type CaseId = Pick<CaseReport, 'group' | 'file' | 'name' | 'op' | 'backend'>;
type Verdict = Omit<CaseReport, 'notes'>;

async function runCase(
  op: GoldenOp | undefined,
  at: CaseId,
  corrupt: boolean,
  context: () => CaseContext,
): Promise<Verdict> {
  if (!op) return emptyReport(at, 'not supported', at.op);
  try {
    return judge(at, await op(context()), corrupt);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    if (error instanceof NotSupported) return emptyReport(at, 'not supported', message);
    if (error instanceof Skipped) return emptyReport(at, 'skipped', message);
    return emptyReport(at, 'failed', error instanceof Error ? (error.stack ?? message) : message);
  }
}

/** One verdict from all comparisons of a case. A case that compared nothing has failed. */
function judge(at: CaseId, comparisons: readonly Comparison[], corrupt: boolean): Verdict {
  const results = comparisons.map((c) => ({ name: c.name, result: c.check(corrupt) }));
  const failed = results.find(({ result }) => !result.ok);
  const total = results.map(({ result }) => result).reduce(merge, NOTHING);
  const ok = !failed && total.compared > 0;
  const worst = results.reduce((tolerance, { result }) => Math.max(tolerance, result.tolerance), 0);
  const message = failed ? `${failed.name} ${failed.result.message}` : total.compared > 0 ? '' : 'compared nothing';
  const { compared, maxAbs, maxRel } = total;
  return { ...at, compared, maxAbs, maxRel, tolerance: worst, status: ok ? 'passed' : 'failed', message };
}

const NOTHING: CheckResult = { ok: true, compared: 0, maxAbs: 0, maxRel: 0, tolerance: 0, message: '' };

function emptyReport(at: CaseId, status: Status, message: string): Verdict {
  return { ...at, compared: 0, maxAbs: null, maxRel: null, tolerance: null, status, message };
}
