/** How sharp the peaks of SimCC vectors are, as a visibility (MMPose: `get_simcc_maximum` with `apply_softmax`). */
import * as tf from '../tf.js';
import type { Tensor, Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { simccScale } from './simcc_dark.js';
import { simccVisibilityGlsl } from './webgl/simcc_visibility.js';
import { simccVisibilityWgsl } from './webgpu/simcc_visibility.js';

export interface SimccVisibilityInputs extends Readonly<Record<string, Tensor>> {
  /** [N, K, Wx] and [N, K, Wy]. */
  readonly x: Tensor3D;
  readonly y: Tensor3D;
  /** The same after DARK's blur; without `dark` not read. */
  readonly blurredX: Tensor3D;
  readonly blurredY: Tensor3D;
}

export interface SimccVisibilityAttrs extends Readonly<Record<string, unknown>> {
  /** Decode from what DARK leaves behind, the logarithm of the blurred vectors. */
  readonly dark: boolean;
  readonly beta: number;
  /** Bins, x and y. */
  readonly sigma: readonly [number, number];
}

/** Gives [N, K, 1]: the largest softmax probability of each vector times beta and sigma, the smaller one of x and y. */
export const simccVisibility = /*@__PURE__*/ defineOp<SimccVisibilityInputs, SimccVisibilityAttrs, Tensor3D>({
  name: 'InposeSimccVisibility',
  composed: ({ x, y, blurredX, blurredY }, { dark, beta, sigma }) => {
    const largest = (vectors: Tensor3D, blurred: Tensor3D, axis: 0 | 1): Tensor => {
      const { ratio, empty } = simccScale(vectors, blurred);
      const values = dark ? tf.log(tf.clipByValue(tf.mul(blurred, ratio), 1e-3, 50)) : vectors;
      const logits = tf.mul(tf.mul(values, beta), sigma[axis]);
      const sum = tf.sum(tf.exp(tf.sub(logits, tf.max(logits, 2, true))), 2, true);
      const probability = tf.div(1, sum);
      return dark ? tf.where(empty, tf.scalar(NaN), probability) : probability;
    };
    const [ofX, ofY] = [largest(x, blurredX, 0), largest(y, blurredY, 1)];
    // As MMPose's `where(x > y)`: a NaN of y is passed over, one of x is not.
    return tf.where(tf.greater(ofX, ofY), ofY, ofX) as Tensor3D;
  },
  wgsl: simccVisibilityWgsl,
  glsl: simccVisibilityGlsl,
});
