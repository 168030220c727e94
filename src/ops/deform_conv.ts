/** 3 x 3 convolution that reads each tap at an offset of its own (mmcv's `DeformConv2d`, https://arxiv.org/abs/1703.06211). */
import * as tf from '../tf.js';
import type { Tensor1D, Tensor2D, Tensor3D, Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { deformConvWgsl } from './webgpu/deform_conv.js';

const TAPS = 9;

export interface DeformConvAttrs extends Readonly<Record<string, unknown>> {
  /** Each group of channels has its own offsets and its own filter. */
  readonly groups: number;
}

type Inputs = { x: Tensor4D; offsets: Tensor4D; taps: Tensor4D };

/**
 * x [N, h, w, G I], offsets [N, h, w, G 9 2] (per group and tap y, x, in pixels from where the tap would be) and taps [1, 9 G, I, O]
 * -> [N, h, w, G O]. Between pixels bilinear, outside zero; stride 1, padding 1.
 */
export const deformConv = /*@__PURE__*/ defineOp<Inputs, DeformConvAttrs, Tensor4D>({
  name: 'InposeDeformConv',
  composed: ({ x, offsets, taps }, { groups }) => {
    const [n, h, w, channels] = x.shape;
    const [, , inputs, outputs] = taps.shape;
    const pixels = n * h * w;
    // A margin of one pixel, to which everything outside is clipped.
    const padded = tf.pad(x, [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ]);
    const perGroup = n * (h + 2) * (w + 2);
    const source = tf.reshape(tf.transpose(tf.reshape(padded, [perGroup, groups, channels / groups]), [1, 0, 2]), [
      groups * perGroup,
      inputs,
    ]) as Tensor2D;
    const byGroup = tf.transpose(tf.reshape(offsets, [pixels, groups, TAPS * 2]), [1, 0, 2]) as Tensor3D;
    const filters = tf.split(taps, TAPS, 1).map((tap) => tf.reshape(tap, [groups, inputs, outputs]) as Tensor3D);
    const places = placesOf([n, h, w], groups, perGroup);
    let sum: Tensor3D | null = null;
    for (const [tap, taps] of filters.entries()) {
      const part = tf.tidy(() => {
        const [dy, dx] = [0, 1].map((axis) =>
          tf.reshape(tf.slice(byGroup, [0, 0, tap * 2 + axis], [groups, pixels, 1]), [groups * pixels]),
        ) as Tensor1D[];
        const y: Tensor1D = tf.clipByValue(tf.add(tf.add(places.y, Math.floor(tap / 3)), dy), 0, h + 1);
        const x: Tensor1D = tf.clipByValue(tf.add(tf.add(places.x, tap % 3), dx), 0, w + 1);
        const values = sample(source, y, x, places.image, [h, w]);
        return tf.matMul(tf.reshape(values, [groups, pixels, inputs]) as Tensor3D, taps) as Tensor3D;
      });
      const before: Tensor3D | null = sum;
      sum = before ? tf.add(before, part) : part;
      if (before) tf.dispose([before, part]);
    }
    return tf.reshape(tf.transpose(sum!, [1, 0, 2]), [n, h, w, groups * outputs]);
  },
  wgsl: deformConvWgsl,
});

/** Per group and pixel its row and column, and where its picture begins in the source. */
function placesOf(
  [n, h, w]: readonly number[],
  groups: number,
  perGroup: number,
): Record<'y' | 'x' | 'image', Tensor1D> {
  const count = groups * n * h * w;
  const [y, x, image] = [new Float32Array(count), new Float32Array(count), new Float32Array(count)];
  for (let i = 0; i < count; i++) {
    const pixel = i % (n * h * w);
    x[i] = pixel % w;
    y[i] = Math.floor(pixel / w) % h;
    image[i] = Math.floor(i / (n * h * w)) * perGroup + Math.floor(pixel / (h * w)) * (h + 2) * (w + 2);
  }
  return { y: tf.tensor1d(y), x: tf.tensor1d(x), image: tf.tensor1d(image) };
}

/** Bilinear values of rows of `source` at places of maps with a margin, [places, I]. */
function sample(
  source: Tensor2D,
  y: Tensor1D,
  x: Tensor1D,
  image: Tensor1D,
  [h, w]: readonly [number, number],
): Tensor2D {
  const [top, left] = [tf.minimum(tf.floor(y), h), tf.minimum(tf.floor(x), w)];
  const [fy, fx] = [tf.sub(y, top), tf.sub(x, left)].map((part) => tf.expandDims(part, 1));
  const corner = tf.add(tf.add(image, tf.mul(top, w + 2)), left);
  const at = (step: number) => tf.gather(source, tf.cast(tf.add(corner, step), 'int32'));
  const between = (a: Tensor2D, b: Tensor2D, part: tf.Tensor) => tf.add(a, tf.mul(tf.sub(b, a), part)) as Tensor2D;
  return between(between(at(0), at(1), fx), between(at(w + 2), at(w + 3), fx), fy);
}
