/** Refinement by a quarter pixel towards the larger neighbour (MMPose: `refine_keypoints`). */
import * as tf from '../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { constant, inSmallBatches, valuesAt } from './map_values.js';
import { quarterOffsetGlsl } from './webgl/quarter_offset.js';
import { quarterOffsetWgsl } from './webgpu/quarter_offset.js';

/**
 * Peaks [N, K, 3] (x, y, value) of maps [N, h, w, K] -> the same, x and y refined; map pixels. Points at the border stay, and so do
 * those at x = 1 or y = 1, which is MMPose's own asymmetry.
 */
export const quarterOffset = /*@__PURE__*/ defineOp<
  { peaks: Tensor3D; maps: Tensor4D },
  Record<string, never>,
  Tensor3D
>({
  name: 'InposeQuarterOffset',
  composed: (inputs) =>
    inSmallBatches(inputs, inputs.maps, ({ peaks, maps }) => {
      const [, h, w] = maps.shape;
      const [x, y, value] = tf.split<Tensor3D>(peaks, 3, 2);
      const [signX, signY] = neighbourSigns(maps, x, y);
      const insideX = allOf(tf.greater(x, 1), tf.less(x, w - 1), tf.greater(y, 0), tf.less(y, h));
      const insideY = allOf(tf.greater(y, 1), tf.less(y, h - 1), tf.greater(x, 0), tf.less(x, w));
      const move = (at: Tensor3D, inside: Tensor, sign: Tensor) =>
        tf.add(at, tf.mul(tf.mul(inside, sign), 0.25)) as Tensor3D;
      return tf.concat([move(x, insideX, signX), move(y, insideY, signY), value], 2);
    }),
  wgsl: quarterOffsetWgsl,
  glsl: quarterOffsetGlsl,
});

/** 1 where all conditions hold, else 0. */
export function allOf(...conditions: Tensor[]): Tensor {
  return conditions.map((condition) => tf.cast(condition, 'float32')).reduce((a, b) => tf.mul(a, b));
}

/** Signs of `right - left` and `below - above`, each [N, K, 1]; pixels outside are read at the edge. */
export function neighbourSigns(maps: Tensor4D, x: Tensor3D, y: Tensor3D): [signX: Tensor3D, signY: Tensor3D] {
  const [, h, w, k] = maps.shape;
  const steps = (values: readonly number[]) => constant([1, 1, 4], (i) => values[i]);
  const values = valuesAt(maps, {
    x: tf.clipByValue(tf.add(x, steps([1, -1, 0, 0])), 0, w - 1),
    y: tf.clipByValue(tf.add(y, steps([0, 0, 1, -1])), 0, h - 1),
    channel: constant([1, k, 1], (i) => i),
  });
  const [right, left, below, above] = tf.split<Tensor3D>(values, 4, 2);
  return [signOfDifference(right, left), signOfDifference(below, above)];
}

/** Not `tf.sign`, which is 0 for tiny numbers on wasm. */
function signOfDifference(a: Tensor3D, b: Tensor3D): Tensor3D {
  return tf.sub(tf.cast(tf.greater(a, b), 'float32'), tf.cast(tf.less(a, b), 'float32'));
}
