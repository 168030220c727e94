/** Poses in space from 2-D ones (MMPose: `inference_pose_lifter_model` of `mmpose/apis/inference_3d.py`). */
import type { LiftingCodec, PictureSize } from '../codecs/utils/lifting.js';
import { readConfig } from '../config.js';
import { ConfigError, InputError } from '../errors.js';
import type { PoseLifter } from '../models/pose_estimators/index.js';
import { concatRows, full, type NdArray } from '../ndarray.js';
import type { InstanceData, PoseDataSample, SampleMetainfo } from '../structures/pose_data_sample.js';
import { sliceInstances } from '../structures/utils.js';
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import type { PoseModel } from './pose_model.js';
import { collatePoseSequence, type PoseSequence } from './pose_sequences.js';

export interface InferencePoseLifterOptions {
  /** Of the pictures, px. @default that of the wanted frame's sample */
  readonly imageSize?: readonly [w: number, h: number];
  /** Persons are told by their `trackIds`; false: by their order. @default whether the wanted frame has them */
  readonly withTrackId?: boolean;
  /**
   * Move and scale each person's 2-D poses to where the dataset has people on average, by their boxes: for models that do not know
   * people elsewhere in a picture. @default false
   */
  readonly normPose2d?: boolean;
  readonly signal?: AbortSignal;
}

const OPTION_KEYS = { imageSize: undefined, withTrackId: undefined, normPose2d: undefined, signal: undefined };

/**
 * Poses in space of the persons in one frame: the last of the sequence for a causal model, else the one in the middle.
 *
 * ```js
 * const lifter = await initModel(null, 'videopose_h36m_27frames.pth'); // with its config beside it
 * const frames = extractPoseSequence(results2d, index, { seqLen: 27 }); // keypoints as convertKeypointDefinition makes them
 * const [person] = await inferencePoseLifterModel(lifter, frames);
 * person.predInstances.keypoints; // { data: Float32Array, shape: [1, 17, 3] }, around the pelvis
 * ```
 *
 * @param poseResults2d - one sample per frame of the sequence, with the lifter's keypoints, px, image space
 * @returns a sample per person: keypoints [1, K, 3] relative to the root, in the unit of the training data (metres); boxes and ids are
 *   those of the wanted frame
 * @throws ConfigError for a model that is not a PoseLifter; InputError for frames that do not fit together or to the model
 */
export async function inferencePoseLifterModel(
  model: PoseModel,
  poseResults2d: readonly PoseDataSample[],
  options: InferencePoseLifterOptions = {},
): Promise<PoseDataSample[]> {
  readConfig(options as Record<string, unknown>, 'inferencePoseLifterModel options', OPTION_KEYS);
  const lifter = requireLifter(model);
  if (poseResults2d.length === 0)
    throw new InputError('inferencePoseLifterModel: found no frames; expected one or more.');
  if (model.queue.closed) throw model.queue.closed;
  const targetIndex = lifter.targetFrame(poseResults2d.length);
  const target = poseResults2d[targetIndex];
  const { normPose2d = false, withTrackId = target.predInstances?.trackIds !== undefined } = options;
  const average = normPose2d ? averageBox(model, poseResults2d) : null;
  const frames = average ? poseResults2d.map((sample) => normalizePose2d(sample, average)) : poseResults2d;
  const sequences = collatePoseSequence(frames, targetIndex, withTrackId);
  if (sequences.length === 0) return [];
  const [height, width] = target.metainfo.imgShape;
  const [w, h] = options.imageSize ?? [width, height];
  return model.queue.run(async () => {
    await model.revive();
    return predict(model, sequences, target, { w, h });
  }, options.signal);
}

function requireLifter({ estimator, config }: PoseModel): PoseLifter {
  if ('traj_head' in estimator) return estimator as PoseLifter;
  throw new ConfigError(
    `model.type: found ${JSON.stringify(config.model.type)}; expected PoseLifter, which takes 2-D poses.`,
  );
}

async function predict(
  model: PoseModel,
  sequences: readonly PoseSequence[],
  target: PoseDataSample,
  size: PictureSize,
): Promise<PoseDataSample[]> {
  const lifter = requireLifter(model);
  const input = inputsOf(lifter, sequences, size);
  const { flipIndices } = model.metainfo;
  const metainfo = { imgShape: [size.h, size.w] as const, flipIndices };
  const samples = sequences.map(({ person }) => personOf(target, person, metainfo));
  return model.backend.run(() => {
    const x: Tensor4D = tf.tensor4d(input.data, input.shape as Tensor4D['shape']);
    const predicted = lifter.predict(x, samples);
    x.dispose();
    return predicted;
  });
}

function personOf(
  { metainfo, predInstances }: PoseDataSample,
  person: number,
  facts: Pick<SampleMetainfo, 'imgShape' | 'flipIndices'>,
): PoseDataSample {
  const own = ({ data, shape }: NdArray): NdArray => ({
    data: data.slice(2 * person, 2 * person + 2),
    shape: [1, shape[1]],
  });
  const { inputCenter, inputScale } = metainfo;
  return {
    metainfo: { ...metainfo, ...facts, inputCenter: own(inputCenter), inputScale: own(inputScale) },
    predInstances: sliceInstances(predInstances!, [person]),
  };
}

/** [N, 1, T, C] or [N, T, K, C], as the head's codec arranges keypoints. */
function inputsOf({ head }: PoseLifter, sequences: readonly PoseSequence[], size: PictureSize): NdArray {
  const codec = head?.decoder as LiftingCodec | null | undefined;
  if (!codec?.encodeKeypoints) {
    throw new ConfigError(
      'model.head.decoder: found no codec of pose lifting; expected VideoPoseLifting, ImagePoseLifting or MotionBERTLabel.',
    );
  }
  const encoded = sequences.map(({ keypoints }) => {
    const visible = full(keypoints.shape.slice(0, 2), 1);
    return codec.encodeKeypoints(keypoints, visible, size);
  });
  const [frames, k, columns] = encoded[0].shape;
  const shape = codec.reshapeKeypoints ? [1, frames, k * columns] : [frames, k, columns];
  return { data: concatRows(encoded).data, shape: [encoded.length, ...shape] };
}

interface AverageBox {
  /** px */
  readonly center: readonly [x: number, y: number];
  /** Longer side, px. */
  readonly scale: number;
}

/** Where people are on average: as the dataset says, else in these frames. */
function averageBox({ metainfo }: PoseModel, frames: readonly PoseDataSample[]): AverageBox {
  const { statsInfo } = metainfo;
  if (statsInfo) {
    const [x, y] = statsInfo.bbox_center;
    return { center: [x, y], scale: statsInfo.bbox_scale[0] };
  }
  const boxes = frames.flatMap(({ predInstances }) => (predInstances ? boxesOf(predInstances) : []));
  const mean = (value: (box: Box) => number) => boxes.reduce((sum, box) => sum + value(box), 0) / boxes.length;
  return { center: [mean(({ x }) => x), mean(({ y }) => y)], scale: mean(({ side }) => side) };
}

interface Box {
  readonly x: number;
  readonly y: number;
  /** The longer one. */
  readonly side: number;
}

function boxesOf({ bboxes }: InstanceData): Box[] {
  return Array.from({ length: bboxes.shape[0] }, (_, i) => {
    const [x1, y1, x2, y2] = bboxes.data.subarray(4 * i, 4 * i + 4);
    return { x: (x1 + x2) / 2, y: (y1 + y2) / 2, side: Math.max(x2 - x1, y2 - y1) };
  });
}

function normalizePose2d(sample: PoseDataSample, { center, scale }: AverageBox): PoseDataSample {
  const { predInstances } = sample;
  if (!predInstances) return sample;
  const boxes = boxesOf(predInstances);
  const { data, shape } = predInstances.keypoints;
  const [, k, dims] = shape;
  const moved = data.map((v, i) => {
    const { x, y, side } = boxes[Math.floor(i / (k * dims))];
    const axis = i % dims;
    return axis > 1 ? v : ((v - (axis === 0 ? x : y)) / side) * scale + center[axis];
  });
  return { ...sample, predInstances: { ...predInstances, keypoints: { data: moved, shape } } };
}
