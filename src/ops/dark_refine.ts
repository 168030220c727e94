/**
 * Sub-pixel refinement by DARK: one Newton step on the logarithm of the blurred map (MMPose: `refine_keypoints_dark`,
 * `refine_keypoints_dark_udp`).
 */
import * as tf from '../tf.js';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { DARK, UDP, type DarkStencil } from './dark_stencil.js';
import { constant, inSmallBatches, valuesAt } from './map_values.js';
import { allOf } from './quarter_offset.js';
import { darkRefineGlsl } from './webgl/dark_refine.js';
import { darkRefineWgsl } from './webgpu/dark_refine.js';

export interface DarkRefineInputs extends Readonly<Record<string, Tensor>> {
  /** [N, K, 3], `heatmapArgmax` of the maps. */
  readonly peaks: Tensor3D;
  /** [N, h, w, K], the maps after both passes of `blurAxis`. */
  readonly blurred: Tensor4D;
  /** [N, K, 3], `heatmapArgmax` of `blurred`; MMPose scales blurred maps back to their old maximum. */
  readonly blurredPeaks: Tensor3D;
}

export interface DarkRefineAttrs extends Readonly<Record<string, unknown>> {
  /** UDP's form: steps of one pixel, edges repeated, every point refined. */
  readonly udp: boolean;
}

/**
 * Gives the peaks [N, K, 3] with x and y refined; map pixels. UDP's form reads the map before for a point that was not found (x and
 * y of -1), as MMPose's flat index does, and its points of an all-zero map are NaN.
 */
export const darkRefine = /*@__PURE__*/ defineOp<DarkRefineInputs, DarkRefineAttrs, Tensor3D>({
  name: 'InposeDarkRefine',
  composed: (inputs, { udp }) =>
    inSmallBatches({ ...inputs }, inputs.blurred, (part) => (udp ? refineUdp(part) : refineDark(part))),
  wgsl: darkRefineWgsl,
  glsl: darkRefineGlsl,
});

function refineDark({ peaks, blurred, blurredPeaks }: DarkRefineInputs): Tensor3D {
  const [, h, w, k] = blurred.shape;
  const [x, y, value] = tf.split<Tensor3D>(peaks, 3, 2);
  const inside = allOf(tf.greater(x, 1), tf.less(x, w - 2), tf.greater(y, 1), tf.less(y, h - 2));
  const values = valuesAt(blurred, { ...around(x, y, DARK, [h, w]), channel: constant([1, k, 1], (i) => i) });
  const [dx, dy] = newtonStep(tf.mul(values, rescaling(value, blurredPeaks)), DARK);
  const move = (at: Tensor3D, step: Tensor) => tf.where(tf.greater(inside, 0), tf.add(at, step), at) as Tensor3D;
  return tf.concat([move(x, dx), move(y, dy), value], 2);
}

function refineUdp({ peaks, blurred, blurredPeaks }: DarkRefineInputs): Tensor3D {
  const [, h, w, k] = blurred.shape;
  const [x, y, value] = tf.split<Tensor3D>(peaks, 3, 2);
  const found = tf.greater(x, -0.5);
  const ratio = rescaling(value, blurredPeaks);
  const near = around(x, y, UDP, [h, w]);
  const far = notFoundPixels(h, w, k);
  const pick = (a: Tensor, b: Tensor) => tf.where(found, a, b);
  const values = valuesAt(blurred, {
    x: pick(near.x, far.x),
    y: pick(near.y, far.y),
    channel: pick(
      constant([1, k, 1], (i) => i),
      far.channel,
    ),
  });
  // What lies in the map before has that map's scale.
  const before = (tensor: Tensor) => tf.gather(tensor, beforeIndices(k), 1);
  const scale = tf.where(tf.logicalAnd(tf.logicalNot(found), far.isBefore), before(ratio), ratio);
  const [dx, dy] = newtonStep(tf.mul(values, scale), UDP);
  const empty = isEmpty(value, blurredPeaks);
  const isNan = tf.logicalOr(
    empty,
    tf.logicalAnd(tf.logicalNot(found), tf.cast(before(tf.cast(empty, 'float32')), 'bool')),
  );
  const move = (at: Tensor3D, step: Tensor) => tf.where<Tensor>(isNan, tf.scalar(NaN), tf.add(at, step)) as Tensor3D;
  return tf.concat([move(x, dx), move(y, dy), value], 2);
}

/** Old maximum over that of the blurred map, [N, K, 1]. */
function rescaling(value: Tensor3D, blurredPeaks: Tensor3D): Tensor {
  return tf.div(value, tf.slice(blurredPeaks, [0, 0, 2]));
}

/** Maps whose rescaling is 0 / 0, [N, K, 1]. */
export function isEmpty(value: Tensor, blurredPeaks: Tensor3D): Tensor {
  return tf.logicalAnd(tf.equal(value, 0), tf.equal(tf.slice(blurredPeaks, [0, 0, 2]), 0));
}

/** Pixels of the stencil around x, y, at the edge where they would lie outside; [N, K, P]. */
function around(
  x: Tensor,
  y: Tensor,
  stencil: DarkStencil,
  [h, w]: readonly [number, number],
): { x: Tensor; y: Tensor } {
  const count = stencil.x.length;
  return {
    x: tf.clipByValue(
      tf.add(
        x,
        constant([1, 1, count], (i) => stencil.x[i]),
      ),
      0,
      w - 1,
    ),
    y: tf.clipByValue(
      tf.add(
        y,
        constant([1, 1, count], (i) => stencil.y[i]),
      ),
      0,
      h - 1,
    ),
  };
}

const beforeIndices = (k: number) =>
  tf.tensor1d(
    Int32Array.from({ length: k }, (_, i) => (i + k - 1) % k),
    'int32',
  );

/**
 * What MMPose's index into the flattened, edge-padded maps reads for (-1, -1): its own first pixel four times, then the last row of the
 * map before.
 */
function notFoundPixels(h: number, w: number, k: number): { x: Tensor; y: Tensor; channel: Tensor; isBefore: Tensor } {
  return {
    x: constant([1, 1, 7], (i) => [0, 0, 0, 0, w - 1, w - 1, 0][i]),
    y: constant([1, 1, 7], (i) => (i < 4 ? 0 : h - 1)),
    channel: constant([1, k, 7], (i) => (i % 7 < 4 ? Math.floor(i / 7) : (Math.floor(i / 7) + k - 1) % k)),
    isBefore: tf.cast(
      constant([1, 1, 7], (i) => (i < 4 ? 0 : 1)),
      'bool',
    ),
  };
}

/** `-H^-1 d` from scaled values [N, K, P]; zero where the matrix is singular. */
function newtonStep(values: Tensor, { weights, low, high, epsilon }: DarkStencil): [dx: Tensor, dy: Tensor] {
  const [n, k, count] = values.shape;
  const logs = tf.log(tf.clipByValue(values, low, high));
  const matrix = tf.tensor2d(weights.flat() as number[], [5, count]);
  const derivatives = tf.matMul(tf.reshape<tf.Rank.R2>(logs, [n * k, count]), matrix, false, true);
  const [dx, dy, dxxPlain, dyyPlain, dxy] = tf
    .split<Tensor2D>(derivatives, 5, 1)
    .map((column) => tf.reshape(column, [n, k, 1]));
  const [dxx, dyy] = [tf.add(dxxPlain, epsilon), tf.add(dyyPlain, epsilon)];
  const det = tf.sub(tf.mul(dxx, dyy), tf.square(dxy));
  const singular = tf.equal(det, 0);
  const solve = (a: Tensor, b: Tensor, c: Tensor, d: Tensor) =>
    tf.where(singular, tf.zerosLike(det), tf.div(tf.sub(tf.mul(a, b), tf.mul(c, d)), det));
  return [solve(dxy, dy, dyy, dx), solve(dxy, dx, dxx, dy)];
}
