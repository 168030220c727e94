/** UDP's combined maps: the offsets stored at a class map's maximum are added to it. */
import * as tf from '../tf.js';
import type { Tensor3D, Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { constant, inSmallBatches, valuesAt } from './map_values.js';
import { addOffsetsGlsl } from './webgl/add_offsets.js';
import { addOffsetsWgsl, wrappedPixel } from './webgpu/add_offsets.js';

export interface AddOffsetsAttrs extends Readonly<Record<string, unknown>> {
  /** Offsets are stored as parts of this, map pixels. */
  readonly radius: number;
}

/**
 * Peaks [N, K, 3] and maps [N, h, w, 3 K] (class, x offset, y offset of each keypoint) -> [N, K, 3], map pixels. A point that was not
 * found (-1, -1) gets the offsets that MMPose's flat index reads in the keypoint before.
 */
export const addOffsets = /*@__PURE__*/ defineOp<{ peaks: Tensor3D; maps: Tensor4D }, AddOffsetsAttrs, Tensor3D>({
  name: 'InposeAddOffsets',
  composed: (inputs, { radius }) =>
    inSmallBatches(inputs, inputs.maps, ({ peaks, maps }) => {
      const [, h, w, channels] = maps.shape;
      const k = channels / 3;
      const [x, y, value] = tf.split<Tensor3D>(peaks, 3, 2);
      const found = tf.greater(x, -0.5);
      const wrapped = Array.from({ length: k }, (_, c) => wrappedPixel(c, k, h, w));
      const orWrapped = (at: tf.Tensor, key: 'x' | 'y' | 'keypoint') =>
        tf.where(
          found,
          at,
          constant([1, k, 1], (c) => wrapped[c][key]),
        );
      const keypoint = orWrapped(
        constant([1, k, 1], (c) => c),
        'keypoint',
      );
      const offsets = valuesAt(maps, {
        x: orWrapped(x, 'x'),
        y: orWrapped(y, 'y'),
        channel: tf.add(
          tf.mul(keypoint, 3),
          constant([1, 1, 2], (i) => i + 1),
        ),
      });
      const moved = tf.add(tf.slice(peaks, [0, 0, 0], [-1, -1, 2]), tf.mul(offsets, radius)) as Tensor3D;
      return tf.concat([moved, value], 2);
    }),
  wgsl: addOffsetsWgsl,
  glsl: addOffsetsGlsl,
});
