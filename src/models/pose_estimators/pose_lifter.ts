/** From 2-D poses to poses in space (MMPose: `mmpose/models/pose_estimators/pose_lifter.py`). */
import { ConfigError, InputError } from '../../errors.js';
import type { PoseDataSample } from '../../structures/pose_data_sample.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor4D } from '../../tf.js';
import type { BaseHead } from '../heads/base_head.js';
import { BasePoseEstimator, type Backbone, type Neck, type PoseEstimatorParts } from './base.js';

/** Its input is sequences, not pictures: [N, 1, T, C], C being all numbers of one frame's pose. */
export class PoseLifter extends BasePoseEstimator {
  /** What semi-supervised training adds, for the root's way through space. Its weights are in checkpoints; nothing of it runs here. */
  readonly traj_backbone: Backbone | null;
  readonly traj_neck: Neck | null;
  readonly traj_head: BaseHead | null;

  constructor(parts: PoseEstimatorParts) {
    super(parts);
    const { backbone = null, neck = null, head = null } = parts.trajectory ?? {};
    // Without a head MMPose builds none of them.
    this.traj_head = head;
    this.traj_backbone = head && backbone;
    this.traj_neck = head && neck;
  }

  /** Whether the pose that is found belongs to the last frame of a sequence, not to the one in the middle. */
  get causal(): boolean {
    return Boolean((this.backbone as { causal?: boolean }).causal);
  }

  /** Frames that one pose is made of; 1 where the backbone does not say. */
  get receptiveField(): number {
    return (this.backbone as { receptiveField?: number }).receptiveField ?? 1;
  }

  /**
   * @param x - [N, 1, T, C]
   * @param samples - one per sequence
   * @returns the samples with predInstances of one person each: keypoints [1, K, 3] around the root, in the dataset's unit
   * @throws InputError when their numbers differ, or for sequences that give more than one pose; ConfigError for a model without head
   *   or decoder
   */
  override async predict(x: Tensor4D, samples: readonly PoseDataSample[]): Promise<PoseDataSample[]> {
    const { head, testCfg } = this;
    if (!head) throw new ConfigError('model.head: found none; predict needs a head, or call forward(x, "tensor").');
    if (x.shape[0] !== samples.length || samples.length === 0) {
      throw new InputError(
        `predict: found ${samples.length} samples for ${x.shape[0]} sequences; expected one per sequence.`,
      );
    }
    const outputs = tf.tidy(() => head.predictTensors(this.extractFeat(x), samples, testCfg));
    requireOnePoseEach(outputs, x);
    const predictions = await head.readPredictions(outputs, testCfg);
    return samples.map((sample, i) => {
      const { keypoints, keypointScores } = predictions[i];
      const column = { data: Float32Array.from(keypoints.data), shape: keypoints.shape };
      const given = sample.predInstances ?? sample.gtInstances!;
      return {
        ...sample,
        predInstances: { ...given, keypoints: column, keypointScores, keypointsVisible: keypointScores },
      };
    });
  }
}

function requireOnePoseEach(outputs: readonly Tensor[], { shape: [n, , frames] }: Tensor4D): void {
  const poses = outputs[0].shape[0];
  if (poses === n) return;
  for (const output of outputs) output.dispose();
  throw new InputError(
    `predict: found ${poses / n} poses for a sequence of ${frames} frames; expected one: give as many frames as the network's receptive field.`,
  );
}
