/**
 * Accuracies and errors of keypoints (MMPose: `mmpose/evaluation/functional/keypoint_eval.py`). N samples, K keypoints, D
 * coordinates; arguments are not changed.
 */
import { InputError } from '../../errors.js';
import { zeros, type NdArray, type TypedArray } from '../../ndarray.js';
import type { FloatArray } from '../../structures/bbox/transforms.js';

/** Share of correct keypoints. */
export interface PckAccuracy {
  /** [K]; -1 for a keypoint that no sample has. */
  acc: Float64Array;
  /** Mean over the keypoints that some sample has; 0 without any. */
  avgAcc: number;
  /** How many keypoints some sample has. */
  cnt: number;
}

/** Stands for "not annotated" among distances, as in MMPose. */
const NO_DISTANCE = -1;
/** A normaliser that is not positive becomes this, so that its sample counts as near. */
const HUGE_NORM = 1e6;

type NormArray = NdArray<TypedArray>;

/**
 * Distances in units of the normaliser, as float32.
 *
 * @param normFactor - [N, D]; a row with a 0 drops its sample
 * @returns [K, N]; -1 where the keypoint does not count
 */
function calcDistances(
  preds: NdArray<FloatArray>,
  gts: NdArray<FloatArray>,
  mask: NdArray<TypedArray>,
  normFactor: NormArray,
): Float32Array[] {
  const [n, k, d] = preds.shape;
  checkShapes(preds, gts, mask, normFactor);
  const isFloat32 = [preds, gts, normFactor].every(({ data }) => data instanceof Float32Array);
  const round = isFloat32 ? Math.fround : (value: number) => value;
  const norms = normFactor.data as ArrayLike<number>;
  const out = Array.from({ length: k }, () => new Float32Array(n).fill(NO_DISTANCE));
  for (let i = 0; i < n; i++) {
    const norm = Array.from({ length: d }, (_, c) => norms[i * d + c]);
    if (norm.includes(0)) continue;
    const divisor = norm.map((v) => (v <= 0 ? HUGE_NORM : v));
    for (let j = 0; j < k; j++) {
      if (!mask.data[i * k + j]) continue;
      let sum = 0;
      for (let c = 0; c < d; c++) {
        const at = (i * k + j) * d + c;
        const x = round(round(preds.data[at] - gts.data[at]) / divisor[c]);
        sum = round(sum + round(x * x));
      }
      out[j][i] = Math.sqrt(sum);
    }
  }
  return out;
}

function checkShapes(preds: NormArray, gts: NormArray, mask: NormArray, normFactor: NormArray): void {
  const [n, k, d] = preds.shape;
  const problems = (
    [
      ['gt', gts, [n, k, d]],
      ['mask', mask, [n, k]],
      ['norm factor', normFactor, [n, d]],
    ] as const
  ).filter(([, array, shape]) => array.shape.join() !== shape.join());
  if (problems.length === 0) return;
  const words = problems.map(
    ([name, { shape }, want]) => `${name} [${shape.join(', ')}]; expected [${want.join(', ')}]`,
  );
  throw new InputError(`keypoint accuracy: found pred [${preds.shape.join(', ')}] with ${words.join('; ')}.`);
}

/** Share of distances below the threshold; -1 without any distance. */
function distanceAcc(distances: Float32Array, thr: number): number {
  const limit = Math.fround(thr);
  let [near, count] = [0, 0];
  for (const distance of distances) {
    if (distance === NO_DISTANCE) continue;
    count++;
    if (distance < limit) near++;
  }
  return count > 0 ? near / count : -1;
}

/**
 * PCK: a keypoint is right when it is nearer than `thr` times the normaliser.
 *
 * @param pred - [N, K, D]
 * @param gt - [N, K, D]
 * @param mask - [N, K]; 0 for what is not annotated
 * @param normFactor - [N, D], box or head size for each axis
 */
export function keypointPckAccuracy(
  pred: NdArray<FloatArray>,
  gt: NdArray<FloatArray>,
  mask: NdArray<TypedArray>,
  thr: number,
  normFactor: NormArray,
): PckAccuracy {
  return accuracyOf(calcDistances(pred, gt, mask, normFactor), thr);
}

function accuracyOf(distances: readonly Float32Array[], thr: number): PckAccuracy {
  const acc = Float64Array.from(distances, (d) => distanceAcc(d, thr));
  const valid = acc.filter((a) => a >= 0);
  const avgAcc = valid.length > 0 ? valid.reduce((a, b) => a + b, 0) / valid.length : 0;
  return { acc, avgAcc, cnt: valid.length };
}

/** One value for both axes of every sample. */
function constantNorm(pred: NdArray<FloatArray>, value: number): NdArray<Float64Array> {
  const shape = [pred.shape[0], pred.shape[2]];
  return { data: new Float64Array(shape[0] * shape[1]).fill(value), shape };
}

/**
 * Area under the PCK curve of `numThrs` thresholds i / numThrs, from 0.
 *
 * @param normFactor - px
 */
export function keypointAuc(
  pred: NdArray<FloatArray>,
  gt: NdArray<FloatArray>,
  mask: NdArray<TypedArray>,
  normFactor: number,
  numThrs = 20,
): number {
  const distances = calcDistances(pred, gt, mask, constantNorm(pred, normFactor));
  let auc = 0;
  for (let i = 0; i < numThrs; i++) auc += (1 / numThrs) * accuracyOf(distances, i / numThrs).avgAcc;
  return auc;
}

/**
 * Normalised mean error.
 *
 * @param normalizeFactor - [N, D]
 */
export function keypointNme(
  pred: NdArray<FloatArray>,
  gt: NdArray<FloatArray>,
  mask: NdArray<TypedArray>,
  normalizeFactor: NormArray,
): number {
  let [sum, count] = [0, 0];
  for (const distances of calcDistances(pred, gt, mask, normalizeFactor)) {
    for (const distance of distances) {
      if (distance === NO_DISTANCE) continue;
      sum += distance;
      count++;
    }
  }
  return sum / Math.max(1, count);
}

/** Mean distance in px (end-point error). */
export function keypointEpe(pred: NdArray<FloatArray>, gt: NdArray<FloatArray>, mask: NdArray<TypedArray>): number {
  const ones = new Float32Array(pred.shape[0] * pred.shape[2]).fill(1);
  return keypointNme(pred, gt, mask, { data: ones, shape: [pred.shape[0], pred.shape[2]] });
}

/** Index of the first maximum of a run. */
function argmax(data: Float32Array, start: number, size: number): number {
  let best = 0;
  for (let i = 1; i < size; i++) if (data[start + i] > data[start + best]) best = i;
  return best;
}

/** [N, K, 2] px of the maxima of maps [N, K, H, W]; -1 where a map has none above 0. */
function heatmapMaxima({ data, shape: [n, k, h, w] }: NdArray): NdArray {
  const out = zeros([n, k, 2]);
  for (let i = 0; i < n * k; i++) {
    const at = argmax(data, i * h * w, h * w);
    const found = data[i * h * w + at] > 0;
    out.data[i * 2] = found ? at % w : -1;
    out.data[i * 2 + 1] = found ? Math.floor(at / w) : -1;
  }
  return out;
}

/** [N, K, 2] px of the maxima of SimCC vectors; -1 bins where either has none above 0. */
function simccMaxima(x: NdArray, y: NdArray, splitRatio: number): NdArray {
  const [n, k, wx] = x.shape;
  const wy = y.shape[2];
  const out = zeros([n, k, 2]);
  for (let i = 0; i < n * k; i++) {
    const ix = argmax(x.data, i * wx, wx);
    const iy = argmax(y.data, i * wy, wy);
    const found = Math.min(x.data[i * wx + ix], y.data[i * wy + iy]) > 0;
    out.data[i * 2] = (found ? ix : -1) / splitRatio;
    out.data[i * 2 + 1] = (found ? iy : -1) / splitRatio;
  }
  return out;
}

/** [N, 2] of (h, w): MMPose divides x by the height and y by the width here. */
function sizeNorm(n: number, h: number, w: number): NdArray<Float64Array> {
  return { data: Float64Array.from({ length: n * 2 }, (_, i) => (i & 1 ? w : h)), shape: [n, 2] };
}

/**
 * PCK of heatmaps' maxima.
 *
 * @param output - [N, K, H, W]
 * @param target - [N, K, H, W]
 * @param normalize - [N, 2]. @default the maps' (H, W)
 */
export function posePckAccuracy(
  output: NdArray,
  target: NdArray,
  mask: NdArray<TypedArray>,
  thr = 0.05,
  normalize: NormArray | null = null,
): PckAccuracy {
  const [n, k, h, w] = output.shape;
  if (k === 0) return { acc: new Float64Array(), avgAcc: 0, cnt: 0 };
  return keypointPckAccuracy(heatmapMaxima(output), heatmapMaxima(target), mask, thr, normalize ?? sizeNorm(n, h, w));
}

/**
 * PCK of SimCC vectors' maxima.
 *
 * @param output - x [N, K, Wx] and y [N, K, Wy]
 * @param target - likewise
 * @param simccSplitRatio - bins per px
 * @param normalize - [N, 2]. @default (height, width) of the input
 */
export function simccPckAccuracy(
  output: readonly [x: NdArray, y: NdArray],
  target: readonly [x: NdArray, y: NdArray],
  simccSplitRatio: number,
  mask: NdArray<TypedArray>,
  thr = 0.05,
  normalize: NormArray | null = null,
): PckAccuracy {
  const [w, h] = output.map(({ shape }) => Math.trunc(shape[2] / simccSplitRatio));
  const [pred, gt] = [output, target].map(([x, y]) => simccMaxima(x, y, simccSplitRatio));
  return keypointPckAccuracy(pred, gt, mask, thr, normalize ?? sizeNorm(output[0].shape[0], h, w));
}

/**
 * Share of samples of which all labels are right, among those with all labels.
 *
 * @param pred - [N, L]
 * @param gt - [N, L]
 * @param mask - [N, L] or [N]
 */
export function multilabelClassificationAccuracy(
  pred: NdArray<FloatArray>,
  gt: NdArray<FloatArray>,
  mask: NdArray<TypedArray>,
  thr = 0.5,
): number {
  const [n, labels] = pred.shape;
  const perSample = mask.data.length / n;
  let [right, count] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (!mask.data.subarray(i * perSample, (i + 1) * perSample).every((v) => Number(v) > 0)) continue;
    count++;
    let all = true;
    for (let l = i * labels; l < (i + 1) * labels; l++) all &&= (pred.data[l] - thr) * (gt.data[l] - thr) > 0;
    if (all) right++;
  }
  return count === 0 ? 0 : right / count;
}
