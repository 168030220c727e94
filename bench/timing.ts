/** Small helpers for measuring in a page and in Node. */
import { turn } from '../src/slices.js';

export interface Timed<T> {
  readonly value: T;
  /** From the call to the result, ms. */
  readonly ms: number;
  /** Until the call returned its promise, ms. */
  readonly jsMs: number;
  /** Until the thread was free again for the first time, which counts what the call does in promises, too, ms. */
  readonly busyMs: number;
}

export async function timed<T>(work: () => Promise<T>): Promise<Timed<T>> {
  // Posted before the call, so that it is handled as soon as the thread is free.
  const start = performance.now();
  const free = turn().then(() => performance.now());
  const result = work();
  const jsMs = performance.now() - start;
  const value = await result;
  const ms = performance.now() - start;
  return { value, ms, jsMs, busyMs: Math.min((await free) - start, ms) };
}
