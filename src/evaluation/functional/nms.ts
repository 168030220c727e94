/**
 * Suppressing double detections by boxes, by keypoint similarity (OKS) or by nearby joints (MMPose:
 * `mmpose/evaluation/functional/nms.py`). All return indices to keep, best first.
 */
import { InputError } from '../../errors.js';
import type { NdArray, TypedArray } from '../../ndarray.js';
import { argsort, argsortDescending } from '../../structures/argsort.js';
import { bboxOverlaps } from '../../structures/bbox/bbox_overlaps.js';

/** One detected person. */
export interface PoseCandidate {
  /** [K, 3] x, y, score for the OKS functions; [K, D] for `nearbyJointsNms`. px */
  readonly keypoints: NdArray<TypedArray>;
  /** One score, or one per joint. */
  readonly score: number | ArrayLike<number>;
  /** px²; what the OKS is measured by. */
  readonly area?: number;
}

/** OKS sigmas of the 17 COCO keypoints. */
export const COCO_SIGMAS: readonly number[] = [
  0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089,
];

export interface OksOptions {
  /** [K]. @default COCO's */
  sigmas?: ArrayLike<number> | null;
  /** Count only joints above this score in both poses. @default all */
  visThr?: number | null;
  /** Candidates' scores are per joint; their mean counts. @default false */
  scorePerJoint?: boolean;
}

/**
 * Greedy box NMS that counts pixels: a box from 0 to 9 is 10 wide.
 *
 * @param dets - [N, 5] x1, y1, x2, y2, score
 * @param thr - boxes that overlap a better one by more are dropped
 */
export function nms(dets: NdArray, thr: number): number[] {
  const { data, shape } = dets;
  const limit = Math.fround(thr);
  const scores = Array.from({ length: shape[0] }, (_, i) => data[i * 5 + 4]);
  return greedy(argsortDescending(scores), (best, others) => others.filter((i) => pixelIou(data, best, i) <= limit));
}

function pixelIou(data: Float32Array, a: number, b: number): number {
  const f = Math.fround;
  const [i, j] = [a * 5, b * 5];
  const areaOf = (at: number): number => f(f(f(data[at + 2] - data[at]) + 1) * f(f(data[at + 3] - data[at + 1]) + 1));
  const w = Math.max(0, f(f(Math.min(data[i + 2], data[j + 2]) - Math.max(data[i], data[j])) + 1));
  const h = Math.max(0, f(f(Math.min(data[i + 3], data[j + 3]) - Math.max(data[i + 1], data[j + 1])) + 1));
  const shared = f(w * h);
  return f(shared / f(f(areaOf(i) + areaOf(j)) - shared));
}

/** Takes the first of `order`, lets `survivors` filter the rest, and repeats. */
function greedy(order: readonly number[], survivors: (best: number, others: number[]) => number[]): number[] {
  const keep: number[] = [];
  for (let left = [...order]; left.length > 0;) {
    const [best, ...others] = left;
    keep.push(best);
    left = survivors(best, others);
  }
  return keep;
}

/**
 * Greedy box NMS by continuous IoU, as MMPose runs it on tensors.
 *
 * @param bboxes - [N, 4] xyxy
 * @param scores - [N]
 * @param threshold - boxes that overlap a better one by more are dropped
 */
export function nmsTorch(bboxes: NdArray, scores: ArrayLike<number>, threshold = 0.65): number[] {
  return nmsTorchGroups(bboxes, scores, threshold).map(([best]) => best);
}

/** As `nmsTorch`, but with each kept box the ones that it suppressed. */
export function nmsTorchGroups(bboxes: NdArray, scores: ArrayLike<number>, threshold = 0.65): number[][] {
  const limit = Math.fround(threshold);
  const order = Array.from({ length: bboxes.shape[0] }, (_, i) => i).sort((a, b) => scores[b] - scores[a] || a - b);
  const groups: number[][] = [];
  greedy(order, (best, others) => {
    const overlaps = bboxOverlaps(boxesOf(bboxes, [best]), boxesOf(bboxes, others)).data;
    const close = new Set(others.filter((_, i) => overlaps[i] > limit));
    groups.push([best, ...close]);
    return others.filter((i) => !close.has(i));
  });
  return groups;
}

/** bboxes[rows] */
function boxesOf({ data }: NdArray, rows: readonly number[]): NdArray {
  const out = new Float32Array(rows.length * 4);
  for (const [i, row] of rows.entries()) out.set(data.subarray(row * 4, row * 4 + 4), i * 4);
  return { data: out, shape: [rows.length, 4] };
}

/** np.spacing(1) */
const EPSILON = Number.EPSILON;

/**
 * Object keypoint similarity of one pose with others.
 *
 * @param g - [K * 3] x, y, score
 * @param d - [N, K * 3]
 * @param areaG - px²
 * @param areaD - [N] px²
 * @returns [N], 0..1
 */
export function oksIou(
  g: ArrayLike<number>,
  d: NdArray<TypedArray>,
  areaG: number,
  areaD: ArrayLike<number>,
  sigmas: ArrayLike<number> | null = null,
  visThr: number | null = null,
): Float32Array {
  const size = g.length;
  const variances = variancesOf(sigmas ?? COCO_SIGMAS, size / 3);
  return Float32Array.from({ length: d.shape[0] }, (_, n) => {
    const other = d.data.subarray(n * size, (n + 1) * size) as ArrayLike<number>;
    return oks(g, other, (areaG + areaD[n]) / 2, variances, visThr);
  });
}

function variancesOf(sigmas: ArrayLike<number>, k: number): Float64Array {
  if (sigmas.length === k) return Float64Array.from(sigmas, (s) => (s * 2) ** 2);
  throw new InputError(`oksIou: found ${sigmas.length} sigmas; expected ${k}, one per keypoint.`);
}

function oks(
  g: ArrayLike<number>,
  d: ArrayLike<number>,
  area: number,
  variances: Float64Array,
  visThr: number | null,
): number {
  let sum = 0;
  let count = 0;
  for (let k = 0; k < variances.length; k++) {
    if (visThr !== null && !(g[k * 3 + 2] > visThr && d[k * 3 + 2] > visThr)) continue;
    const dx = d[k * 3] - g[k * 3];
    const dy = d[k * 3 + 1] - g[k * 3 + 1];
    sum += Math.exp(-(dx * dx + dy * dy) / variances[k] / (area + EPSILON) / 2);
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

function scoresOf(candidates: readonly PoseCandidate[], scorePerJoint: boolean): number[] {
  return candidates.map(({ score }) => {
    if (typeof score === 'number') return score;
    if (!scorePerJoint) throw new InputError('oksNms: found a score per joint; pass { scorePerJoint: true }.');
    return Array.from(score).reduce((a, b) => a + b, 0) / score.length;
  });
}

/** Similarity of candidate i with each of `others`. */
function similarity(
  candidates: readonly PoseCandidate[],
  { sigmas, visThr = null }: OksOptions,
): (i: number, others: readonly number[]) => Float32Array {
  if (candidates.length === 0) return () => new Float32Array();
  const variances = variancesOf(sigmas ?? COCO_SIGMAS, candidates[0].keypoints.data.length / 3);
  const flat = candidates.map(({ keypoints }) => keypoints.data as ArrayLike<number>);
  const areas = candidates.map(({ area }) => area ?? 0);
  return (i, others) =>
    Float32Array.from(others, (j) => oks(flat[i], flat[j], (areas[i] + areas[j]) / 2, variances, visThr));
}

/**
 * Greedy NMS by OKS.
 *
 * @param candidates - the poses of one picture; `area` is needed
 * @param thr - poses that are more similar to a better one are dropped
 */
export function oksNms(candidates: readonly PoseCandidate[], thr: number, options: OksOptions = {}): number[] {
  const oksWith = similarity(candidates, options);
  const limit = Math.fround(thr);
  const order = argsortDescending(scoresOf(candidates, options.scorePerJoint ?? false));
  return greedy(order, (best, others) => {
    const overlaps = oksWith(best, others);
    return others.filter((_, i) => overlaps[i] <= limit);
  });
}

/**
 * NMS by OKS that lowers the scores of similar poses (by a Gaussian of the OKS) instead of dropping them.
 *
 * @param maxDets - how many to keep
 */
export function softOksNms(
  candidates: readonly PoseCandidate[],
  thr: number,
  { maxDets = 20, ...options }: OksOptions & { maxDets?: number } = {},
): number[] {
  const oksWith = similarity(candidates, options);
  const all = scoresOf(candidates, options.scorePerJoint ?? false);
  let order = argsortDescending(all);
  let scores = order.map((i) => all[i]);
  const keep: number[] = [];
  while (order.length > 0 && keep.length < maxDets) {
    const [best, ...others] = order;
    const overlaps = oksWith(best, others);
    const rescored = scores.slice(1).map((score, i) => score * gaussianWeight(overlaps[i], thr));
    const sorted = argsortDescending(rescored);
    order = sorted.map((i) => others[i]);
    scores = sorted.map((i) => rescored[i]);
    keep.push(best);
  }
  return keep;
}

/** exp(-o² / thr) in float32. */
function gaussianWeight(overlap: number, thr: number): number {
  return Math.fround(Math.exp(-Math.fround(Math.fround(overlap * overlap) / Math.fround(thr))));
}

export interface NearbyJointsOptions {
  /** Joints are near when closer than this share of the pose's diagonal. @default 0.05 */
  distThr?: number;
  /** Poses with more near joints than this are the same. @default half of the joints */
  numNearbyJointsThr?: number | null;
  /** @default false */
  scorePerJoint?: boolean;
  /** How many to keep; 0 for all. @default 30 */
  maxDets?: number;
}

/** NMS of DEKR: of poses that share too many near joints, the best stays. */
export function nearbyJointsNms(candidates: readonly PoseCandidate[], options: NearbyJointsOptions = {}): number[] {
  const { distThr = 0.05, scorePerJoint = false, maxDets = 30 } = options;
  if (!(distThr > 0)) throw new InputError(`nearbyJointsNms: found distThr ${distThr}; expected more than 0.`);
  if (candidates.length === 0) return [];
  const joints = candidates[0].keypoints.shape[0];
  const threshold = options.numNearbyJointsThr ?? joints >> 1;
  if (threshold >= joints) {
    throw new InputError(
      `nearbyJointsNms: found numNearbyJointsThr ${threshold}; expected less than ${joints} joints.`,
    );
  }
  const scores = scoresOf(candidates, scorePerJoint);
  const ignored = new Set<number>();
  const keep: number[] = [];
  for (const i of argsortDescending(scores)) {
    if (ignored.has(i)) continue;
    const group = candidates.flatMap((_, j) =>
      nearJoints(candidates[i], candidates[j], distThr) > threshold ? [j] : [],
    );
    // A pose of no size is not even near itself.
    if (group.length === 0) continue;
    const best = group.reduce((a, b) => (scores[b] > scores[a] ? b : a));
    if (ignored.has(best)) continue;
    keep.push(best);
    for (const j of group) ignored.add(j);
  }
  if (maxDets <= 0 || keep.length <= maxDets) return keep;
  const order = argsort(keep.map((i) => scores[i])).reverse();
  return order.slice(0, maxDets).map((i) => keep[i]);
}

/** How many joints of `b` are near the same joint of `a`, by the size of `a`. */
function nearJoints(a: PoseCandidate, b: PoseCandidate, distThr: number): number {
  const [k, d] = a.keypoints.shape;
  const [pa, pb] = [a.keypoints.data as ArrayLike<number>, b.keypoints.data as ArrayLike<number>];
  const limit = diagonal(pa, d) * distThr;
  let count = 0;
  for (let i = 0; i < k; i++) {
    let sum = 0;
    for (let c = 0; c < d; c++) sum += (pa[i * d + c] - pb[i * d + c]) ** 2;
    if (Math.sqrt(sum) < limit) count++;
  }
  return count;
}

function diagonal(points: ArrayLike<number>, d: number): number {
  let sum = 0;
  for (let c = 0; c < d; c++) {
    let [min, max] = [Infinity, -Infinity];
    for (let i = c; i < points.length; i += d) {
      if (points[i] < min) min = points[i];
      if (points[i] > max) max = points[i];
    }
    sum += (max - min) ** 2;
  }
  return Math.sqrt(sum);
}
