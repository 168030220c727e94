/**
 * Gaussian target maps (MMPose: `mmpose/codecs/utils/gaussian_heatmap.py`). Arithmetic is float32 as in NumPy: coordinates are
 * rounded at each step, so that the truncations to whole pixels fall as MMPose's do.
 */
import { type NdArray, zeros } from '../../ndarray.js';

const f32 = Math.fround;

/** Target maps and the weights that training gives to each keypoint. */
export interface GaussianHeatmaps {
  /** [K, H, W] */
  heatmaps: NdArray;
  /** [N, K]: the visibility, 0 where the Gaussian lies outside the map. */
  keypointWeights: NdArray;
}

/** A square table of Gaussian values around `centre`, rows of `size`. */
interface Stamp {
  readonly values: Float32Array;
  readonly size: number;
}

/** Where a stamp's corner lies and how far it reaches, map pixels. */
interface Reach {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** NumPy's conversion to int64: towards zero, NaN to the smallest integer. */
function toInt(value: number): number {
  return value === value ? Math.trunc(value) : -(2 ** 63);
}

/** exp(-(dx^2 + dy^2) / (2 sigma^2)) with every step in float32; `denominator` is 2 sigma^2. */
function gaussian(dx: number, dy: number, denominator: number): number {
  return f32(Math.exp(f32(-f32(f32(dx * dx) + f32(dy * dy)) / denominator)));
}

function makeStamp(sigma: number, x0: number, y0: number): Stamp {
  const size = Math.ceil(2 * (sigma * 3) + 1);
  const values = new Float32Array(size * size);
  const denominator = f32(2 * sigma ** 2);
  for (let y = 0, i = 0; y < size; y++) {
    const dy = f32(y - y0);
    for (let x = 0; x < size; x++, i++) values[i] = gaussian(f32(x - x0), dy, denominator);
  }
  return { values, size };
}

/** Writes the maximum of the map and the stamp into the part of plane `k` that the stamp covers. */
function pressStamp(heatmaps: NdArray, k: number, stamp: Stamp, reach: Reach): void {
  const [height, width] = heatmaps.shape.slice(1);
  const x1 = Math.max(0, reach.left);
  const x2 = Math.min(width, reach.right);
  const y2 = Math.min(height, reach.bottom);
  for (let y = Math.max(0, reach.top); y < y2; y++) {
    const from = (y - reach.top) * stamp.size - reach.left;
    const to = (k * height + y) * width;
    for (let x = x1; x < x2; x++) {
      const value = stamp.values[from + x];
      if (value > heatmaps.data[to + x]) heatmaps.data[to + x] = value;
    }
  }
}

function reachAround(x: number, y: number, radius: number): Reach {
  return {
    left: toInt(x - radius),
    top: toInt(y - radius),
    right: toInt(x + radius + 1),
    bottom: toInt(y + radius + 1),
  };
}

function isOutside(reach: Reach, width: number, height: number): boolean {
  return !(reach.left < width && reach.top < height && reach.right >= 0 && reach.bottom >= 0);
}

/**
 * Gaussians centred on whole pixels (MSRA).
 *
 * @param heatmapSize - [W, H]
 * @param keypoints - [N, K, 2] map pixels
 * @param keypointsVisible - [N, K]; below 0.5 means unlabelled
 * @param sigma - map pixels; one per instance when an array
 */
export function generateGaussianHeatmaps(
  heatmapSize: readonly [number, number],
  keypoints: NdArray,
  keypointsVisible: NdArray,
  sigma: number | ArrayLike<number>,
): GaussianHeatmaps {
  const [instances, count, dims] = keypoints.shape;
  const [width, height] = heatmapSize;
  const out = startTargets(heatmapSize, count, keypointsVisible);
  for (let n = 0; n < instances; n++) {
    const spread = typeof sigma === 'number' ? sigma : sigma[n];
    const radius = spread * 3;
    const centre = Math.floor((2 * radius + 1) / 2);
    const stamp = makeStamp(spread, centre, centre);
    for (let k = 0; k < count; k++) {
      const i = n * count + k;
      if (keypointsVisible.data[i] < 0.5) continue;
      const x = toInt(f32(keypoints.data[i * dims] + 0.5));
      const y = toInt(f32(keypoints.data[i * dims + 1] + 0.5));
      const reach = reachAround(x, y, radius);
      if (isOutside(reach, width, height)) out.keypointWeights.data[i] = 0;
      else pressStamp(out.heatmaps, k, stamp, reach);
    }
  }
  return out;
}

/**
 * Gaussians centred on the exact position, cut to whole-pixel windows (UDP). Parameters as in `generateGaussianHeatmaps`.
 */
export function generateUdpGaussianHeatmaps(
  heatmapSize: readonly [number, number],
  keypoints: NdArray,
  keypointsVisible: NdArray,
  sigma: number,
): GaussianHeatmaps {
  const [instances, count, dims] = keypoints.shape;
  const [width, height] = heatmapSize;
  const out = startTargets(heatmapSize, count, keypointsVisible);
  const radius = sigma * 3;
  const centre = Math.floor((2 * radius + 1) / 2);
  for (let i = 0; i < instances * count; i++) {
    if (keypointsVisible.data[i] < 0.5) continue;
    const [x, y] = [keypoints.data[i * dims], keypoints.data[i * dims + 1]];
    const [px, py] = [toInt(f32(x + 0.5)), toInt(f32(y + 0.5))];
    const reach = reachAround(px, py, radius);
    if (isOutside(reach, width, height)) {
      out.keypointWeights.data[i] = 0;
      continue;
    }
    const stamp = makeStamp(sigma, f32(centre + (x - px)), f32(centre + (y - py)));
    pressStamp(out.heatmaps, i % count, stamp, reach);
  }
  return out;
}

/**
 * Gaussians centred on the exact position over the whole map (DARK). Parameters as in `generateGaussianHeatmaps`.
 */
export function generateUnbiasedGaussianHeatmaps(
  heatmapSize: readonly [number, number],
  keypoints: NdArray,
  keypointsVisible: NdArray,
  sigma: number,
): GaussianHeatmaps {
  const [instances, count, dims] = keypoints.shape;
  const [width, height] = heatmapSize;
  const out = startTargets(heatmapSize, count, keypointsVisible);
  const radius = sigma * 3;
  const denominator = f32(2 * sigma ** 2);
  for (let i = 0; i < instances * count; i++) {
    if (keypointsVisible.data[i] < 0.5) continue;
    const [x, y] = [keypoints.data[i * dims], keypoints.data[i * dims + 1]];
    const outside =
      f32(x - radius) >= width ||
      f32(y - radius) >= height ||
      f32(f32(x + radius) + 1) < 0 ||
      f32(f32(y + radius) + 1) < 0;
    if (outside) out.keypointWeights.data[i] = 0;
    else drawWhole(out.heatmaps, i % count, x, y, denominator);
  }
  return out;
}

/** Maximum of plane `k` and a Gaussian evaluated on each of its pixels. */
function drawWhole(heatmaps: NdArray, k: number, cx: number, cy: number, denominator: number): void {
  const [height, width] = heatmaps.shape.slice(1);
  for (let y = 0, at = k * height * width; y < height; y++) {
    const dy = f32(y - cy);
    for (let x = 0; x < width; x++, at++) {
      const value = gaussian(f32(x - cx), dy, denominator);
      // NumPy's maximum passes NaN on.
      if (!(value <= heatmaps.data[at])) heatmaps.data[at] = value;
    }
  }
}

function startTargets(size: readonly [number, number], count: number, visible: NdArray): GaussianHeatmaps {
  return {
    heatmaps: zeros([count, size[1], size[0]]),
    keypointWeights: { data: visible.data.slice(), shape: visible.shape },
  };
}
