/** Which elements are the largest (`torch.topk`'s indices), in descending order; of equals the first. */
import * as tf from '../tf.js';
import type { Tensor2D } from '../tf.js';
import { defineOp } from './define_op.js';
import { topIndicesWgsl } from './webgpu/top_indices.js';

export interface TopIndicesAttrs extends Readonly<Record<string, unknown>> {
  readonly k: number;
}

/** scores [N, M] -> [N, k], as float32. */
export const topIndices = /*@__PURE__*/ defineOp<{ scores: Tensor2D }, TopIndicesAttrs, Tensor2D>({
  name: 'InposeTopIndices',
  composed: ({ scores }, { k }) => tf.cast(tf.topk(scores, k).indices, 'float32'),
  wgsl: topIndicesWgsl,
});
