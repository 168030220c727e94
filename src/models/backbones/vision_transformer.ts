/**
 * Vision Transformer as mmpretrain's `backbones/vision_transformer.py` has it (https://arxiv.org/abs/2010.11929), the backbone of
 * ViTPose. Not here: class tokens and outputs other than maps, which no pose config asks for, and other picture sizes than
 * `img_size`.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { chain, Module, Parameter, type Feats } from '../../nn/module.js';
import { buildLayerNorm, type LayerNorm, type NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { FFN } from '../utils/ffn.js';
import { PatchEmbed, patchCounts, type Patches } from '../utils/patch_embed.js';
import { SelfAttention } from '../utils/self_attention.js';
import { toMap, type Size } from '../utils/tokens.js';
import { readOutIndices } from './utils/read_out_indices.js';

interface Arch {
  readonly embed_dims: number;
  readonly num_layers: number;
  readonly num_heads: number;
  readonly feedforward_channels: number;
}

interface ViTConfig {
  readonly arch: Arch;
  readonly img_size: Size;
  readonly patches: Patches;
  readonly in_channels: number;
  readonly out_indices: readonly number[];
  readonly qkv_bias: boolean;
  readonly norm_cfg: NormCfg;
  readonly final_norm: boolean;
}

const arch = (dims: number, layers: number, heads: number, hidden: number): Arch => {
  return { embed_dims: dims, num_layers: layers, num_heads: heads, feedforward_channels: hidden };
};

/** mmpretrain's names, the first one each; the rest are in `ALIASES`. */
const ARCHS: Readonly<Record<string, Arch>> = {
  small: arch(768, 8, 8, 2304),
  base: arch(768, 12, 12, 3072),
  large: arch(1024, 24, 16, 4096),
  huge: arch(1280, 32, 16, 5120),
  'deit-tiny': arch(192, 12, 3, 768),
  'deit-small': arch(384, 12, 6, 1536),
  'deit-base': arch(768, 12, 12, 3072),
};

const ALIASES: Readonly<Record<string, string>> = {
  ...{ s: 'small', b: 'base', l: 'large', h: 'huge' },
  ...{ 'deit-t': 'deit-tiny', 'deit-s': 'deit-small', 'deit-b': 'deit-base' },
  ...{ 'dinov2-s': 'deit-small', 'dinov2-small': 'deit-small' },
};

const SPEC = {
  arch: 'base',
  img_size: 224,
  patch_size: 16,
  in_channels: 3,
  out_indices: -1,
  qkv_bias: true,
  norm_cfg: { type: 'LN', eps: 1e-6 },
  final_norm: true,
  out_type: 'cls_token',
  with_cls_token: true,
  interpolate_mode: 'bicubic',
  layer_scale_init_value: 0,
  patch_cfg: {},
  layer_cfgs: {},
  pre_norm: false,
  // Of mmcls, before `out_type` took its place.
  output_cls_token: true,
};

/** Input [N, H, W, 3], output one map [N, h, w, embed_dims] per entry of `out_indices`, by default the last layer's. */
export class VisionTransformer extends Module<Tensor4D, Feats> {
  readonly patch_embed: PatchEmbed;
  readonly pos_embed: Parameter;
  readonly layers: readonly TransformerEncoderLayer[];
  readonly ln1: LayerNorm | null;
  readonly #size: Size;
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readViTConfig(config, where);
    const { embed_dims: dims, num_layers: depth } = cfg.arch;
    this.#size = patchCounts(cfg.img_size, cfg.patches);
    this.#outIndices = cfg.out_indices;
    this.patch_embed = new PatchEmbed(cfg.in_channels, dims, cfg.patches, null);
    this.pos_embed = new Parameter([1, this.#size[0] * this.#size[1], dims]);
    this.layers = Array.from({ length: depth }, () => new TransformerEncoderLayer(cfg, where));
    this.ln1 = cfg.final_norm ? buildLayerNorm(cfg.norm_cfg, dims, `${where}.norm_cfg`) : null;
  }

  override prepare(): void {
    this.pos_embed.upload();
  }

  override forward(x: Tensor4D): Feats {
    return tf.tidy(() => {
      const outs: Tensor4D[] = [];
      let tokens = tf.tidy(() => this.#embed(x));
      for (const [i, layer] of this.layers.entries()) {
        const isLast = i === this.layers.length - 1;
        const next = chain<Tensor3D>([layer, isLast ? this.ln1 : null], tokens);
        tokens.dispose();
        tokens = next;
        if (this.#outIndices.includes(i)) outs.push(toMap(tokens, this.#size));
      }
      return outs;
    });
  }

  /** Patches with their positions. */
  #embed(x: Tensor4D): Tensor3D {
    const [found, expected] = [this.patch_embed.size(x), this.#size];
    if (found.join() !== expected.join()) {
      throw new InputError(
        `VisionTransformer: found a picture of ${found.join(' x ')} patches; expected ${expected.join(' x ')}, those of img_size.`,
      );
    }
    return tf.add(this.patch_embed.forward(x), this.pos_embed.tensor as Tensor3D);
  }
}

function readViTConfig(config: Readonly<Record<string, unknown>>, where: string): ViTConfig {
  const cfg = readConfig<Record<keyof typeof SPEC, unknown>>(config, where, SPEC);
  for (const [key, value] of [
    ['with_cls_token', false],
    ['layer_scale_init_value', 0],
    ['pre_norm', false],
  ] as const) {
    if (cfg[key] !== value) {
      throw new ConfigError(`${where}.${key}: found ${JSON.stringify(cfg[key])}; only ${value} is supported.`);
    }
  }
  if (cfg.out_type !== 'featmap' && cfg.output_cls_token !== false) {
    throw new ConfigError(`${where}.out_type: found ${JSON.stringify(cfg.out_type)}; only "featmap" is supported.`);
  }
  readConfig(cfg.layer_cfgs as Record<string, unknown>, `${where}.layer_cfgs`, {});
  checkCount(cfg.in_channels, `${where}.in_channels`);
  const layers = readArch(cfg.arch, `${where}.arch`);
  const indices = (Array.isArray(cfg.out_indices) ? cfg.out_indices : [cfg.out_indices]) as readonly number[];
  return {
    arch: layers,
    img_size: readSize(cfg.img_size, `${where}.img_size`),
    patches: readPatches(cfg.patch_cfg as Record<string, unknown>, cfg.patch_size, where),
    in_channels: cfg.in_channels,
    out_indices: readOutIndices(indices, layers.num_layers, where, true),
    qkv_bias: cfg.qkv_bias as boolean,
    norm_cfg: cfg.norm_cfg as NormCfg,
    final_norm: cfg.final_norm as boolean,
  };
}

function readArch(value: unknown, where: string): Arch {
  if (typeof value !== 'string') {
    const keys = { embed_dims: REQUIRED, num_layers: REQUIRED, num_heads: REQUIRED, feedforward_channels: REQUIRED };
    const own = readConfig<Arch>(value as Record<string, unknown>, where, keys);
    for (const [key, count] of Object.entries(own)) checkCount(count, `${where}.${key}`);
    return own;
  }
  const name = value.toLowerCase();
  const known = ARCHS[ALIASES[name] ?? name];
  if (known) return known;
  throw new ConfigError(`${where}: found "${value}"; expected one of ${Object.keys(ARCHS).join(', ')}.`);
}

function readPatches(patchCfg: Readonly<Record<string, unknown>>, size: unknown, where: string): Patches {
  checkCount(size, `${where}.patch_size`);
  const { padding } = readConfig<{ padding: unknown }>(patchCfg, `${where}.patch_cfg`, { padding: 'corner' });
  if (padding === 'corner' || (Number.isInteger(padding) && (padding as number) >= 0)) {
    return { kernel: size, stride: size, padding: padding as number | 'corner' };
  }
  throw new ConfigError(
    `${where}.patch_cfg.padding: found ${JSON.stringify(padding)}; expected a whole number from 0, or "corner".`,
  );
}

function readSize(value: unknown, where: string): Size {
  const size = Array.isArray(value) && value.length === 2 ? value : [value, value];
  for (const length of size) checkCount(length, where);
  return size as unknown as Size;
}

/** Attention and feed-forward, each behind a norm and beside a shortcut. */
class TransformerEncoderLayer extends Module<Tensor3D, Tensor3D> {
  readonly ln1: LayerNorm;
  readonly attn: SelfAttention;
  readonly ln2: LayerNorm;
  readonly ffn: FFN;

  constructor(cfg: ViTConfig, where: string) {
    super();
    const { embed_dims: dims, num_heads: heads, feedforward_channels: hidden } = cfg.arch;
    const norm = () => buildLayerNorm(cfg.norm_cfg, dims, `${where}.norm_cfg`);
    this.ln1 = norm();
    this.attn = new SelfAttention(dims, heads, { bias: cfg.qkv_bias }, `${where}.arch.num_heads`);
    this.ln2 = norm();
    this.ffn = new FFN(dims, hidden, { type: 'GELU' });
  }

  override forward(x: Tensor3D): Tensor3D {
    return tf.tidy(() => {
      const y: Tensor3D = tf.add(x, this.attn.forward(this.ln1.forward(x) as Tensor3D));
      return this.ffn.forward(this.ln2.forward(y) as Tensor3D, y);
    });
  }
}
