/** Parts of transformers that RTMO and ED-Pose use (MMPose: `mmpose/models/utils/transformer.py`). */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { Module, Parameter } from '../../nn/module.js';
import { LayerNorm } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor3D } from '../../tf.js';
import { checkCount } from './conv_layer.js';
import { FFN } from './ffn.js';
import { PositionalAttention, type Attend } from './multihead_attention.js';

/** Cosines and sines of positions at a geometric series of wavelengths. Tables are made on the CPU: GPUs' sines are rough. */
export class SinePositionalEncoding extends Module<never, never> {
  /** [C / 2] */
  readonly dim_t: Parameter;

  /** @param outChannels - C, per axis */
  constructor(outChannels: number, options: { temperature?: number; learnable?: boolean } = {}) {
    super();
    const { temperature = 1e5, learnable = false } = options;
    const half = outChannels / 2;
    const computed = Float32Array.from({ length: half }, (_, j) => temperature ** Math.fround(j / half));
    this.dim_t = learnable ? new Parameter([half]) : new FixedParameter(computed);
  }

  override forward(): never {
    throw new ConfigError('SinePositionalEncoding: has no forward; call grid() or line().');
  }

  /** [h w, 2 C]: per point of a map the encodings of y and x, each cosines then sines. */
  grid(h: number, w: number): Float32Array {
    const wavelengths = this.dim_t.value;
    const channels = 2 * wavelengths.length;
    const out = new Float32Array(h * w * 2 * channels);
    for (let y = 0, at = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        for (const position of [y, x]) {
          encode(position, wavelengths, out, at);
          at += channels;
        }
      }
    }
    return out;
  }

  /** Writes the encodings [count, C] of `count` positions from `start` on, `step` apart, to `out` at `offset`. */
  line(start: number, step: number, count: number, out: Float32Array, offset: number): void {
    const wavelengths = this.dim_t.value;
    const half = wavelengths.length;
    for (const [j, wavelength] of wavelengths.entries()) {
      // A turn by the same angle each time, instead of a cosine and a sine: this runs once per person and frame.
      let [re, im] = [Math.cos(start / wavelength), Math.sin(start / wavelength)];
      const [turnRe, turnIm] = [Math.cos(step / wavelength), Math.sin(step / wavelength)];
      for (let i = 0, at = offset + j; i < count; i++, at += 2 * half) {
        out[at] = re;
        out[at + half] = im;
        [re, im] = [re * turnRe - im * turnIm, re * turnIm + im * turnRe];
      }
    }
  }
}

function encode(position: number, wavelengths: Float32Array, out: Float32Array, at: number): void {
  const half = wavelengths.length;
  for (let j = 0; j < half; j++) {
    const angle = Math.fround(position / wavelengths[j]);
    out[at + j] = Math.cos(angle);
    out[at + half + j] = Math.sin(angle);
  }
}

/**
 * A constant that PyTorch stores in the state_dict, a buffer. What a checkpoint says is not taken: files of 16-bit floats would have
 * it rounded, where phases of hundreds of radians hang on it.
 */
export class FixedParameter extends Parameter {
  readonly #fixed: Float32Array;

  constructor(fixed: Float32Array, shape: readonly number[] = [fixed.length]) {
    super(shape);
    this.#fixed = fixed;
  }

  override get value(): Float32Array {
    return this.#fixed;
  }

  override set value(_read: Float32Array) {}
}

/** mmcv's `MultiheadAttention`: PyTorch's, with a shortcut, and positions added to queries and keys. */
export class ShortcutAttention extends Module<Tensor3D, Tensor3D> {
  readonly attn: PositionalAttention;
  readonly dims: number;

  constructor(dims: number, numHeads: number, where: string) {
    super();
    this.dims = dims;
    this.attn = new PositionalAttention(dims, numHeads, where);
  }

  /** As of `PositionalAttention`. */
  override forward(x: Tensor3D, positions?: Tensor3D, look?: Attend): Tensor3D {
    return tf.add(x, this.attn.forward(x, positions, look));
  }

  /** @throws ConfigError */
  static fromConfig(config: Readonly<Record<string, unknown>>, where: string): ShortcutAttention {
    const cfg = readConfig<SelfAttnCfg>(config, where, {
      ...{ embed_dims: REQUIRED, num_heads: REQUIRED, dropout: 0, batch_first: true },
    });
    checkCount(cfg.embed_dims, `${where}.embed_dims`);
    return new ShortcutAttention(cfg.embed_dims, cfg.num_heads, `${where}.num_heads`);
  }
}

interface SelfAttnCfg {
  readonly embed_dims: number;
  readonly num_heads: number;
}

interface FfnCfg {
  readonly embed_dims: number;
  readonly feedforward_channels: number;
  readonly num_fcs: number;
  readonly act_cfg: ActCfg;
}

/**
 * The feed-forward network of a layer of `dims` channels.
 *
 * @throws ConfigError
 */
export function buildFfn(config: Readonly<Record<string, unknown>>, dims: number, where: string): FFN {
  const cfg = readConfig<FfnCfg>(config, where, {
    ...{ embed_dims: 256, feedforward_channels: 1024, num_fcs: 2, ffn_drop: 0, act_cfg: { type: 'ReLU' } },
  });
  if (cfg.num_fcs !== 2) throw new ConfigError(`${where}.num_fcs: found ${cfg.num_fcs}; expected 2.`);
  if (cfg.embed_dims !== dims) {
    throw new ConfigError(`${where}.embed_dims: found ${cfg.embed_dims}; expected ${dims}, as in self_attn_cfg.`);
  }
  checkCount(cfg.feedforward_channels, `${where}.feedforward_channels`);
  return new FFN(dims, cfg.feedforward_channels, cfg.act_cfg);
}

/** Self-attention and a feed-forward network, each with a shortcut and followed by a layer norm. */
export class DetrTransformerEncoderLayer extends Module<Tensor3D, Tensor3D> {
  readonly self_attn: ShortcutAttention;
  readonly ffn: FFN;
  readonly norms: readonly [LayerNorm, LayerNorm];

  constructor(config: Readonly<Record<string, unknown>>, where: string) {
    super();
    const cfg = readConfig<{ self_attn_cfg: Record<string, unknown>; ffn_cfg: Record<string, unknown> }>(
      config,
      where,
      { self_attn_cfg: { embed_dims: 256, num_heads: 8 }, ffn_cfg: {}, norm_cfg: { type: 'LN' } },
    );
    this.self_attn = ShortcutAttention.fromConfig(cfg.self_attn_cfg, `${where}.self_attn_cfg`);
    const { dims } = this.self_attn;
    this.ffn = buildFfn(cfg.ffn_cfg, dims, `${where}.ffn_cfg`);
    this.norms = [new LayerNorm(dims), new LayerNorm(dims)];
  }

  override forward(x: Tensor3D, positions?: Tensor3D): Tensor3D {
    const attended = this.norms[0].forward(this.self_attn.forward(x, positions)) as Tensor3D;
    return this.norms[1].forward(this.ffn.forward(attended)) as Tensor3D;
  }
}

/** Encoder layers one after the other, all with the same positions. */
export class DetrTransformerEncoder extends Module<Tensor3D, Tensor3D> {
  readonly layers: readonly DetrTransformerEncoderLayer[];

  constructor(numLayers: number, layerCfg: Readonly<Record<string, unknown>>, where: string) {
    super();
    this.layers = Array.from({ length: numLayers }, () => new DetrTransformerEncoderLayer(layerCfg, where));
  }

  /** x [N, L, C]; positions [1, L, C] */
  override forward(x: Tensor3D, positions?: Tensor3D): Tensor3D {
    return tf.tidy(() => this.layers.reduce((y, layer) => layer.forward(y, positions), x));
  }
}
