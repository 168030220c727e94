/**
 * Associative embedding (MMPose: `mmpose/models/heads/heatmap_heads/ae_head.py`, https://arxiv.org/abs/1611.05424): heatmaps of everybody's
 * keypoints, and tag maps that say which keypoints belong together.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import type { Conv2d } from '../../../nn/conv.js';
import { chain, type Layers } from '../../../nn/module.js';
import type { PoseDataSample, SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import { aggregateHeatmaps, flipHeatmaps } from '../../utils/tta.js';
import { sampleOf, type HeadFeats } from '../base_head.js';
import { BottomupHead, requireFlipIndices, type PictureOutputs, type PicturePrediction } from '../bottomup_head.js';
import { deconvLayers, pairUp } from './deconv_layers.js';
import { convLayers, HEATMAP_LAYERS_SPEC } from './heatmap_head.js';

interface AEHeadConfig {
  readonly in_channels: number;
  readonly num_keypoints: number;
  readonly tag_dim: number;
  readonly tag_per_keypoint: boolean;
  readonly deconv_out_channels: readonly number[] | null;
  readonly deconv_kernel_sizes: readonly number[] | null;
  readonly conv_out_channels: readonly number[] | null;
  readonly conv_kernel_sizes: readonly number[] | null;
  readonly final_layer: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  num_keypoints: REQUIRED,
  tag_dim: 1,
  tag_per_keypoint: true,
  ...HEATMAP_LAYERS_SPEC,
  ...{ keypoint_loss: null, tag_loss: null, decoder: null },
};

/** Features [N, h, w, C] (the last of the list) -> heatmaps [N, h', w', K] and tags [N, h', w', L K or L]. */
export class AssociativeEmbeddingHead extends BottomupHead {
  readonly deconv_layers: Layers;
  readonly conv_layers: Layers;
  readonly final_layer: Conv2d | null;
  readonly #numKeypoints: number;
  readonly #tagDim: number;
  readonly #tagPerKeypoint: boolean;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<AEHeadConfig>(config, where, SPEC);
    const { in_channels: inChannels, num_keypoints: numKeypoints, tag_dim: tagDim } = cfg;
    checkCount(inChannels, `${where}.in_channels`);
    checkCount(numKeypoints, `${where}.num_keypoints`);
    checkCount(tagDim, `${where}.tag_dim`);
    this.#numKeypoints = numKeypoints;
    this.#tagDim = tagDim;
    this.#tagPerKeypoint = cfg.tag_per_keypoint;
    const outChannels = numKeypoints + tagDim * (cfg.tag_per_keypoint ? numKeypoints : 1);
    const { deconv_out_channels: deconvs, conv_out_channels: convs } = cfg;
    this.deconv_layers = deconvLayers(inChannels, pairUp(deconvs, cfg.deconv_kernel_sizes, `${where}.deconv`), where);
    const afterDeconv = deconvs?.at(-1) ?? inChannels;
    this.conv_layers = convLayers(afterDeconv, pairUp(convs, cfg.conv_kernel_sizes, `${where}.conv`));
    const afterConv = convs?.at(-1) ?? afterDeconv;
    this.final_layer = buildFinalLayer(cfg.final_layer, afterConv, outChannels, `${where}.final_layer`);
  }

  override forward(feats: HeadFeats): [heatmaps: Tensor4D, tags: Tensor4D] {
    return tf.tidy(() => {
      const x = feats[feats.length - 1] as Tensor4D;
      const maps = chain([this.deconv_layers, this.conv_layers, this.final_layer], x);
      const k = this.#numKeypoints;
      return tf.split<Tensor4D>(maps, [k, maps.shape[3] - k], 3) as [Tensor4D, Tensor4D];
    });
  }

  /** Both maps at the size that they are decoded at; with a flip test heatmaps are averaged, and tags get a second dimension. */
  override predictTensors(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const { metainfo } = samples[0];
    const { alignCorners, restoreHeatmapSize } = testCfg;
    const size = restoreHeatmapSize ? metainfo.inputSize : null;
    const [heatmaps, tags] = this.forward(feats).map((maps, i) =>
      testCfg.flipTest ? this.#withMirrored(maps, i === 1, metainfo, testCfg) : [maps],
    );
    return [
      aggregateHeatmaps(heatmaps, { size, alignCorners, mode: 'average' }),
      aggregateHeatmaps(tags, { size, alignCorners, mode: 'concat' }),
    ];
  }

  #withMirrored(maps: Tensor4D, areTags: boolean, meta: SampleMetainfo, { shiftHeatmap }: TestCfg): Tensor4D[] {
    const flipIndices = requireFlipIndices(meta, this.where);
    const [original, mirrored] = tf.split<Tensor4D>(maps, 2, 0);
    if (!areTags) return [original, flipHeatmaps(mirrored, { flipIndices, shiftHeatmap })];
    const partners = this.#tagPerKeypoint ? this.#tagPartners(flipIndices) : null;
    return [original, flipHeatmaps(mirrored, { flipIndices: partners, shiftHeatmap })];
  }

  /** Tag maps are sorted by dimension, then by keypoint. */
  #tagPartners(flipIndices: readonly number[]): number[] {
    const k = flipIndices.length;
    return Array.from({ length: k * this.#tagDim }, (_, c) => Math.floor(c / k) * k + flipIndices[c % k]);
  }

  override predictPicture({ outputs, testCfg }: PictureOutputs): Promise<PicturePrediction> {
    if (!this.decoder) {
      throw new ConfigError(`${this.where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const [heatmaps, tags] = outputs.map(({ data, shape }) => sampleOf(data, shape, 0));
    const decoded = this.decoder.decode(heatmaps, tags);
    const { instanceScores } = decoded as typeof decoded & { readonly instanceScores: NdArray };
    return Promise.resolve({
      keypoints: decoded.keypoints,
      keypointScores: decoded.scores,
      bboxScores: instanceScores,
      ...(testCfg.outputHeatmaps && { fields: { heatmaps } }),
    });
  }
}
