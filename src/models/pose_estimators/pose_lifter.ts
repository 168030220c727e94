/** From 2-D poses to poses in space (MMPose: `mmpose/models/pose_estimators/pose_lifter.py`). */
import { ConfigError, InputError } from '../../errors.js';
import { readTensor } from '../../backend/readback.js';
import { row, type NdArray } from '../../ndarray.js';
import type { PoseDataSample } from '../../structures/pose_data_sample.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../../tf.js';
import type { BaseHead, HeadPrediction } from '../heads/base_head.js';
import type { LiftingHead } from '../heads/regression_heads/lifting_head.js';
import type { TestCfg } from '../test_cfg.js';
import { flipCoordinates } from '../utils/tta.js';
import { BasePoseEstimator, type Backbone, type Neck, type PoseEstimatorParts } from './base.js';

/** Its input is sequences, not pictures: [N, 1, T, C], C being all numbers of one frame's pose, or for transformers [N, T, K, C]. */
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

  /** Which of so many frames the pose is of. */
  targetFrame(frames: number): number {
    return this.causal ? frames - 1 : Math.floor(frames / 2);
  }

  /** Frames that one pose is made of; 1 where the backbone does not say. */
  get receptiveField(): number {
    return (this.backbone as { receptiveField?: number }).receptiveField ?? 1;
  }

  /**
   * @param x - [N, 1, T, C], or [N, T, K, C]
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
    const lifting = requireLiftingHead(head);
    const outputs = tf.tidy(() => {
      const input = testCfg.flipTest ? tf.concat([x, mirrored(x, samples[0].metainfo.flipIndices, testCfg)]) : x;
      return lifting.predictTensors(this.extractFeat(input), samples, testCfg);
    });
    const encoded = await readOutput(outputs, x);
    return samples.map((sample, i) =>
      this.#withPose(sample, lifting.decodeSequence(rowOf(encoded, i), sample.metainfo)),
    );
  }

  #withPose(sample: PoseDataSample, { keypoints, keypointScores }: HeadPrediction): PoseDataSample {
    const at = this.targetFrame(keypoints.shape[0]);
    const pose = rowOf({ data: Float32Array.from(keypoints.data), shape: keypoints.shape }, at);
    const scores = rowOf(keypointScores, at);
    const given = sample.predInstances ?? sample.gtInstances!;
    return {
      ...sample,
      predInstances: { ...given, keypoints: pose, keypointScores: scores, keypointsVisible: scores },
    };
  }
}

function requireLiftingHead(head: BaseHead): LiftingHead {
  if ('decodeSequence' in head) return head as LiftingHead;
  throw new ConfigError(
    'model.head.type: found a head for pictures; expected TemporalRegressionHead or MotionRegressionHead.',
  );
}

/** Sequences with left and right, and the signs of x, exchanged. Poses are in the last axis, or in the last two. */
function mirrored(x: Tensor4D, flipIndices: readonly number[], { shiftCoords }: TestCfg): Tensor4D {
  const k = flipIndices.length;
  const columns = x.shape[3] < k ? x.shape[3] : x.shape[3] / k;
  const poses: Tensor3D = tf.reshape(x, [-1, k, columns]);
  return tf.reshape(flipCoordinates(poses, flipIndices, shiftCoords, [1, 1]), x.shape);
}

/** Reads and disposes what the head gave. */
async function readOutput(outputs: readonly Tensor[], x: Tensor4D): Promise<NdArray> {
  try {
    requireOneEach(outputs, x);
    return { data: await readTensor(outputs[0]), shape: outputs[0].shape };
  } finally {
    for (const output of outputs) output.dispose();
  }
}

/** [1, ...], a copy. */
function rowOf(array: NdArray, index: number): NdArray {
  const { data, shape } = row(array, index);
  return { data: data.slice(), shape: [1, ...shape] };
}

function requireOneEach(outputs: readonly Tensor[], { shape: [n, , frames] }: Tensor4D): void {
  const poses = outputs[0].shape[0];
  if (poses === n) return;
  throw new InputError(
    `predict: found ${poses / n} poses for a sequence of ${frames} frames; expected one: give as many frames as the network's receptive field.`,
  );
}
