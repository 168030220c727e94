/**
 * `torch.nn.MultiheadAttention` with its parameter names, in two forms: keys and values from the same tokens, which need not be the
 * queries'; and queries and keys from the same tokens, with positions added, and values from them without.
 */
import { ConfigError } from '../../errors.js';
import { Linear } from '../../nn/linear.js';
import { Module, Parameter } from '../../nn/module.js';
import { batchMatMul } from '../../ops/batch_mat_mul.js';
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
    checkHeads(dims, numHeads, where);
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
    const q = project(x, this.query_weight, this.query_bias);
    const [k, v] = tf.split<Tensor3D>(project(tokens, this.key_value_weight, this.key_value_bias), 2, 2);
    return this.out_proj.forward(attend(q, k, v, this.#numHeads)) as Tensor3D;
  }
}

/** The same for tokens that look at each other, with positions added before they are compared. */
export class PositionalAttention extends Module<Tensor3D, Tensor3D> {
  readonly in_proj_weight: Parameter;
  readonly in_proj_bias: Parameter;
  readonly out_proj: Linear;
  /** `in_proj` in two parts, made in `prepare`; not in the checkpoint. */
  readonly query_key_weight: Parameter;
  readonly query_key_bias: Parameter;
  readonly value_weight: Parameter;
  readonly value_bias: Parameter;
  readonly #numHeads: number;

  constructor(dims: number, numHeads: number, where = 'num_heads') {
    super();
    checkHeads(dims, numHeads, where);
    const part = (...shape: number[]) => new Parameter(shape, { persistent: false });
    this.#numHeads = numHeads;
    this.in_proj_weight = new Parameter([3 * dims, dims]);
    this.in_proj_bias = new Parameter([3 * dims]);
    this.out_proj = new Linear(dims, dims);
    this.query_key_weight = part(2 * dims, dims);
    this.query_key_bias = part(2 * dims);
    this.value_weight = part(dims, dims);
    this.value_bias = part(dims);
  }

  /** Two products instead of three, and the scale of the scores in the weights of the queries. */
  override prepare(): void {
    const scale = (this.value_bias.shape[0] / this.#numHeads) ** -0.5;
    const parts = [
      [this.in_proj_weight, this.query_key_weight, this.value_weight],
      [this.in_proj_bias, this.query_key_bias, this.value_bias],
    ];
    for (const [whole, queryKey, value] of parts) {
      const values = whole.value;
      const third = values.length / 3;
      queryKey.value = values.slice(0, 2 * third).map((v, i) => (i < third ? v * scale : v));
      value.value = values.slice(2 * third);
      whole.dispose();
    }
    for (const weight of [this.query_key_weight, this.value_weight]) weight.upload([1, 0]);
    for (const bias of [this.query_key_bias, this.value_bias]) bias.upload();
  }

  /**
   * @param positions - that `x` is compared with, [1, L, C] or [N, L, C]
   * @param look - who looks at whom; default: everybody at everybody
   */
  override forward(x: Tensor3D, positions?: Tensor3D, look: Attend = attend): Tensor3D {
    const compared: Tensor3D = positions ? tf.add(x, positions) : x;
    const [q, k] = tf.split<Tensor3D>(project(compared, this.query_key_weight, this.query_key_bias), 2, 2);
    const v = project(x, this.value_weight, this.value_bias);
    return this.out_proj.forward(look(q, k, v, this.#numHeads)) as Tensor3D;
  }
}

/** Values [N, L, C] that each query takes from the tokens, heads side by side; the scale of the scores is in q. */
export type Attend = (q: Tensor3D, k: Tensor3D, v: Tensor3D, numHeads: number) => Tensor3D;

/** q [N, L, C] looks at k and v [N, M, C]; the scale of the scores is in q. */
function attend(q: Tensor3D, k: Tensor3D, v: Tensor3D, numHeads: number): Tensor3D {
  const scores = batchMatMul(splitHeads(q, numHeads), splitHeads(k, numHeads), true);
  return joinHeads(batchMatMul(tf.softmax(scores, 2), splitHeads(v, numHeads)), numHeads);
}

/** [N, L, C] -> [N heads, L, C / heads] */
export function splitHeads(x: Tensor3D, h: number): Tensor3D {
  const [n, length, dims] = x.shape;
  return tf.reshape(tf.transpose(tf.reshape(x, [n, length, h, dims / h]), [0, 2, 1, 3]), [n * h, length, dims / h]);
}

/** [N heads, L, C / heads] -> [N, L, C] */
export function joinHeads(x: Tensor3D, h: number): Tensor3D {
  const [rows, length, d] = x.shape;
  const n = rows / h;
  return tf.reshape(tf.transpose(tf.reshape(x, [n, h, length, d]), [0, 2, 1, 3]), [n, length, h * d]);
}

/** @throws ConfigError */
function checkHeads(dims: number, numHeads: number, where: string): void {
  if (Number.isInteger(numHeads) && numHeads > 0 && dims % numHeads === 0) return;
  throw new ConfigError(`${where}: found ${numHeads} heads for ${dims} channels; expected a divisor of the channels.`);
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
