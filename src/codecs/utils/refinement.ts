/**
 * Sub-pixel refinement of maxima (MMPose: `mmpose/codecs/utils/refinement.py`). All functions change `keypoints` in place, the
 * DARK ones also `heatmaps`, and give `keypoints` back. float32 and float64 alternate exactly where NumPy 1.24 alternates.
 *
 * DARK: https://arxiv.org/abs/1910.06278, UDP: https://arxiv.org/abs/1911.07524
 */
import type { NdArray } from '../../ndarray.js';
import { BlurredMaps } from './blurred_maps.js';
import { log32 } from './numpy_log.js';
import { gaussianBlur, gaussianBlur1d } from './post_processing.js';

const f32 = Math.fround;
const FLOAT32_EPS = 2 ** -23;

/**
 * Moves each point a quarter pixel towards its larger neighbour on each axis.
 *
 * @param keypoints - [N, K, 2] map pixels
 * @param heatmaps - [K, H, W]
 */
export function refineKeypoints(keypoints: NdArray, heatmaps: NdArray): NdArray {
  const [count, dims] = keypoints.shape.slice(1);
  const [height, width] = heatmaps.shape.slice(1);
  const map = heatmaps.data;
  for (let i = 0; i < keypoints.data.length; i += dims) {
    const x = Math.trunc(keypoints.data[i]);
    const y = Math.trunc(keypoints.data[i + 1]);
    const at = (((i / dims) % count) * height + y) * width + x;
    // x = 1 is left out although y = 1 is not: MMPose's own asymmetry.
    if (1 < x && x < width - 1 && 0 < y && y < height) keypoints.data[i] += Math.sign(map[at + 1] - map[at - 1]) * 0.25;
    if (1 < y && y < height - 1 && 0 < x && x < width) {
      keypoints.data[i + 1] += Math.sign(map[at + width] - map[at - width]) * 0.25;
    }
  }
  return keypoints;
}

/** float32 logarithm of a value kept between two float32 bounds; NaN stays NaN. */
function boundedLog(value: number, low: number, high: number): number {
  return log32(value < low ? low : value > high ? high : value);
}

/** Bounds before the logarithm: of DARK, and of its UDP and SimCC forms. */
const DARK_MIN = f32(1e-10);
const UDP_MIN = f32(1e-3);
const UDP_MAX = 50;

function logInPlace(data: Float32Array, low: number, high: number): void {
  for (let i = 0; i < data.length; i++) data[i] = boundedLog(data[i], low, high);
}

/** Reads map `k` at row `y`, column `x`. */
type ReadMap = (k: number, y: number, x: number) => number;

/** Inverse of a 2x2 matrix by LU with partial pivoting, the order of LAPACK's `gesv` behind `np.linalg.inv`; null when singular. */
function invert2x2(a: number, b: number, c: number, d: number): readonly [number, number, number, number] | null {
  const swap = Math.abs(c) > Math.abs(a);
  const [p, q, r, s] = swap ? [c, d, a, b] : [a, b, c, d];
  const factor = r / p;
  const pivot = s - factor * q;
  if (p === 0 || pivot === 0) return null;
  // Right-hand side: the identity with its rows swapped like the matrix.
  const low = [swap ? 1 : 0 - factor, swap ? 0 - factor : 1];
  const high = swap ? [0, 1] : [1, 0];
  const [y0, y1] = [low[0] / pivot, low[1] / pivot];
  return [(high[0] - q * y0) / p, (high[1] - q * y1) / p, y0, y1];
}

/**
 * DARK: one Newton step on the logarithm of the blurred map, with differences over two pixels; points within two pixels of the
 * border stay.
 *
 * @param keypoints - [N, K, 2] map pixels
 * @param heatmaps - [K, H, W]; left blurred and logarithmic
 * @param blurKernelSize - odd
 */
export function refineKeypointsDark(keypoints: NdArray, heatmaps: NdArray, blurKernelSize: number): NdArray {
  gaussianBlur(heatmaps, blurKernelSize);
  logInPlace(heatmaps.data, DARK_MIN, Infinity);
  return moveByDark(keypoints, heatmaps.shape, readerOf(heatmaps));
}

/** `refineKeypointsDark` for callers that keep their maps: only the pixels that it reads are blurred, `heatmaps` stays. */
export function refineKeypointsDarkLazily(keypoints: NdArray, heatmaps: NdArray, blurKernelSize: number): NdArray {
  const blurred = new BlurredMaps(heatmaps, blurKernelSize);
  return moveByDark(keypoints, heatmaps.shape, (k, y, x) => boundedLog(blurred.at(k, y, x), DARK_MIN, Infinity));
}

function readerOf(maps: NdArray): ReadMap {
  const [height, width] = maps.shape.slice(1);
  return (k, y, x) => maps.data[(k * height + y) * width + x];
}

function moveByDark(keypoints: NdArray, mapShape: readonly number[], read: ReadMap): NdArray {
  const [count, dims] = keypoints.shape.slice(1);
  const [height, width] = mapShape.slice(1);
  for (let i = 0; i < keypoints.data.length; i += dims) {
    const x = Math.trunc(keypoints.data[i]);
    const y = Math.trunc(keypoints.data[i + 1]);
    if (!(1 < x && x < width - 2 && 1 < y && y < height - 2)) continue;
    const k = (i / dims) % count;
    const [dx, dy] = darkStep((stepY, stepX) => read(k, y + stepY, x + stepX));
    keypoints.data[i] += dx;
    keypoints.data[i + 1] += dy;
  }
  return keypoints;
}

/** `-H^-1 d` around one pixel of a log map; differences in float32, second derivatives in float64, as NumPy scalars promote. */
function darkStep(at: (stepY: number, stepX: number) => number): readonly [number, number] {
  const dx = 0.5 * f32(at(0, 1) - at(0, -1));
  const dy = 0.5 * f32(at(1, 0) - at(-1, 0));
  const dxx = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2));
  const dyy = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0));
  const dxy = 0.25 * f32(f32(f32(at(1, 1) - at(-1, 1)) - at(1, -1)) + at(-1, -1));
  if (dxx * dyy - dxy * dxy === 0) return [0, 0];
  const inverse = invert2x2(dxx, dxy, dxy, dyy);
  if (!inverse) return [0, 0];
  return [-inverse[0] * dx - inverse[1] * dy, -inverse[2] * dx - inverse[3] * dy];
}

/**
 * DARK for UDP: one Newton step with differences over one pixel, on every point, edges repeated outside the map.
 *
 * @param keypoints - [N, K, 2] map pixels
 * @param heatmaps - [K, H, W]; left blurred and logarithmic. An all-zero map is NaN by then, and so are its points
 * @param blurKernelSize - odd
 */
export function refineKeypointsDarkUdp(keypoints: NdArray, heatmaps: NdArray, blurKernelSize: number): NdArray {
  gaussianBlur(heatmaps, blurKernelSize);
  logInPlace(heatmaps.data, UDP_MIN, UDP_MAX);
  return moveByUdp(keypoints, heatmaps.shape, readerOf(heatmaps));
}

/** The logarithm that UDP's refinement takes of a blurred value. */
export function udpLog(value: number): number {
  return boundedLog(value, UDP_MIN, UDP_MAX);
}

/** Blurred values below this have a `udpLog` of at most `log`; a margin covers the rounding of the logarithm. */
export function udpLogAtLeast(log: number): number {
  const value = Math.exp(log) * (1 - 1e-5);
  return value > UDP_MIN ? value : -Infinity;
}

/** Second half of `refineKeypointsDarkUdp`, on maps that `gaussianBlur` has run over: they stay blurred, without the logarithm. */
export function refineKeypointsOnBlurred(keypoints: NdArray, blurred: NdArray): NdArray {
  const read = readerOf(blurred);
  return moveByUdp(keypoints, blurred.shape, (k, y, x) => udpLog(read(k, y, x)));
}

/** `refineKeypointsDarkUdp` for callers that keep their maps: only the pixels that it reads are blurred, `heatmaps` stays. */
export function refineKeypointsDarkUdpLazily(keypoints: NdArray, heatmaps: NdArray, blurKernelSize: number): NdArray {
  const blurred = new BlurredMaps(heatmaps, blurKernelSize);
  return moveByUdp(keypoints, heatmaps.shape, (k, y, x) => udpLog(blurred.at(k, y, x)));
}

function moveByUdp(keypoints: NdArray, mapShape: readonly number[], read: ReadMap): NdArray {
  const count = keypoints.shape[1];
  const neighbours = new Float32Array(7);
  for (let i = 0; i < keypoints.data.length / 2; i++) {
    readNeighbours(read, mapShape, i % count, keypoints.data[2 * i], keypoints.data[2 * i + 1], neighbours);
    udpStep(neighbours, keypoints.data, 2 * i);
  }
  return keypoints;
}

/**
 * Values at the point and at +x, +y, +xy, -xy, -x, -y of the edge-padded, flattened maps. MMPose indexes the flat array, so that
 * a point at -1 reads from the map before (for the first map: from the end of the last).
 */
function readNeighbours(
  read: ReadMap,
  mapShape: readonly number[],
  k: number,
  x: number,
  y: number,
  out: Float32Array,
): void {
  const [count, height, width] = mapShape;
  const stride = width + 2;
  const plane = stride * (height + 2);
  const base = Math.trunc(f32(f32(f32(x + 1) + f32(f32(y + 1) * stride)) + plane * k));
  const steps = [0, 1, stride, stride + 1, -stride - 1, -1, -stride];
  for (let i = 0; i < 7; i++) {
    let index = base + steps[i];
    if (index < 0) index += plane * count;
    const rest = index % plane;
    const mapRow = Math.min(Math.max(Math.floor(rest / stride) - 1, 0), height - 1);
    const mapColumn = Math.min(Math.max((rest % stride) - 1, 0), width - 1);
    out[i] = read(Math.floor(index / plane), mapRow, mapColumn);
  }
}

/** Subtracts `(H + eps)^-1 d` from the point at `at`; a singular matrix, where MMPose raises, leaves the point. */
function udpStep(values: Float32Array, points: Float32Array, at: number): void {
  const [centre, right, below, diagonal, backDiagonal, left, above] = values;
  const dx = f32(0.5 * f32(right - left));
  const dy = f32(0.5 * f32(below - above));
  const dxx = f32(f32(right - 2 * centre) + left);
  const dyy = f32(f32(below - 2 * centre) + above);
  let cross = f32(f32(f32(diagonal - right) - below) + centre);
  cross = f32(f32(f32(f32(cross + centre) - left) - above) + backDiagonal);
  const dxy = f32(0.5 * cross);
  const inverse = invert2x2(dxx + FLOAT32_EPS, dxy, dxy, dyy + FLOAT32_EPS);
  if (!inverse) return;
  points[at] -= inverse[0] * dx + inverse[1] * dy;
  points[at + 1] -= inverse[2] * dx + inverse[3] * dy;
}

/**
 * DARK in one dimension, for SimCC.
 *
 * @param keypoints - [N, K] bins on this axis
 * @param simcc - [N, K, bins]; left blurred and logarithmic
 * @param blurKernelSize - odd
 */
export function refineSimccDark(keypoints: NdArray, simcc: NdArray, blurKernelSize: number): NdArray {
  gaussianBlur1d(simcc, blurKernelSize);
  logInPlace(simcc.data, UDP_MIN, UDP_MAX);
  const bins = simcc.shape[simcc.shape.length - 1];
  for (let i = 0; i < keypoints.data.length; i++) {
    const start = i * bins;
    // Index into the vector padded by two; a bin of -1 wraps around to the end, as a negative NumPy index does.
    const padded = Math.trunc(f32(keypoints.data[i] + 2.5));
    const value = (step: number): number => {
      const index = padded + step < 0 ? padded + step + bins + 4 : padded + step;
      return simcc.data[start + Math.min(Math.max(index - 2, 0), bins - 1)];
    };
    const dx = f32(0.5 * f32(value(1) - value(-1)));
    const curve = f32(f32(value(2) - f32(2 * value(0))) + value(-2));
    const dxx = f32(f32(1e-9) + f32(0.25 * curve));
    keypoints.data[i] -= f32(dx / dxx);
  }
  return keypoints;
}
