/**
 * DSTFormer, MotionBERT's dual-stream transformer, from MMPose's `backbones/dstformer.py` (https://arxiv.org/abs/2210.06551): attention
 * among the keypoints of a frame and among the frames of a keypoint, in both orders, and a mean of both that the network weighs.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { InputError } from '../../errors.js';
import { Act } from '../../nn/act.js';
import { Linear } from '../../nn/linear.js';
import { chain, Module, Parameter, type Feats, type Layers } from '../../nn/module.js';
import { LayerNorm } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { SelfAttention } from '../utils/self_attention.js';

interface DSTFormerConfig {
  readonly in_channels: number;
  readonly feat_size: number;
  readonly depth: number;
  readonly num_heads: number;
  readonly mlp_ratio: number;
  readonly num_keypoints: number;
  readonly seq_len: number;
  readonly qkv_bias: boolean;
  readonly qk_scale: number | null;
  readonly att_fuse: boolean;
}

const SPEC = {
  in_channels: REQUIRED,
  feat_size: 256,
  depth: 5,
  num_heads: 8,
  mlp_ratio: 4,
  num_keypoints: 17,
  seq_len: 243,
  qkv_bias: true,
  qk_scale: null,
  drop_rate: 0,
  attn_drop_rate: 0,
  drop_path_rate: 0,
  att_fuse: true,
};

const EPS = { eps: 1e-6 };

/** `nn.Sequential(Linear, GELU, Linear)` */
type Mlp = readonly [Linear, Act, Linear];

/** Tokens among the keypoints of each frame, [N T, K, C], and among the frames of each keypoint. */
class AttentionBlock extends Module {
  readonly norm1_s: LayerNorm;
  readonly norm1_t: LayerNorm;
  readonly attn_s: SelfAttention;
  readonly attn_t: SelfAttention;
  readonly norm2_s: LayerNorm;
  readonly norm2_t: LayerNorm;
  readonly mlp_s: Mlp;
  readonly mlp_t: Mlp;
  readonly #order: 'st' | 'ts';

  constructor(cfg: DSTFormerConfig, order: 'st' | 'ts', where: string) {
    super();
    const { feat_size: dims, num_heads: heads, mlp_ratio, qkv_bias: bias, qk_scale: scale } = cfg;
    const hidden = Math.trunc(dims * mlp_ratio);
    const norm = () => new LayerNorm(dims, EPS);
    const attention = () => new SelfAttention(dims, heads, { bias, scale }, `${where}.num_heads`);
    const mlp = (): Mlp => [new Linear(dims, hidden), new Act({ type: 'GELU' }), new Linear(hidden, dims)];
    this.#order = order;
    [this.norm1_s, this.norm1_t, this.norm2_s, this.norm2_t] = [norm(), norm(), norm(), norm()];
    [this.attn_s, this.attn_t] = [attention(), attention()];
    [this.mlp_s, this.mlp_t] = [mlp(), mlp()];
  }

  /** @param x - [N, T, K, C] */
  override forward(x: Tensor4D): Tensor4D {
    const [first, second] = this.#order === 'st' ? [this.#spatial, this.#temporal] : [this.#temporal, this.#spatial];
    return tf.tidy(() => second(first(x)));
  }

  readonly #spatial = (x: Tensor4D): Tensor4D => {
    const [n, t, k, c] = x.shape;
    const tokens: Tensor3D = tf.reshape(x, [n * t, k, c]);
    return tf.reshape(this.#attend(tokens, this.norm1_s, this.attn_s, [this.norm2_s, ...this.mlp_s]), x.shape);
  };

  readonly #temporal = (x: Tensor4D): Tensor4D => {
    const [n, t, k, c] = x.shape;
    const tokens: Tensor3D = tf.reshape(tf.transpose(x, [0, 2, 1, 3]), [n * k, t, c]);
    const seen = this.#attend(tokens, this.norm1_t, this.attn_t, [this.norm2_t, ...this.mlp_t]);
    return tf.transpose(tf.reshape(seen, [n, k, t, c]), [0, 2, 1, 3]);
  };

  #attend(tokens: Tensor3D, norm: LayerNorm, attention: SelfAttention, mlp: Layers): Tensor3D {
    const attended: Tensor3D = tf.add(tokens, attention.forward(norm.forward(tokens) as Tensor3D));
    return tf.add(attended, chain<Tensor>([mlp], attended));
  }
}

/** Input [N, T, K, in_channels], up to `seq_len` frames; output one sequence [N, T, K, feat_size]. */
export class DSTFormer extends Module<Tensor4D, Feats> {
  readonly joints_embed: Linear;
  readonly blocks_st: readonly AttentionBlock[];
  readonly blocks_ts: readonly AttentionBlock[];
  readonly norm: LayerNorm;
  readonly temp_embed: Parameter;
  readonly spat_embed: Parameter;
  readonly attn_regress: readonly Linear[];
  readonly #cfg: DSTFormerConfig;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<DSTFormerConfig>(config, where, SPEC);
    for (const key of ['in_channels', 'feat_size', 'depth', 'num_keypoints', 'seq_len'] as const) {
      checkCount(cfg[key], `${where}.${key}`);
    }
    const { feat_size: dims, depth, num_keypoints: k, seq_len: frames } = cfg;
    const blocks = (order: 'st' | 'ts') => Array.from({ length: depth }, () => new AttentionBlock(cfg, order, where));
    this.#cfg = cfg;
    this.joints_embed = new Linear(cfg.in_channels, dims);
    this.blocks_st = blocks('st');
    this.blocks_ts = blocks('ts');
    this.norm = new LayerNorm(dims, EPS);
    this.temp_embed = new Parameter([1, frames, 1, dims]);
    this.spat_embed = new Parameter([1, k, dims]);
    this.attn_regress = cfg.att_fuse ? Array.from({ length: depth }, () => new Linear(2 * dims, 2)) : [];
  }

  override prepare(): void {
    this.temp_embed.upload();
    this.spat_embed.upload();
  }

  override forward(x: Tensor4D): Feats {
    return tf.tidy(() => {
      let y = this.#embed(x);
      for (let i = 0; i < this.#cfg.depth; i++) y = this.#layer(y, i);
      return [this.norm.forward(y) as Tensor4D];
    });
  }

  /** Poses as tokens, with their places in the skeleton and in time. */
  #embed(x: Tensor4D): Tensor4D {
    const [n, t, k, c] = x.shape;
    const { seq_len: frames, num_keypoints: keypoints, feat_size: dims } = this.#cfg;
    if (t > frames || k !== keypoints) {
      throw new InputError(
        `DSTFormer: found ${t} frames of ${k} keypoints; expected up to ${frames} (seq_len) of ${keypoints} (num_keypoints).`,
      );
    }
    const tokens = tf.add(this.joints_embed.forward(tf.reshape(x, [n * t, k, c])), this.spat_embed.tensor);
    const times = tf.slice(this.temp_embed.tensor as Tensor4D, [0, 0, 0, 0], [1, t, 1, dims]);
    return tf.add(tf.reshape(tokens, [n, t, k, dims]), times);
  }

  #layer(x: Tensor4D, i: number): Tensor4D {
    return tf.tidy(() => {
      const [st, ts] = [this.blocks_st[i].forward(x) as Tensor4D, this.blocks_ts[i].forward(x) as Tensor4D];
      if (!this.#cfg.att_fuse) return tf.mul(tf.add(st, ts), 0.5);
      const [n, t, k, c] = x.shape;
      const both: Tensor3D = tf.reshape(tf.concat([st, ts], 3), [n * t, k, 2 * c]);
      const share = tf.softmax(this.attn_regress[i].forward(both));
      const [a, b] = tf.split(tf.reshape(share, [n, t, k, 2]), 2, 3);
      return tf.add(tf.mul(st, a), tf.mul(ts, b)) as Tensor4D;
    });
  }
}
