/**
 * As many matrix products as there are pairs, as attention has them. tfjs's wasm backend multiplies a batch in plain loops, about ten
 * times as slowly as it multiplies one pair.
 */
import * as tf from '../tf.js';
import type { Tensor3D } from '../tf.js';
import { defineOp } from './define_op.js';
import { batchMatMulKernel } from './wasm/batch_mat_mul.js';
import { activeWasmKernels } from './wasm/wasm_op.js';

const product = /*@__PURE__*/ defineOp<{ a: Tensor3D; b: Tensor3D }, { transposeB: boolean }, Tensor3D>({
  name: 'InposeBatchMatMul',
  composed: ({ a, b }, { transposeB }) => tf.matMul(a, b, false, transposeB),
  wasm: batchMatMulKernel,
});

/** a [B, m, k] times b [B, k, n] -> [B, m, n]; `transposeB`: b is [B, n, k]. */
export function batchMatMul(a: Tensor3D, b: Tensor3D, transposeB = false): Tensor3D {
  if (!transposeB || !activeWasmKernels()) return product({ a, b }, { transposeB });
  return tf.tidy(() => product({ a, b: tf.transpose(b, [0, 2, 1]) }, { transposeB: false }));
}
