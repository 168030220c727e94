/** Moving channels between groups, on NHWC tensors. From MMPose's `backbones/utils/channel_shuffle.py`. */
import { defineOp } from '../../../ops/define_op.js';
import { interleaveKernel, splitKernel } from '../../../ops/wasm/channels.js';
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';

/** Channel g*(C/groups) + i of x [N, H, W, C] becomes channel i*groups + g. */
export function channelShuffle(x: Tensor4D, groups: number): Tensor4D {
  const [n, h, w, channels] = x.shape;
  const grouped = tf.reshape(x, [n * h * w, groups, channels / groups]);
  return tf.reshape(tf.transpose(grouped, [0, 2, 1]), [n, h, w, channels]);
}

/** `channelShuffle` of a and b behind each other, in two groups. */
export function shufflePair(a: Tensor4D, b: Tensor4D): Tensor4D {
  return a.shape[3] === b.shape[3] ? interleave({ a, b }, {}) : shuffleConcat(a, b);
}

function shuffleConcat(a: Tensor4D, b: Tensor4D): Tensor4D {
  return channelShuffle(tf.concat([a, b], 3), 2);
}

const interleave = /*@__PURE__*/ defineOp<{ a: Tensor4D; b: Tensor4D }, Record<string, never>, Tensor4D>({
  name: 'InposeInterleave',
  composed: ({ a, b }) => shuffleConcat(a, b),
  wasm: interleaveKernel,
});

const split = /*@__PURE__*/ defineOp<{ x: Tensor4D }, { sizes: readonly number[] }, Tensor4D[]>({
  name: 'InposeSplitChannels',
  composed: ({ x }, { sizes }) => tf.split<Tensor4D>(x, sizes as number[], 3),
  wasm: splitKernel,
});

/** x [N, H, W, C] -> one map per size; the sizes add up to C. */
export function splitChannels(x: Tensor4D, sizes: readonly number[]): Tensor4D[] {
  return split({ x }, { sizes });
}

/** `x.chunk(2, dim=1)`: the first half has the odd channel. */
export function halves(x: Tensor4D): [first: Tensor4D, second: Tensor4D] {
  const channels = x.shape[3];
  const first = Math.ceil(channels / 2);
  const [a, b] = splitChannels(x, [first, channels - first]);
  return [a, b];
}
