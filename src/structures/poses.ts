/** Results in the shape that users of TensorFlow.js's pose-detection know: objects with names, a list of people. */
import { row } from '../ndarray.js';
import type { InstanceData, PoseDataSample } from './pose_data_sample.js';

export interface Keypoint {
  /** px, image space; in space whatever the model says. */
  readonly x: number;
  readonly y: number;
  /** From models of poses in space. */
  readonly z?: number;
  /** Range depends on the codec, see its docs. */
  readonly score: number;
  /** `left_shoulder`, as the dataset calls it. */
  readonly name: string;
}

/** px, image space. */
export interface PoseBox {
  readonly xMin: number;
  readonly yMin: number;
  readonly xMax: number;
  readonly yMax: number;
  readonly width: number;
  readonly height: number;
}

/** One person. */
export interface Pose {
  readonly keypoints: readonly Keypoint[];
  /** Mean of the keypoints' scores. */
  readonly score: number;
  readonly box: PoseBox;
  /** Of the tracker, where there is one. */
  readonly id?: number;
}

/**
 * The people of a sample as objects, without those whom a tracker is not sure of (track id -1); an empty list for none.
 *
 * ```js
 * const [pose] = toPoses(await inferencer.infer(photo), inferencer.metainfo);
 * pose.keypoints[0]; // { x: 211.4, y: 80.3, score: 0.97, name: 'nose' }
 * ```
 *
 * @param names - `inferencer.metainfo`, or anything else with the keypoints' names
 */
export function toPoses(
  { predInstances }: PoseDataSample,
  { keypointId2name }: { readonly keypointId2name: readonly string[] },
): Pose[] {
  if (!predInstances) return [];
  const { keypoints, trackIds } = predInstances;
  const sure = [...Array(keypoints.shape[0]).keys()].filter((i) => !trackIds || trackIds.data[i] >= 0);
  return sure.map((i) => poseOf(predInstances, i, keypointId2name));
}

function poseOf(instances: InstanceData, i: number, names: readonly string[]): Pose {
  const points = row(instances.keypoints, i);
  const scores = row(instances.keypointScores, i).data;
  const keypoints = Array.from({ length: points.shape[0] }, (_, k): Keypoint => {
    const [x, y, z] = row(points, k).data;
    return { x, y, ...(z !== undefined && { z }), score: scores[k], name: names[k] };
  });
  const score = scores.reduce((sum: number, value: number) => sum + value, 0) / (scores.length || 1);
  const { trackIds } = instances;
  return { keypoints, score, box: boxOf(row(instances.bboxes, i).data), ...(trackIds && { id: trackIds.data[i] }) };
}

function boxOf([xMin, yMin, xMax, yMax]: ArrayLike<number> & Iterable<number>): PoseBox {
  return { xMin, yMin, xMax, yMax, width: xMax - xMin, height: yMax - yMin };
}
