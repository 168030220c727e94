/** Distributions that augmentations draw from, on top of one source of uniform numbers. */
import type { RandomSource } from './base.js';

/** Uniform in [low, high). */
export function uniform(random: RandomSource, low: number, high: number): number {
  return low + (high - low) * random();
}

/** Standard normal, cut off at [low, high] (SciPy's `truncnorm`), by rejection. */
export function truncNorm(random: RandomSource, low = -1, high = 1): number {
  const nearest = Math.min(Math.max(0, low), high);
  for (;;) {
    const x = uniform(random, low, high);
    if (random() <= Math.exp((nearest * nearest - x * x) / 2)) return x;
  }
}

/** Index drawn with the given weights; they add up to 1. */
export function choice(random: RandomSource, weights: readonly number[]): number {
  let left = random();
  for (let i = 0; i < weights.length - 1; i++) {
    left -= weights[i];
    if (left < 0) return i;
  }
  return weights.length - 1;
}

/**
 * A repeatable source (mulberry32): the same seed gives the same augmentations.
 *
 * @param seed - any integer
 */
export function seededRandom(seed: number): RandomSource {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}
