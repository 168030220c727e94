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
  const size = height * width;
  const maps: (TagMap | undefined)[] = [];
  for (let n = 0; n < scores.shape[0]; n++) {
    const found = detectedTags(keypoints, scores, heatmaps.shape, tags, n);
    if (found.length === 0) continue;
    const tag = meanTag(found);
    for (let i = n * count; i < (n + 1) * count; i++) {
      if (scores.data[i] > 0) continue;
      const k = i - n * count;
      const pixel = nearestPixel((maps[k] ??= makeTagMap(heatmaps, tags, k, rule)), tag, rule);
      keypoints.data[2 * i] = pixel % width;
      keypoints.data[2 * i + 1] = Math.floor(pixel / width);
      scores.data[i] = rule.response(heatmaps.data[k * size + pixel]);
    }
  }
}

/** Pixels per block of a `TagMap`. */
const BLOCK = 16;

/** One keypoint type's map and tags, with bounds per run of `BLOCK` pixels: the search skips most runs. */
interface TagMap {
  /** [H * W] */
  readonly values: Float32Array;
  /** L arrays of [H * W]. */
  readonly tags: readonly Float32Array[];
  /** Bounds of the first tag; infinite where there is a NaN. */
  readonly tagMin: Float32Array;
  readonly tagMax: Float32Array;
  readonly valueMax: Float32Array;
  /** Response to the largest value; NaN when there is one. */
  readonly peak: number;
}

function makeTagMap(heatmaps: NdArray, tags: NdArray, k: number, rule: ResponseRule): TagMap {
  const [count, height, width] = heatmaps.shape;
  const size = height * width;
  const values = heatmaps.data.subarray(k * size, (k + 1) * size);
  const own = Array.from({ length: tags.shape[0] / count }, (_, l) =>
    tags.data.subarray((l * count + k) * size, (l * count + k + 1) * size),
  );
  const first = own[0];
  const blocks = Math.ceil(size / BLOCK);
  const tagMin = new Float32Array(blocks);
  const tagMax = new Float32Array(blocks);
  const valueMax = new Float32Array(blocks);
  let peak = -Infinity;
  let finite = true;
  for (let b = 0; b < blocks; b++) {
    let low = Infinity;
    let high = -Infinity;
    let top = -Infinity;
    let gap = false;
    const to = Math.min(size, (b + 1) * BLOCK);
    for (let i = b * BLOCK; i < to; i++) {
      const tag = first[i];
      const value = values[i];
      if (tag < low) low = tag;
      if (tag > high) high = tag;
      if (value > top) top = value;
      if (tag !== tag) gap = true;
      if (value !== value) finite = false;
    }
    tagMin[b] = gap ? -Infinity : low;
    tagMax[b] = gap ? Infinity : high;
    valueMax[b] = top;
    if (top > peak) peak = top;
  }
  return { values, tags: own, tagMin, tagMax, valueMax, peak: finite ? rule.response(peak) : NaN };
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

/** Float32 costs of hundreds are off by less than this. */
const COST_ROUNDING = 0.01;

/**
 * First pixel with the smallest `round(tag distance) * 100 - response`, all in float32. The pixel with the nearest tag is sought
 * first: its cost is a bound, and with it comparisons of the stored numbers pass over almost all runs and pixels.
 */
function nearestPixel(map: TagMap, tag: Float32Array, rule: ResponseRule): number {
  const { values, tags, peak } = map;
  const first = tags[0];
  const costAt = (i: number): number =>
    f32(f32(roundHalfEven(tagDistance(tags, i, tag)) * 100) - rule.response(values[i]));
  const seed = nearestTag(map, tag[0]);
  const bound = costAt(seed);
  // No pixel is nearer than the seed on the first tag, none can make up for a distance with more than the map's peak.
  // Where numbers are NaN, no comparison below passes over a pixel.
  const nearest = roundHalfEven(Math.abs(first[seed] - tag[0])) * 100;
  const enough = peak === peak ? rule.atLeast(nearest - bound - (nearest > 0 ? COST_ROUNDING : 0)) : -Infinity;
  const reach = Math.floor((bound + peak + COST_ROUNDING) / 100) + 0.5 + COST_ROUNDING;
  const lowest = tag[0] - reach;
  const highest = tag[0] + reach;
  let best = Infinity;
  let at = 0;
  for (let b = 0; b < map.tagMin.length; b++) {
    if (map.tagMax[b] < lowest || map.tagMin[b] > highest || map.valueMax[b] < enough) continue;
    const to = Math.min(values.length, (b + 1) * BLOCK);
    for (let i = b * BLOCK; i < to; i++) {
      const own = first[i];
      if (own < lowest || own > highest || values[i] < enough) continue;
      const cost = costAt(i);
      if (cost >= best) continue;
      if (cost !== cost) return i; // NumPy's argmin stops at the first NaN
      best = cost;
      at = i;
    }
  }
  return at;
}

/** A pixel whose first tag is nearest to `wanted`. */
function nearestTag(map: TagMap, wanted: number): number {
  const first = map.tags[0];
  let nearest = Infinity;
  let at = 0;
  for (let b = 0; b < map.tagMin.length; b++) {
    if (map.tagMin[b] - wanted >= nearest || wanted - map.tagMax[b] >= nearest) continue;
    const to = Math.min(first.length, (b + 1) * BLOCK);
    for (let i = b * BLOCK; i < to; i++) {
      const distance = Math.abs(first[i] - wanted);
      if (distance >= nearest || distance !== distance) continue;
      nearest = distance;
      at = i;
    }
  }
  return at;
}

/** float32 distance between `tag` [L] and the tags of a pixel. */
function tagDistance(tags: readonly Float32Array[], pixel: number, tag: Float32Array): number {
  let sum = 0;
  for (let l = 0; l < tag.length; l++) {
    const difference = f32(tags[l][pixel] - tag[l]);
    sum = f32(sum + f32(difference * difference));
  }
  return f32(Math.sqrt(sum));
}
