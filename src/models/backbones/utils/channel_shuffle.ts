/** Moving channels between groups, on NHWC tensors. From MMPose's `backbones/utils/channel_shuffle.py`. */
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';

/** Channel g*(C/groups) + i of x [N, H, W, C] becomes channel i*groups + g. */
export function channelShuffle(x: Tensor4D, groups: number): Tensor4D {
  const [n, h, w, channels] = x.shape;
  const grouped = tf.reshape(x, [n * h * w, groups, channels / groups]);
  return tf.reshape(tf.transpose(grouped, [0, 2, 1]), [n, h, w, channels]);
}

/** `x.chunk(2, dim=1)`: the first half has the odd channel. */
export function halves(x: Tensor4D): [first: Tensor4D, second: Tensor4D] {
  const channels = x.shape[3];
  const first = Math.ceil(channels / 2);
  const [a, b] = tf.split<Tensor4D>(x, [first, channels - first], 3);
  return [a, b];
}
