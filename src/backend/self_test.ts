/**
 * A small network with known numbers, run once on each backend that is created. Needed because a backend can be wrong without
 * an error: a shader that fails to compile reads back as zeros, and comparing two such results would find them equal.
 *
 * The network touches the kernels that pose models are made of: dense, depthwise, strided and 1 x 1 convolution, nearest and
 * bilinear resizing, addition, SiLU, depth to space, matrix product, softmax and reductions.
 */
import * as tf from '../tf.js';
import type { Tensor1D, Tensor4D } from '../tf.js';
import { readTensor } from './readback.js';

/** Largest absolute difference that passes; results are below 1, and a backend with half-precision textures is not good enough. */
const TOLERANCE = 1e-3;

/** From tests/browser/backend_self_test_numbers.py (PyTorch, float64). */
const EXPECTED: readonly number[] = [
  -0.335612, 0.39785, -0.565352, -0.500687, 0.0656086, 0.41321, 0.223876, -0.116472, 0.0273667, -0.151114, -0.261316,
  0.00848186, -0.287711, -0.139134, 0.00435917, 0.395531, -0.0401721, -0.349549, -0.566542, -0.0204634, -0.16815,
  -0.637069, 0.20619, 0.260841, 0.120005, 0.249883, 0.0953726, 0.101744, 0.179245, 0.253751, 0.215414, 0.153272,
  0.176983, 0.148054, 0.132605, 0.173672, 0.12986, 0.150662, 0.173909, 0.257161, 0.166334, 0.122073, 0.104158, 0.179826,
  0.155136, 0.0970651, 0.225572, 0.238243, 0.105314, 0.0974701, 0.127954, 0.261548, 0.105175, 0.0643082, 0.217523,
  0.0754492, 0.0636985, 0.123033, 0.0319405, 0.0538052, 0.0754322, 0.115345, 0.0789965, 0.100528, 0.182225, 0.608008,
  0.33511, 0.423195, 0.431942, 0.294359, 0.397511, 0.237788, 0.201248, 0.316356, 0.110332, 0.248171, 0.249596, 0.286762,
  0.507963, 0.280342,
];

type Run = <T>(section: () => T) => T;

/**
 * Runs the network through `run` and compares.
 *
 * @returns what is wrong, or null
 */
export async function selfTest(run: Run, expected: readonly number[] = EXPECTED): Promise<string | null> {
  const output = run(() => tf.tidy(network));
  try {
    return compare(await readTensor(output), expected);
  } finally {
    output.dispose();
  }
}

function compare(found: Float32Array, expected: readonly number[]): string | null {
  if (found.length !== expected.length) return `self-test gave ${found.length} numbers instead of ${expected.length}`;
  let worst = 0;
  for (let i = 0; i < found.length; i++) {
    // Not Math.max: a NaN must stay visible.
    const difference = Math.abs(found[i] - expected[i]);
    if (!(difference <= worst)) worst = difference;
  }
  return worst <= TOLERANCE ? null : `self-test computed wrong numbers (off by ${worst.toPrecision(2)})`;
}

function network(): Tensor1D {
  const x = values([1, 12, 8, 3], 1, 2) as Tensor4D;
  const stem = conv(x, [3, 3, 3, 8], 2, 2, 1);
  const filter = values([3, 3, 8, 1], 4, 1.2) as Tensor4D;
  const depthwise = tf.depthwiseConv2d(stem, filter, 1, 'same');
  const mixed = conv(depthwise, [1, 1, 8, 16], 5);
  const low = tf.image.resizeNearestNeighbor(conv(mixed, [3, 3, 16, 16], 7, 2, 1), [6, 4]);
  const sum = tf.add(mixed, low);
  const y: Tensor4D = tf.mul(sum, tf.sigmoid(sum));
  const up = tf.image.resizeBilinear(y, [12, 8], false, true);
  const heat = tf.depthToSpace(conv(y, [3, 3, 16, 16], 9, 1, 1), 2, 'NHWC');
  const logits = tf.matMul(tf.reshape(tf.transpose(heat, [0, 3, 1, 2]), [4, 96]), values([96, 6], 11, 1));
  const parts = [logits, tf.softmax(logits), tf.mean(up, [1, 2]), tf.max(up, [1, 2])];
  return tf.concat1d(parts.map((part) => tf.reshape(part, [-1])));
}

function conv(x: Tensor4D, kernel: [number, number, number, number], seed: number, strides = 1, pad = 0): Tensor4D {
  const filter = values(kernel, seed, 0.8) as Tensor4D;
  const bias = values([kernel[3]], seed + 1, 0.4);
  return tf.fused.conv2d({ x, filter, bias, strides, pad, activation: 'relu' });
}

function values(shape: number[], seed: number, scale: number): tf.Tensor {
  const count = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(spread(count, seed, scale), shape);
}

/** Numbers between -scale/2 and scale/2 without a pattern that a shifted or transposed read would repeat. */
export function spread(count: number, seed: number, scale = 1): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => (((i * 31 + seed * 17) % 101) / 101 - 0.5) * scale);
}
