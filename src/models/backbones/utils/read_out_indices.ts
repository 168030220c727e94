/** Checking `out_indices` of a config. */
import { ConfigError } from '../../../errors.js';

/**
 * Indices as non-negative numbers below `count`.
 *
 * @param negative - whether -1 may stand for the last stage
 * @throws ConfigError for an index out of range
 */
export function readOutIndices(
  indices: readonly number[],
  count: number,
  where: string,
  negative = false,
): readonly number[] {
  const least = negative ? -count : 0;
  if (!Array.isArray(indices) || !indices.every((i) => Number.isInteger(i) && i >= least && i < count)) {
    throw new ConfigError(
      `${where}.out_indices: found ${JSON.stringify(indices)}; expected a list of numbers from ${least} to ${count - 1}.`,
    );
  }
  return indices.map((i) => (i < 0 ? i + count : i));
}
