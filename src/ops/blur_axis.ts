/** One of the two passes of `cv2.GaussianBlur` over heatmaps. */
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { blurAxisGlsl } from './webgl/blur_axis.js';
import { blurAxisWgsl, isSymmetric } from './webgpu/blur_axis.js';

export interface BlurAxisAttrs extends Readonly<Record<string, unknown>> {
  /** 1 down the columns, 2 along the rows. */
  readonly axis: 1 | 2;
  /** Right half of the symmetric kernel, centre first. */
  readonly half: readonly number[];
  /** What lies outside: zeros, or the map mirrored about its outermost pixel. */
  readonly border: 'zero' | 'reflect101';
  /** Every `step`-th channel is blurred, the others are left out. */
  readonly step: number;
}

/** Maps [N, h, w, C] -> [N, h, w, C / step]. */
export const blurAxis = /*@__PURE__*/ defineOp<{ maps: Tensor4D }, BlurAxisAttrs, Tensor4D>({
  name: 'InposeBlurAxis',
  composed: ({ maps }, { axis, half, border, step }) => {
    const channels = maps.shape[3] / step;
    const chosen = Int32Array.from({ length: channels }, (_, c) => c * step);
    const x = step === 1 ? maps : tf.gather(maps, tf.tensor1d(chosen, 'int32'), 3);
    const filter = depthwiseFilter(axis, half, channels);
    const isZero = border === 'zero';
    const padded = isZero ? x : mirrored(x, axis, half.length - 1);
    const blurred = (source: Tensor4D) => tf.depthwiseConv2d(source, filter, 1, isZero ? 'same' : 'valid');
    return isSymmetric(axis, half) ? symmetric(padded, axis, blurred) : blurred(padded);
  },
  wgsl: blurAxisWgsl,
  glsl: blurAxisGlsl,
});

/** The mean of the blur and of the blur from the other end, which is symmetric whatever the order of its sums. */
function symmetric(x: Tensor4D, axis: 1 | 2, blurred: (x: Tensor4D) => Tensor4D): Tensor4D {
  const other = tf.reverse(blurred(tf.reverse(x, axis)), axis);
  return tf.mul(tf.add(blurred(x), other), 0.5);
}

function depthwiseFilter(axis: 1 | 2, half: readonly number[], channels: number): Tensor4D {
  const radius = half.length - 1;
  const size = 2 * radius + 1;
  const weights = Float32Array.from({ length: size * channels }, (_, i) =>
    Math.abs(Math.floor(i / channels) - radius),
  ).map((distance) => half[distance]);
  return tf.tensor4d(weights, axis === 1 ? [size, 1, channels, 1] : [1, size, channels, 1]);
}

/** The maps with `radius` more pixels on both ends of an axis, mirrored as often as it takes. */
function mirrored(x: Tensor4D, axis: 1 | 2, radius: number): Tensor4D {
  const length = x.shape[axis];
  const indices = Int32Array.from({ length: length + 2 * radius }, (_, i) => reflect101(i - radius, length));
  return tf.gather(x, tf.tensor1d(indices, 'int32'), axis);
}

function reflect101(index: number, length: number): number {
  if (length === 1) return 0;
  const period = 2 * length - 2;
  const rest = ((index % period) + period) % period;
  return rest < length ? rest : period - rest;
}
