/** Greedy matching by the similarity of poses (MMPose: `_track_by_oks` of `mmpose/apis/inference_tracking.py`). */
import { oksIou } from '../evaluation/functional/nms.js';
import type { InstanceData } from '../structures/pose_data_sample.js';
import { bestOf, type TrackedPerson, type TrackMatch } from './track_by_iou.js';

/**
 * The person of the last frame whose pose is the most similar one; the first of equals.
 *
 * @param instances - one person: keypoints [1, K, D], and bboxes, whose area scales the distances
 * @param last - those that nobody was matched with yet
 * @param thr - a similarity (OKS) above this is a match
 * @param sigmas - [K] of the dataset. @default COCO's
 */
export function trackByOks<T extends TrackedPerson>(
  instances: InstanceData,
  last: readonly T[],
  thr: number,
  sigmas: ArrayLike<number> | null = null,
): TrackMatch<T> {
  if (last.length === 0) return { trackId: -1, match: null, rest: last };
  return bestOf(
    last,
    poseOks(
      instances,
      last.map((person) => person.instances),
      sigmas,
    ),
    thr,
  );
}

/** OKS of one person with each of others, [N]; all joints count. */
export function poseOks(
  person: InstanceData,
  others: readonly InstanceData[],
  sigmas: ArrayLike<number> | null = null,
): Float32Array {
  const triples = others.map(pointsOf);
  const size = triples[0]?.length ?? 0;
  const data = new Float32Array(size * others.length);
  for (const [i, points] of triples.entries()) data.set(points, i * size);
  const shape = [others.length, size / 3, 3];
  return oksIou(pointsOf(person), { data, shape }, areaOf(person), others.map(areaOf), sigmas);
}

/** x, y, score of each joint. */
function pointsOf({ keypoints, keypointScores }: InstanceData): Float32Array {
  const [, k, dims] = keypoints.shape;
  const out = new Float32Array(3 * k);
  for (let i = 0; i < k; i++) {
    out.set([keypoints.data[i * dims], keypoints.data[i * dims + 1], keypointScores.data[i]], 3 * i);
  }
  return out;
}

/** px² */
function areaOf({ bboxes: { data } }: InstanceData): number {
  return (data[2] - data[0]) * (data[3] - data[1]);
}
