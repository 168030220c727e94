/**
 * Coordinate regression (DeepPose, Toshev & Szegedy 2014; MMPose: `mmpose/models/heads/regression_heads/regression_head.py`): one
 * fully connected layer.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { InputError } from '../../../errors.js';
import { Linear } from '../../../nn/linear.js';
import type { SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor3D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { checkCount } from '../../utils/conv_layer.js';
import { flipCoordinates } from '../../utils/tta.js';
import { BaseHead, type HeadFeats } from '../base_head.js';

const SPEC = { in_channels: REQUIRED, num_joints: REQUIRED, decoder: null };

/** Features [N, C] (the last of the list) -> coordinates [N, K, 2], as fractions of the input. */
export class RegressionHead extends BaseHead {
  readonly fc: Linear;
  readonly #numJoints: number;
  readonly #columns: number;

  /** @param columns - values per keypoint: x and y, and in subclasses their sigmas */
  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head', columns = 2) {
    super(decoder, where);
    const cfg = readConfig<{ in_channels: number; num_joints: number }>(config, where, SPEC);
    checkCount(cfg.in_channels, `${where}.in_channels`);
    checkCount(cfg.num_joints, `${where}.num_joints`);
    this.#numJoints = cfg.num_joints;
    this.#columns = columns;
    this.fc = new Linear(cfg.in_channels, cfg.num_joints * columns);
  }

  override forward(feats: HeadFeats): [coords: Tensor3D] {
    const x = flattenFeatures(feats[feats.length - 1]);
    return [tf.reshape(this.fc.forward(x), [x.shape[0], this.#numJoints, this.#columns])];
  }

  protected override unflip([coords]: [Tensor3D], meta: SampleMetainfo, testCfg: TestCfg): [Tensor3D] {
    return [flipCoordinates(coords, meta.flipIndices, testCfg.shiftCoords, meta.inputSize)];
  }
}

/** `torch.flatten(x, 1)`: maps are flattened in NCHW order, in which the weights were trained. */
function flattenFeatures(x: Tensor): Tensor2D {
  const [n] = x.shape;
  if (x.shape.length === 2) return x as Tensor2D;
  if (x.shape.length !== 4)
    throw new InputError(`RegressionHead: found features [${x.shape}]; expected [N, C] or [N, h, w, C].`);
  return tf.reshape(tf.transpose(x, [0, 3, 1, 2]), [n, -1]);
}
