/** Reading single pixels of heatmaps in composed ops. */
import * as tf from '../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../tf.js';

/** Pixels to read: row and column per [N, K, P] or what broadcasts to it, and the map, [1, K, P] or so; -1 is the own map. */
export interface Pixels {
  readonly x: Tensor;
  readonly y: Tensor;
  /** Channel of each pixel, [.., K, ..]. */
  readonly channel: Tensor;
}

/** Values [N, K, P] of maps [N, h, w, C] at pixels inside. Indices are computed in floats, hence maps of at most 2^24 values. */
export function valuesAt(maps: Tensor4D, { x, y, channel }: Pixels): Tensor3D {
  const [n, h, w, c] = maps.shape;
  const picture = tf.reshape(tf.range(0, n, 1, 'float32'), [n, 1, 1]);
  const row = tf.add(tf.mul(picture, h), y);
  const pixel = tf.add(tf.mul(row, w), x);
  const index = tf.cast(tf.add(tf.mul(pixel, c), channel), 'int32');
  return tf.gather<Tensor>(tf.reshape(maps, [-1]), index) as Tensor3D;
}

/** A constant [..] from a function of the flat index. */
export function constant(shape: number[], value: (i: number) => number): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, (_, i) => value(i)),
    shape,
  );
}

/** Splits the batch where maps would be too many for indices in floats; `inputs` all have it as first axis. */
export function inSmallBatches<I extends Readonly<Record<string, Tensor>>>(
  inputs: I,
  largest: Tensor4D,
  run: (inputs: I) => Tensor3D,
): Tensor3D {
  const [n] = largest.shape;
  if (n === 1 || largest.size <= 2 ** 24) return run(inputs);
  const at = Math.ceil(n / 2);
  const halves = [
    [0, at],
    [at, n - at],
  ].map(([start, count]) => {
    const part = Object.fromEntries(
      Object.entries(inputs).map(([name, tensor]) => [name, tf.slice(tensor, [start], [count])]),
    ) as I;
    const largestPart = tf.slice(largest, [start], [count]) as Tensor4D;
    return inSmallBatches(part, largestPart, run);
  });
  return tf.concat(halves, 0);
}
