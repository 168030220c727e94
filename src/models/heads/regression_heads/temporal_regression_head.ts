/**
 * Poses in space from features of sequences (VideoPose3D, https://arxiv.org/abs/1811.11742; MMPose:
 * `mmpose/models/heads/regression_heads/temporal_regression_head.py`, `trajectory_regression_head.py`): one convolution per frame.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { zeros, type NdArray } from '../../../ndarray.js';
import { Conv1d } from '../../../nn/conv1d.js';
import * as tf from '../../../tf.js';
import type { Tensor3D, Tensor4D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats, HeadPrediction } from '../base_head.js';
import { LiftingHead } from './lifting_head.js';

const SPEC = { in_channels: REQUIRED, num_joints: REQUIRED, decoder: null };

/** Features [N, 1, T, C] (the last of the list) -> poses [N * T, K, 3], relative to the root. */
export class TemporalRegressionHead extends LiftingHead {
  readonly conv: Conv1d;
  readonly #numJoints: number;
  readonly #where: string;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<{ in_channels: number; num_joints: number }>(config, where, SPEC);
    checkCount(cfg.in_channels, `${where}.in_channels`);
    checkCount(cfg.num_joints, `${where}.num_joints`);
    this.#numJoints = cfg.num_joints;
    this.#where = where;
    this.conv = new Conv1d(cfg.in_channels, 3 * cfg.num_joints, 1);
  }

  override forward(feats: HeadFeats): [poses: Tensor3D] {
    const y = this.conv.forward(feats[feats.length - 1] as Tensor4D);
    // MMPose reshapes [N, 3 K, T] and so mixes frames where there are several; published models give one.
    const channelsFirst = y.shape[2] === 1 ? y : tf.transpose(y, [0, 1, 3, 2]);
    return [tf.reshape(channelsFirst, [-1, this.#numJoints, 3])];
  }

  /** @param encoded - [1, K, 3]. The root lies in the origin, since nobody knows where it is. */
  override decodeSequence(encoded: NdArray): HeadPrediction {
    if (!this.decoder) {
      throw new ConfigError(`${this.#where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const { keypoints, scores } = this.decoder.decode(encoded, zeros([encoded.shape[0], 3]));
    return { keypoints, keypointScores: scores };
  }

  protected override unflip(): never {
    throw new ConfigError(
      `${this.#where}: found test_cfg.flip_test; expected none: MMPose does not mirror for this head.`,
    );
  }
}

/** A head of the same shape for the root's way through space, which training needs (`traj_head`). */
export class TrajectoryRegressionHead extends TemporalRegressionHead {}
