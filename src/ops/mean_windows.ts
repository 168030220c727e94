/** Means over windows that lie side by side and divide the map. */
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { meanWindowsKernel } from './wasm/maps.js';

interface Attrs {
  readonly [key: string]: unknown;
  readonly window: readonly [h: number, w: number];
}

const op = /*@__PURE__*/ defineOp<{ x: Tensor4D }, Attrs, Tensor4D>({
  name: 'InposeMeanWindows',
  composed: ({ x }, { window: [h, w] }) =>
    h === x.shape[1] && w === x.shape[2] ? tf.mean(x, [1, 2], true) : tf.avgPool(x, [h, w], [h, w], 'valid'),
  wasm: meanWindowsKernel,
});

/** x [N, H, W, C] -> [N, H / h, W / w, C]; neither division may leave a rest. */
export function meanWindows(x: Tensor4D, window: readonly [h: number, w: number]): Tensor4D {
  return op({ x }, { window });
}
