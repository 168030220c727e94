/**
 * Pyramid Vision Transformer and its second version, from MMPose's `backbones/pvt.py` (https://arxiv.org/abs/2102.12122,
 * https://arxiv.org/abs/2106.13797). Between the layers pictures are tokens [N, h w, C], which is NHWC with one axis less.
 * Not here: weights of the original repository, which MMPose converts when training starts.
 */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Act, type ActCfg } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { chain, Module, Parameter, type Feats, type Layers } from '../../nn/module.js';
import { buildLayerNorm, type LayerNorm, type NormCfg } from '../../nn/norm.js';
import { resize } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { MultiheadAttention } from '../utils/multihead_attention.js';
import { PatchEmbed } from '../utils/patch_embed.js';
import { toMap, toTokens, type Size } from '../utils/tokens.js';
import { readOutIndices } from './utils/read_out_indices.js';

interface PVTConfig {
  readonly pretrain_img_size: number | Size;
  readonly in_channels: number;
  readonly embed_dims: number;
  readonly num_stages: number;
  readonly num_layers: readonly number[];
  readonly num_heads: readonly number[];
  readonly patch_sizes: readonly number[];
  readonly strides: readonly number[];
  readonly paddings: readonly number[];
  readonly sr_ratios: readonly number[];
  readonly mlp_ratios: readonly number[];
  readonly out_indices: readonly number[];
  readonly qkv_bias: boolean;
  readonly use_abs_pos_embed: boolean;
  readonly norm_after_stage: boolean;
  readonly use_conv_ffn: boolean;
  readonly act_cfg: ActCfg;
  readonly norm_cfg: NormCfg;
}

/** Keys that both versions take. */
const COMMON = {
  pretrain_img_size: 224,
  in_channels: 3,
  embed_dims: 64,
  num_stages: 4,
  num_layers: [3, 4, 6, 3],
  num_heads: [1, 2, 5, 8],
  strides: [4, 2, 2, 2],
  sr_ratios: [8, 4, 2, 1],
  mlp_ratios: [8, 8, 4, 4],
  out_indices: [0, 1, 2, 3],
  qkv_bias: true,
  act_cfg: { type: 'GELU' },
  norm_cfg: { type: 'LN', eps: 1e-6 },
  convert_weights: true,
};

/** What the second version settles, with the first version's defaults. */
const FIRST = {
  patch_sizes: [4, 2, 2, 2],
  paddings: [0, 0, 0, 0],
  use_abs_pos_embed: true,
  norm_after_stage: false,
  use_conv_ffn: false,
};

const SECOND: typeof FIRST = {
  patch_sizes: [7, 3, 3, 3],
  paddings: [3, 1, 1, 1],
  use_abs_pos_embed: false,
  norm_after_stage: true,
  use_conv_ffn: true,
};

const PER_STAGE = ['num_layers', 'num_heads', 'patch_sizes', 'strides', 'paddings', 'sr_ratios', 'mlp_ratios'] as const;

/** Tokens of stage i: patches, then the blocks (the first may be the position embedding), then a norm. */
type Stage = readonly [PatchEmbed, readonly Block[], LayerNorm | null];
type Block = AbsolutePositionEmbedding | PVTEncoderLayer;

/** Input [N, H, W, 3], output one map [N, h, w, embed_dims num_heads[i]] per entry of `out_indices`. */
export class PyramidVisionTransformer extends Module<Tensor4D, Feats> {
  readonly layers: readonly Stage[];
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readPVTConfig(config, where);
    this.layers = cfg.num_layers.map((_, i) => stageOf(cfg, i, where));
    this.#outIndices = readOutIndices(cfg.out_indices, cfg.num_stages, where);
  }

  override forward(x: Tensor4D): Feats {
    return tf.tidy(() => {
      const outs: Tensor4D[] = [];
      let map = x;
      for (const [i, stage] of this.layers.entries()) {
        const next = runStage(stage, map);
        if (map !== x && !outs.includes(map)) map.dispose();
        map = next;
        if (this.#outIndices.includes(i)) outs.push(map);
      }
      return outs;
    });
  }
}

/** Overlapping patches, no position embedding, a norm after each stage, and a depthwise convolution in each feed-forward. */
export class PyramidVisionTransformerV2 extends PyramidVisionTransformer {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    const given = readConfig(config, where, COMMON);
    super({ ...given, ...SECOND }, where);
  }
}

function readPVTConfig(config: Readonly<Record<string, unknown>>, where: string): PVTConfig {
  const cfg = readConfig<PVTConfig>(config, where, { ...COMMON, ...FIRST });
  for (const key of PER_STAGE) {
    const list: unknown = cfg[key];
    if (!Array.isArray(list) || list.length !== cfg.num_stages) {
      throw new ConfigError(`${where}.${key}: found ${JSON.stringify(list)}; expected ${cfg.num_stages} numbers.`);
    }
    // A padding may be 0.
    if (key !== 'paddings') for (const [i, count] of list.entries()) checkCount(count, `${where}.${key}.${i}`);
  }
  checkCount(cfg.in_channels, `${where}.in_channels`);
  checkCount(cfg.embed_dims, `${where}.embed_dims`);
  return cfg;
}

function stageOf(cfg: PVTConfig, i: number, where: string): Stage {
  const width = cfg.embed_dims * cfg.num_heads[i];
  const before = i === 0 ? cfg.in_channels : cfg.embed_dims * cfg.num_heads[i - 1];
  const norm = () => buildLayerNorm(cfg.norm_cfg, width, `${where}.norm_cfg`);
  const patches = { kernel: cfg.patch_sizes[i], stride: cfg.strides[i], padding: cfg.paddings[i] };
  const blocks = Array.from({ length: cfg.num_layers[i] }, () => new PVTEncoderLayer(cfg, i, width, where));
  const position = cfg.use_abs_pos_embed ? [new AbsolutePositionEmbedding(pretrainedSize(cfg, i), width)] : [];
  return [
    new PatchEmbed(before, width, patches, norm()),
    [...position, ...blocks],
    cfg.norm_after_stage ? norm() : null,
  ];
}

/** Size of the position embedding: that of the stage's map for a picture of `pretrain_img_size`. */
function pretrainedSize(cfg: PVTConfig, i: number): Size {
  const [h, w] = typeof cfg.pretrain_img_size === 'number' ? [cfg.pretrain_img_size] : cfg.pretrain_img_size;
  const patch = cfg.patch_sizes.slice(0, i + 1).reduce((product, size) => product * size, 1);
  return [Math.floor(h / patch), Math.floor((w ?? h) / patch)];
}

function runStage([embed, blocks, norm]: Stage, map: Tensor4D): Tensor4D {
  const size = embed.size(map);
  return tf.tidy(() => {
    let tokens = tf.tidy(() => embed.forward(map));
    for (const block of blocks) {
      const next = tf.tidy(() => block.forward(tokens, size));
      tokens.dispose();
      tokens = next;
    }
    return toMap(norm ? (norm.forward(tokens) as Tensor3D) : tokens, size);
  });
}

/** Adds a learned value per position, resized to the map at hand. */
class AbsolutePositionEmbedding extends Module<Tensor3D, Tensor3D> {
  readonly pos_embed: Parameter;
  readonly #size: Size;

  constructor(size: Size, channels: number) {
    super();
    this.#size = size;
    this.pos_embed = new Parameter([1, size[0] * size[1], channels]);
  }

  override prepare(): void {
    this.pos_embed.upload(undefined, [1, ...this.#size, this.pos_embed.shape[2]]);
  }

  override forward(tokens: Tensor3D, size: Size = this.#size): Tensor3D {
    const channels = tokens.shape[2];
    const resized = resize(this.pos_embed.tensor as Tensor4D, size, { mode: 'bilinear' });
    return tf.add(tokens, tf.reshape(resized, [1, size[0] * size[1], channels]));
  }
}

/** Attention and feed-forward, each behind a norm and beside a shortcut. */
class PVTEncoderLayer extends Module<Tensor3D, Tensor3D> {
  readonly norm1: LayerNorm;
  readonly attn: SpatialReductionAttention;
  readonly norm2: LayerNorm;
  readonly ffn: MixFFN;

  constructor(cfg: PVTConfig, stage: number, width: number, where: string) {
    super();
    const norm = () => buildLayerNorm(cfg.norm_cfg, width, `${where}.norm_cfg`);
    this.norm1 = norm();
    this.attn = new SpatialReductionAttention(cfg, stage, width, where);
    this.norm2 = norm();
    this.ffn = new MixFFN(width, cfg.mlp_ratios[stage] * width, cfg.act_cfg, cfg.use_conv_ffn);
  }

  override forward(x: Tensor3D, size: Size = [x.shape[1], 1]): Tensor3D {
    const y = tf.add(x, this.attn.forward(this.norm1.forward(x) as Tensor3D, size));
    return tf.add(y, this.ffn.forward(this.norm2.forward(y) as Tensor3D, size));
  }
}

/** Keys and values come from a map that is `sr_ratio` times smaller in each direction. */
class SpatialReductionAttention extends Module<Tensor3D, Tensor3D> {
  readonly attn: MultiheadAttention;
  readonly sr: Conv2d | null;
  readonly norm: LayerNorm | null;

  constructor(cfg: PVTConfig, stage: number, width: number, where: string) {
    super();
    const ratio = cfg.sr_ratios[stage];
    this.attn = new MultiheadAttention(
      width,
      cfg.num_heads[stage],
      { bias: cfg.qkv_bias },
      `${where}.num_heads.${stage}`,
    );
    this.sr = ratio > 1 ? new Conv2d(width, width, ratio, { stride: ratio }) : null;
    this.norm = ratio > 1 ? buildLayerNorm(cfg.norm_cfg, width, `${where}.norm_cfg`) : null;
  }

  override forward(x: Tensor3D, size: Size = [x.shape[1], 1]): Tensor3D {
    if (!this.sr || !this.norm) return this.attn.forward(x);
    const reduced = toTokens(this.sr.forward(toMap(x, size)));
    return this.attn.forward(x, this.norm.forward(reduced) as Tensor3D);
  }
}

/** Two 1 x 1 convolutions; in the second version a depthwise one between them tells positions apart. */
class MixFFN extends Module<Tensor3D, Tensor3D> {
  /** At PyTorch's places: `null` where it has its dropouts. */
  readonly layers: Layers;

  constructor(width: number, hidden: number, actCfg: ActCfg, useConv: boolean) {
    super();
    const depthwise = new Conv2d(hidden, hidden, 3, { padding: 1, groups: hidden });
    this.layers = [
      new Conv2d(width, hidden, 1),
      ...(useConv ? [depthwise] : []),
      new Act(actCfg),
      null,
      new Conv2d(hidden, width, 1),
    ];
  }

  override forward(x: Tensor3D, size: Size = [x.shape[1], 1]): Tensor3D {
    return toTokens(chain(this.layers, toMap(x, size)));
  }
}
