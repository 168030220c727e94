/** The last step of Megvii's decoding: a quarter pixel, half a pixel, and the score. */
import * as tf from '../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { isEmpty } from './dark_refine.js';
import { inSmallBatches } from './map_values.js';
import { allOf, neighbourSigns } from './quarter_offset.js';
import { megviiRefineGlsl } from './webgl/megvii_refine.js';
import { megviiRefineWgsl } from './webgpu/megvii_refine.js';

export interface MegviiRefineInputs extends Readonly<Record<string, Tensor>> {
  /** [N, K, 3], `heatmapArgmax` of `maps`. */
  readonly peaks: Tensor3D;
  /** [N, h, w, K], blurred and rescaled. */
  readonly maps: Tensor4D;
  /** [N, K, 3], `heatmapArgmax` before the blur and after it. */
  readonly before: Tensor3D;
  readonly after: Tensor3D;
}

/**
 * Gives [N, K, 3]: x, y in map pixels, refined where they lie inside, and the score, maximum / 255 + 0.5. An all-zero map gives (0, 0)
 * and NaN.
 */
export const megviiRefine = /*@__PURE__*/ defineOp<MegviiRefineInputs, Record<string, never>, Tensor3D>({
  name: 'InposeMegviiRefine',
  composed: (inputs) =>
    inSmallBatches({ ...inputs }, inputs.maps, ({ peaks, maps, before, after }) => {
      const [, h, w] = maps.shape;
      const [x, y, value] = tf.split<Tensor3D>(peaks, 3, 2);
      const [signX, signY] = neighbourSigns(maps, x, y);
      const inside = allOf(tf.greater(x, 1), tf.less(x, w - 1), tf.greater(y, 1), tf.less(y, h - 1));
      const empty = isEmpty(tf.slice(before, [0, 0, 2]), after);
      const move = (at: Tensor3D, sign: Tensor): Tensor3D => {
        const moved = tf.add(at, tf.mul(inside, tf.add(tf.mul(sign, 0.25), 0.5)));
        return tf.where(empty, tf.zerosLike(at), moved) as Tensor3D;
      };
      const score = tf.where<Tensor>(empty, tf.scalar(NaN), tf.add(tf.div(value, 255), 0.5)) as Tensor3D;
      return tf.concat([move(x, signX), move(y, signY), score], 2);
    }),
  wgsl: megviiRefineWgsl,
  glsl: megviiRefineGlsl,
});
