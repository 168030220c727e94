/** Attention of tokens among themselves, with the parameter names of mmpretrain's `MultiheadAttention` and MMPose's `WindowMSA`. */
import { ConfigError } from '../../errors.js';
import { Linear } from '../../nn/linear.js';
import { Module } from '../../nn/module.js';
import { batchMatMul } from '../../ops/batch_mat_mul.js';
import * as tf from '../../tf.js';
import type { Tensor3D } from '../../tf.js';

/** Tokens [N, L, C] -> [N, L, C]. */
export class SelfAttention extends Module<Tensor3D, Tensor3D> {
  readonly qkv: Linear;
  readonly proj: Linear;
  readonly #numHeads: number;
  readonly #scale: number;

  constructor(dims: number, numHeads: number, options: { bias?: boolean; scale?: number | null }, where: string) {
    super();
    if (!Number.isInteger(numHeads) || numHeads < 1 || dims % numHeads !== 0) {
      throw new ConfigError(
        `${where}: found ${numHeads} heads for ${dims} channels; expected a divisor of the channels.`,
      );
    }
    const { bias = true, scale = null } = options;
    this.#numHeads = numHeads;
    this.#scale = scale ?? (dims / numHeads) ** -0.5;
    this.qkv = new Linear(dims, 3 * dims, { bias });
    this.proj = new Linear(dims, dims);
  }

  /** The scale of the scores goes into the weights of the queries, which are the first third. */
  override prepare(): void {
    for (const parameter of [this.qkv.weight, this.qkv.bias]) {
      if (!parameter) continue;
      const { value } = parameter;
      parameter.value = value.map((v, i) => (i < value.length / 3 ? v * this.#scale : v));
    }
  }

  override forward(x: Tensor3D): Tensor3D {
    return this.attend(x, (scores) => tf.softmax(scores, 2));
  }

  /** @param weigh - the weights of the values from the scores, both [heads N, L, L] */
  protected attend(x: Tensor3D, weigh: (scores: Tensor3D) => Tensor3D): Tensor3D {
    const [n, length, dims] = x.shape;
    const [h, d] = [this.#numHeads, dims / this.#numHeads];
    // Heads before pictures: then q, k and v lie one behind the other, and a single move of three axes sorts them.
    const rows = tf.reshape(this.qkv.forward(x), [n * length, 3 * h, d]);
    const sorted = tf.reshape(tf.transpose(rows, [1, 0, 2]), [3 * h * n, length, d]);
    const [q, k, v] = tf.split<Tensor3D>(sorted, 3, 0);
    const weights = weigh(batchMatMul(q, k, true));
    const seen = tf.reshape(batchMatMul(weights, v), [h, n * length, d]);
    return this.proj.forward(tf.reshape(tf.transpose(seen, [1, 0, 2]), [n, length, dims])) as Tensor3D;
  }
}
