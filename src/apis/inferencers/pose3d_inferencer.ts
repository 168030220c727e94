/** Pictures and videos in, poses in space out (MMPose: `mmpose/apis/inferencers/pose3d_inferencer.py`): a 2-D model, then a lifter. */
import type { ByteSourceLike } from '../../checkpoint/byte_source.js';
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { PoseLifter } from '../../models/pose_estimators/index.js';
import { zeros } from '../../ndarray.js';
import type { InstanceData, PoseDataSample } from '../../structures/pose_data_sample.js';
import { mergeDataSamples, sliceInstances } from '../../structures/utils.js';
import type { FrameSource } from '../frame.js';
import { INIT_OPTION_KEYS, initModel, isChoice, type ConfigSource, type InitModelOptions } from '../inference.js';
import { liftingSequence } from '../model_config.js';
import { inferencePoseLifterModel } from '../pose_lifting.js';
import type { PoseModel } from '../pose_model.js';
import { convertKeypointDefinition, extractPoseSequence, type PoseSequenceOptions } from '../pose_sequences.js';
import {
  Pose2DInferencer,
  type InferOptions,
  type Pose2DInferencerOptions,
  type StreamOptions,
} from './pose2d_inferencer.js';

/** A `Pose2DInferencer`, or what is used like one. */
export type Pose2DSource = Pick<Pose2DInferencer, 'infer' | 'stream' | 'metainfo' | 'backend' | 'dispose'>;

export interface Pose3DInferencerOptions extends InitModelOptions {
  /** The lifter's: a whole config, its `model` node, or a URL. @default null: it is in the checkpoint, or beside it */
  readonly config?: ConfigSource;
  /** The lifter's weights: URL, Blob or File, or bytes of a `.pth` or `.safetensors`. */
  readonly checkpoint: ByteSourceLike;
  /** What finds 2-D poses: an inferencer of your own, which then outlives this one, or options for one. @default the default model */
  readonly pose2d?: Pose2DSource | Pose2DInferencerOptions;
  /** Frames that the lifter takes, where its config does not say. @default its receptive field */
  readonly seqLen?: number;
}

/** How poses are put into space. */
export interface LiftOptions {
  /**
   * Move and scale each person's 2-D poses to where the training data had people on average. @default true
   */
  readonly normPose2d?: boolean;
  /** Let the lowest keypoint of each person lie at height 0; false: the pelvis lies at 0. @default true */
  readonly rebaseKeypointHeight?: boolean;
}

/** One frame's result. */
export interface LiftedPoses {
  /** As from `Pose2DInferencer`. */
  readonly pose2d: PoseDataSample;
  /**
   * The same persons, in the same order, without those whom the tracker is not sure of: keypoints [N, K, 3] of the lifter's dataset, in
   * metres: to the left in the picture, away from the camera, up.
   */
  readonly pose3d: PoseDataSample;
}

const OPTION_KEYS = {
  ...INIT_OPTION_KEYS,
  config: undefined,
  checkpoint: undefined,
  pose2d: undefined,
  seqLen: undefined,
};

/**
 * ```js
 * const inferencer = await Pose3DInferencer.create({ checkpoint: 'videopose_h36m_27frames.pth' }); // its config lies beside it
 * for await (const { pose2d, pose3d } of inferencer.stream(video)) draw(pose3d.predInstances.keypoints); // [N, 17, 3]
 * await inferencer.dispose();
 * ```
 */
export class Pose3DInferencer {
  readonly model: PoseModel;
  readonly pose2d: Pose2DSource;
  readonly #ownsPose2d: boolean;
  readonly #sequence: PoseSequenceOptions;

  private constructor(model: PoseModel, pose2d: Pose2DSource, ownsPose2d: boolean, sequence: PoseSequenceOptions) {
    this.model = model;
    this.pose2d = pose2d;
    this.#ownsPose2d = ownsPose2d;
    this.#sequence = sequence;
  }

  /**
   * Loads the lifter and, unless it is there, a 2-D model.
   *
   * @throws ConfigError for a lifter that is none, or that takes other keypoints than the 2-D model can give; and as `initModel`
   */
  static async create(options: Pose3DInferencerOptions): Promise<Pose3DInferencer> {
    readConfig(options as unknown as Record<string, unknown>, 'Pose3DInferencer options', OPTION_KEYS);
    const { config = null, checkpoint, pose2d: given = {}, seqLen, ...init } = options;
    const ownsPose2d = !isSource(given);
    const pose2d = isSource(given) ? given : await Pose2DInferencer.create({ ...init, ...given });
    let model: PoseModel | null = null;
    try {
      // A handle of its own on the same tfjs backend, unless that is the caller's.
      const { backend = 'auto' } = init;
      const shared = isChoice(backend) ? pose2d.backend.name : backend;
      model = await initModel(config, checkpoint, { ...init, backend: shared });
      return new Pose3DInferencer(model, pose2d, ownsPose2d, sequenceFor(model, pose2d, seqLen));
    } catch (error) {
      await Promise.all([model?.dispose(), ownsPose2d && pose2d.dispose()]);
      throw error;
    }
  }

  /**
   * Persons of one picture; the lifter sees a person who does not move.
   *
   * @throws as `Pose2DInferencer.infer`
   */
  async infer(image: FrameSource, options: InferOptions & LiftOptions = {}): Promise<LiftedPoses> {
    const { normPose2d, rebaseKeypointHeight, ...rest } = options;
    const history = new PoseHistory(this.#sequence);
    return this.#lift(history, await this.pose2d.infer(image, rest), { normPose2d, rebaseKeypointHeight }, rest.signal);
  }

  /**
   * Poses of a playing video, until it ends or the signal is aborted; see `Pose2DInferencer.stream`. Frames still to come are not waited
   * for: where a lifter wants them, the newest stands for them.
   */
  async *stream(
    video: HTMLVideoElement,
    options: StreamOptions & LiftOptions = {},
  ): AsyncGenerator<LiftedPoses, void, undefined> {
    const { normPose2d, rebaseKeypointHeight, ...rest } = options;
    const history = new PoseHistory(this.#sequence);
    for await (const pose2d of this.pose2d.stream(video, rest)) {
      yield await this.#lift(history, pose2d, { normPose2d, rebaseKeypointHeight }, rest.signal);
    }
  }

  async #lift(
    history: PoseHistory,
    pose2d: PoseDataSample,
    { normPose2d = true, rebaseKeypointHeight = true }: LiftOptions,
    signal: AbortSignal | undefined,
  ): Promise<LiftedPoses> {
    const frames = history.add(converted(sureOf(pose2d), this.pose2d.metainfo.datasetName, this.model));
    const people = await inferencePoseLifterModel(this.model, frames, { normPose2d, signal });
    if (people.length === 0) return { pose2d, pose3d: nobody(pose2d, this.model.metainfo.numKeypoints) };
    return { pose2d, pose3d: upright(mergeDataSamples(people), rebaseKeypointHeight) };
  }

  /** Frees the lifter and, unless it is the caller's, the 2-D model. Safe to call twice. */
  async dispose(): Promise<void> {
    await Promise.all([this.model.dispose(), this.#ownsPose2d && this.pose2d.dispose()]);
  }
}

function isSource(given: Pose2DSource | Pose2DInferencerOptions): given is Pose2DSource {
  return 'infer' in given;
}

/** The last frames of a video, as far back as the lifter looks. */
class PoseHistory {
  readonly #options: PoseSequenceOptions;
  #frames: PoseDataSample[] = [];

  constructor(options: PoseSequenceOptions) {
    this.#options = options;
  }

  /** @returns the sequence round the new frame; without ids nobody knows who was who before, so the frame stands alone */
  add(sample: PoseDataSample): PoseDataSample[] {
    const { seqLen, step = 1 } = this.#options;
    const frames = sample.predInstances?.trackIds ? [...this.#frames, sample] : [sample];
    this.#frames = frames.slice(-seqLen * step);
    return extractPoseSequence(this.#frames, this.#frames.length - 1, this.#options);
  }
}

/** What the lifter takes, as its config says; also checks that it can be fed. */
function sequenceFor(model: PoseModel, pose2d: Pose2DSource, seqLen: number | undefined): PoseSequenceOptions {
  if (!('traj_head' in model.estimator)) {
    throw new ConfigError(
      `model.type: found ${JSON.stringify(model.config.model.type)}; expected PoseLifter: pass a 2-D model as pose2d.`,
    );
  }
  const { datasetName, numKeypoints } = pose2d.metainfo;
  convertKeypointDefinition(zeros([1, numKeypoints, 2]), datasetName, model.metainfo.datasetName);
  const lifter = model.estimator as PoseLifter;
  const { seqLen: configured, step } = liftingSequence(model.config);
  return { seqLen: seqLen ?? configured ?? lifter.receptiveField, step, causal: lifter.causal };
}

/** Without the best guesses of a tracker that has found nobody: their id is -1. */
function sureOf(sample: PoseDataSample): PoseDataSample {
  const { predInstances } = sample;
  const ids = predInstances?.trackIds?.data;
  if (!ids?.includes(-1)) return sample;
  return {
    ...sample,
    predInstances: sliceInstances(
      predInstances!,
      [...ids].map((id) => id !== -1),
    ),
  };
}

function converted(sample: PoseDataSample, from: string, { metainfo }: PoseModel): PoseDataSample {
  const { predInstances } = sample;
  if (!predInstances) return sample;
  const keypoints = convertKeypointDefinition(predInstances.keypoints, from, metainfo.datasetName);
  return { ...sample, predInstances: { ...predInstances, keypoints } };
}

/** From the camera's axes (right, down, away) to left, away, up. */
function upright(sample: PoseDataSample, rebaseHeight: boolean): PoseDataSample {
  const predInstances = sample.predInstances!;
  const { data, shape } = predInstances.keypoints;
  const turned = new Float32Array(data.length);
  for (let i = 0; i < data.length; i += 3) turned.set([-data[i], data[i + 2], -data[i + 1]], i);
  if (rebaseHeight) putOnGround(turned, shape[1]);
  return { ...sample, predInstances: { ...predInstances, keypoints: { data: turned, shape } } };
}

function putOnGround(keypoints: Float32Array, count: number): void {
  for (let start = 0; start < keypoints.length; start += 3 * count) {
    const person = keypoints.subarray(start, start + 3 * count);
    const lowest = person.filter((_, i) => i % 3 === 2).reduce((a, b) => Math.min(a, b));
    for (let i = 2; i < person.length; i += 3) person[i] -= lowest;
  }
}

function nobody({ metainfo }: PoseDataSample, numKeypoints: number): PoseDataSample {
  const predInstances: InstanceData = {
    bboxes: zeros([0, 4]),
    bboxScores: zeros([0]),
    keypoints: zeros([0, numKeypoints, 3]),
    keypointScores: zeros([0, numKeypoints]),
    keypointsVisible: zeros([0, numKeypoints]),
  };
  return { metainfo: { ...metainfo, inputCenter: zeros([0, 2]), inputScale: zeros([0, 2]) }, predInstances };
}
