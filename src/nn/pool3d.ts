/** Pooling of volumes [N, D, H, W, C]. */
import * as tf from '../tf.js';
import type { Tensor4D, Tensor5D } from '../tf.js';
import { Module } from './module.js';

/** `torch.nn.MaxPool3d` with its default stride, the kernel, and no padding: the maximum within slices, then across them. */
export class MaxPool3d extends Module<Tensor5D, Tensor5D> {
  readonly #kernel: number;

  constructor(kernel: number) {
    super();
    this.#kernel = kernel;
  }

  /** x [N, D, H, W, C] -> [N, D/k, H/k, W/k, C], rounded down. */
  override forward(x: Tensor5D): Tensor5D {
    const [n, d, h, w, c] = x.shape;
    const k = this.#kernel;
    const slices = tf.maxPool<Tensor4D>(tf.reshape(x, [n * d, h, w, c]), k, k, 'valid');
    const [, height, width] = slices.shape;
    const rows: Tensor4D = tf.reshape(slices, [n, d, height * width, c]);
    return tf.reshape(tf.maxPool(rows, [k, 1], [k, 1], 'valid'), [n, -1, height, width, c]);
  }
}
