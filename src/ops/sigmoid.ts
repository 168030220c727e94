/** Sigmoid and SiLU, which on wasm take one pass over the numbers. */
import * as tf from '../tf.js';
import type { Tensor } from '../tf.js';
import { defineOp } from './define_op.js';
import { sigmoidKernel } from './wasm/maps.js';

interface Attrs {
  readonly [key: string]: unknown;
  readonly timesInput: boolean;
}

const op = /*@__PURE__*/ defineOp<{ x: Tensor }, Attrs>({
  name: 'InposeSigmoid',
  composed: ({ x }, { timesInput }) => (timesInput ? tf.mul(x, tf.sigmoid(x)) : tf.sigmoid(x)),
  wasm: sigmoidKernel,
});

export function sigmoid<T extends Tensor>(x: T): T {
  return op({ x }, { timesInput: false }) as T;
}

/** x times its sigmoid, also called Swish. */
export function silu<T extends Tensor>(x: T): T {
  return op({ x }, { timesInput: true }) as T;
}
