/**
 * Volumes of both hands' keypoints, the depth between the hands and which of them there are (MMPose: `mmpose/codecs/hand_3d_heatmap.py`;
 * InterHand2.6M, https://arxiv.org/abs/2008.09309).
 */
import { readConfig } from '../config.js';
import { ConfigError, InputError } from '../errors.js';
import { type NdArray, zeros } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { getHeatmap3dMaximum, generate3dGaussianHeatmaps, type VolumeSize } from './utils/volumes.js';
import { type Size, readPositive, readSize, requireRank, scaleFactor, visibleOrOnes } from './utils/options.js';

/** Keys of a `Hand3DHeatmap` config. */
export interface Hand3DHeatmapConfig {
  /** px. @default [256, 256] */
  image_size?: Size;
  /** [w, h, d] of the volumes. @default [64, 64, 64] */
  heatmap_size?: readonly [w: number, h: number, d: number];
  /** Bins of the depth between the hands, for `decode` and `encode`. @default 64 */
  root_heatmap_size?: number;
  heatmap_size_root?: number;
  /** Depth of a volume, mm. @default 400 */
  heatmap3d_depth_bound?: number;
  /** Range of the depth between the hands, mm. @default 400 */
  root_depth_bound?: number;
  /** Bins of depth, for `decode`. @default 64 */
  depth_size?: number;
  /** Multiply weights by the dataset's. @default false */
  use_different_joint_weights?: boolean;
  /** Voxels. @default 2 */
  sigma?: number;
  /** Keypoints to encode. @default null: all */
  joint_indices?: readonly number[] | null;
  /** Peak of the volumes. @default 1 */
  max_bound?: number;
}

/** Keypoints of both hands, right one first. */
export interface DecodedHands extends DecodedKeypoints {
  /** [N, 1] mm, the left hand's root behind the right one's. */
  relRootDepth: NdArray;
  /** [N, 2], 1 for hands that are there: right, left. */
  handType: NdArray;
}

const f32 = Math.fround;

export class Hand3DHeatmap implements KeypointCodec {
  static readonly auxiliaryEncodeKeys = [
    'dataset_keypoint_weights',
    'rel_root_depth',
    'rel_root_valid',
    'hand_type',
    'hand_type_valid',
  ];
  static readonly instanceMappingTable = {
    keypoints: 'keypoints',
    keypoints_visible: 'keypoints_visible',
    keypoints_cam: 'keypoints_cam',
  };
  static readonly labelMappingTable = {
    keypoint_weights: 'keypoint_weights',
    root_depth_weight: 'root_depth_weight',
    type_weight: 'type_weight',
    root_depth: 'root_depth',
    type: 'type',
  };
  static readonly fieldMappingTable = { heatmaps: 'heatmaps' };

  readonly inputSize: Size;
  readonly heatmapSize: VolumeSize;
  readonly encodedNames = ['heatmaps', 'root_depth', 'hand_type'];
  readonly #options: Required<Hand3DHeatmapConfig>;

  constructor(config: Hand3DHeatmapConfig = {}, where = 'Hand3DHeatmap') {
    const options = readConfig<Required<Hand3DHeatmapConfig>>({ ...config }, where, {
      image_size: [256, 256],
      heatmap_size: [64, 64, 64],
      root_heatmap_size: 64,
      heatmap_size_root: 64,
      heatmap3d_depth_bound: 400,
      root_depth_bound: 400,
      depth_size: 64,
      use_different_joint_weights: false,
      sigma: 2,
      joint_indices: null,
      max_bound: 1,
    });
    this.inputSize = readSize(options.image_size, `${where}.image_size`);
    this.heatmapSize = readVolumeSize(options.heatmap_size, `${where}.heatmap_size`);
    const numbers = [
      'root_heatmap_size',
      'heatmap_size_root',
      'heatmap3d_depth_bound',
      'root_depth_bound',
      'depth_size',
    ];
    for (const key of [...numbers, 'sigma', 'max_bound'] as (keyof Hand3DHeatmapConfig)[]) {
      readPositive(options[key], `${where}.${key}`);
    }
    this.#options = options;
  }

  /**
   * @param keypoints - [N, K, 3]: px, input space, and mm of depth from the hand's root
   * @param keypointsVisible - [N, K]
   * @param auxiliary - `rel_root_depth` (mm) and `rel_root_valid`, a number each; `hand_type` [2] and `hand_type_valid`;
   *   `dataset_keypoint_weights` [K] where they count
   * @returns `heatmaps` [K * d, h, w], `keypoint_weights` [N, K], `root_depth` [1] in bins and `root_depth_weight` [1], `type` and
   *   `type_weight`
   * @throws InputError without depth and type of the hands
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary: AuxiliaryAnnotations = {}): EncodedLabels {
    requireRank(keypoints, 3, 'Hand3DHeatmap.encode', '[N, K, 3]');
    const {
      use_different_joint_weights: differs,
      joint_indices: indices,
      root_depth_bound,
      heatmap_size_root,
    } = this.#options;
    const { heatmaps, weights } = generate3dGaussianHeatmaps(
      pick(keypoints, indices),
      pick(visibleOrOnes(keypoints, keypointsVisible), indices),
      {
        size: this.heatmapSize,
        imageSize: this.inputSize,
        sigma: this.#options.sigma,
        depthBound: this.#options.heatmap3d_depth_bound,
        peak: this.#options.max_bound,
        keypointWeights: differs ? numbersOf(auxiliary, 'dataset_keypoint_weights') : null,
      },
    );
    const depth = (numbersOf(auxiliary, 'rel_root_depth')[0] / root_depth_bound + 0.5) * heatmap_size_root;
    const isInside = depth >= 0 && depth <= heatmap_size_root;
    const column = (values: ArrayLike<number>): NdArray => ({
      data: Float32Array.from(values),
      shape: [values.length],
    });
    return {
      heatmaps,
      keypoint_weights: weights,
      root_depth: column([depth]),
      root_depth_weight: column([isInside ? numbersOf(auxiliary, 'rel_root_valid')[0] : 0]),
      type: column(numbersOf(auxiliary, 'hand_type')),
      type_weight: column(numbersOf(auxiliary, 'hand_type_valid')),
    };
  }

  /**
   * @param heatmaps - [K * d, h, w]
   * @param rootDepth - [1, 1], bins
   * @param handType - [1, 2], above 0 for hands that are there
   * @returns keypoints [1, K, 3]: px, input space, and mm of depth; scores [1, K]; depth and type of the hands
   */
  decode(heatmaps: NdArray, rootDepth: NdArray, handType: NdArray): DecodedHands {
    requireRank(heatmaps, 3, 'Hand3DHeatmap.decode', '[K * d, h, w]');
    const [w, h, d] = this.heatmapSize;
    const { depth_size, heatmap3d_depth_bound, root_heatmap_size, root_depth_bound } = this.#options;
    const { locs, vals } = getHeatmap3dMaximum(heatmaps, d);
    const [scaleX, scaleY] = scaleFactor(this.inputSize, [w, h]);
    const data = locs.data.map((v, i) => {
      if (i % 3 === 2) return f32(f32(v / depth_size) - 0.5) * heatmap3d_depth_bound;
      return v * (i % 3 === 0 ? scaleX : scaleY);
    });
    return {
      keypoints: { data, shape: [1, ...locs.shape] },
      scores: { data: vals.data, shape: [1, ...vals.shape] },
      relRootDepth: {
        data: rootDepth.data.map((v) => f32(f32(v / root_heatmap_size) - 0.5) * root_depth_bound),
        shape: rootDepth.shape,
      },
      handType: { data: handType.data.map((v) => (v > 0 ? 1 : 0)), shape: [1, handType.data.length] },
    };
  }
}

function readVolumeSize(value: unknown, where: string): VolumeSize {
  const isSize = Array.isArray(value) && value.length === 3 && value.every((n) => Number.isInteger(n) && n > 0);
  if (isSize) return value as unknown as VolumeSize;
  throw new ConfigError(`${where}: found ${JSON.stringify(value)}; expected [width, height, depth] in voxels.`);
}

function numbersOf(auxiliary: AuxiliaryAnnotations, name: string): ArrayLike<number> {
  const value = auxiliary[name];
  const numbers = value && 'shape' in value ? value.data : value;
  if (numbers && numbers.length > 0) return numbers;
  throw new InputError(`Hand3DHeatmap.encode: ${name}: found nothing; expected a list of numbers.`);
}

/** Some keypoints of [N, K, ...]. */
function pick(array: NdArray, indices: readonly number[] | null): NdArray {
  if (!indices) return array;
  const [n, k, ...rest] = array.shape;
  const size = rest.reduce((a, b) => a * b, 1);
  const picked = zeros([n, indices.length, ...rest]);
  for (let i = 0; i < n * indices.length; i++) {
    const from = (Math.floor(i / indices.length) * k + indices[i % indices.length]) * size;
    picked.data.set(array.data.subarray(from, from + size), i * size);
  }
  return picked;
}
