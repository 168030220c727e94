/** What the decoders for tensors share. */
import { InputError } from '../../errors.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor3D } from '../../tf.js';

/** Multiplies the columns of [N, K, C] by constants. */
export function scaleColumns(packed: Tensor3D, factors: readonly number[]): Tensor3D {
  return tf.mul(packed, tf.tensor3d(factors as number[], [1, 1, factors.length]));
}

/**
 * Checks the ranks of tensors that came from outside.
 *
 * @throws InputError naming the expected shapes
 */
export function requireTensors(
  encoded: readonly Tensor[],
  rank: number,
  count: number,
  where: string,
  expected: string,
): void {
  if (encoded.length === count && encoded.every((tensor) => tensor.shape.length === rank)) return;
  const found = encoded.map(({ shape }) => `[${shape.join(', ')}]`).join(' and ') || 'nothing';
  throw new InputError(`${where}.batchDecode: found ${found}; expected ${expected}.`);
}
