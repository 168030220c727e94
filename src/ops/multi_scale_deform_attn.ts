/**
 * Weighted means of maps of several sizes at places that the network names (mmcv's `multi_scale_deformable_attn`,
 * https://arxiv.org/abs/2010.04159). Between pixels bilinear, outside zero.
 */
import * as tf from '../tf.js';
import type { Tensor1D, Tensor2D, Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { multiScaleDeformAttnKernel } from './wasm/multi_scale_deform_attn.js';
import { multiScaleDeformAttnGlsl } from './webgl/multi_scale_deform_attn.js';
import { multiScaleDeformAttnWgsl, startsOf } from './webgpu/multi_scale_deform_attn.js';

export interface MultiScaleDeformAttnAttrs extends Readonly<Record<string, unknown>> {
  /** Each head has its own channels, places and weights. */
  readonly heads: number;
  /** Places per map and head. */
  readonly points: number;
  /** Sizes of the maps, in the order of their pixels. */
  readonly maps: readonly (readonly [h: number, w: number])[];
}

type Inputs = { value: Tensor3D; locations: Tensor3D; weights: Tensor3D };

/**
 * value [N, S, heads d] (the pixels of all maps), locations [N, Q, heads maps points 2] (x, y as fractions of the map) and weights
 * [N, Q, heads maps points] -> [N, Q, heads d].
 */
export const multiScaleDeformAttn = /*@__PURE__*/ defineOp<Inputs, MultiScaleDeformAttnAttrs, Tensor3D>({
  name: 'InposeMultiScaleDeformAttn',
  // One place of all queries at a time: all places together would be hundreds of megabytes.
  composed: ({ value, locations, weights }, { heads, points, maps }) => {
    const [n, pixels, channels] = value.shape;
    const queries = locations.shape[1];
    const [rows, places] = [n * queries * heads, maps.length * points];
    const source = tf.reshape(value, [n * pixels * heads, channels / heads]) as Tensor2D;
    const columns = tf.transpose(tf.reshape(locations, [rows, places * 2]), [1, 0]) as Tensor2D;
    const shares = tf.transpose(tf.reshape(weights, [rows, places]), [1, 0]) as Tensor2D;
    const take = (of: Tensor2D, row: number): Tensor1D => tf.reshape(tf.slice(of, [row, 0], [1, rows]), [rows]);
    const first = firstRows([n, queries, heads], pixels);
    let sum: Tensor2D | null = null;
    for (const [level, start] of startsOf(maps).entries()) {
      for (let point = 0; point < points; point++) {
        const before: Tensor2D | null = sum;
        const place = level * points + point;
        sum = tf.tidy((): Tensor2D => {
          const at = { x: take(columns, 2 * place), y: take(columns, 2 * place + 1), share: take(shares, place) };
          const part = sample(source, at, tf.add(first, start * heads), maps[level], heads);
          return before ? tf.add(before, part) : part;
        });
        before?.dispose();
      }
    }
    return tf.reshape(sum!, [n, queries, channels]);
  },
  wgsl: multiScaleDeformAttnWgsl,
  glsl: multiScaleDeformAttnGlsl,
  wasm: multiScaleDeformAttnKernel,
});

/** Per picture, query and head the row of the source that has the head's channels of the picture's first pixel. */
function firstRows([n, queries, heads]: readonly number[], pixels: number): Tensor1D {
  const first = new Float32Array(n * queries * heads);
  for (let i = 0; i < first.length; i++) first[i] = Math.floor(i / (queries * heads)) * pixels * heads + (i % heads);
  return tf.tensor1d(first);
}

/** `share` times the bilinear value at x, y of one map, [rows, d]; `first`: the row of its first pixel. */
function sample(
  source: Tensor2D,
  { x, y, share }: Readonly<Record<'x' | 'y' | 'share', Tensor1D>>,
  first: Tensor1D,
  [h, w]: readonly [h: number, w: number],
  heads: number,
): Tensor2D {
  const [px, py] = [tf.sub(tf.mul(x, w), 0.5), tf.sub(tf.mul(y, h), 0.5)] as Tensor1D[];
  const [left, top] = [tf.floor(px), tf.floor(py)];
  const [fx, fy] = [tf.sub(px, left), tf.sub(py, top)] as Tensor1D[];
  const columns = neighbours(left, fx, w);
  const parts = neighbours(top, fy, h).flatMap((row) =>
    columns.map((column) => {
      const index = tf.add(first, tf.mul(tf.add(tf.mul(row.at, w), column.at), heads));
      const weight = tf.mul(share, tf.mul(row.weight, column.weight));
      return tf.mul(tf.gather(source, tf.cast(index, 'int32')), tf.expandDims(weight, 1)) as Tensor2D;
    }),
  );
  return tf.addN(parts);
}

/** The two pixels around a place on one axis, inside the map, and their weights: none for those that were outside. */
function neighbours(first: Tensor1D, fraction: Tensor1D, size: number): { at: Tensor1D; weight: Tensor1D }[] {
  return [tf.sub(1, fraction) as Tensor1D, fraction].map((weight, step) => {
    const wanted: Tensor1D = tf.add(first, step);
    const at = tf.clipByValue(wanted, 0, size - 1);
    return { at, weight: tf.mul(weight, tf.cast(tf.equal(wanted, at), 'float32')) };
  });
}
