/**
 * ED-Pose (MMPose: `mmpose/models/heads/transformer_heads/edpose_head.py`, https://arxiv.org/abs/2302.01593): a deformable transformer
 * from maps to persons, without anchors and without suppression. Only as MMPose publishes it, in two stages: the first queries are
 * the best pixels.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import type { DecodedBoxes } from '../../../codecs/edpose_label.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError, InputError } from '../../../errors.js';
import { ndarray, type NdArray } from '../../../ndarray.js';
import { Linear } from '../../../nn/linear.js';
import { Parameter } from '../../../nn/module.js';
import { LayerNorm } from '../../../nn/norm.js';
import { gatherRows } from '../../../ops/gather_rows.js';
import { topIndices } from '../../../ops/top_indices.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor3D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { BottomupHead, type PictureOutputs, type PicturePrediction } from '../bottomup_head.js';
import { EDPoseDecoder, readDecoderConfig } from './edpose_decoder.js';
import { buildBranches, dropAll, EDPoseOutHead, readOutHeadConfig, type Queries } from './edpose_out_head.js';
import { DeformableDetrTransformerEncoder, type MapSizes } from './transformers/deformable_detr_layers.js';
import { proposalsOf } from './transformers/proposals.js';
import { Embedding, FFN, PositionEmbeddingSineHW } from './transformers/utils.js';

type Config = Readonly<Record<string, unknown>>;

interface EDPoseHeadConfig {
  readonly num_queries: number;
  readonly num_feature_levels: number;
  readonly num_keypoints: number;
  readonly as_two_stage: boolean;
  readonly dec_pred_class_embed_share: boolean;
  readonly dec_pred_bbox_embed_share: boolean;
  readonly encoder: Config;
  readonly decoder: Config;
  readonly out_head: Config;
  readonly positional_encoding: Config;
  readonly denosing_cfg: { readonly dn_labelbook_size: number };
}

const SPEC = {
  num_queries: 100,
  num_feature_levels: 4,
  num_keypoints: 17,
  as_two_stage: false,
  encoder: REQUIRED,
  decoder: REQUIRED,
  out_head: REQUIRED,
  positional_encoding: REQUIRED,
  denosing_cfg: REQUIRED,
  // Built by the builder.
  data_decoder: null,
  dec_pred_class_embed_share: false,
  dec_pred_bbox_embed_share: false,
  // Without effect here: training.
  ...{ refine_queries_num: 100, two_stage_keep_all_tokens: false },
};

/** Maps of the neck, finest first -> logits [N, G, classes], boxes [N, G, 4] and x, y of the keypoints [N, G, 2 K], fractions. */
export class EDPoseHead extends BottomupHead {
  readonly encoder: DeformableDetrTransformerEncoder;
  readonly out_head: EDPoseOutHead;
  /** Only training reads it. */
  readonly label_enc: Embedding;
  /** [levels, C] */
  readonly level_embed: Parameter;
  readonly memory_trans_fc: Linear;
  readonly memory_trans_norm: LayerNorm;
  readonly enc_out_bbox_embed: FFN;
  readonly enc_out_class_embed: Linear;
  readonly #decoder: EDPoseDecoder;
  readonly #codec: KeypointCodec | null;
  readonly #numQueries: number;
  readonly #positions: PositionEmbeddingSineHW;

  /** @param codec - of `data_decoder` */
  constructor(config: ConfigDict, codec: KeypointCodec | null = null, where = 'model.head') {
    super(null, where);
    const cfg = readConfig<EDPoseHeadConfig>(config, where, SPEC);
    checkHeadConfig(cfg, where);
    const sizes = readDecoderConfig(cfg.decoder, cfg.num_keypoints, `${where}.decoder`);
    const dims = sizes.embed_dims;
    this.encoder = new DeformableDetrTransformerEncoder(cfg.encoder, `${where}.encoder`);
    const outHead = readOutHeadConfig(cfg.out_head, sizes, `${where}.out_head`);
    this.out_head = new EDPoseOutHead(sizes, outHead);
    this.#decoder = new EDPoseDecoder(sizes, buildBranches(sizes, outHead), `${where}.decoder`);
    // The checkpoint's name for it. What other heads call so, the codec, is `data_decoder` here.
    (this as { decoder: unknown }).decoder = this.#decoder;
    this.#codec = codec;
    this.#numQueries = cfg.num_queries;
    this.#positions = new PositionEmbeddingSineHW(cfg.positional_encoding, `${where}.positional_encoding`);
    checkWidths({ decoder: dims, encoder: this.encoder.dims, positional_encoding: this.#positions.channels }, where);
    this.label_enc = new Embedding(cfg.denosing_cfg.dn_labelbook_size + 1, dims);
    this.level_embed = new Parameter([cfg.num_feature_levels, dims]);
    this.memory_trans_fc = new Linear(dims, dims);
    this.memory_trans_norm = new LayerNorm(dims);
    this.enc_out_bbox_embed = new FFN(dims, dims, 4, 3);
    this.enc_out_class_embed = new Linear(dims, outHead.num_classes, { bias: !outHead.cls_no_bias });
  }

  /** MMPose masks them; its published model has none. */
  override get takesMargins(): boolean {
    return false;
  }

  override prepare(): void {
    this.level_embed.upload();
    dropAll(this.label_enc);
  }

  /** @throws InputError for a picture with fewer pixels of maps than the model has queries */
  override forward(feats: HeadFeats): Tensor[] {
    const maps = feats.map(({ shape }) => [shape[1]!, shape[2]!] as const);
    const total = maps.reduce((sum, [h, w]) => sum + h * w, 0);
    if (total < this.#numQueries) {
      throw new InputError(
        `${this.where}: found ${total} pixels of feature maps for ${this.#numQueries} queries; expected a larger picture.`,
      );
    }
    return tf.tidy(() => {
      const pixels = tf.concat(
        feats.map((map) => tf.reshape(map, [map.shape[0], -1, map.shape[3]!]) as Tensor3D),
        1,
      );
      const memory = { pixels: this.encoder.encode(pixels, this.#positionsOf(maps), maps), maps };
      const queries = this.#decoder.decode(this.#firstQueries(memory.pixels, maps), memory, this.out_head);
      return this.out_head.forward(queries);
    });
  }

  /** Per pixel where it is, and on which map, [1, S, C]. */
  #positionsOf(maps: MapSizes): Tensor3D {
    const levels = tf.split(this.level_embed.tensor as Tensor2D, maps.length, 0);
    const tables = maps.map(([h, w], i) =>
      tf.add(tf.tensor2d(this.#positions.table(h, w), [h * w, this.#positions.channels]), levels[i]),
    );
    return tf.expandDims(tf.concat(tables, 0), 0);
  }

  /** The pixels that look most like a person. */
  #firstQueries(memory: Tensor3D, maps: MapSizes): Queries {
    const { logits, counts } = proposalsOf(maps);
    const [n, total] = memory.shape;
    const inside = tf.mul(memory, tf.tensor3d(counts, [1, total, 1]));
    const pixels = this.memory_trans_norm.forward(this.memory_trans_fc.forward(inside)) as Tensor3D;
    const scores: Tensor2D = tf.max(this.enc_out_class_embed.forward(pixels), 2);
    const best = topIndices({ scores }, { k: this.#numQueries });
    const query = gatherRows({ x: pixels, places: best }, {});
    const proposals = tf.tile(tf.tensor3d(logits, [1, total, 4]), [n, 1, 1]);
    const moved = tf.add(this.enc_out_bbox_embed.forward(query), gatherRows({ x: proposals, places: best }, {}));
    return { query, boxes: tf.sigmoid(moved) as Tensor3D };
  }

  override predictPicture({ outputs: [logits, boxes, points], sample }: PictureOutputs): Promise<PicturePrediction> {
    if (!this.#codec) {
      throw new ConfigError(
        `${this.where}.data_decoder: found none; expected the config of a codec, to decode keypoints.`,
      );
    }
    const [w, h] = sample.metainfo.inputSize;
    const scores = { data: logits.data.map((x) => 1 / (1 + Math.exp(-x))), shape: logits.shape.slice(1) };
    const rows = ({ data, shape }: NdArray): NdArray => ({ data, shape: shape.slice(1) });
    const size = ndarray(Float32Array.of(h, w), [2]);
    const found = this.#codec.decode(size, scores, rows(boxes), rows(points)) as DecodedBoxes;
    return Promise.resolve({ keypoints: found.keypoints, keypointScores: found.scores, bboxes: found.bboxes });
  }
}

function checkHeadConfig(cfg: EDPoseHeadConfig, where: string): void {
  for (const key of ['num_queries', 'num_feature_levels', 'num_keypoints'] as const) {
    checkCount(cfg[key], `${where}.${key}`);
  }
  checkCount(cfg.denosing_cfg.dn_labelbook_size, `${where}.denosing_cfg.dn_labelbook_size`);
  for (const key of ['as_two_stage', 'dec_pred_class_embed_share', 'dec_pred_bbox_embed_share'] as const) {
    const expected = key === 'as_two_stage';
    if (cfg[key] === expected) continue;
    throw new ConfigError(`${where}.${key}: found ${cfg[key]}; expected ${expected}, as MMPose publishes it.`);
  }
}

/** @throws ConfigError unless all parts have the decoder's width */
function checkWidths(widths: Readonly<Record<string, number>>, where: string): void {
  for (const [part, width] of Object.entries(widths)) {
    if (width === widths.decoder) continue;
    throw new ConfigError(`${where}.${part}: found ${width} channels; expected ${widths.decoder}, as in decoder.`);
  }
}
