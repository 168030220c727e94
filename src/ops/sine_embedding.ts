/** Sines and cosines of computed positions. Sines of GPUs may be off by 2^-11, so shaders here have their own. */
import * as tf from '../tf.js';
import type { Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { sineEmbeddingGlsl } from './webgl/sine_embedding.js';
import { frequencyOf, sineEmbeddingWgsl } from './webgpu/sine_embedding.js';

export interface SineEmbeddingAttrs extends Readonly<Record<string, unknown>> {
  /** Values per position, even. */
  readonly features: number;
  readonly temperature: number;
}

/** positions [N, Q, P], 0 to 1 -> [N, Q, P features]: per position sine and cosine in turns, at a geometric series of frequencies. */
export const sineEmbedding = /*@__PURE__*/ defineOp<{ positions: Tensor3D }, SineEmbeddingAttrs, Tensor3D>({
  name: 'InposeSineEmbedding',
  composed: ({ positions }, attrs) => {
    const { features } = attrs;
    const [n, queries, count] = positions.shape;
    const each = Array.from({ length: features }, (_, j) => j);
    const frequencies = tf.tensor1d(each.map((j) => frequencyOf(j, attrs)));
    const phases = tf.tensor1d(each.map((j) => (j % 2) * (Math.PI / 2)));
    const angles = tf.add(tf.mul(tf.reshape(positions, [n * queries * count, 1]), frequencies), phases);
    return tf.reshape(tf.sin(angles), [n, queries, count * features]);
  },
  wgsl: sineEmbeddingWgsl,
  glsl: sineEmbeddingGlsl,
});
