/**
 * Offset and displacement target maps (MMPose: `mmpose/codecs/utils/offset_heatmap.py`).
 */
import { type NdArray, zeros } from '../../ndarray.js';
import type { GaussianHeatmaps } from './gaussian_heatmap.js';

/**
 * Three maps per keypoint: 1 within the radius, and the offsets to the keypoint on x and y in units of the radius. Where several
 * instances are given the last visible one wins, as in MMPose.
 *
 * @param heatmapSize - [W, H]
 * @param keypoints - [N, K, 2] map pixels
 * @param keypointsVisible - [N, K]; below 0.5 means unlabelled
 * @param radiusFactor - radius as a part of the longer map side
 * @returns heatmaps [K * 3, H, W], weights [N, K]
 */
export function generateOffsetHeatmap(
  heatmapSize: readonly [number, number],
  keypoints: NdArray,
  keypointsVisible: NdArray,
  radiusFactor: number,
): GaussianHeatmaps {
  const [instances, count, dims] = keypoints.shape;
  const [width, height] = heatmapSize;
  const size = width * height;
  const heatmaps = zeros([count * 3, height, width]);
  const radius = radiusFactor * Math.max(width, height);
  for (let i = 0; i < instances * count; i++) {
    if (keypointsVisible.data[i] < 0.5) continue;
    const start = (i % count) * 3 * size;
    for (let y = 0, at = start; y < height; y++) {
      const dy = (keypoints.data[i * dims + 1] - y) / radius;
      for (let x = 0; x < width; x++, at++) {
        const dx = (keypoints.data[i * dims] - x) / radius;
        heatmaps.data[at] = dx * dx + dy * dy <= 1 ? 1 : 0;
        heatmaps.data[at + size] = dx;
        heatmaps.data[at + 2 * size] = dy;
      }
    }
  }
  return { heatmaps, keypointWeights: { data: keypointsVisible.data.slice(), shape: keypointsVisible.shape } };
}

/** Displacement targets around instance roots. */
export interface DisplacementHeatmaps {
  /** [K * 2, H, W] px of the map, from the pixel to the keypoint. */
  displacements: NdArray;
  /** [K * 2, H, W]: one over the instance's diagonal. */
  displacementWeights: NdArray;
}

/** One instance as `paintInstance` needs it; map pixels. */
interface Instance {
  readonly index: number;
  readonly rootX: number;
  readonly rootY: number;
  readonly diagonal: number;
  readonly radius: number;
}

/**
 * Around each instance's root, the displacement to each of its keypoints; where instances overlap the smaller one is kept.
 *
 * @param heatmapSize - [W, H]
 * @param keypoints - [N, K, 2] map pixels
 * @param keypointsVisible - [N, K]; below 1 means unlabelled
 * @param roots - [N, 2] map pixels
 * @param rootsVisible - [N]
 * @param diagonalLengths - [N] map pixels
 * @param radius - half side of the square around a root, map pixels
 */
export function generateDisplacementHeatmap(
  heatmapSize: readonly [number, number],
  keypoints: NdArray,
  keypointsVisible: NdArray,
  roots: NdArray,
  rootsVisible: NdArray,
  diagonalLengths: NdArray,
  radius: number,
): DisplacementHeatmaps {
  const [instances, count] = keypoints.shape;
  const [width, height] = heatmapSize;
  const displacements = zeros([count * 2, height, width]);
  const displacementWeights = zeros([count * 2, height, width]);
  const sizes = new Float32Array(width * height);
  const inside = (x: number, y: number): boolean => !(x < 0 || y < 0 || x >= width || y >= height);
  for (let n = 0; n < instances; n++) {
    const [rootX, rootY] = [roots.data[2 * n], roots.data[2 * n + 1]];
    if (rootsVisible.data[n] < 1 || !inside(rootX, rootY)) continue;
    const instance = { index: n, rootX, rootY, diagonal: diagonalLengths.data[n], radius };
    for (let k = 0; k < count; k++) {
      const i = n * count + k;
      if (keypointsVisible.data[i] < 1 || !inside(keypoints.data[2 * i], keypoints.data[2 * i + 1])) continue;
      paintInstance(
        { displacements, displacementWeights },
        sizes,
        instance,
        k,
        keypoints.data.subarray(2 * i, 2 * i + 2),
      );
    }
  }
  return { displacements, displacementWeights };
}

/** Writes keypoint `k`'s displacement into the square around the instance's root. */
function paintInstance(
  out: DisplacementHeatmaps,
  sizes: Float32Array,
  instance: Instance,
  k: number,
  point: Float32Array,
): void {
  const [height, width] = out.displacements.shape.slice(1);
  const { data } = out.displacements;
  const { rootX, rootY, radius, diagonal } = instance;
  const endX = Math.min(Math.trunc(rootX + radius), width);
  const endY = Math.min(Math.trunc(rootY + radius), height);
  for (let y = Math.max(Math.trunc(rootY - radius), 0); y < endY; y++) {
    for (let x = Math.max(Math.trunc(rootX - radius), 0); x < endX; x++) {
      const pixel = y * width + x;
      const onX = 2 * k * height * width + pixel;
      const onY = onX + height * width;
      const taken = data[onX] !== 0 || data[onY] !== 0;
      if (taken && diagonal > sizes[pixel]) continue;
      out.displacementWeights.data[onX] = out.displacementWeights.data[onY] = 1 / diagonal;
      data[onX] = point[0] - x;
      data[onY] = point[1] - y;
      sizes[pixel] = diagonal;
    }
  }
}
