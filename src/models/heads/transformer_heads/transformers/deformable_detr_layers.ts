/**
 * Layers of Deformable DETR (MMPose: `transformer_heads/transformers/deformable_detr_layers.py`, https://arxiv.org/abs/2010.04159):
 * tokens that look at a few places of the maps, which they name themselves.
 */
import { readConfig } from '../../../../config.js';
import { ConfigError } from '../../../../errors.js';
import { Linear } from '../../../../nn/linear.js';
import { Module } from '../../../../nn/module.js';
import { buildLayerNorm, type LayerNorm, type NormCfg } from '../../../../nn/norm.js';
import { multiScaleDeformAttn } from '../../../../ops/multi_scale_deform_attn.js';
import * as tf from '../../../../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../../../../tf.js';
import { checkCount } from '../../../utils/conv_layer.js';
import type { FFN } from '../../../utils/ffn.js';
import type { Attend } from '../../../utils/multihead_attention.js';
import { buildFfn, ShortcutAttention } from '../../../utils/transformer.js';

type Config = Readonly<Record<string, unknown>>;

/** Sizes of the maps whose pixels are tokens, finest first. */
export type MapSizes = readonly (readonly [h: number, w: number])[];

/** Where tokens look from: points [*, Q, 2], or boxes [N, Q, 4] as centre and size; fractions of the picture. */
export type ReferencePoints = Tensor3D;

interface DeformableAttentionConfig {
  readonly embed_dims: number;
  readonly num_heads: number;
  readonly num_levels: number;
  readonly num_points: number;
  readonly value_proj_ratio: number;
}

/** mmcv's layer of this name, with its shortcut. All of every map is picture: nothing is masked. */
export class MultiScaleDeformableAttention extends Module<never, never> {
  readonly sampling_offsets: Linear;
  readonly attention_weights: Linear;
  readonly value_proj: Linear;
  readonly output_proj: Linear;
  readonly dims: number;
  readonly #heads: number;
  readonly #levels: number;
  readonly #points: number;

  constructor(config: Config, where: string) {
    super();
    const cfg = readConfig<DeformableAttentionConfig>(config, where, {
      ...{ embed_dims: 256, num_heads: 8, num_levels: 4, num_points: 4, value_proj_ratio: 1 },
      // Without effect here: training, and mmcv's own kernel.
      ...{ im2col_step: 64, dropout: 0.1, batch_first: true, norm_cfg: null },
    });
    const { embed_dims: dims, num_heads: heads, num_levels: levels, num_points: points } = cfg;
    for (const key of ['embed_dims', 'num_heads', 'num_levels', 'num_points'] as const) {
      checkCount(cfg[key], `${where}.${key}`);
    }
    const values = Math.trunc(dims * cfg.value_proj_ratio);
    if (dims % heads !== 0 || values % heads !== 0) {
      throw new ConfigError(
        `${where}.num_heads: found ${heads} heads for ${dims} channels; expected a divisor of the channels.`,
      );
    }
    this.sampling_offsets = new Linear(dims, heads * levels * points * 2);
    this.attention_weights = new Linear(dims, heads * levels * points);
    this.value_proj = new Linear(dims, values);
    this.output_proj = new Linear(values, dims);
    this.dims = dims;
    this.#heads = heads;
    this.#levels = levels;
    this.#points = points;
  }

  override forward(): never {
    throw new ConfigError('MultiScaleDeformableAttention: has no forward; call attend().');
  }

  /**
   * @param query - [N, Q, C]
   * @param positions - added to the queries, [1, Q, C] or [N, Q, C]
   * @param value - pixels of all maps, [N, S, C]
   */
  attend(query: Tensor3D, positions: Tensor3D, value: Tensor3D, from: ReferencePoints, maps: MapSizes): Tensor3D {
    if (maps.length !== this.#levels) {
      throw new ConfigError(
        `num_levels: found ${this.#levels} for ${maps.length} feature maps; expected as many as the neck gives.`,
      );
    }
    return tf.tidy(() => {
      const [n, queries] = query.shape;
      const places = this.#levels * this.#points;
      const placed: Tensor3D = tf.add(query, positions);
      const scores = tf.reshape(this.attention_weights.forward(placed), [n, queries, this.#heads, places]);
      const weights = tf.reshape(tf.softmax(scores, 3), [n, queries, this.#heads * places]) as Tensor3D;
      const locations = this.#locations(this.sampling_offsets.forward(placed), from, maps);
      const attrs = { heads: this.#heads, points: this.#points, maps };
      const seen = multiScaleDeformAttn(
        { value: this.value_proj.forward(value) as Tensor3D, locations, weights },
        attrs,
      );
      return tf.add(query, this.output_proj.forward(seen));
    });
  }

  /** Offsets count in pixels from a point, and in halves of its size, shared among the places, from a box. */
  #locations(offsets: Tensor, from: ReferencePoints, maps: MapSizes): Tensor3D {
    const [n, queries, count] = offsets.shape;
    const steps = tf.reshape(offsets, [n, queries, count / 2, 2]) as Tensor4D;
    const [points, sizes] = (from.shape[2] === 4 ? tf.split(from, 2, 2) : [from]).map((part) => tf.expandDims(part, 2));
    const scale = sizes ? tf.mul(sizes, 0.5 / this.#points) : this.#pixelSizes(maps);
    return tf.reshape(tf.add(tf.mul(steps, scale), points), [n, queries, count]);
  }

  /** [1, 1, heads levels points, 2] */
  #pixelSizes(maps: MapSizes): Tensor4D {
    const perHead = maps.flatMap(([h, w]) => Array.from({ length: this.#points }, () => [1 / w, 1 / h]).flat());
    const all = Array.from({ length: this.#heads }, () => perHead).flat();
    return tf.tensor4d(all, [1, 1, all.length / 2, 2]);
  }
}

interface LayerConfig {
  readonly self_attn_cfg: Config;
  readonly cross_attn_cfg: Config;
  readonly ffn_cfg: Config;
  readonly norm_cfg: NormCfg;
}

const LAYER_SPEC = { self_attn_cfg: { embed_dims: 256, num_heads: 8 }, ffn_cfg: {}, norm_cfg: { type: 'LN' } };

/** Pixels look at places of the maps they come from. */
class DeformableDetrTransformerEncoderLayer extends Module<never, never> {
  readonly self_attn: MultiScaleDeformableAttention;
  readonly ffn: FFN;
  readonly norms: readonly LayerNorm[];

  constructor(config: Config, where: string) {
    super();
    const cfg = readConfig<Omit<LayerConfig, 'cross_attn_cfg'>>(config, where, LAYER_SPEC);
    this.self_attn = new MultiScaleDeformableAttention(cfg.self_attn_cfg, `${where}.self_attn_cfg`);
    const { dims } = this.self_attn;
    this.ffn = buildFfn(cfg.ffn_cfg, dims, `${where}.ffn_cfg`);
    this.norms = Array.from({ length: 2 }, () => buildLayerNorm(cfg.norm_cfg, dims, `${where}.norm_cfg`));
  }

  override forward(): never {
    throw new ConfigError('DeformableDetrTransformerEncoderLayer: has no forward; call encode().');
  }

  encode(pixels: Tensor3D, positions: Tensor3D, from: ReferencePoints, maps: MapSizes): Tensor3D {
    return tf.tidy(() => {
      const seen = this.norms[0].forward(this.self_attn.attend(pixels, positions, pixels, from, maps)) as Tensor3D;
      return this.norms[1].forward(this.ffn.forward(seen)) as Tensor3D;
    });
  }
}

/** Encoder layers one after the other. */
export class DeformableDetrTransformerEncoder extends Module<never, never> {
  readonly layers: readonly DeformableDetrTransformerEncoderLayer[];
  readonly dims: number;

  constructor(config: Config, where: string) {
    super();
    const cfg = readConfig<{ num_layers: number; layer_cfg: Config }>(config, where, { num_layers: 6, layer_cfg: {} });
    checkCount(cfg.num_layers, `${where}.num_layers`);
    this.layers = Array.from(
      { length: cfg.num_layers },
      () => new DeformableDetrTransformerEncoderLayer(cfg.layer_cfg, `${where}.layer_cfg`),
    );
    this.dims = this.layers[0].self_attn.dims;
  }

  override forward(): never {
    throw new ConfigError('DeformableDetrTransformerEncoder: has no forward; call encode().');
  }

  /** pixels [N, S, C], of all maps one after the other; positions [1, S, C] */
  encode(pixels: Tensor3D, positions: Tensor3D, maps: MapSizes): Tensor3D {
    return tf.tidy(() => {
      const from = pixelCentres(maps);
      return this.layers.reduce((x, layer) => {
        const next = layer.encode(x, positions, from, maps);
        if (x !== pixels) x.dispose();
        return next;
      }, pixels);
    });
  }
}

/** The middle of each pixel, [1, S, 2] x, y, fractions. */
export function pixelCentres(maps: MapSizes): Tensor3D {
  const centres = maps.flatMap(([h, w]) =>
    Array.from({ length: h * w }, (_, i) => [((i % w) + 0.5) / w, (Math.floor(i / w) + 0.5) / h]).flat(),
  );
  return tf.tensor3d(centres, [1, centres.length / 2, 2]);
}

/** What the queries of a decoder look at. */
export interface Memory {
  /** Encoded pixels of all maps, [N, S, C]. */
  readonly pixels: Tensor3D;
  readonly maps: MapSizes;
}

/** Queries look at each other, then at the maps. */
export class DeformableDetrTransformerDecoderLayer extends Module<never, never> {
  readonly self_attn: ShortcutAttention;
  readonly cross_attn: MultiScaleDeformableAttention;
  readonly ffn: FFN;
  readonly norms: readonly LayerNorm[];

  constructor(config: Config, where: string) {
    super();
    const cfg = readConfig<LayerConfig>(config, where, { ...LAYER_SPEC, cross_attn_cfg: {} });
    this.self_attn = ShortcutAttention.fromConfig(cfg.self_attn_cfg, `${where}.self_attn_cfg`);
    const { dims } = this.self_attn;
    this.cross_attn = new MultiScaleDeformableAttention(cfg.cross_attn_cfg, `${where}.cross_attn_cfg`);
    if (this.cross_attn.dims !== dims) {
      throw new ConfigError(
        `${where}.cross_attn_cfg.embed_dims: found ${this.cross_attn.dims}; expected ${dims}, as in self_attn_cfg.`,
      );
    }
    this.ffn = buildFfn(cfg.ffn_cfg, dims, `${where}.ffn_cfg`);
    this.norms = Array.from({ length: 3 }, () => buildLayerNorm(cfg.norm_cfg, dims, `${where}.norm_cfg`));
  }

  override forward(): never {
    throw new ConfigError('DeformableDetrTransformerDecoderLayer: has no forward; call decode().');
  }

  /** query and positions [N, Q, C] -> [N, Q, C]; `look`: which queries look at which */
  decode(query: Tensor3D, positions: Tensor3D, from: ReferencePoints, memory: Memory, look?: Attend): Tensor3D {
    const [first, second, third] = this.norms;
    return tf.tidy(() => {
      const among = first.forward(this.self_attn.forward(query, positions, look)) as Tensor3D;
      const { pixels, maps } = memory;
      const seen = second.forward(this.cross_attn.attend(among, positions, pixels, from, maps)) as Tensor3D;
      return third.forward(this.ffn.forward(seen)) as Tensor3D;
    });
  }
}
