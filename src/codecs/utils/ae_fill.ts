/**
 * The search for keypoints that grouping did not find (MMPose: `AssociativeEmbedding._fill_missing_keypoints`): per person and
 * missing keypoint the pixel with the nearest tag, and among equally near ones (whole units) the largest response.
 */
import type { NdArray } from '../../ndarray.js';
import { meanTag, roundHalfEven } from './ae_group.js';

const f32 = Math.fround;

/** How a stored map value becomes a response. */
export interface ResponseRule {
  response(value: number): number;
  /** Values below this have responses of at most `response`: they need not be computed. */
  atLeast(response: number): number;
}

/** The value is the response. */
export const PLAIN_RESPONSE: ResponseRule = { response: (value) => value, atLeast: (response) => response };

/**
 * Fills in keypoints whose score is not positive, in place.
 *
 * @param keypoints - [N, K, 2] map pixels
 * @param scores - [N, K]
 * @param heatmaps - [K, H, W]
 * @param tags - [L * K, H, W]
 */
export function fillMissingKeypoints(
  keypoints: NdArray,
  scores: NdArray,
  heatmaps: NdArray,
  tags: NdArray,
  rule: ResponseRule = PLAIN_RESPONSE,
): void {
  const [count, height, width] = heatmaps.shape;
  const peaks = new Map<number, number>();
  const peakOf = (k: number): number => {
    let peak = peaks.get(k);
    if (peak === undefined)
      peaks.set(k, (peak = rule.response(maximum(heatmaps.data, k * height * width, height * width))));
    return peak;
  };
  for (let n = 0; n < scores.shape[0]; n++) {
    const found = detectedTags(keypoints, scores, heatmaps.shape, tags, n);
    if (found.length === 0) continue;
    const tag = meanTag(found);
    for (let i = n * count; i < (n + 1) * count; i++) {
      if (scores.data[i] > 0) continue;
      const k = i - n * count;
      const pixel = nearestPixel(heatmaps, tags, k, tag, peakOf(k), rule);
      keypoints.data[2 * i] = pixel % width;
      keypoints.data[2 * i + 1] = Math.floor(pixel / width);
      scores.data[i] = rule.response(heatmaps.data[k * height * width + pixel]);
    }
  }
}

/** Largest value; NaN when there is one. */
function maximum(data: Float32Array, start: number, length: number): number {
  let max = -Infinity;
  for (let i = start; i < start + length; i++) {
    if (data[i] > max) max = data[i];
    else if (data[i] !== data[i]) return NaN;
  }
  return max;
}

/** Tags [L] at the keypoints of person `n` that were found. */
function detectedTags(
  keypoints: NdArray,
  scores: NdArray,
  mapShape: readonly number[],
  tags: NdArray,
  n: number,
): Float32Array[] {
  const [count, height, width] = mapShape;
  const length = tags.shape[0] / count;
  const found: Float32Array[] = [];
  for (let k = 0; k < count; k++) {
    const i = n * count + k;
    if (!(scores.data[i] > 0)) continue;
    const x = Math.min(Math.max(Math.trunc(keypoints.data[2 * i]) || 0, 0), width - 1);
    const y = Math.min(Math.max(Math.trunc(keypoints.data[2 * i + 1]) || 0, 0), height - 1);
    found.push(Float32Array.from({ length }, (_, l) => tags.data[((l * count + k) * height + y) * width + x]));
  }
  return found;
}

/**
 * First pixel with the smallest `round(tag distance) * 100 - response`, all in float32. The scan visits every pixel for every
 * missing keypoint, so that two comparisons pass over most of them: the first tag alone is too far away for even the map's
 * `peak`, or the response is too small for even a distance of 0.
 */
function nearestPixel(
  heatmaps: NdArray,
  tags: NdArray,
  k: number,
  tag: Float32Array,
  peak: number,
  rule: ResponseRule,
): number {
  const [count, height, width] = heatmaps.shape;
  const size = height * width;
  const values = heatmaps.data.subarray(k * size, (k + 1) * size);
  const firstTags = tags.data.subarray(k * size, (k + 1) * size);
  const wanted = tag[0];
  let [best, at, lowest, highest, enough] = [Infinity, 0, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < size; i++) {
    const own = firstTags[i];
    if (own < lowest || own > highest || values[i] < enough) continue;
    const distance = tagDistance(tags.data, k * size + i, count * size, tag);
    const cost = f32(f32(roundHalfEven(distance) * 100) - rule.response(values[i]));
    if (cost >= best) continue;
    if (cost !== cost) return i; // NumPy's argmin stops at the first NaN
    best = cost;
    at = i;
    // Beyond the reach round(d) * 100 - peak > best, with a margin for rounding; a NaN peak compares as no limit.
    const reach = Math.floor((best + peak) / 100 + 1e-3) + 0.5 + 1e-3;
    lowest = wanted - reach;
    highest = wanted + reach;
    enough = peak === peak ? rule.atLeast(-best) : -Infinity;
  }
  return at;
}

/** float32 distance between `tag` [L] and the tags at `from`, which lie `step` apart. */
function tagDistance(tags: Float32Array, from: number, step: number, tag: Float32Array): number {
  let sum = 0;
  for (let l = 0; l < tag.length; l++) {
    const difference = f32(tags[from + l * step] - tag[l]);
    sum = f32(sum + f32(difference * difference));
  }
  return f32(Math.sqrt(sum));
}
