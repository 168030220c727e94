/**
 * `torch.nn.MultiheadAttention` with its parameter names. Keys and values come from the same tokens, which need not be the
 * queries'.
 */
import { ConfigError } from '../../errors.js';
import { Linear } from '../../nn/linear.js';
import { Module, Parameter } from '../../nn/module.js';
import * as tf from '../../tf.js';
import type { Tensor1D, Tensor2D, Tensor3D } from '../../tf.js';

/** Queries [N, L, C] and the tokens they look at [N, M, C] -> [N, L, C]. */
export class MultiheadAttention extends Module<Tensor3D, Tensor3D> {
  readonly in_proj_weight: Parameter;
  readonly in_proj_bias: Parameter | null;
  readonly out_proj: Linear;
  /** `in_proj` in two parts, made in `prepare`; not in the checkpoint. */
  readonly query_weight: Parameter;
  readonly query_bias: Parameter | null;
  readonly key_value_weight: Parameter;
  readonly key_value_bias: Parameter | null;
  readonly #dims: number;
  readonly #numHeads: number;

  constructor(dims: number, numHeads: number, options: { bias?: boolean } = {}, where = 'num_heads') {
    super();
    if (!Number.isInteger(numHeads) || numHeads < 1 || dims % numHeads !== 0) {
      throw new ConfigError(
        `${where}: found ${numHeads} heads for ${dims} channels; expected a divisor of the channels.`,
      );
    }
    const { bias = true } = options;
    const part = (...shape: number[]) => new Parameter(shape, { persistent: false });
    this.#dims = dims;
    this.#numHeads = numHeads;
    this.in_proj_weight = new Parameter([3 * dims, dims]);
    this.in_proj_bias = bias ? new Parameter([3 * dims]) : null;
    this.out_proj = new Linear(dims, dims, { bias });
    this.query_weight = part(dims, dims);
    this.query_bias = bias ? part(dims) : null;
    this.key_value_weight = part(2 * dims, dims);
    this.key_value_bias = bias ? part(2 * dims) : null;
  }

  /** Two products instead of three, and the scale of the scores in the weights of the queries. */
  override prepare(): void {
    const scale = (this.#dims / this.#numHeads) ** -0.5;
    split(this.in_proj_weight, this.query_weight, this.key_value_weight, scale);
    this.query_weight.upload([1, 0]);
    this.key_value_weight.upload([1, 0]);
    if (!this.in_proj_bias) return;
    split(this.in_proj_bias, this.query_bias!, this.key_value_bias!, scale);
    this.query_bias!.upload();
    this.key_value_bias!.upload();
  }

  /** @param tokens - that the queries look at; default: themselves */
  override forward(x: Tensor3D, tokens: Tensor3D = x): Tensor3D {
    const q = this.#heads(project(x, this.query_weight, this.query_bias));
    const [k, v] = tf.split<Tensor3D>(project(tokens, this.key_value_weight, this.key_value_bias), 2, 2);
    const attention = tf.softmax(tf.matMul(q, this.#heads(k), false, true), 2);
    const seen = tf.matMul(attention, this.#heads(v)) as Tensor3D;
    return this.out_proj.forward(this.#join(seen)) as Tensor3D;
  }

  /** [N, L, C] -> [N heads, L, C / heads] */
  #heads(x: Tensor3D): Tensor3D {
    const [n, length] = x.shape;
    const [h, d] = [this.#numHeads, this.#dims / this.#numHeads];
    return tf.reshape(tf.transpose(tf.reshape(x, [n, length, h, d]), [0, 2, 1, 3]), [n * h, length, d]);
  }

  /** [N heads, L, C / heads] -> [N, L, C] */
  #join(x: Tensor3D): Tensor3D {
    const [rows, length, d] = x.shape;
    const n = rows / this.#numHeads;
    const byHead = tf.reshape(x, [n, this.#numHeads, length, d]);
    return tf.reshape(tf.transpose(byHead, [0, 2, 1, 3]), [n, length, this.#dims]);
  }
}

/** The first third of `whole`, times `scale`, and the rest. */
function split(whole: Parameter, first: Parameter, rest: Parameter, scale: number): void {
  const values = whole.value;
  const third = values.length / 3;
  first.value = values.subarray(0, third).map((v) => v * scale);
  rest.value = values.slice(third);
  whole.dispose();
}

/** x [N, L, in] -> [N, L, out] */
function project(x: Tensor3D, weight: Parameter, bias: Parameter | null): Tensor3D {
  const [n, length, width] = x.shape;
  const y = tf.fused.matMul({
    a: tf.reshape(x, [n * length, width]),
    b: weight.tensor as Tensor2D,
    bias: bias?.tensor as Tensor1D | undefined,
  }) as Tensor2D;
  return tf.reshape(y, [n, length, y.shape[1]]);
}
