/** Position of the maxima of SimCC vectors (MMPose: `get_simcc_maximum`). */
import * as tf from '../tf.js';
import type { Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { firstOf, packPeaks } from './heatmap_argmax.js';
import { simccArgmaxGlsl } from './webgl/simcc_argmax.js';
import { simccArgmaxWgsl } from './webgpu/simcc_argmax.js';

/**
 * Vectors x [N, K, Wx] and y [N, K, Wy] -> [N, K, 3]: x, y in bins, and the smaller of the two maxima. The first maximum wins; where
 * the smaller one is not positive, x and y are -1.
 */
export const simccArgmax = /*@__PURE__*/ defineOp<{ x: Tensor3D; y: Tensor3D }, Record<string, never>, Tensor3D>({
  name: 'InposeSimccArgmax',
  composed: ({ x, y }) => {
    const [maxX, maxY] = [tf.max(x, 2, true), tf.max(y, 2, true)];
    const atX = firstOf(tf.equal(x, maxX), x.shape[2], 2);
    const atY = firstOf(tf.equal(y, maxY), y.shape[2], 2);
    return packPeaks(atX, atY, tf.minimum(maxX, maxY), [x.shape[0], x.shape[1]]);
  },
  wgsl: simccArgmaxWgsl,
  glsl: simccArgmaxGlsl,
});
