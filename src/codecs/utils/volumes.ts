/** Heatmaps with depth (MMPose: `get_heatmap_3d_maximum`, `generate_3d_gaussian_heatmaps` of `mmpose/codecs/utils`). */
import { InputError } from '../../errors.js';
import { type NdArray, zeros } from '../../ndarray.js';
import { roundHalfEven } from './ae_group.js';
import type { Size } from './options.js';

export type VolumeSize = readonly [w: number, h: number, d: number];

const f32 = Math.fround;

/**
 * Voxel and value of the largest response; -1 where nothing is above 0.
 *
 * @param heatmaps - [K * depth, h, w]
 * @returns locs [K, 3] as x, y, z; vals [K]
 */
export function getHeatmap3dMaximum(heatmaps: NdArray, depth: number): { locs: NdArray; vals: NdArray } {
  const [planes, h, w] = heatmaps.shape;
  if (planes % depth !== 0) {
    throw new InputError(`getHeatmap3dMaximum: found ${planes} planes; expected ${depth} for each keypoint.`);
  }
  const [k, size] = [planes / depth, depth * h * w];
  const [locs, vals] = [zeros([k, 3]), zeros([k])];
  for (let i = 0; i < k; i++) {
    const volume = heatmaps.data.subarray(i * size, (i + 1) * size);
    let at = 0;
    for (let j = 1; j < size; j++) if (volume[j] > volume[at]) at = j;
    vals.data[i] = volume[at];
    const place = [at % w, Math.floor(at / w) % h, Math.floor(at / (w * h))];
    locs.data.set(volume[at] > 0 ? place : [-1, -1, -1], 3 * i);
  }
  return { locs, vals };
}

export interface VolumeOptions {
  readonly size: VolumeSize;
  /** px */
  readonly imageSize: Size;
  /** Voxels. */
  readonly sigma: number;
  /** What the volume's depth is in the keypoints' unit; their depth of 0 lies in the middle. */
  readonly depthBound: number;
  readonly peak: number;
  readonly keypointWeights: ArrayLike<number> | null;
}

/**
 * @param keypoints - [N, K, 3]
 * @param visible - [N, K]
 * @returns heatmaps [K * d, h, w]; weights [N, K], 0 for keypoints out of the volume's depth
 */
export function generate3dGaussianHeatmaps(
  keypoints: NdArray,
  visible: NdArray,
  options: VolumeOptions,
): { heatmaps: NdArray; weights: NdArray } {
  const { size, imageSize, depthBound, peak, keypointWeights } = options;
  const [w, h, d] = size;
  const [n, k] = keypoints.shape;
  const heatmaps = zeros([k * d, h, w]);
  const weights = { data: visible.data.slice(), shape: [n, k] };
  for (let i = 0; i < n * k; i++) {
    const [x, y, z] = keypoints.data.subarray(3 * i, 3 * i + 3);
    const depth = f32(f32(f32(z / depthBound) + 0.5) * d);
    const centre = [f32(f32(x * w) / imageSize[0]), f32(f32(y * h) / imageSize[1]), depth] as const;
    weights.data[i] *= (depth >= 0 && depth < d ? 1 : 0) * (keypointWeights?.[i % k] ?? 1);
    const volume = heatmaps.data.subarray((i % k) * d * h * w, ((i % k) + 1) * d * h * w);
    addGaussian(volume, size, centre, options.sigma);
  }
  for (let i = 0; i < heatmaps.data.length; i++) heatmaps.data[i] *= peak;
  return { heatmaps, weights };
}

/**
 * The larger of the volume and a Gaussian. Its places are rounded to voxels and moved into the volume; of several that meet in one
 * voxel the last one counts, as in NumPy.
 */
function addGaussian(
  volume: Float32Array,
  [w, h, d]: VolumeSize,
  [cx, cy, cz]: readonly [number, number, number],
  sigma: number,
): void {
  const before = volume.slice();
  const radius = 3 * sigma;
  const offsets = Array.from({ length: Math.ceil(2 * radius + 1) }, (_, i) => i - radius);
  const along = (centre: number, length: number) =>
    offsets.map((offset) => {
      const voxel = Math.min(Math.max(roundHalfEven(f32(offset + centre)), 0), length - 1);
      return { voxel, squared: f32(f32(voxel - centre) ** 2) };
    });
  const [xs, ys, zs] = [along(cx, w), along(cy, h), along(cz, d)];
  // The order of np.meshgrid's axes.
  for (const y of ys) {
    for (const z of zs) {
      for (const x of xs) {
        const value = Math.exp(-f32(f32(x.squared + y.squared) + z.squared) / (2 * sigma ** 2));
        const at = (z.voxel * h + y.voxel) * w + x.voxel;
        volume[at] = Math.max(before[at], value);
      }
    }
  }
}
