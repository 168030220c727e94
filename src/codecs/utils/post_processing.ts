/**
 * Maxima, blur and suppression on heatmaps and SimCC vectors (MMPose: `mmpose/codecs/utils/post_processing.py`), in float32
 * wherever NumPy stays in float32. Functions that MMPose runs in place do so here too, and say so.
 */
import { InputError } from '../../errors.js';
import { type NdArray, ndarray, row, zeros } from '../../ndarray.js';
import { blurLine, blurPlane, halfGaussianKernel } from './cv2_gaussian_blur.js';
import { topk } from './topk.js';

/** Locations and values of maxima. */
export interface Maxima {
  /** [..., 2] x and y in map pixels or bins; -1 where the maximum is not positive. */
  locs: NdArray;
  /** [...] */
  vals: NdArray;
}

/** Index of the first maximum of `data[start, end)`, relative to `start`; the first NaN counts as maximum, as in NumPy. */
export function argmax(data: Float32Array, start: number, end: number): number {
  let best = data[start];
  let at = start;
  for (let i = start; i < end; i++) {
    const value = data[i];
    if (value <= best) continue;
    best = value;
    at = i;
    if (value !== value) break;
  }
  return at - start;
}

/** Writes one location, or -1 for a maximum that is not positive (NaN is kept). */
function writeMaximum(locs: Float32Array, index: number, x: number, y: number, value: number): void {
  const found = !(value <= 0);
  locs[index * 2] = found ? x : -1;
  locs[index * 2 + 1] = found ? y : -1;
}

/**
 * Position and value of each map's maximum; ties go to the first in row-major order.
 *
 * @param heatmaps - [K, H, W] or [B, K, H, W]
 * @returns locs [K, 2] or [B, K, 2], vals [K] or [B, K]
 */
export function getHeatmapMaximum(heatmaps: NdArray): Maxima {
  const lead = heatmaps.shape.slice(0, -2);
  if (lead.length !== 1 && lead.length !== 2) {
    throw new InputError(
      `getHeatmapMaximum: found shape [${heatmaps.shape.join(', ')}]; expected [K, H, W] or [B, K, H, W].`,
    );
  }
  const [height, width] = heatmaps.shape.slice(-2);
  const size = height * width;
  const vals = zeros(lead);
  const locs = zeros([...lead, 2]);
  for (let k = 0; k < vals.data.length; k++) {
    const index = argmax(heatmaps.data, k * size, (k + 1) * size);
    const value = heatmaps.data[k * size + index];
    vals.data[k] = value;
    writeMaximum(locs.data, k, index % width, Math.floor(index / width), value);
  }
  return { locs, vals };
}

/**
 * Position of the maxima of x and y vectors; the value is the smaller of the two.
 *
 * @param simccX - [K, Wx] or [N, K, Wx]
 * @param simccY - [K, Wy] or [N, K, Wy]
 * @param applySoftmax - values are softmax probabilities (locations stay)
 * @returns locs [K, 2] or [N, K, 2] in bins, vals [K] or [N, K]
 */
export function getSimccMaximum(simccX: NdArray, simccY: NdArray, applySoftmax = false): Maxima {
  const lead = simccX.shape.slice(0, -1);
  const same = lead.length === simccY.shape.length - 1 && lead.every((n, i) => n === simccY.shape[i]);
  if (!same || lead.length < 1 || lead.length > 2) {
    throw new InputError(
      `getSimccMaximum: found shapes [${simccX.shape.join(', ')}] and [${simccY.shape.join(', ')}]; expected both [K, bins] or both [N, K, bins].`,
    );
  }
  const binsX = simccX.shape[lead.length];
  const binsY = simccY.shape[lead.length];
  const vals = zeros(lead);
  const locs = zeros([...lead, 2]);
  for (let k = 0; k < vals.data.length; k++) {
    const x = argmax(simccX.data, k * binsX, (k + 1) * binsX);
    const y = argmax(simccY.data, k * binsY, (k + 1) * binsY);
    const maxX = peakValue(simccX.data, k * binsX, binsX, x, applySoftmax);
    const maxY = peakValue(simccY.data, k * binsY, binsY, y, applySoftmax);
    vals.data[k] = maxX > maxY ? maxY : maxX;
    writeMaximum(locs.data, k, x, y, vals.data[k]);
  }
  return { locs, vals };
}

/** Value at the maximum, or the softmax probability there: `exp(0) / sum(exp(v - max))`. */
function peakValue(data: Float32Array, start: number, length: number, peak: number, softmax: boolean): number {
  const max = data[start + peak];
  if (!softmax) return max;
  let sum = 0;
  for (let i = start; i < start + length; i++) sum += Math.fround(Math.exp(Math.fround(data[i] - max)));
  return Math.fround(1 / Math.fround(sum));
}

/**
 * Scales SimCC vectors for display: divides by the Gaussian's norm, clips at 0, and brings vectors that exceed 1 to a maximum of 1.
 *
 * @param simcc - [B, K, bins]
 * @param sigma - the codec's sigma on this axis; null when it does not normalise
 */
export function getSimccNormalized(simcc: NdArray, sigma: number | null = null): NdArray {
  const bins = simcc.shape[simcc.shape.length - 1];
  const out = { data: simcc.data.slice(), shape: simcc.shape };
  const norm = sigma === null ? 1 : Math.fround(sigma * Math.sqrt(Math.PI * 2));
  for (let start = 0; start < out.data.length; start += bins) {
    let max = -Infinity;
    for (let i = start; i < start + bins; i++) {
      const value = Math.fround(out.data[i] / norm);
      out.data[i] = value < 0 ? 0 : value;
      if (!(out.data[i] <= max)) max = out.data[i];
    }
    if (max > 1) for (let i = start; i < start + bins; i++) out.data[i] /= max;
  }
  return out;
}

/** Largest value of `data[start, end)`; NaN when there is one. */
function maxOf(data: Float32Array, start: number, end: number): number {
  return data[start + argmax(data, start, end)];
}

/** Multiplies `data[start, end)` so that its maximum becomes `peak` again; 0 / 0 makes an all-zero map NaN, as in MMPose. */
function restorePeak(data: Float32Array, start: number, end: number, peak: number): void {
  const ratio = Math.fround(peak / maxOf(data, start, end));
  for (let i = start; i < end; i++) data[i] *= ratio;
}

/**
 * Blurs each map (zero outside) and rescales it to its old maximum, **in place**. An all-zero map becomes NaN, as in MMPose.
 *
 * @param heatmaps - [K, H, W]
 * @param kernel - odd kernel size; 11 suits sigma 2, 17 sigma 3
 */
export function gaussianBlur(heatmaps: NdArray, kernel = 11): NdArray {
  const [count, height, width] = heatmaps.shape;
  const half = halfGaussianKernel(kernel);
  const size = height * width;
  for (let k = 0; k < count; k++) {
    const peak = maxOf(heatmaps.data, k * size, (k + 1) * size);
    blurPlane(heatmaps.data, k * size, width, height, half, 'zero');
    restorePeak(heatmaps.data, k * size, (k + 1) * size, peak);
  }
  return heatmaps;
}

/**
 * Blurs each vector (zero outside) and rescales it to its old maximum, **in place**.
 *
 * @param simcc - [N, K, bins]
 * @param kernel - odd kernel size
 */
export function gaussianBlur1d(simcc: NdArray, kernel = 11): NdArray {
  const bins = simcc.shape[simcc.shape.length - 1];
  const half = halfGaussianKernel(kernel);
  for (let start = 0; start < simcc.data.length; start += bins) {
    const peak = maxOf(simcc.data, start, start + bins);
    blurLine(simcc.data, start, bins, half, 'zero');
    restorePeak(simcc.data, start, start + bins, peak);
  }
  return simcc;
}

/**
 * Keeps the values that are the maximum of their window and sets all others to 0.
 *
 * @param heatmaps - [B, K, H, W] (any leading shape)
 * @param kernelSize - odd window size
 * @returns a new array of the same shape
 */
export function batchHeatmapNms(heatmaps: NdArray, kernelSize = 5): NdArray {
  if (!Number.isInteger(kernelSize) || kernelSize < 1 || kernelSize % 2 === 0) {
    throw new InputError(`batchHeatmapNms: found kernel size ${kernelSize}; expected a positive odd integer.`);
  }
  const [height, width] = heatmaps.shape.slice(-2);
  const size = height * width;
  const out = new Float32Array(heatmaps.data.length);
  const rows = new Float32Array(size);
  const radius = (kernelSize - 1) / 2;
  for (let start = 0; start < out.length; start += size) {
    maxAlongRows(heatmaps.data, start, width, height, radius, rows);
    keepPeaks(heatmaps.data, start, width, height, radius, rows, out);
  }
  return ndarray(out, heatmaps.shape);
}

/** Horizontal sliding maximum of one plane into `rows`. */
function maxAlongRows(
  data: Float32Array,
  start: number,
  width: number,
  height: number,
  radius: number,
  rows: Float32Array,
): void {
  for (let y = 0; y < height; y++) {
    const from = start + y * width;
    for (let x = 0; x < width; x++) {
      const to = Math.min(width - 1, x + radius);
      let max = data[from + x];
      for (let i = Math.max(0, x - radius); i <= to; i++) if (data[from + i] > max) max = data[from + i];
      rows[y * width + x] = max;
    }
  }
}

/** Copies those values of one plane to `out` that no value in their column of row maxima exceeds. */
function keepPeaks(
  data: Float32Array,
  start: number,
  width: number,
  height: number,
  radius: number,
  rows: Float32Array,
  out: Float32Array,
): void {
  for (let y = 0; y < height; y++) {
    const from = Math.max(0, y - radius);
    const to = Math.min(height - 1, y + radius);
    for (let x = 0; x < width; x++) {
      const value = data[start + y * width + x];
      if (rows[y * width + x] > value) continue;
      let peak = true;
      for (let i = from; i <= to && peak; i++) peak = !(rows[i * width + x] > value);
      if (peak) out[start + y * width + x] = value;
    }
  }
}

/**
 * Indices of the (at most `count`) largest peaks of map `k` that exceed `threshold`, largest first: what `batchHeatmapNms` and
 * `topk` give, without writing the suppressed map.
 *
 * @param heatmaps - [K, H, W]
 * @param threshold - not negative
 */
export function peaksAbove(
  heatmaps: NdArray,
  k: number,
  kernelSize: number,
  threshold: number,
  count: number,
): ArrayLike<number> {
  const [height, width] = heatmaps.shape.slice(1);
  const start = k * height * width;
  const { data } = heatmaps;
  const radius = (kernelSize - 1) / 2;
  const peaks: number[] = [];
  const size = height * width;
  for (let i = 0; i < size; i++) {
    if (data[start + i] > threshold && isPeak(data, start, width, height, radius, i)) peaks.push(i);
  }
  peaks.sort((a, b) => data[start + b] - data[start + a]);
  const repeats = peaks.some((index, i) => i > 0 && data[start + index] === data[start + peaks[i - 1]]);
  if (threshold >= 0 && !repeats) return peaks.slice(0, count);
  // Equal peaks: their order is torch's.
  const map = batchHeatmapNms(row(heatmaps, k), kernelSize).data;
  return topk(map, 0, map.length, count).filter((index) => map[index] > threshold);
}

/** Whether no value in the window around pixel `index` is larger. */
function isPeak(
  data: Float32Array,
  start: number,
  width: number,
  height: number,
  radius: number,
  index: number,
): boolean {
  const value = data[start + index];
  const cx = index % width;
  // Slopes are far more common than peaks, and mostly end here.
  if ((cx > 0 && data[start + index - 1] > value) || (cx < width - 1 && data[start + index + 1] > value))
    return radius < 1;
  const cy = (index - cx) / width;
  const toX = Math.min(width - 1, cx + radius);
  const toY = Math.min(height - 1, cy + radius);
  for (let y = Math.max(0, cy - radius); y <= toY; y++) {
    for (let x = Math.max(0, cx - radius); x <= toX; x++) if (data[start + y * width + x] > value) return false;
  }
  return true;
}
