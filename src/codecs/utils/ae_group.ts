/**
 * Grouping of keypoint candidates into persons by their tags (MMPose: `_group_keypoints_by_tags` of
 * `mmpose/codecs/associative_embedding.py`): one keypoint type after the other, each matched to the groups so far.
 */
import { type NdArray, zeros } from '../../ndarray.js';
import { munkres } from './munkres.js';

const f32 = Math.fround;

/** One peak of a heatmap. */
export interface Candidate {
  /** Map pixels. */
  readonly x: number;
  readonly y: number;
  readonly score: number;
  /** [L] */
  readonly tag: Float32Array;
}

/** Peaks of one keypoint type, best first. */
export type Candidates = readonly Candidate[];

export interface GroupingOptions {
  readonly keypointOrder: readonly number[];
  /** Largest tag distance between a keypoint and its group. */
  readonly tagThr: number;
  readonly maxGroups: number | null;
}

interface Group {
  /** Candidate per keypoint type. */
  readonly joints: Map<number, Candidate>;
  tags: Float32Array[];
}

/** Cost of a column that stands for a new group. */
const NEW_GROUP_COST = 1e10;

/**
 * @param candidates - per keypoint type
 * @param count - number of keypoint types, K
 * @returns keypoints [N, K, 2] map pixels and scores [N, K], both 0 where a keypoint is missing
 */
export function groupKeypointsByTags(
  candidates: readonly Candidates[],
  count: number,
  options: GroupingOptions,
): { keypoints: NdArray; scores: NdArray } {
  // Keyed by the first tag of the group's first keypoint, like MMPose's dict: equal tags share a group.
  const groups = new Map<number, Group>();
  for (const k of options.keypointOrder) {
    if (candidates[k].length === 0) continue;
    if (groups.size === 0) for (const candidate of candidates[k]) startGroup(groups, k, candidate);
    else matchToGroups(groups, k, candidates[k], options.tagThr);
  }
  return asArrays([...groups.values()].slice(0, options.maxGroups ?? undefined), count);
}

/** Puts the candidate into the group of its own tag, new or (with an equal tag) old; the group's tags start again. */
function startGroup(groups: Map<number, Group>, k: number, candidate: Candidate): void {
  const key = candidate.tag[0];
  const group = groups.get(key) ?? { joints: new Map<number, Candidate>(), tags: [] };
  group.joints.set(k, candidate);
  group.tags = [candidate.tag];
  groups.set(key, group);
}

function matchToGroups(groups: Map<number, Group>, k: number, candidates: Candidates, tagThr: number): void {
  const known = [...groups.values()];
  const means = known.map((group) => meanTag(group.tags));
  const rows = candidates.length;
  const columns = Math.max(rows, known.length);
  const distances = new Float64Array(rows * columns).fill(Infinity);
  const costs = new Float64Array(rows * columns).fill(NEW_GROUP_COST);
  candidates.forEach(({ tag, score }, i) => {
    means.forEach((mean, j) => {
      const distance = tagDistance(tag, mean);
      distances[i * columns + j] = distance;
      costs[i * columns + j] = roundHalfEven(distance) * 100 - score;
    });
  });
  const matches = munkres(costs, rows, columns);
  candidates.forEach((candidate, i) => {
    const j = matches[i];
    // A comparison in the negative would also take NaN distances.
    if (j >= 0 && distances[i * columns + j] < tagThr) {
      known[j].joints.set(k, candidate);
      known[j].tags.push(candidate.tag);
    } else startGroup(groups, k, candidate);
  });
}

function tagDistance(tag: Float32Array, mean: Float32Array): number {
  let sum = 0;
  for (let l = 0; l < tag.length; l++) sum += (tag[l] - mean[l]) ** 2;
  return Math.sqrt(sum);
}

/** NumPy's `round`: half to even. */
export function roundHalfEven(value: number): number {
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest === 0.5) return floor % 2 === 0 ? floor : floor + 1;
  return rest < 0.5 ? floor : floor + 1;
}

/** float32 mean of tags [L], summed in NumPy's order. */
export function meanTag(tags: readonly Float32Array[]): Float32Array {
  const length = tags[0].length;
  const mean = new Float32Array(length);
  for (let l = 0; l < length; l++) {
    const rest = tags.slice(1).map((tag) => tag[l]);
    // A single column is one contiguous run, which NumPy adds pairwise; several columns are added row by row.
    const sum = length === 1 ? f32(tags[0][l] + pairwiseSum(rest)) : rest.reduce((s, v) => f32(s + v), tags[0][l]);
    mean[l] = sum / tags.length;
  }
  return mean;
}

/** NumPy's float32 sum of a short contiguous run: eight partial sums from eight values on. */
function pairwiseSum(values: readonly number[]): number {
  const whole = values.length < 8 ? 0 : values.length - (values.length % 8);
  let sum = 0;
  if (whole > 0) {
    const r = values.slice(0, 8);
    for (let i = 8; i < whole; i++) r[i % 8] = f32(r[i % 8] + values[i]);
    sum = f32(f32(f32(r[0] + r[1]) + f32(r[2] + r[3])) + f32(f32(r[4] + r[5]) + f32(r[6] + r[7])));
  }
  for (let i = whole; i < values.length; i++) sum = f32(sum + values[i]);
  return sum;
}

function asArrays(groups: readonly Group[], count: number): { keypoints: NdArray; scores: NdArray } {
  const keypoints = zeros([groups.length, count, 2]);
  const scores = zeros([groups.length, count]);
  groups.forEach(({ joints }, n) => {
    for (const [k, { x, y, score }] of joints) {
      keypoints.data.set([x, y], (n * count + k) * 2);
      scores.data[n * count + k] = score;
    }
  });
  return { keypoints, scores };
}
