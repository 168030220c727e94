/**
 * ED-Pose's decoder (MMPose: `EDPoseDecoder` of `edpose_head.py`): queries become boxes; the best of them are joined by a query per
 * keypoint, and both are refined together.
 */
import { readConfig } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { Linear } from '../../../nn/linear.js';
import { Module } from '../../../nn/module.js';
import { LayerNorm } from '../../../nn/norm.js';
import { sineEmbedding } from '../../../ops/sine_embedding.js';
import * as tf from '../../../tf.js';
import type { Tensor3D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import { dropAll, type Branches, type BranchSizes, type EDPoseOutHead, type Queries } from './edpose_out_head.js';
import { DeformableDetrTransformerDecoderLayer, type Memory } from './transformers/deformable_detr_layers.js';
import { lookInGroups } from './transformers/group_attention.js';
import { Embedding, FFN } from './transformers/utils.js';

type Config = Readonly<Record<string, unknown>>;

/** A read `head.decoder`. */
export interface DecoderConfig extends BranchSizes {
  readonly layer_cfg: Config;
}

/** @throws ConfigError */
export function readDecoderConfig(config: Config, numKeypoints: number, where: string): DecoderConfig {
  const cfg = readConfig<DecoderConfig & { query_dim: number; return_intermediate: boolean }>(config, where, {
    ...{ layer_cfg: {}, num_layers: 6, embed_dims: 256, query_dim: 4, num_box_decoder_layers: 2, num_group: 100 },
    // Without effect here: outputs of all layers and queries with noise, for training; the number of maps, which the layers say, too.
    ...{ return_intermediate: true, num_dn: 100, num_feature_levels: 1 },
  });
  for (const key of ['num_layers', 'embed_dims', 'num_box_decoder_layers', 'num_group'] as const) {
    checkCount(cfg[key], `${where}.${key}`);
  }
  if (cfg.query_dim !== 4) throw new ConfigError(`${where}.query_dim: found ${cfg.query_dim}; expected 4, for boxes.`);
  if (cfg.num_box_decoder_layers >= cfg.num_layers) {
    throw new ConfigError(
      `${where}.num_box_decoder_layers: found ${cfg.num_box_decoder_layers}; expected less than num_layers, ${cfg.num_layers}.`,
    );
  }
  return { ...cfg, num_keypoints: numKeypoints };
}

export class EDPoseDecoder extends Module<never, never> implements Branches {
  readonly layers: readonly DeformableDetrTransformerDecoderLayer[];
  readonly norm: LayerNorm;
  readonly ref_point_head: FFN;
  /** Sizes of the keypoints' boxes against the person's. */
  readonly hw: Embedding;
  readonly keypoint_embed: Embedding;
  /** The head's, once more. */
  readonly bbox_embed: readonly FFN[];
  readonly pose_embed: readonly FFN[];
  readonly pose_hw_embed: readonly FFN[];
  readonly class_embed: readonly Linear[];
  readonly #config: DecoderConfig;

  /** @param branches - names for what the checkpoint has twice; the head's are used */
  constructor(cfg: DecoderConfig, branches: Branches, where: string) {
    super();
    const { embed_dims: dims, num_keypoints: k } = cfg;
    this.layers = Array.from(
      { length: cfg.num_layers },
      () => new DeformableDetrTransformerDecoderLayer(cfg.layer_cfg, `${where}.layer_cfg`),
    );
    if (this.layers[0].self_attn.dims !== dims) {
      throw new ConfigError(
        `${where}.embed_dims: found ${dims}; expected ${this.layers[0].self_attn.dims}, as in layer_cfg.`,
      );
    }
    this.norm = new LayerNorm(dims);
    this.ref_point_head = new FFN(2 * dims, dims, dims, 2);
    this.hw = new Embedding(k, 2);
    this.keypoint_embed = new Embedding(k, dims);
    this.bbox_embed = branches.bbox_embed;
    this.pose_embed = branches.pose_embed;
    this.pose_hw_embed = branches.pose_hw_embed;
    this.class_embed = branches.class_embed;
    this.#config = cfg;
  }

  override prepare(): void {
    dropAll([this.bbox_embed, this.pose_embed, this.pose_hw_embed, this.class_embed]);
  }

  override forward(): never {
    throw new ConfigError('EDPoseDecoder: has no forward; call decode().');
  }

  /** What comes out of the last layer, and the boxes that went into it; persons, each followed by its keypoints. */
  decode(first: Queries, memory: Memory, outHead: EDPoseOutHead): Queries {
    const last = this.layers.length - 1;
    return tf.tidy(() => {
      let queries = first;
      for (let i = 0; i < last; i++) {
        const before = queries;
        queries = tf.tidy(() => this.#refine(i, { ...before, query: this.#run(i, before, memory) }, outHead));
        if (before !== first) tf.dispose([before.query, before.boxes]);
      }
      const query = this.norm.forward(this.#run(last, queries, memory)) as Tensor3D;
      return { query, boxes: queries.boxes };
    }) as Queries;
  }

  #run(layer: number, { query, boxes }: Queries, memory: Memory): Tensor3D {
    const { num_box_decoder_layers: boxLayers, num_keypoints: k, embed_dims: dims } = this.#config;
    const [x, y, size] = tf.split<Tensor3D>(boxes, [1, 1, 2], 2);
    const sines = sineEmbedding({ positions: tf.concat([y, x, size], 2) }, { features: dims / 2, temperature: 10000 });
    const positions = this.ref_point_head.forward(sines) as Tensor3D;
    const look = layer < boxLayers ? undefined : lookInGroups(k + 1);
    return this.layers[layer].decode(query, positions, boxes, memory, look);
  }

  #refine(layer: number, queries: Queries, outHead: EDPoseOutHead): Queries & tf.TensorContainerObject {
    const { num_box_decoder_layers: boxLayers } = this.#config;
    if (layer >= boxLayers) return { query: queries.query, boxes: outHead.refinePersons(layer, queries) };
    const refined = { query: queries.query, boxes: outHead.refineBoxes(layer, queries) };
    if (layer < boxLayers - 1) return refined;
    return { ...outHead.expand(layer, refined, this.keypoint_embed.table, this.hw.table) };
  }
}
