/**
 * The 2-D pose of one picture, normalised by the dataset's mean and deviation, to a pose in space (MMPose:
 * `mmpose/codecs/image_pose_lifting.py`; Martinez et al. 2017, https://arxiv.org/abs/1705.03098).
 */
import { REQUIRED, readConfig } from '../config.js';
import { ConfigError, InputError } from '../errors.js';
import type { NdArray } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels } from './base.js';
import {
  LIFTING_INSTANCES,
  LIFTING_LABELS,
  type LiftingCodec,
  type LiftingLayout,
  arrangeKeypoints,
  decodeLifted,
  encodeTarget,
  lacksRoot,
  readLayout,
  targetLabels,
  withVisibility,
} from './utils/lifting.js';
import { requireRank, visibleOrOnes } from './utils/options.js';

/** [K, D], in lists of any depth: published configs have [[[x, y], ...]], too. */
type Statistics = readonly (number | Statistics)[];

/** Keys of an `ImagePoseLifting` config. */
export interface ImagePoseLiftingConfig {
  num_keypoints: number;
  /** Keypoint, or several whose mean is the root. @default 0 */
  root_index?: number | readonly number[];
  /** The network gives no root. @default false */
  remove_root?: boolean;
  /** Has no meaning here: encoded labels hold the root's place in any case. @default false */
  save_index?: boolean;
  /** Network input as [K * D, T]. @default true */
  reshape_keypoints?: boolean;
  /** Visibility as a further column of the keypoints. @default false */
  concat_vis?: boolean;
  /** Of the 2-D keypoints, px, [K, D]. @default null: keypoints are not normalised */
  keypoints_mean?: Statistics | null;
  keypoints_std?: Statistics | null;
  /** Of the 3-D keypoints around their root, [K, C], without the root where it is removed. @default null */
  target_mean?: Statistics | null;
  target_std?: Statistics | null;
  /** Has no meaning here. @default null */
  additional_encode_keys?: readonly string[] | null;
}

interface Normalization {
  readonly mean: Float32Array;
  readonly std: Float32Array;
}

const f32 = Math.fround;

export class ImagePoseLifting implements LiftingCodec {
  static readonly auxiliaryEncodeKeys = ['lifting_target', 'lifting_target_visible'];
  static readonly instanceMappingTable = LIFTING_INSTANCES;
  static readonly labelMappingTable = LIFTING_LABELS;

  /** There is no picture. */
  readonly inputSize = [0, 0] as const;
  readonly encodedNames = ['encoded', 'target_root'];
  readonly layout: LiftingLayout;
  readonly reshapeKeypoints: boolean;
  readonly concatVis: boolean;
  readonly #keypoints: Normalization | null;
  readonly #target: Normalization | null;

  constructor(config: ImagePoseLiftingConfig, where = 'ImagePoseLifting') {
    const options = readConfig<Required<ImagePoseLiftingConfig>>({ ...config }, where, {
      num_keypoints: REQUIRED,
      root_index: 0,
      remove_root: false,
      save_index: false,
      reshape_keypoints: true,
      concat_vis: false,
      keypoints_mean: null,
      keypoints_std: null,
      target_mean: null,
      target_std: null,
      additional_encode_keys: null,
    });
    this.layout = readLayout(options, where);
    this.reshapeKeypoints = options.reshape_keypoints;
    this.concatVis = options.concat_vis;
    const { numKeypoints } = this.layout;
    this.#keypoints = readNormalization(
      options.keypoints_mean,
      options.keypoints_std,
      numKeypoints,
      `${where}.keypoints`,
    );
    const targets = lacksRoot(this.layout) ? numKeypoints - 1 : numKeypoints;
    this.#target = readNormalization(options.target_mean, options.target_std, targets, `${where}.target`);
  }

  /**
   * @param keypoints - [T, K, D] px, image space
   * @param keypointsVisible - [T, K]
   * @param auxiliary - `lifting_target` [T, K, C] and `lifting_target_visible` of the pose in space
   * @returns `keypoint_labels` [K * D, T] (or [T, K, D]), normalised; `target_root` [T, C]; `lifting_target_label` (normalised),
   *   `lifting_target_weight`, `trajectory_weights`, `keypoint_labels_visible`
   * @throws InputError without a target, or when its shape is not that of mean and deviation
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary: AuxiliaryAnnotations = {}): EncodedLabels {
    const target = encodeTarget(auxiliary, this.layout, 'ImagePoseLifting');
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const labels = targetLabels({ ...target, label: normalize(target.label, this.#target, 'lifting_target') });
    const keypointLabels = arrangeKeypoints(this.encodeKeypoints(keypoints, visible), this);
    return { ...labels, keypoint_labels: keypointLabels, keypoint_labels_visible: visible };
  }

  encodeKeypoints(keypoints: NdArray, visible: NdArray): NdArray {
    requireRank(keypoints, 3, 'ImagePoseLifting.encode', '[T, K, D]');
    return withVisibility(normalize(keypoints, this.#keypoints, 'keypoints'), visible, this);
  }

  /**
   * @param encoded - [N, K, C], normalised, relative to the root
   * @param targetRoot - [N, C] or [C]; left out: poses stay relative, and a removed root is not put back
   * @returns keypoints [N, K, C] in the target's unit; scores [N, K], all 1
   */
  decode(encoded: NdArray, targetRoot?: NdArray): DecodedKeypoints {
    return decodeLifted(denormalize(encoded, this.#target), targetRoot, this.layout);
  }
}

/** Mean and deviation, or null when there is neither. */
function readNormalization(
  mean: Statistics | null,
  std: Statistics | null,
  rows: number,
  where: string,
): Normalization | null {
  if (mean === null) return null;
  const [values, deviations] = [flatten(mean), flatten(std ?? [])];
  const isWhole = values.length > 0 && values.length % rows === 0 && values.length === deviations.length;
  if (isWhole && [...values, ...deviations].every((v) => Number.isFinite(v))) {
    return { mean: Float32Array.from(values), std: Float32Array.from(deviations) };
  }
  throw new ConfigError(
    `${where}_mean, _std: found ${values.length} and ${deviations.length} numbers; expected as many for each of ${rows} keypoints.`,
  );
}

function flatten(list: Statistics): number[] {
  return list.flatMap((value) => (typeof value === 'number' ? value : flatten(value)));
}

/** (array - mean) / std for each [K, D] of [T, K, D]. */
function normalize(array: NdArray, by: Normalization | null, what: string): NdArray {
  if (!by) return array;
  const [, k, d] = array.shape;
  if (k * d !== by.mean.length) {
    throw new InputError(
      `ImagePoseLifting.encode: ${what}: found ${k} keypoints of ${d}; expected ${by.mean.length} numbers, as the mean has.`,
    );
  }
  const data = array.data.map((v, i) => f32(v - by.mean[i % by.mean.length]) / by.std[i % by.mean.length]);
  return { data, shape: array.shape };
}

function denormalize(array: NdArray, by: Normalization | null): NdArray {
  if (!by) return array;
  const size = by.mean.length;
  if (array.shape.slice(1).reduce((a, b) => a * b, 1) !== size) {
    throw new InputError(
      `ImagePoseLifting.decode: found shape [${array.shape.join(', ')}]; expected ${size} numbers a pose, as the mean has.`,
    );
  }
  const data = array.data.map((v, i) => f32(v * by.std[i % size]) + by.mean[i % size]);
  return { data, shape: array.shape };
}
