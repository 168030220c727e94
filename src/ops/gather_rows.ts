/** Rows by computed places. */
import * as tf from '../tf.js';
import type { Tensor2D, Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { gatherRowsWgsl } from './webgpu/gather_rows.js';

type Inputs = { x: Tensor3D; places: Tensor2D };

/** Rows of each picture, x [N, M, C], at its places [N, k], whole numbers as float32 -> [N, k, C]. */
export const gatherRows = /*@__PURE__*/ defineOp<Inputs, Readonly<Record<string, never>>, Tensor3D>({
  name: 'InposeGatherRows',
  composed: ({ x, places }) => {
    const [n, rows, channels] = x.shape;
    const firsts = tf.tensor2d(
      Array.from({ length: n }, (_, i) => i * rows),
      [n, 1],
    );
    const flat = tf.cast(tf.reshape(tf.add(places, firsts), [-1]), 'int32');
    return tf.reshape(tf.gather(tf.reshape(x, [n * rows, channels]), flat), [n, -1, channels]);
  },
  wgsl: gatherRowsWgsl,
});
