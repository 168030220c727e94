/** A map plus or times a coarser one, each pixel of which stands for a block: the larger map of the coarser is never made. */
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import { defineOp } from './define_op.js';
import { combineNearestKernel } from './wasm/maps.js';

interface Attrs {
  readonly [key: string]: unknown;
  readonly how: 'plus' | 'times';
}

const op = /*@__PURE__*/ defineOp<{ map: Tensor4D; coarse: Tensor4D }, Attrs, Tensor4D>({
  name: 'InposeCombineNearest',
  composed: ({ map, coarse }, { how }) => {
    const [, h, w] = map.shape;
    // What has one pixel is repeated by tfjs's own broadcasting.
    const isOne = coarse.shape[1] === 1 && coarse.shape[2] === 1;
    const other = isOne ? coarse : tf.image.resizeNearestNeighbor(coarse, [h, w]);
    return how === 'plus' ? tf.add(map, other) : tf.mul(map, other);
  },
  wasm: combineNearestKernel,
});

/** Whether PyTorch's nearest interpolation from `from` to `to` pixels repeats each as often: powers of two are exact in any precision. */
export function repeatsEvenly(from: number, to: number): boolean {
  return to >= from && Number.isInteger(Math.log2(to / from));
}

/** map [N, H, W, C] + coarse [N, H / a, W / b, C], resized to it; a and b are powers of two, or coarse has one pixel. */
export function addNearest(map: Tensor4D, coarse: Tensor4D): Tensor4D {
  return op({ map, coarse }, { how: 'plus' });
}

/** As `addNearest`, the product: gates per channel, or per channel and block. */
export function mulNearest(map: Tensor4D, coarse: Tensor4D): Tensor4D {
  return op({ map, coarse }, { how: 'times' });
}
