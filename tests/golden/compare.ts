/**
 * Comparisons of recorded with computed values. A comparison is kept as a closure, so that the runner can ask for it once more
 * with one expected number changed (`--corrupt`): a test that cannot fail shows itself.
 */
import type { NdArray, TypedArray } from '../../src/ndarray.js';
import type { GoldenSummary } from './format.js';
import { NUMERIC, type Tolerance } from './tolerances.js';

export interface CheckResult {
  readonly ok: boolean;
  /** Number of values that were compared. */
  readonly compared: number;
  readonly maxAbs: number;
  readonly maxRel: number;
  readonly tolerance: number;
  /** What differs first; empty when ok. */
  readonly message: string;
}

export interface Comparison {
  readonly name: string;
  /** With `corrupt`, one expected number is first changed by 1 % of the range of all. */
  check(corrupt: boolean): CheckResult;
}

/** Anything that holds numbers. */
export type Numbers = number | readonly number[] | TypedArray | NdArray<TypedArray>;

interface Flat {
  readonly data: ArrayLike<number>;
  readonly shape: readonly number[] | null;
}

function flatten(value: Numbers): Flat {
  if (typeof value === 'number') return { data: [value], shape: null };
  const array = 'data' in value ? value : { data: value, shape: null };
  const data =
    array.data instanceof BigInt64Array ? Float64Array.from(array.data, Number) : (array.data as ArrayLike<number>);
  return { data, shape: array.shape };
}

/**
 * Numbers within a tolerance. NaN equals NaN; shapes must agree where both sides have one.
 *
 * @param mask - compare only where it is non-zero; its length divides the number of values, the rest repeats per entry
 */
export function close(
  name: string,
  expected: Numbers | GoldenSummary,
  actual: Numbers,
  tolerance: Tolerance = NUMERIC,
  mask?: ArrayLike<number>,
): Comparison {
  if (typeof expected === 'object' && '$summary' in expected) return closeSummary(name, expected, actual, tolerance);
  return numeric(name, flatten(expected as Numbers), flatten(actual), tolerance, mask, onePercent);
}

/** By how much `--corrupt` moves a number of values that span `range`. */
type Step = (range: number) => number;
const onePercent: Step = (range) => 0.01 * range;
const wholeStep: Step = (range) => Math.max(1, Math.round(0.01 * range));

function numeric(
  name: string,
  e: Flat,
  a: Flat,
  tolerance: Tolerance,
  mask: ArrayLike<number> | undefined,
  step: Step,
): Comparison {
  const spread = e.data.length / (mask?.length || 1);
  const wanted = (i: number) => !mask || Boolean(mask[Math.floor(i / spread)]);
  return {
    name,
    check(corrupt) {
      const shapes = shapeProblem(e, a);
      if (shapes) return failure(tolerance.abs, shapes);
      return compareValues(corrupt ? corrupted(e.data, wanted, step) : e.data, a.data, tolerance, wanted);
    },
  };
}

/** Integers, bytes, strings, booleans and nested JSON: equal to the last bit. */
export function exact(name: string, expected: unknown, actual: unknown): Comparison {
  if (isNumbers(expected) && isNumbers(actual)) {
    const step = isIntegral(flatten(expected).data) ? wholeStep : onePercent;
    return numeric(name, flatten(expected), flatten(actual), { abs: 0, rel: 0 }, undefined, step);
  }
  return {
    name,
    check(corrupt) {
      const message = firstDifference(corrupt ? corruptJson(expected) : expected, actual, name);
      const size = message ? Infinity : 0;
      return { ok: !message, compared: countLeaves(expected), maxAbs: size, maxRel: size, tolerance: 0, message };
    },
  };
}

/** A word (`ok`, an error's name) that must be one of those allowed. */
export function outcome(name: string, allowed: readonly string[], actual: string): Comparison {
  return {
    name,
    check(corrupt) {
      const ok = !corrupt && allowed.includes(actual);
      const message = ok ? '' : `found ${actual}; expected ${corrupt ? 'something else' : allowed.join(' or ')}`;
      return { ok, compared: 1, maxAbs: 0, maxRel: 0, tolerance: 0, message };
    },
  };
}

/** Sampled values, extremes and sums of an output that is stored as a summary. */
function closeSummary(name: string, summary: GoldenSummary, actual: Numbers, tolerance: Tolerance): Comparison {
  const a = flatten(actual);
  const sampleOf = (): Float64Array =>
    Float64Array.from(summary.sample.data as Float32Array, (_, i) => a.data[i * summary.stride]);
  return {
    name,
    check(corrupt) {
      const problem = shapeProblem({ data: { length: product(summary.shape) }, shape: summary.shape }, a);
      if (problem) return failure(tolerance.abs, problem);
      const sampled = close(name, summary.sample.data as Float32Array, sampleOf(), tolerance).check(corrupt);
      const totals = totalsOf(a.data, summary.argmax);
      // Every element may be off by the tolerance, so a sum may be off by that times the count.
      const slack = { abs: tolerance.abs * Math.max(1, a.data.length) + 1e-6 * summary.abs_sum, rel: 0 };
      const sums = close(name, [summary.sum, summary.abs_sum], [totals.sum, totals.absSum], slack).check(false);
      const extremes = close(
        name,
        [summary.min, summary.max, summary.max],
        [totals.min, totals.max, totals.atArgmax],
        tolerance,
      ).check(false);
      return [sums, extremes].reduce(merge, sampled);
    },
  };
}

function totalsOf(data: ArrayLike<number>, argmax: number) {
  let [sum, absSum, min, max] = [0, 0, Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    const v = data[i];
    sum += v;
    absSum += Math.abs(v);
    if (v < min) min = v;
    if (v > max) max = v;
  }
  return { sum, absSum, min, max, atArgmax: data[argmax] };
}

/** Both results as one: the larger differences, the first message. */
export function merge(a: CheckResult, b: CheckResult): CheckResult {
  return {
    ok: a.ok && b.ok,
    compared: a.compared + b.compared,
    maxAbs: Math.max(a.maxAbs, b.maxAbs),
    maxRel: Math.max(a.maxRel, b.maxRel),
    tolerance: a.tolerance,
    message: a.message || b.message,
  };
}

function compareValues(
  expected: ArrayLike<number>,
  actual: ArrayLike<number>,
  tolerance: Tolerance,
  wanted: (i: number) => boolean,
): CheckResult {
  let [compared, maxAbs, maxRel, message] = [0, 0, 0, ''];
  for (let i = 0; i < expected.length; i++) {
    if (!wanted(i)) continue;
    compared++;
    const [e, a] = [expected[i], actual[i]];
    if (Object.is(e, a) || e === a || (Number.isNaN(e) && Number.isNaN(a))) continue;
    const abs = Math.abs(a - e);
    const rel = abs / Math.abs(e);
    if (!(abs <= maxAbs)) maxAbs = Number.isNaN(abs) ? Infinity : abs;
    if (!(rel <= maxRel)) maxRel = Number.isNaN(rel) ? Infinity : rel;
    if (!(abs <= tolerance.abs || rel <= tolerance.rel) && !message) message = `[${i}]: found ${a}; expected ${e}`;
  }
  return { ok: message === '', compared, maxAbs, maxRel, tolerance: tolerance.abs, message };
}

/** A copy in which the first comparable finite number is moved by 1 % of the range. */
function corrupted(data: ArrayLike<number>, wanted: (i: number) => boolean, step: Step): Float64Array {
  const copy = Float64Array.from(data);
  const at = copy.findIndex((value, i) => Number.isFinite(value) && wanted(i));
  if (at >= 0) copy[at] += step(rangeOf(copy));
  else if (copy.length > 0) copy[0] = 0; // all NaN: a number there is the wrong answer
  return copy;
}

/** max - min of the finite values; for a constant its size, else 1. */
function rangeOf(data: ArrayLike<number>): number {
  let [min, max] = [Infinity, -Infinity];
  for (let i = 0; i < data.length; i++) {
    if (!Number.isFinite(data[i])) continue;
    min = Math.min(min, data[i]);
    max = Math.max(max, data[i]);
  }
  if (max > min) return max - min;
  return Math.abs(max) > 0 && Number.isFinite(max) ? Math.abs(max) : 1;
}

function shapeProblem(e: { data: { length: number }; shape: readonly number[] | null }, a: Flat): string {
  if (e.shape && a.shape && e.shape.join() !== a.shape.join()) return `found shape [${a.shape}]; expected [${e.shape}]`;
  return e.data.length === a.data.length ? '' : `found ${a.data.length} values; expected ${e.data.length}`;
}

function failure(tolerance: number, message: string): CheckResult {
  return { ok: false, compared: 1, maxAbs: Infinity, maxRel: Infinity, tolerance, message };
}

function isNumbers(value: unknown): value is Numbers {
  if (typeof value === 'number') return true;
  if (Array.isArray(value)) return value.length > 0 && value.every((v) => typeof v === 'number');
  if (ArrayBuffer.isView(value)) return true;
  return (
    typeof value === 'object' && value !== null && 'data' in value && ArrayBuffer.isView(value.data) && 'shape' in value
  );
}

function isIntegral(data: ArrayLike<number>): boolean {
  for (let i = 0; i < data.length; i++) if (!Number.isInteger(data[i])) return false;
  return true;
}

/** Path and values of the first difference between two JSON trees (typed arrays allowed), or an empty string. */
function firstDifference(expected: unknown, actual: unknown, path: string): string {
  if (isNumbers(expected) && isNumbers(actual)) {
    const result = close(path, expected, actual, { abs: 0, rel: 0 }).check(false);
    return result.ok ? '' : `${path}${result.message}`;
  }
  if (expected === null || typeof expected !== 'object' || actual === null || typeof actual !== 'object') {
    return Object.is(expected, actual)
      ? ''
      : `${path}: found ${JSON.stringify(actual)}; expected ${JSON.stringify(expected)}`;
  }
  const keys = new Set([...Object.keys(expected), ...Object.keys(actual)]);
  for (const key of keys) {
    const [e, a] = [(expected as Record<string, unknown>)[key], (actual as Record<string, unknown>)[key]];
    const difference = firstDifference(e, a, `${path}.${key}`);
    if (difference) return difference;
  }
  return '';
}

/** The tree with its first leaf changed. */
function corruptJson(value: unknown): unknown {
  if (typeof value === 'number') return value + Math.max(1, Math.abs(value) * 0.01);
  if (typeof value === 'boolean') return !value;
  if (ArrayBuffer.isView(value)) return Array.from(value as Float32Array, (v, i) => (i === 0 ? Number(v) + 1 : v));
  if (Array.isArray(value)) return value.length > 0 ? [corruptJson(value[0]), ...value.slice(1)] : ['corrupted'];
  if (value === null || typeof value !== 'object') return `${String(value)} corrupted`;
  const [first, ...rest] = Object.entries(value);
  if (!first) return { corrupted: true };
  return Object.fromEntries([[first[0], corruptJson(first[1])], ...rest]);
}

function countLeaves(value: unknown): number {
  if (ArrayBuffer.isView(value)) return (value as Uint8Array).length;
  if (value === null || typeof value !== 'object') return 1;
  return Math.max(
    1,
    Object.values(value).reduce<number>((sum, child) => sum + countLeaves(child), 0),
  );
}

function product(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}
