/** DARK in one dimension for SimCC vectors (MMPose: `refine_simcc_dark`). */
import * as tf from '../tf.js';
import type { Tensor, Tensor2D, Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { constant } from './map_values.js';
import { simccDarkGlsl } from './webgl/simcc_dark.js';
import { simccDarkWgsl } from './webgpu/simcc_dark.js';

export interface SimccDarkInputs extends Readonly<Record<string, Tensor>> {
  /** [N, K, 3], `simccArgmax` of the vectors. */
  readonly peaks: Tensor3D;
  /** [N, K, Wx] and [N, K, Wy]. */
  readonly x: Tensor3D;
  readonly y: Tensor3D;
  /** The same after the blur. */
  readonly blurredX: Tensor3D;
  readonly blurredY: Tensor3D;
}

/** Gives the peaks [N, K, 3] with x and y refined, bins; NaN on the axis of an all-zero vector. */
export const simccDark = /*@__PURE__*/ defineOp<SimccDarkInputs, Record<string, never>, Tensor3D>({
  name: 'InposeSimccDark',
  composed: ({ peaks, x, y, blurredX, blurredY }) => {
    const [atX, atY, value] = tf.split<Tensor3D>(peaks, 3, 2);
    return tf.concat([refineAxis(atX, x, blurredX), refineAxis(atY, y, blurredY), value], 2);
  },
  wgsl: simccDarkWgsl,
  glsl: simccDarkGlsl,
});

function refineAxis(at: Tensor3D, vectors: Tensor3D, blurred: Tensor3D): Tensor3D {
  const [n, k, bins] = vectors.shape;
  const { ratio, empty } = simccScale(vectors, blurred);
  const steps = constant([1, 1, 5], (i) => i - 2);
  const near = tf.clipByValue(tf.add(at, steps), 0, bins - 1);
  // A bin of -1, less two, wraps around to the end, as a negative NumPy index does.
  const position = tf.where(tf.greater(tf.add(at, steps), -2.5), near, tf.scalar(bins - 1));
  const row = tf.reshape(tf.mul(tf.range(0, n * k, 1, 'float32'), bins), [n, k, 1]);
  const values = tf.gather(tf.reshape(blurred, [-1]), tf.cast(tf.add(row, position), 'int32'));
  const logs = tf.log(tf.clipByValue(tf.mul(values, ratio), 1e-3, 50));
  const weights = tf.tensor2d([0, -0.5, 0, 0.5, 0, 0.25, 0, -0.5, 0, 0.25], [2, 5]);
  const derivatives = tf.matMul(tf.reshape<tf.Rank.R2>(logs, [n * k, 5]), weights, false, true);
  const [dx, dxx] = tf.split<Tensor2D>(derivatives, 2, 1).map((column) => tf.reshape(column, [n, k, 1]));
  const moved = tf.sub(at, tf.div(dx, tf.add(dxx, 1e-9)));
  return tf.where(empty, tf.scalar(NaN), moved) as Tensor3D;
}

/** Old maximum over that of the blurred vector, [N, K, 1], and where that is 0 / 0. */
export function simccScale(vectors: Tensor3D, blurred: Tensor3D): { ratio: Tensor; empty: Tensor } {
  const [top, blurredTop] = [tf.max(vectors, 2, true), tf.max(blurred, 2, true)];
  return { ratio: tf.div(top, blurredTop), empty: tf.logicalAnd(tf.equal(top, 0), tf.equal(blurredTop, 0)) };
}
