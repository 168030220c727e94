/**
 * Both hands in space: a volume per keypoint, the depth between the hands, and which of them there are (InterNet,
 * https://arxiv.org/abs/2008.09309; MMPose: `mmpose/models/heads/heatmap_heads/internet_head.py`).
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import type { Hand3DHeatmap } from '../../../codecs/hand_3d_heatmap.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import { Act } from '../../../nn/act.js';
import type { Conv2d } from '../../../nn/conv.js';
import { Linear } from '../../../nn/linear.js';
import { chain, Module, type Layers } from '../../../nn/module.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor4D } from '../../../tf.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import { BaseHead, type HeadFeats, type HeadPrediction } from '../base_head.js';
import { deconvLayers, pairUp } from './deconv_layers.js';
import { HEATMAP_LAYERS_SPEC } from './heatmap_head.js';

const SPEC = { keypoint_head_cfg: REQUIRED, root_head_cfg: REQUIRED, hand_type_head_cfg: REQUIRED, decoder: null };

/** [N, h, w, C] -> [N, 8 h, 8 w, K * depth]: the planes of each keypoint one behind the other. */
class Heatmap3DHead extends Module<Tensor4D, Tensor4D> {
  readonly deconv_layers: Layers;
  readonly final_layer: Conv2d | null;

  constructor(config: ConfigDict, where: string) {
    super();
    const { conv_out_channels: _c, conv_kernel_sizes: _k, ...layers } = HEATMAP_LAYERS_SPEC;
    const spec = { in_channels: REQUIRED, out_channels: REQUIRED, depth_size: 64, ...layers };
    const cfg = readConfig<{
      readonly in_channels: number;
      readonly out_channels: number;
      readonly depth_size: number;
      readonly deconv_out_channels: readonly number[] | null;
      readonly deconv_kernel_sizes: readonly number[] | null;
      readonly final_layer: Readonly<Record<string, unknown>> | null;
    }>(config, where, spec);
    for (const key of ['in_channels', 'out_channels', 'depth_size'] as const) checkCount(cfg[key], `${where}.${key}`);
    if (cfg.out_channels % cfg.depth_size !== 0) {
      throw new ConfigError(
        `${where}.out_channels: found ${cfg.out_channels}; expected a multiple of depth_size, ${cfg.depth_size}.`,
      );
    }
    const { deconv_out_channels: deconvs } = cfg;
    this.deconv_layers = deconvLayers(
      cfg.in_channels,
      pairUp(deconvs, cfg.deconv_kernel_sizes, `${where}.deconv`),
      where,
    );
    const channels = deconvs?.at(-1) ?? cfg.in_channels;
    this.final_layer = buildFinalLayer(cfg.final_layer, channels, cfg.out_channels, `${where}.final_layer`);
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain([this.deconv_layers, this.final_layer], x);
  }
}

/** Fully connected layers with ReLU between them, [N, C] -> [N, outputs]. */
class LinearLayers extends Module<Tensor2D, Tensor2D> {
  readonly fc: Layers;

  constructor(config: ConfigDict, outputs: 'heatmap_size' | 'num_labels', where: string) {
    super();
    const spec = { in_channels: 2048, [outputs]: outputs === 'num_labels' ? 2 : 64, hidden_dims: [512] };
    const cfg = readConfig<Record<string, number> & { readonly hidden_dims: readonly number[] }>(config, where, spec);
    const sizes = [cfg.in_channels, ...cfg.hidden_dims, cfg[outputs]];
    for (const size of sizes) checkCount(size, where);
    this.fc = sizes.slice(1).flatMap((size, i) => {
      const linear = new Linear(sizes[i], size);
      return i === sizes.length - 2 ? [linear] : [linear, new Act({ type: 'ReLU' })];
    });
  }

  override forward(x: Tensor2D): Tensor2D {
    return chain<Tensor>(this.fc, x) as Tensor2D;
  }
}

/** Features [N, h, w, C] (the last of the list) -> volumes [N, H, W, K * d] of both hands, depth [N, 1] in bins, types [N, 2]. */
export class InternetHead extends BaseHead {
  readonly right_hand_head: Heatmap3DHead;
  readonly left_hand_head: Heatmap3DHead;
  readonly root_head: LinearLayers;
  readonly hand_type_head: LinearLayers;
  readonly #where: string;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<Record<string, ConfigDict>>(config, where, SPEC);
    this.#where = where;
    this.right_hand_head = new Heatmap3DHead(cfg.keypoint_head_cfg, `${where}.keypoint_head_cfg`);
    this.left_hand_head = new Heatmap3DHead(cfg.keypoint_head_cfg, `${where}.keypoint_head_cfg`);
    this.root_head = new LinearLayers(cfg.root_head_cfg, 'heatmap_size', `${where}.root_head_cfg`);
    this.hand_type_head = new LinearLayers(cfg.hand_type_head_cfg, 'num_labels', `${where}.hand_type_head_cfg`);
  }

  override forward(feats: HeadFeats): [volumes: Tensor4D, depth: Tensor2D, type: Tensor2D] {
    const x = feats[feats.length - 1] as Tensor4D;
    const hands = tf.concat([this.right_hand_head.forward(x), this.left_hand_head.forward(x)], 3);
    const pooled = tf.mean<Tensor2D>(x, [1, 2]);
    return [hands, this.#depth(this.root_head.forward(pooled)), this.hand_type_head.forward(pooled)];
  }

  /** The mean bin of a soft argmax. */
  #depth(scores: Tensor2D): Tensor2D {
    const bins = tf.tensor1d(Array.from({ length: scores.shape[1] }, (_, i) => i));
    return tf.sum(tf.mul(tf.softmax(scores), bins), 1, true);
  }

  protected override decode(encoded: NdArray[]): HeadPrediction {
    if (!this.decoder) {
      throw new ConfigError(`${this.#where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const [volumes, depth, type] = encoded;
    const { keypoints, scores, relRootDepth, handType } = (this.decoder as Hand3DHeatmap).decode(volumes, depth, type);
    return { keypoints, keypointScores: scores, columns: { relRootDepth, handType } };
  }

  protected override unflip(): never {
    throw new ConfigError(
      `${this.#where}: found test_cfg.flip_test; expected none: MMPose's flip test gives both hands the same type.`,
    );
  }
}
