/** Greedy matching by overlap (MMPose: `_track_by_iou` of `mmpose/apis/inference_tracking.py`). */
import type { InstanceData } from '../structures/pose_data_sample.js';

/** A person of the last frame. */
export interface TrackedPerson {
  readonly trackId: number;
  /** One person. */
  readonly instances: InstanceData;
}

/** Whom a person of this frame was matched with, and who is left for the others. */
export interface TrackMatch<T extends TrackedPerson = TrackedPerson> {
  /** -1: nobody. */
  readonly trackId: number;
  readonly match: T | null;
  readonly rest: readonly T[];
}

/**
 * The person of the last frame whose box overlaps most; the first of equals.
 *
 * @param instances - one person, bboxes [1, 4] xyxy
 * @param last - those that nobody was matched with yet
 * @param thr - an overlap (IoU) above this is a match
 */
export function trackByIou<T extends TrackedPerson>(
  instances: InstanceData,
  last: readonly T[],
  thr: number,
): TrackMatch<T> {
  const ious = last.map((person) => boxIou(instances.bboxes.data, person.instances.bboxes.data));
  return bestOf(last, ious, thr);
}

/** The best of `last` if its similarity is above `thr`. */
export function bestOf<T extends TrackedPerson>(
  last: readonly T[],
  similarities: ArrayLike<number>,
  thr: number,
): TrackMatch<T> {
  let best = -1;
  for (let i = 0; i < last.length; i++) if (best < 0 || similarities[i] > similarities[best]) best = i;
  if (best < 0 || !(similarities[best] > thr)) return { trackId: -1, match: null, rest: last };
  return { trackId: last[best].trackId, match: last[best], rest: last.filter((_, i) => i !== best) };
}

/** Intersection over union of two boxes, xyxy. */
export function boxIou(a: ArrayLike<number>, b: ArrayLike<number>): number {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  const shared = Math.max(0, w) * Math.max(0, h);
  const union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - shared;
  return shared / (union || 1e-5);
}
