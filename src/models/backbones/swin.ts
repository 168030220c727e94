/**
 * Swin Transformer, from MMPose's `backbones/swin.py` (https://arxiv.org/abs/2103.14030). Not here: absolute position embeddings,
 * which no pose config asks for, and weights of the original repository, which MMPose converts when training starts.
 */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { Linear } from '../../nn/linear.js';
import { Module, transpose, type Feats, type Parameter } from '../../nn/module.js';
import { buildLayerNorm, type LayerNorm, type NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { FFN } from '../utils/ffn.js';
import { padCorner, PatchEmbed } from '../utils/patch_embed.js';
import { toMap, type Size } from '../utils/tokens.js';
import { merge, partition, windowCount, windowsOf, type Windows } from '../utils/windows.js';
import { WindowMSA } from '../utils/window_msa.js';
import { readOutIndices } from './utils/read_out_indices.js';

interface SwinConfig {
  readonly in_channels: number;
  readonly embed_dims: number;
  readonly patch_size: number;
  readonly window_size: number;
  readonly mlp_ratio: number;
  readonly depths: readonly number[];
  readonly num_heads: readonly number[];
  readonly strides: readonly number[];
  readonly out_indices: readonly number[];
  readonly qkv_bias: boolean;
  readonly qk_scale: number | null;
  readonly patch_norm: boolean;
  readonly use_abs_pos_embed: boolean;
  readonly act_cfg: ActCfg;
  readonly norm_cfg: NormCfg;
}

const SPEC = {
  pretrain_img_size: 224,
  in_channels: 3,
  embed_dims: 96,
  patch_size: 4,
  window_size: 7,
  mlp_ratio: 4,
  depths: [2, 2, 6, 2],
  num_heads: [3, 6, 12, 24],
  strides: [4, 2, 2, 2],
  out_indices: [0, 1, 2, 3],
  qkv_bias: true,
  qk_scale: null,
  patch_norm: true,
  use_abs_pos_embed: false,
  act_cfg: { type: 'GELU' },
  norm_cfg: { type: 'LN' },
  convert_weights: false,
};

/** Pixels that become one in each direction from stage to stage. */
const MERGED = 2;

/** Input [N, H, W, 3], output one map [N, h, w, embed_dims 2^i] per entry i of `out_indices`, normed. */
export class SwinTransformer extends Module<Tensor4D, Feats> {
  readonly patch_embed: PatchEmbed;
  readonly stages: readonly SwinBlockSequence[];
  readonly #norms: ReadonlyMap<number, LayerNorm>;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readSwinConfig(config, where);
    const norm = (width: number) => buildLayerNorm(cfg.norm_cfg, width, `${where}.norm_cfg`);
    const patches = { kernel: cfg.patch_size, stride: cfg.patch_size, padding: 'corner' } as const;
    const patchNorm = cfg.patch_norm ? norm(cfg.embed_dims) : null;
    this.patch_embed = new PatchEmbed(cfg.in_channels, cfg.embed_dims, patches, patchNorm);
    this.stages = cfg.depths.map((_, i) => new SwinBlockSequence(cfg, i, where));
    this.#norms = new Map(cfg.out_indices.map((i) => [i, norm(widthOf(cfg, i))]));
    // MMPose's names for them.
    Object.assign(this, Object.fromEntries([...this.#norms].map(([i, layer]) => [`norm${i}`, layer])));
  }

  override forward(x: Tensor4D): Feats {
    return tf.tidy(() => {
      const outs: Tensor4D[] = [];
      let size = this.patch_embed.size(x);
      let tokens = tf.tidy(() => this.patch_embed.forward(x));
      for (const [i, stage] of this.stages.entries()) {
        const [next, own] = stage.forward(tokens, size);
        tokens.dispose();
        const norm = this.#norms.get(i);
        if (norm) outs.push(tf.tidy(() => toMap(norm.forward(own) as Tensor3D, size)));
        if (own !== next) own.dispose();
        tokens = next;
        size = stage.nextSize(size);
      }
      return outs;
    });
  }
}

function readSwinConfig(config: Readonly<Record<string, unknown>>, where: string): SwinConfig {
  const cfg = readConfig<SwinConfig>(config, where, SPEC);
  for (const key of ['in_channels', 'embed_dims', 'patch_size', 'window_size', 'mlp_ratio'] as const) {
    checkCount(cfg[key], `${where}.${key}`);
  }
  for (const [key, count] of [
    ['num_heads', cfg.depths.length],
    ['strides', cfg.depths.length],
  ] as const) {
    if (cfg[key].length !== count) {
      throw new ConfigError(
        `${where}.${key}: found ${JSON.stringify(cfg[key])}; expected ${count} numbers, as many as depths.`,
      );
    }
  }
  for (const [i, depth] of cfg.depths.entries()) checkCount(depth, `${where}.depths.${i}`);
  const expected = [cfg.patch_size, ...cfg.depths.slice(1).map(() => MERGED)];
  if (cfg.strides.join() !== expected.join()) {
    throw new ConfigError(`${where}.strides: found ${JSON.stringify(cfg.strides)}; expected [${expected.join(', ')}].`);
  }
  if (cfg.use_abs_pos_embed) {
    throw new ConfigError(`${where}.use_abs_pos_embed: found true; only false is supported.`);
  }
  readOutIndices(cfg.out_indices, cfg.depths.length, where);
  return cfg;
}

function widthOf({ embed_dims: dims }: SwinConfig, stage: number): number {
  return dims * 2 ** stage;
}

/** A stage: blocks, every other one with shifted windows, then a reduction to the next stage's tokens. */
class SwinBlockSequence extends Module<Tensor3D, readonly [next: Tensor3D, own: Tensor3D]> {
  readonly blocks: readonly SwinBlock[];
  readonly downsample: PatchMerging | null;
  readonly #window: Size;

  constructor(cfg: SwinConfig, stage: number, where: string) {
    super();
    this.#window = [cfg.window_size, cfg.window_size];
    this.blocks = Array.from({ length: cfg.depths[stage] }, () => new SwinBlock(cfg, stage, where));
    this.downsample = stage < cfg.depths.length - 1 ? new PatchMerging(cfg, stage, where) : null;
  }

  /** Of the next stage's map. */
  nextSize([h, w]: Size): Size {
    return this.downsample ? [Math.ceil(h / MERGED), Math.ceil(w / MERGED)] : [h, w];
  }

  /** The tokens for the next stage, and this stage's own; the same twice at the end. */
  override forward(x: Tensor3D, size: Size = [x.shape[1], 1]): readonly [next: Tensor3D, own: Tensor3D] {
    return tf.tidy(() => {
      const plain = windowsOf(size, this.#window, {});
      const shifted = windowsOf(size, this.#window, { shift: Math.floor(this.#window[0] / 2) });
      const mask = this.blocks.length > 1 && shifted.shift > 0 ? shiftMask(shifted) : null;
      let tokens = x;
      for (const [i, block] of this.blocks.entries()) {
        const next = tf.tidy(() => (i % 2 === 0 ? block.forward(tokens, plain) : block.forward(tokens, shifted, mask)));
        if (tokens !== x) tokens.dispose();
        tokens = next;
      }
      const reduced = this.downsample ? tf.tidy(() => this.downsample!.forward(toMap(tokens, size))) : tokens;
      return [reduced, tokens] as [Tensor3D, Tensor3D];
    });
  }
}

/**
 * A rolled map has windows with pixels from opposite edges: -100 keeps them from looking at each other. [1, windows, L, L]; the map has
 * three regions in each direction, the last windows being cut at the shift.
 */
function shiftMask(windows: Windows): Tensor4D {
  const { padded, window, shift } = windows;
  const region = (at: number, axis: 0 | 1) =>
    Number(at >= padded[axis] - window[axis]) + Number(at >= padded[axis] - shift);
  const [across, length] = [padded[1] / window[1], window[0] * window[1]];
  const count = windowCount(windows);
  const mask = new Float32Array(count * length * length);
  for (let i = 0; i < count; i++) {
    const [top, left] = [Math.floor(i / across) * window[0], (i % across) * window[1]];
    const regions = Array.from({ length }, (_, p) => {
      return 3 * region(top + Math.floor(p / window[1]), 0) + region(left + (p % window[1]), 1);
    });
    const at = i * length * length;
    for (let p = 0; p < length; p++)
      for (let q = 0; q < length; q++) mask[at + p * length + q] = regions[p] === regions[q] ? 0 : -100;
  }
  return tf.tensor4d(mask, [1, count, length, length]);
}

/** Attention within windows and feed-forward, each behind a norm and beside a shortcut. */
class SwinBlock extends Module<Tensor3D, Tensor3D> {
  readonly norm1: LayerNorm;
  readonly attn: ShiftWindowMSA;
  readonly norm2: LayerNorm;
  readonly ffn: FFN;

  constructor(cfg: SwinConfig, stage: number, where: string) {
    super();
    const width = widthOf(cfg, stage);
    const norm = () => buildLayerNorm(cfg.norm_cfg, width, `${where}.norm_cfg`);
    this.norm1 = norm();
    this.attn = new ShiftWindowMSA(cfg, stage, where);
    this.norm2 = norm();
    this.ffn = new FFN(width, cfg.mlp_ratio * width, cfg.act_cfg);
  }

  override forward(x: Tensor3D, windows?: Windows, mask?: Tensor4D | null): Tensor3D {
    const y: Tensor3D = tf.add(x, this.attn.forward(this.norm1.forward(x) as Tensor3D, windows, mask));
    return this.ffn.forward(this.norm2.forward(y) as Tensor3D, y);
  }
}

class ShiftWindowMSA extends Module<Tensor3D, Tensor3D> {
  readonly w_msa: WindowMSA;

  constructor(cfg: SwinConfig, stage: number, where: string) {
    super();
    this.w_msa = new WindowMSA(
      widthOf(cfg, stage),
      cfg.num_heads[stage],
      [cfg.window_size, cfg.window_size],
      { bias: cfg.qkv_bias, scale: cfg.qk_scale },
      `${where}.num_heads.${stage}`,
    );
  }

  override forward(
    x: Tensor3D,
    windows: Windows = windowsOf([x.shape[1], 1], [1, 1], {}),
    mask: Tensor4D | null = null,
  ): Tensor3D {
    return merge(this.w_msa.forward(partition(x, windows), mask), windows);
  }
}

/** Two by two tokens become one of twice the width: map [N, H, W, C] -> tokens [N, H / 2 W / 2, 2 C]. */
class PatchMerging extends Module<Tensor4D, Tensor3D> {
  readonly norm: LayerNorm | null;
  readonly reduction: Linear;
  readonly #width: number;

  constructor(cfg: SwinConfig, stage: number, where: string) {
    super();
    this.#width = widthOf(cfg, stage);
    const merged = this.#width * MERGED ** 2;
    this.norm = cfg.patch_norm ? buildLayerNorm(cfg.norm_cfg, merged, `${where}.norm_cfg`) : null;
    this.reduction = new Linear(merged, 2 * this.#width, { bias: false });
  }

  /** PyTorch's `Unfold` has the channels before the pixels; turning the weights round spares turning every map. */
  override prepare(): void {
    const pixels = MERGED ** 2;
    const turn = (parameter: Parameter, rows: number) => {
      parameter.value = transpose(parameter.value, [rows, this.#width, pixels], [0, 2, 1]).data;
    };
    turn(this.reduction.weight, this.reduction.weight.shape[0]);
    for (const parameter of this.norm ? [this.norm.weight, this.norm.bias] : []) turn(parameter, 1);
  }

  override forward(x: Tensor4D): Tensor3D {
    const covered = padCorner(x, { kernel: MERGED, stride: MERGED });
    const [n, h, w, c] = covered.shape;
    const [down, across] = [h / MERGED, w / MERGED];
    const rows = tf.transpose(tf.reshape(covered, [n * down, MERGED, across, MERGED * c]), [0, 2, 1, 3]);
    const merged = tf.reshape(rows, [n, down * across, MERGED ** 2 * c]);
    return this.reduction.forward(this.norm ? this.norm.forward(merged) : merged) as Tensor3D;
  }
}
