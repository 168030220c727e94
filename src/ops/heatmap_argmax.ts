/** Position and value of each heatmap's maximum (MMPose: `get_heatmap_maximum`). */
import * as tf from '../tf.js';
import type { Tensor3D, Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { heatmapArgmaxGlsl } from './webgl/heatmap_argmax.js';
import { heatmapArgmaxWgsl } from './webgpu/heatmap_argmax.js';

/**
 * Maps [N, h, w, K] -> [N, K, 3]: x, y in map pixels and the value. The first maximum in row-major order wins; where the maximum is
 * not positive, x and y are -1. A map with a NaN has its first NaN as maximum on WebGPU, and no defined result elsewhere.
 */
export const heatmapArgmax = /*@__PURE__*/ defineOp<{ maps: Tensor4D }, Record<string, never>, Tensor3D>({
  name: 'InposeHeatmapArgmax',
  composed: ({ maps }) => {
    const [n, h, w, k] = maps.shape;
    const flat = tf.reshape(maps, [n, h * w, k]);
    const max = tf.max<Tensor3D>(flat, 1, true);
    const index = firstOf(tf.equal(flat, max), h * w, 1);
    // Half a pixel off the edge, lest a division that is not quite exact falls into the row before.
    const y = tf.floor(tf.mul(tf.add(index, 0.5), 1 / w));
    const x = tf.sub(index, tf.mul(y, w));
    return packPeaks(x, y, max, [n, k]);
  },
  wgsl: heatmapArgmaxWgsl,
  glsl: heatmapArgmaxGlsl,
});

/** Smallest index along `axis` (of `length`) where `hit` holds, as floats; the axis stays with size 1. */
export function firstOf(hit: tf.Tensor, length: number, axis: number): tf.Tensor {
  const shape = hit.shape.map((_, i) => (i === axis ? length : 1));
  const indices = tf.reshape(tf.range(0, length, 1, 'float32'), shape);
  return tf.min(tf.where(hit, indices, tf.scalar(length)), axis, true);
}

/** [x, y, value] on the last axis, x and y -1 where the value is not positive; each of N * K elements. */
export function packPeaks(x: tf.Tensor, y: tf.Tensor, value: tf.Tensor, [n, k]: readonly [number, number]): Tensor3D {
  const column = (tensor: tf.Tensor): Tensor3D => tf.reshape(tensor, [n, k, 1]);
  const positive = tf.cast(tf.greater(value, 0), 'float32');
  // (x + 1) * 0 - 1 = -1
  const orMissing = (location: tf.Tensor) => column(tf.sub(tf.mul(tf.add(location, 1), positive), 1));
  return tf.concat([orMissing(x), orMissing(y), column(value)], 2);
}
