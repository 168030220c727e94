/** Small networks in plain tfjs ops, as models write them, each of which the jit rewrites in its own way; numbers in jit_reference.py. */
import { transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor, Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '../../src/tf.js';
import { channelShuffle, halves } from '../../src/models/backbones/utils/channel_shuffle.js';
import { merge, partition, windowsOf } from '../../src/models/utils/windows.js';
import { uniform } from '../golden/formula.js';

function weights<T extends Tensor>(name: string, shape: readonly number[]): T {
  return tf.tensor(uniform(name, shape, -1, 1).data, [...shape]) as T;
}

type OIHW = readonly [out: number, inner: number, h: number, w: number];
type HWIO = [h: number, w: number, inner: number, out: number];

function conv(x: Tensor4D, name: string, shape: OIHW, pad: number = 0): Tensor4D {
  const { data, shape: hwio } = transpose(uniform(name, shape, -1, 1).data, shape, [2, 3, 1, 0]);
  const filter = tf.tensor4d(data, hwio as unknown as HWIO);
  return tf.fused.conv2d({ x, filter, bias: weights<Tensor1D>(`${name} bias`, [shape[0]]), strides: 1, pad });
}

const mean = (x: Tensor4D): Tensor4D => tf.mean(x, [1, 2], true);
const concat = (...parts: Tensor4D[]): Tensor4D => tf.concat(parts, 3);

function layerNorm(x: Tensor): Tensor {
  const centred = tf.sub(x, tf.mean(x, -1, true));
  const variance = tf.mean(tf.square(centred), -1, true);
  const scaled = tf.mul(centred, tf.rsqrt(tf.add(variance, 1e-5)));
  return tf.add(tf.mul(scaled, weights('gamma', [24])), weights('beta', [24]));
}

function attention(x: Tensor): Tensor {
  const [n, rows, c] = x.shape;
  const project = (name: string) => {
    const y = tf.fused.matMul({ a: tf.reshape(x, [n * rows, c]) as Tensor2D, b: weights<Tensor2D>(name, [c, c]) });
    return tf.reshape(y, [n, rows, c]);
  };
  const scores = tf.mul(tf.matMul(project('q'), project('k'), false, true), 0.25);
  return tf.add(tf.matMul(tf.softmax(scores), project('v')), x);
}

function crossGate(x: Tensor4D): Tensor4D {
  const coarse = tf.avgPool(conv(x, 'coarse', [6, 8, 3, 3], 1), 2, 2, 'valid');
  const hidden = tf.relu(conv(concat(tf.avgPool(x, 2, 2, 'valid'), coarse), 'squeeze', [3, 14, 1, 1]));
  return tf.sigmoid(conv(hidden, 'excite', [14, 3, 1, 1]));
}

function shuffleUnit(x: Tensor4D): Tensor4D {
  const [low, high] = halves(x);
  const y = tf.relu(conv(high, 'unit', [4, 4, 1, 1]));
  return channelShuffle(concat(low, tf.mul(y, tf.sigmoid(mean(y)))), 2);
}

function gated(x: Tensor4D): Tensor4D {
  const hidden = tf.relu(conv(mean(x), 'squeeze', [3, 8, 1, 1]));
  return tf.mul(x, tf.sigmoid(conv(hidden, 'excite', [8, 3, 1, 1])));
}

function scaledConv(x: Tensor4D): Tensor4D {
  const scaled = tf.mul(conv(x, 'scaled', [8, 3, 3, 3], 1), weights('factor', [8]));
  return tf.relu(tf.add(scaled, weights('summand', [8])));
}

function fusedBranches(x: Tensor4D): Tensor4D {
  const coarse = conv(tf.avgPool(x, 2, 2, 'valid'), 'coarse', [16, 16, 1, 1]);
  const [, h, w] = x.shape;
  return tf.relu(tf.add(conv(x, 'fine', [16, 16, 3, 3], 1), tf.image.resizeNearestNeighbor(coarse, [h, w])));
}

const silu = (x: Tensor4D): Tensor4D => tf.mul(x, tf.sigmoid(x));

/** The convolutions read from a part of one tensor and write to a part of another. */
function partialBottleneck(x: Tensor4D): Tensor4D {
  const [low, high] = halves(x);
  const y = silu(conv(silu(conv(high, 'narrow', [16, 16, 1, 1])), 'wide', [16, 16, 3, 3], 1));
  return concat(low, tf.add(high, y));
}

type Paddings = [[number, number], [number, number], [number, number], [number, number]];
const pad = (x: Tensor4D, y: [number, number], z: [number, number], value = 0): Tensor4D => {
  const paddings: Paddings = [[0, 0], y, z, [0, 0]];
  return tf.pad(x, paddings, value);
};

function paddedConv(x: Tensor4D): Tensor4D {
  const { data, shape } = transpose(uniform('f', [8, 4, 3, 3], -1, 1).data, [8, 4, 3, 3], [2, 3, 1, 0]);
  return tf.conv2d(pad(x, [2, 0], [0, 1]), tf.tensor4d(data, shape as unknown as HWIO), 1, 'valid');
}

const map = (forward: (x: Tensor4D) => Tensor) => forward as (x: Tensor) => Tensor;

export const NETWORKS: Readonly<Record<string, (x: Tensor) => Tensor>> = {
  'layer norm': layerNorm,
  'largest of rows': (x) => tf.max(x, 2),
  'softmax of scaled rows': (x) => tf.softmax(tf.mul(x, 0.5)),
  attention,
  'channel gate': map(gated),
  'gate across resolutions': map(crossGate),
  'shuffle unit': map(shuffleUnit),
  'shuffle of three groups': map((x) => channelShuffle(concat(x, tf.mul(x, 2), tf.add(x, 1)), 3)),
  'reflected border': map((x) => tf.mirrorPad(x, [[0, 0], [1, 3], [2, 1], [0, 0]], 'reflect')), // prettier-ignore
  'border of another number': map((x) => pad(x, [2, 1], [1, 0], 0.5)),
  'nearest at half pixels': map((x) => tf.image.resizeNearestNeighbor(x, [7, 8], false, true)),
  'padded average': map((x) => tf.avgPool(pad(x, [1, 1], [1, 1]), 3, 2, 'valid')),
  'padded convolution': map(paddedConv),
  'one hot of the largest': (x) => tf.cast(tf.oneHot(tf.argMax(x, 1), 5), 'float32'),
  'slice that drops an axis': (x) => tf.stridedSlice(x, [0, 1, 0, -1], [2, 5, 6, 3], [1, 1, 2, 1], 0, 0, 0, 0, 0b1000),
  'least and product': (x) => tf.add(tf.min(x, [1, 2]), tf.expandDims(tf.sum(tf.prod(x, 3), [1, 2]), 1)),
  'scale after a convolution': map(scaledConv),
  'convolution after up-sampling': map((x) => {
    const [, h, w] = x.shape;
    return conv(tf.image.resizeNearestNeighbor(x, [2 * h, 2 * w]), 'late', [4, 8, 1, 1]);
  }),
  'gather by computed indices': (x) => tf.gather(x, tf.argMax(x, 0) as Tensor1D, 0),
  'residual connection': map((x) => tf.relu(tf.add(conv(x, 'deep', [32, 32, 3, 3], 1), x))),
  'sum with an up-sampled branch': map(fusedBranches),
  'bottleneck on half of the channels': map(partialBottleneck),
  'rows of two lengths': map((x) => {
    const total = tf.sum(tf.exp(x), 3, true);
    return tf.mul(tf.sub(tf.slice(x, 0, [1, 1, 5, 2]), tf.div(0.5, total)), 2);
  }),
  'resized embedding': map((x) => {
    const position = weights<Tensor4D>('position', [1, 3, 4, 4]);
    return tf.add(x, tf.image.resizeBilinear(position, [6, 8], false, true));
  }),
  'mirrored and picked': map((x) => tf.gather(tf.reverse(x, 2), tf.tensor1d([0, 2, 1, 4, 3], 'int32'), 3)),
  'shifted windows': (x) => partition(x as Tensor3D, windowsOf([7, 6], [4, 3], { shift: 1 })),
  'windows put together': (x) => merge(x as Tensor3D, windowsOf([7, 7], [4, 3], { shift: 2, centred: true })),
};
