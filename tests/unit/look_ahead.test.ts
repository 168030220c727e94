/** Frames one ahead: order, when the next begins, ends and errors. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { LookAhead, type FrameTimes } from '../../src/apis/look_ahead.js';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A frame every `interval` ms, `count` in all; the newest replaces the one that waits. */
function camera(interval: number, count: number): FrameTimes {
  const start = performance.now();
  let taken = -1;
  const newest = () => Math.min(count - 1, Math.floor((performance.now() - start) / interval));
  const take = () => {
    if (newest() <= taken) return null;
    taken = newest();
    return taken;
  };
  const next = async (): Promise<number | null> => {
    if (taken === count - 1) return null;
    const frame = take();
    if (frame !== null) return frame;
    await new Promise((resolve) => setTimeout(resolve, 1));
    return next();
  };
  return { next, take };
}

/** A GPU that does one frame after the other, each in 40 ms. */
function gpu(log: string[], unlucky: number) {
  let free = performance.now();
  return async (frame: number) => {
    const start = performance.now();
    log.push(`${frame} begun at ${start - origin}`);
    free = Math.max(free, start) + 40;
    await new Promise((resolve) => setTimeout(resolve, free - start));
    if (frame === unlucky) throw new Error('unlucky');
    return frame;
  };
}

let origin = 0;

async function collect(times: FrameTimes, log: string[], unlucky = -1): Promise<number[]> {
  origin = performance.now();
  const ahead = new LookAhead(times, gpu(log, unlucky));
  const seen: number[] = [];
  for (;;) {
    const result = await ahead.next();
    if (result === null) return seen;
    seen.push(result);
    log.push(`${result} seen at ${performance.now() - origin}`);
  }
}

test('results come in order, each frame once; the next begins before the last has ended, and never a third', async () => {
  const log: string[] = [];
  const collected = collect(camera(10, 20), log);
  await vi.advanceTimersByTimeAsync(2000);
  const seen = await collected;
  expect(seen).toEqual(seen.toSorted((a, b) => a - b));
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen.at(-1)).toBe(19);
  // The first frame has no head start on anything; the third begins 30 ms after the second, which takes 40.
  expect(log.slice(0, 4)).toEqual(['0 begun at 0', '0 seen at 40', '4 begun at 40', '7 begun at 70']);
  let underWay = 0;
  for (const line of log) {
    underWay += line.includes('begun') ? 1 : -1;
    expect(underWay).toBeLessThanOrEqual(2);
  }
});

test('a slow camera is waited for', async () => {
  const log: string[] = [];
  const collected = collect(camera(100, 4), log);
  await vi.advanceTimersByTimeAsync(2000);
  expect(await collected).toEqual([0, 1, 2, 3]);
});

test('a frame that fails rejects its own turn', async () => {
  const failing = collect(camera(1, 14), [], 13);
  const refused = expect(failing).rejects.toThrow('unlucky');
  await vi.advanceTimersByTimeAsync(2000);
  await refused;
});
