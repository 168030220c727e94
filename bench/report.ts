/** The benchmark's tables, in plain text. */
import type { Row } from './measure.js';
import { gmacsPerSecond, type KernelTime } from './profile.js';

type Column = readonly [title: string, cell: (row: Row) => string];

const COLUMNS: readonly Column[] = [
  ['model', ({ model }) => model],
  ['runner', ({ runner }) => runner],
  ['persons', ({ persons }) => String(persons)],
  ['median ms', ({ median_ms }) => number(median_ms)],
  ['p95 ms', ({ p95_ms }) => number(p95_ms)],
  ['runs', ({ runs }) => String(runs)],
  ['js ms', ({ js_ms }) => number(js_ms)],
  ['busy ms', ({ busy_ms }) => number(busy_ms)],
  ['cold ms', ({ cold_ms }) => number(cold_ms)],
  ['long task', ({ longest_task_ms }) => optional(longest_task_ms)],
  ['read kB', ({ bytes_read }) => optional(bytes_read, 1e3)],
  ['GPU MB', ({ gpu_bytes }) => optional(gpu_bytes, 1e6)],
  ['dispatches', ({ dispatches }) => optional(dispatches)],
  ['pipelines', ({ pipelines }) => optional(pipelines)],
  ['max diff', ({ max_abs_diff, ok }) => `${max_abs_diff.toExponential(1)}${ok ? '' : ' FAILED'}`],
  ['checked at', ({ checked_at }) => checked_at?.join('x') ?? ''],
];

/** Only for rows that have them. */
const BURST_COLUMNS: readonly Column[] = [['burst ms', ({ burst_ms }) => optional(burst_ms)]];
const RATE_COLUMNS: readonly Column[] = [
  ['GFLOP/s', ({ gmacs, median_ms }) => optional(gmacs && rate(gmacs, median_ms))],
];

/** 10^9 floating point operations per second; a multiply-add is two. */
function rate(gmacs: number, ms: number): number {
  return (2000 * gmacs) / ms;
}

/**
 * Rows of one comparison.
 *
 * @param peak - TFLOP/s of the card, for the share of it that is reached
 */
export function printTable(rows: readonly Row[], peak?: number): void {
  const share: Column = [
    'of peak',
    ({ gmacs, median_ms }) => (gmacs ? percent(rate(gmacs, median_ms) / (1000 * peak!)) : ''),
  ];
  const columns = [
    ...COLUMNS.slice(0, RATES_AFTER),
    ...(rows.some(({ burst_ms }) => burst_ms !== null) ? BURST_COLUMNS : []),
    ...(rows.some(({ gmacs }) => gmacs) ? RATE_COLUMNS : []),
    ...(peak ? [share] : []),
    ...COLUMNS.slice(RATES_AFTER),
  ];
  print(
    columns.map(([title]) => title),
    rows.map((row) => columns.map(([, cell]) => cell(row))),
  );
}

/** Place of the columns that not every run has. */
const RATES_AFTER = 6;

/** Kernels shown of each profile; the rest is one line. */
const SHOWN = 25;

export function printProfiles(rows: readonly Row[], peak?: number): void {
  for (const { model, runner, persons, profile } of rows) {
    if (!profile) continue;
    const total = sum(profile);
    console.log(`\n${model}, ${runner}, persons ${persons}: ${number(total.ms)} ms in ${total.calls} kernels`);
    const rest = sum(profile.slice(SHOWN));
    const shown = [...profile.slice(0, SHOWN), ...(rest.calls > 0 ? [rest] : []), { ...total, kernel: 'all' }];
    print(
      ['kernel', 'calls', 'ms', 'share', 'GMAC/s', ...(peak ? ['of peak'] : [])],
      shown.map((time) => [
        ...[time.kernel, String(time.calls), number(time.ms), percent(time.ms / total.ms)],
        time.macs > 0 ? number(gmacsPerSecond(time)) : '',
        ...(peak ? [time.macs > 0 ? percent((2 * gmacsPerSecond(time)) / (1000 * peak)) : ''] : []),
      ]),
    );
  }
}

/** Shapes where another variant than the default won, and how many there were. */
export function printTuning(rows: readonly Row[]): void {
  for (const { model, persons, tuning, min_ms } of rows) {
    if (!tuning) continue;
    const { ms, shapes, before_ms } = tuning;
    const changed = shapes.filter((shape) => shape.winner !== shape.default);
    const summary = `${shapes.length} shapes in ${number(ms)} ms, another variant fastest for ${changed.length}`;
    const frames = `shortest frame ${number(before_ms)} ms before, ${number(min_ms)} ms after`;
    console.log(`\n${model}, persons ${persons}: measured ${summary}; ${frames}`);
    if (changed.length === 0) continue;
    print(
      ['shape', 'default', 'ms', 'fastest', 'ms'],
      changed.map((shape) => [
        ...[shape.shape, shape.default, shape.default_ms.toFixed(4)],
        ...[shape.winner, shape.winner_ms.toFixed(4)],
      ]),
    );
  }
}

function sum(times: readonly KernelTime[]): KernelTime {
  const add = (key: 'calls' | 'ms' | 'macs') => times.reduce((total, time) => total + time[key], 0);
  return { kernel: 'the rest', calls: add('calls'), ms: add('ms'), macs: add('macs') };
}

/** Why a run is no good: rows whose numbers are not MMPose's. */
export function failures(rows: readonly Row[]): string[] {
  return rows
    .filter(({ ok }) => !ok)
    .map(({ model, runner, persons, max_abs_diff, tolerance, share_at_size }) => {
      const size =
        share_at_size === undefined ? '' : `, ${share_at_size.toExponential(1)} of max from the first runner`;
      const found = `${max_abs_diff.toExponential(2)} from MMPose's numbers (allowed ${tolerance.toExponential(2)})${size}`;
      return `${model}, ${runner}, persons ${persons}: ${found}`;
    });
}

function print(titles: readonly string[], rows: readonly (readonly string[])[]): void {
  const widths = titles.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, i) => (/^[-\d]/.test(cell) ? cell.padStart(widths[i]) : cell.padEnd(widths[i])))
      .join('  ')
      .trimEnd();
  console.log(`\n${line(titles)}`);
  for (const row of rows) console.log(line(row));
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function optional(value: number | null, unit = 1): string {
  return value === null ? '' : number(value / unit);
}

/** Three digits that mean something. */
function number(value: number): string {
  if (value >= 100 || Number.isInteger(value)) return value.toFixed(0);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
