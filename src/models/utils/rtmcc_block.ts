/**
 * The gated attention unit of RTMPose (MMPose: `mmpose/models/utils/rtmcc_block.py`, after "Transformer Quality in Linear Time").
 * Only self-attention: no MMPose config uses the block's cross-attention.
 */
import { ConfigError } from '../../errors.js';
import { buildActivation, type Activation } from '../../nn/act.js';
import { Linear } from '../../nn/linear.js';
import { Module, Parameter } from '../../nn/module.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor2D, Tensor3D } from '../../tf.js';

/** x / max(|x| / sqrt(dim), eps) * g over the last axis ("Transformers without Tears"). */
export class ScaleNorm extends Module<Tensor, Tensor> {
  readonly g: Parameter;
  readonly #scale: number;
  readonly #eps: number;

  constructor(dim: number, options: { eps?: number } = {}) {
    super();
    this.#scale = dim ** -0.5;
    this.#eps = options.eps ?? 1e-5;
    this.g = new Parameter([1], { value: Float32Array.of(1) });
  }

  override prepare(): void {
    this.g.upload();
  }

  override forward(x: Tensor): Tensor {
    const norm = tf.mul(tf.sqrt(tf.sum(tf.square(x), -1, true)), this.#scale);
    return tf.mul(tf.div(x, tf.maximum(norm, this.#eps)), this.g.tensor);
  }
}

/** x * scale, per channel, or with one scale for all. */
export class Scale extends Module<Tensor, Tensor> {
  readonly scale: Parameter;

  constructor(dim: number | null) {
    super();
    this.scale = new Parameter(dim === null ? [] : [dim], { value: new Float32Array(dim ?? 1).fill(1) });
  }

  override prepare(): void {
    this.scale.upload();
  }

  override forward(x: Tensor): Tensor {
    return tf.mul(x, this.scale.tensor);
  }
}

export interface RTMCCBlockOptions {
  /** Default 2. */
  readonly expansionFactor?: number;
  /** Width of queries and keys; default 128. */
  readonly s?: number;
  readonly eps?: number;
  /** `'SiLU'` (default) or `'ReLU'`. */
  readonly actFn?: string;
  /** Of the linear layers; default false. */
  readonly bias?: boolean;
  /** Learned bias by distance of tokens; default true. */
  readonly useRelBias?: boolean;
  /** Rotary position embedding; default false. */
  readonly posEnc?: boolean;
}

/** Gated attention unit over K tokens: [N, K, in] -> [N, K, out], with a scaled shortcut when in equals out. */
export class RTMCCBlock extends Module<Tensor3D, Tensor3D> {
  readonly w: RelativeBias | null;
  readonly o: Linear;
  readonly uv: Linear;
  readonly gamma: Parameter;
  readonly beta: Parameter;
  readonly ln: ScaleNorm;
  readonly res_scale: Scale | null;
  /** Sines and cosines of the rotary embedding, [K, s / 2]; not in the checkpoint. */
  readonly rope: readonly [sin: Parameter, cos: Parameter] | null;
  readonly #act: Activation;
  readonly #e: number;
  readonly #s: number;

  constructor(numToken: number, inTokenDims: number, outTokenDims: number, options: RTMCCBlockOptions = {}) {
    super();
    const { expansionFactor = 2, s = 128, eps, actFn = 'SiLU', bias = false } = options;
    if (actFn !== 'SiLU' && actFn !== 'ReLU') {
      throw new ConfigError(`gau_cfg.act_fn: found ${JSON.stringify(actFn)}; expected "SiLU" or "ReLU".`);
    }
    this.#s = s;
    this.#e = Math.trunc(inTokenDims * expansionFactor);
    this.#act = buildActivation({ type: actFn });
    this.w = (options.useRelBias ?? true) ? new RelativeBias(numToken) : null;
    this.o = new Linear(this.#e, outTokenDims, { bias });
    this.uv = new Linear(inTokenDims, 2 * this.#e + s, { bias });
    this.gamma = new Parameter([2, s]);
    this.beta = new Parameter([2, s]);
    this.ln = new ScaleNorm(inTokenDims, { eps });
    this.res_scale = inTokenDims === outTokenDims ? new Scale(inTokenDims) : null;
    this.rope = options.posEnc ? ropeTables(numToken, s / 2) : null;
  }

  override prepare(): void {
    this.w?.upload();
    this.gamma.upload();
    this.beta.upload();
    for (const table of this.rope ?? []) table.upload();
  }

  /** @param offset - [K, s], added to queries and keys */
  override forward(x: Tensor3D, offset: Tensor | null = null): Tensor3D {
    const y = this.#attend(x, offset);
    return this.res_scale ? tf.add(this.res_scale.forward(x), y) : y;
  }

  #attend(x: Tensor3D, offset: Tensor | null): Tensor3D {
    const uv = this.#act(this.uv.forward(this.ln.forward(x)));
    const [u, v, base] = tf.split<Tensor3D>(uv as Tensor3D, [this.#e, this.#e, this.#s], 2);
    const [q, k] = this.#queriesAndKeys(base).map((tokens) => (offset ? tf.add(tokens, offset) : tokens));
    let qk = tf.matMul(q, k, false, true);
    if (this.w) qk = tf.add(qk, this.w.tensor);
    const kernel = tf.square(tf.relu(tf.div(qk, Math.sqrt(this.#s))));
    return this.o.forward(tf.mul(u, tf.matMul(kernel, v))) as Tensor3D;
  }

  /** base [N, K, s] -> base * gamma[i] + beta[i], rotated by position: i = 0 queries, 1 keys. */
  #queriesAndKeys(base: Tensor3D): Tensor3D[] {
    const gammas = tf.split<Tensor2D>(this.gamma.tensor as Tensor2D, 2, 0);
    const betas = tf.split<Tensor2D>(this.beta.tensor as Tensor2D, 2, 0);
    return gammas.map((gamma, i) => this.#rotate(tf.add(tf.mul(base, gamma), betas[i])));
  }

  #rotate(x: Tensor3D): Tensor3D {
    if (!this.rope) return x;
    const [sin, cos] = this.rope.map((table) => table.tensor);
    const [a, b] = tf.split<Tensor3D>(x, 2, 2);
    return tf.concat([tf.sub(tf.mul(a, cos), tf.mul(b, sin)), tf.add(tf.mul(b, cos), tf.mul(a, sin))], 2);
  }
}

/**
 * Learned bias per distance of two tokens: a `Parameter` of 2 K - 1 values in the checkpoint, a [K, K] matrix on the device.
 * MMPose makes the matrix anew in each forward.
 */
class RelativeBias extends Parameter {
  readonly #numToken: number;

  constructor(numToken: number) {
    super([2 * numToken - 1]);
    this.#numToken = numToken;
  }

  override upload(): void {
    const [n, w] = [this.#numToken, this.value];
    const matrix = new Float32Array(n * n);
    for (let i = 0; i < n; i++) for (let j = 0; j < n; j++) matrix[i * n + j] = w[j - i + n - 1];
    this.value = matrix;
    super.upload(undefined, [n, n]);
  }
}

/**
 * MMPose's `rope` tables: angle = position * 10000^(i / half), rounded to float32 at each step as PyTorch does. The exponent is
 * positive there (a sign of RoFormer's formula got lost), and trained weights rely on it.
 */
function ropeTables(length: number, half: number): [sin: Parameter, cos: Parameter] {
  const [sin, cos] = [new Float32Array(length * half), new Float32Array(length * half)];
  for (let p = 0; p < length; p++) {
    for (let i = 0; i < half; i++) {
      const angle = Math.fround(p * Math.fround(10000 ** Math.fround(i / half)));
      sin[p * half + i] = Math.sin(angle);
      cos[p * half + i] = Math.cos(angle);
    }
  }
  const table = (value: Float32Array) => new Parameter([length, half], { value, persistent: false });
  return [table(sin), table(cos)];
}
