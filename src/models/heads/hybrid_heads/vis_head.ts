/**
 * Visibility beside keypoints (MMPose: `mmpose/models/heads/hybrid_heads/vis_head.py`): any top-down head, and one fully connected
 * layer that says how likely each keypoint can be seen.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import { Linear } from '../../../nn/linear.js';
import { globalAvgPool } from '../../../nn/pool.js';
import type { PoseDataSample, SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { checkCount } from '../../utils/conv_layer.js';
import { flipVisibility } from '../../utils/tta.js';
import { BaseHead, type HeadFeats, type HeadPrediction } from '../base_head.js';

interface VisPredictHeadConfig {
  readonly pose_cfg: ConfigDict;
  readonly pose_head: BaseHead;
}

/** Features [N, h, w, C] or [N, C] (the last of the list) -> the outputs of the pose head, then visibilities [N, K]. */
export class VisPredictHead extends BaseHead {
  readonly pose_head: BaseHead;
  /** At PyTorch's place in its sequence: after the pooling and the flattening. */
  readonly vis_head: readonly [null, null, Linear];
  /** Whether `forward` gives probabilities; otherwise logits, and a flip test takes the mean of these. */
  readonly #useSigmoid: boolean;

  /** @param config - with the head of `pose_cfg` as `pose_head`, built: `buildHead` does that */
  constructor(config: ConfigDict, _decoder: KeypointCodec | null = null, where = 'model.head') {
    const cfg = readConfig<VisPredictHeadConfig>(config, where, { pose_cfg: REQUIRED, pose_head: REQUIRED });
    super(cfg.pose_head.decoder, where);
    const { in_channels: inChannels, num_joints: numJoints, out_channels: outChannels } = cfg.pose_cfg;
    const numKeypoints = numJoints ?? outChannels;
    checkCount(inChannels, `${where}.pose_cfg.in_channels`);
    checkCount(numKeypoints, `${where}.pose_cfg.${numJoints == null ? 'out_channels' : 'num_joints'}`);
    this.pose_head = cfg.pose_head;
    this.vis_head = [null, null, new Linear(inChannels, numKeypoints)];
    this.#useSigmoid = readUseSigmoid(config.loss, `${where}.loss`);
  }

  override forward(feats: HeadFeats): Tensor[] {
    return [...this.pose_head.forward(feats), this.#visibility(feats)];
  }

  #visibility(feats: HeadFeats): Tensor2D {
    const x = feats[feats.length - 1];
    const pooled = x.shape.length === 4 ? tf.reshape(globalAvgPool(x as Tensor4D), [x.shape[0], x.shape[3]]) : x;
    const y = this.vis_head[2].forward(pooled) as Tensor2D;
    return this.#useSigmoid ? tf.sigmoid(y) : y;
  }

  /** The pose head's own prediction, then probabilities [N, K]. */
  override predictTensors(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const pose = this.pose_head.predictTensors(feats, samples, testCfg);
    let visible: Tensor2D = this.#visibility(feats);
    if (testCfg.flipTest) {
      const [original, flipped] = tf.split<Tensor2D>(visible, 2, 0);
      const [mirrored] = this.unflip([flipped], samples[0].metainfo);
      visible = tf.mul(tf.add(original, mirrored), 0.5);
    }
    return [...pose, this.#useSigmoid ? visible : tf.sigmoid(visible)];
  }

  /** Of the visibilities alone: the pose head turns what is its own. */
  protected override unflip([visible]: [Tensor2D], meta: SampleMetainfo): [Tensor2D] {
    return [flipVisibility(visible, meta.flipIndices)];
  }

  /** The scores stay those of the pose head. */
  override decodeOutputs(outputs: readonly NdArray[], testCfg: TestCfg): HeadPrediction[] {
    const { data, shape } = outputs[outputs.length - 1];
    const k = shape[1];
    return this.pose_head.decodeOutputs(outputs.slice(0, -1), testCfg).map((prediction, n) => ({
      ...prediction,
      keypointsVisible: { data: data.slice(n * k, (n + 1) * k), shape: [1, k] },
    }));
  }
}

/** The loss says whether the network ends in a sigmoid; MMPose's default loss does, a loss that does not say it does not. */
function readUseSigmoid(loss: unknown, where: string): boolean {
  if (loss === undefined || loss === null) return true;
  const { use_sigmoid: value = false } = loss as Readonly<Record<string, unknown>>;
  if (typeof value === 'boolean') return value;
  throw new ConfigError(`${where}.use_sigmoid: found ${JSON.stringify(value)}; expected true or false.`);
}
