/** Numbers from ED-Pose's queries (MMPose: `EDPoseOutHead` of `edpose_head.py`, and what its decoder does with the same layers). */
import { readConfig, REQUIRED } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { Linear } from '../../../nn/linear.js';
import { Module, namedParameters } from '../../../nn/module.js';
import { gatherRows } from '../../../ops/gather_rows.js';
import { topIndices } from '../../../ops/top_indices.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor3D, Tensor4D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import { FFN, inverseSigmoid } from './transformers/utils.js';

type Config = Readonly<Record<string, unknown>>;

/** Queries and the boxes they stand for, centre and size as fractions of the picture. */
export interface Queries {
  /** [N, Q, C] */
  readonly query: Tensor3D;
  /** [N, Q, 4] */
  readonly boxes: Tensor3D;
}

/** The same by persons: [N, G, 1 or K, C] and [N, G, 1 or K, 4]. */
interface GroupedQueries {
  readonly query: Tensor4D;
  readonly boxes: Tensor4D;
}

/** What `head.decoder` says of the last layers, too. */
export interface BranchSizes {
  readonly embed_dims: number;
  readonly num_layers: number;
  /** Layers before there are keypoints. */
  readonly num_box_decoder_layers: number;
  /** Persons that keypoints are looked for. */
  readonly num_group: number;
  readonly num_keypoints: number;
}

interface OutHeadConfig {
  readonly num_classes: number;
  readonly cls_no_bias: boolean;
  readonly num_pred_layer: number;
}

/** @throws ConfigError */
export function readOutHeadConfig(config: Config, { num_layers: layers }: BranchSizes, where: string): OutHeadConfig {
  const cfg = readConfig<OutHeadConfig & Record<string, unknown>>(config, where, {
    ...{ num_classes: REQUIRED, cls_no_bias: false, num_pred_layer: 6, refine_queries_num: 100 },
    ...{ dec_pred_class_embed_share: false, dec_pred_bbox_embed_share: false, dec_pred_pose_embed_share: false },
  });
  checkCount(cfg.num_classes, `${where}.num_classes`);
  if (cfg.num_pred_layer !== layers) {
    throw new ConfigError(
      `${where}.num_pred_layer: found ${cfg.num_pred_layer}; expected ${layers}, as the decoder has layers.`,
    );
  }
  for (const key of Object.keys(cfg)) {
    if (key.startsWith('dec_pred_') && cfg[key]) {
      throw new ConfigError(
        `${where}.${key}: found ${JSON.stringify(cfg[key])}; expected false: each layer has its own.`,
      );
    }
  }
  return cfg;
}

/** The layers behind each decoder layer. Checkpoints have them twice, since MMPose's decoder holds them, too. */
export interface Branches {
  readonly bbox_embed: readonly FFN[];
  readonly class_embed: readonly Linear[];
  /** Of the layers with keypoints. */
  readonly pose_embed: readonly FFN[];
  readonly pose_hw_embed: readonly FFN[];
}

export function buildBranches(
  sizes: BranchSizes,
  { num_classes: classes, cls_no_bias: noBias }: OutHeadConfig,
): Branches {
  const { embed_dims: dims, num_layers: layers } = sizes;
  const poseLayers = layers - sizes.num_box_decoder_layers;
  const ffns = (count: number, outputs: number) => Array.from({ length: count }, () => new FFN(dims, dims, outputs, 3));
  return {
    bbox_embed: ffns(layers, 4),
    class_embed: Array.from({ length: layers }, () => new Linear(dims, classes, { bias: !noBias })),
    // With COCO's keypoints the first guess has a layer of its own, the last.
    pose_embed: ffns(sizes.num_keypoints === 17 ? poseLayers + 1 : poseLayers, 2),
    pose_hw_embed: ffns(poseLayers, 2),
  };
}

/** Lets go of parameters that only training reads, or that the checkpoint has twice. */
export function dropAll(modules: unknown): void {
  for (const parameter of namedParameters(modules).values()) parameter.drop();
}

export class EDPoseOutHead extends Module<Queries, Tensor[]> implements Branches {
  readonly bbox_embed: readonly FFN[];
  readonly class_embed: readonly Linear[];
  readonly pose_embed: readonly FFN[];
  readonly pose_hw_embed: readonly FFN[];
  readonly #sizes: BranchSizes;

  constructor(sizes: BranchSizes, config: OutHeadConfig) {
    super();
    const branches = buildBranches(sizes, config);
    this.bbox_embed = branches.bbox_embed;
    this.class_embed = branches.class_embed;
    this.pose_embed = branches.pose_embed;
    this.pose_hw_embed = branches.pose_hw_embed;
    this.#sizes = sizes;
  }

  /** Scores are wanted twice; and `pose_hw_embed` is one layer in MMPose, under several names, the last of which a checkpoint sets. */
  override prepare(): void {
    const { num_box_decoder_layers: boxLayers, num_layers: layers } = this.#sizes;
    dropAll(this.class_embed.filter((_, i) => i !== boxLayers - 1 && i !== layers - 1));
    dropAll(this.pose_hw_embed.slice(0, -1));
  }

  /** Boxes after layer `layer`, [N, Q, 4]. */
  refineBoxes(layer: number, { query, boxes }: Queries): Tensor3D {
    return tf.sigmoid(tf.add(this.bbox_embed[layer].forward(query), inverseSigmoid(boxes)));
  }

  /** The same for queries by persons, each followed by its keypoints. */
  refinePersons(layer: number, queries: Queries): Tensor3D {
    const [person, points] = this.#split(queries);
    const xy = this.#poseEmbed(layer).forward(points.query) as Tensor4D;
    const wh = this.pose_hw_embed.at(-1)!.forward(points.query) as Tensor4D;
    const moved: Tensor4D = tf.sigmoid(tf.add(tf.concat([xy, wh], 3), inverseSigmoid(points.boxes)));
    return tf.reshape(tf.concat([this.#personBoxes(layer, person), moved], 2), queries.boxes.shape);
  }

  /**
   * The best queries of layer `layer` as persons, each followed by its keypoints' first guess.
   *
   * @param embedding - what makes a person's query a keypoint's, [K, C]
   * @param sizes - of the keypoints' boxes against the person's, before the sigmoid, [K, 2]
   */
  expand(layer: number, { query, boxes }: Queries, embedding: Tensor2D, sizes: Tensor2D): Queries {
    const { num_group: groups, num_keypoints: k, embed_dims: dims } = this.#sizes;
    const n = query.shape[0];
    const scores: Tensor2D = tf.max(this.class_embed[layer].forward(query), 2);
    const best = topIndices({ scores }, { k: groups });
    const person = tf.reshape(gatherRows({ x: query, places: best }, {}), [n, groups, 1, dims]) as Tensor4D;
    const box = tf.reshape(gatherRows({ x: boxes, places: best }, {}), [n, groups, 1, 4]) as Tensor4D;
    const points: Tensor4D = tf.add(person, tf.reshape(embedding, [1, 1, k, dims]));
    const [centre, size] = tf.split<Tensor4D>(box, 2, 3);
    const first = k === 17 ? this.pose_embed.at(-1)! : this.pose_embed[0];
    const xy: Tensor4D = tf.sigmoid(tf.add(first.forward(points), inverseSigmoid(centre)));
    const wh: Tensor4D = tf.mul(tf.sigmoid(tf.reshape(sizes, [1, 1, k, 2])), size);
    const count = groups * (k + 1);
    return {
      query: tf.reshape(tf.concat([person, points], 2), [n, count, dims]),
      boxes: tf.reshape(tf.concat([box, tf.concat([xy, wh], 3)], 2), [n, count, 4]),
    };
  }

  /** Of the last layer logits [N, G, classes], boxes [N, G, 4], and x, y of the keypoints [N, G, 2 K], fractions. */
  override forward(queries: Queries): Tensor[] {
    const { num_layers: layers, num_group: groups, num_keypoints: k } = this.#sizes;
    const [person, points] = this.#split(queries);
    const n = queries.query.shape[0];
    const logits = this.class_embed[layers - 1].forward(person.query);
    const from = tf.slice(points.boxes, [0, 0, 0, 0], [n, groups, k, 2]);
    const xy = tf.sigmoid(tf.add(this.#poseEmbed(layers - 1).forward(points.query), inverseSigmoid(from)));
    return [
      tf.reshape(logits, [n, groups, logits.shape[3]!]),
      tf.reshape(this.#personBoxes(layers - 1, person), [n, groups, 4]),
      tf.reshape(xy, [n, groups, 2 * k]),
    ];
  }

  #personBoxes(layer: number, { query, boxes }: GroupedQueries): Tensor4D {
    return tf.sigmoid(tf.add(this.bbox_embed[layer].forward(query), inverseSigmoid(boxes)));
  }

  #poseEmbed(layer: number): FFN {
    return this.pose_embed[layer - this.#sizes.num_box_decoder_layers];
  }

  /** Persons and their keypoints. */
  #split({ query, boxes }: Queries): [person: GroupedQueries, points: GroupedQueries] {
    const { num_group: groups, num_keypoints: k, embed_dims: dims } = this.#sizes;
    const [person, points] = tf.split<Tensor4D>(tf.reshape(query, [-1, groups, k + 1, dims]), [1, k], 2);
    const [box, pointBoxes] = tf.split<Tensor4D>(tf.reshape(boxes, [-1, groups, k + 1, 4]), [1, k], 2);
    return [
      { query: person, boxes: box },
      { query: points, boxes: pointBoxes },
    ];
  }
}
