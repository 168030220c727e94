/** MotionBERT's head (https://arxiv.org/abs/2210.06551; MMPose: `mmpose/models/heads/regression_heads/motion_regression_head.py`). */
import type { KeypointCodec } from '../../../codecs/base.js';
import { USUAL_FACTOR } from '../../../codecs/motionbert_label.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import { Linear } from '../../../nn/linear.js';
import { Module } from '../../../nn/module.js';
import type { SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { checkCount } from '../../utils/conv_layer.js';
import { flipCoordinates } from '../../utils/tta.js';
import type { HeadFeats, HeadPrediction } from '../base_head.js';
import { LiftingHead } from './lifting_head.js';

interface MotionRegressionHeadConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly embedding_size: number;
}

const SPEC = { in_channels: REQUIRED, out_channels: 3, embedding_size: 512, decoder: null };

class PreLogits extends Module<Tensor, Tensor> {
  readonly fc: Linear;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.fc = new Linear(inChannels, outChannels);
  }

  override forward(x: Tensor): Tensor {
    return tf.tanh(this.fc.forward(x));
  }
}

/** Features [N, T, K, C] -> poses [N, T, K, out_channels]. */
export class MotionRegressionHead extends LiftingHead {
  readonly pre_logits: PreLogits;
  readonly fc: Linear;
  readonly #channels: number;
  readonly #where: string;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<MotionRegressionHeadConfig>(config, where, SPEC);
    for (const key of ['in_channels', 'out_channels', 'embedding_size'] as const)
      checkCount(cfg[key], `${where}.${key}`);
    this.#channels = cfg.out_channels;
    this.#where = where;
    this.pre_logits = new PreLogits(cfg.in_channels, cfg.embedding_size);
    this.fc = new Linear(cfg.embedding_size, cfg.out_channels);
  }

  override forward(feats: HeadFeats): [poses: Tensor4D] {
    const x = feats[feats.length - 1] as Tensor4D;
    const [n, t, k, c] = x.shape;
    const hidden = this.pre_logits.forward(tf.reshape(x, [n * t, k, c]));
    return [tf.reshape(this.fc.forward(hidden), [n, t, k, this.#channels])];
  }

  /** [N, T, K * out_channels]: one row per frame. */
  protected override predictOutputs(feats: HeadFeats): Tensor[] {
    const [poses] = this.forward(feats);
    const [n, t, k, c] = poses.shape;
    return [tf.reshape(poses, [n, t, k * c])];
  }

  protected override unflip([poses]: [Tensor3D], { flipIndices }: SampleMetainfo, testCfg: TestCfg): [Tensor3D] {
    const [n, t, columns] = poses.shape;
    const single: Tensor3D = tf.reshape(poses, [n * t, columns / this.#channels, this.#channels]);
    return [tf.reshape(flipCoordinates(single, flipIndices, testCfg.shiftCoords, [1, 1]), poses.shape)];
  }

  /** @param encoded - [1, T, K * out_channels] */
  override decodeSequence({ data, shape: [, t, columns] }: NdArray, { imgShape }: SampleMetainfo): HeadPrediction {
    if (!this.decoder) {
      throw new ConfigError(`${this.#where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const encoded = { data, shape: [t, columns / this.#channels, this.#channels] };
    const one = (value: number): NdArray => ({ data: Float32Array.of(value), shape: [1] });
    const [h, w] = imgShape;
    const { keypoints, scores } = this.decoder.decode(encoded, one(w), one(h), one(USUAL_FACTOR));
    return { keypoints, keypointScores: scores };
  }
}
