/** What the codecs of pose lifting share: 2-D sequences in, root-relative 3-D poses out. */
import { ConfigError, InputError } from '../../errors.js';
import { type NdArray, full, sizeOf, zeros } from '../../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels, KeypointCodec } from '../base.js';
import { copyOf, requireRank } from './options.js';

const f32 = Math.fround;

/** Encoded name -> name in the data sample, for instances and labels. */
export const LIFTING_INSTANCES = {
  lifting_target: 'lifting_target',
  lifting_target_visible: 'lifting_target_visible',
};
export const LIFTING_LABELS = {
  trajectory_weights: 'trajectory_weights',
  lifting_target_label: 'lifting_target_label',
  lifting_target_weight: 'lifting_target_weight',
};

/** What a lifting codec says of keypoints and root; see the configs of the codecs. */
export interface LiftingLayout {
  readonly numKeypoints: number;
  readonly rootIndex: readonly number[];
  readonly removeRoot: boolean;
}

/** The layout that a config describes. `root_index` is one keypoint, or several whose mean counts. */
export function readLayout(
  options: {
    readonly num_keypoints: number;
    readonly root_index: number | readonly number[];
    readonly remove_root: boolean;
  },
  where: string,
): LiftingLayout {
  const { num_keypoints: numKeypoints, root_index, remove_root: removeRoot } = options;
  if (!Number.isInteger(numKeypoints) || numKeypoints < 1) {
    throw new ConfigError(
      `${where}.num_keypoints: found ${JSON.stringify(numKeypoints)}; expected a whole number from 1.`,
    );
  }
  const rootIndex = typeof root_index === 'number' ? [root_index] : root_index;
  const isKeypoint = (index: unknown) =>
    Number.isInteger(index) && (index as number) >= 0 && (index as number) < numKeypoints;
  if (!Array.isArray(rootIndex) || rootIndex.length === 0 || !rootIndex.every(isKeypoint)) {
    throw new ConfigError(
      `${where}.root_index: found ${JSON.stringify(root_index)}; expected keypoints from 0 to ${numKeypoints - 1}.`,
    );
  }
  return { numKeypoints, rootIndex, removeRoot };
}

/** Whether encoded poses lack their root: with several root keypoints MMPose removes none. */
export function lacksRoot({ removeRoot, rootIndex }: LiftingLayout): boolean {
  return removeRoot && rootIndex.length === 1;
}

/** Annotations of the 3-D pose, and what becomes of them. */
export interface LiftingTarget {
  /** [T, K, C] relative to the root, without it where it is removed. */
  readonly label: NdArray;
  /** In the shape of `lifting_target_visible`, [T, K] or [T, K, 1]; without the root where it is removed. */
  readonly weight: NdArray;
  readonly trajectoryWeights: NdArray;
  /** [T, C] */
  readonly root: NdArray;
}

/**
 * `lifting_target` [T, K, C] around its root. With `zeroCenter` false it stays where it is.
 *
 * @throws InputError without a target, or for another shape
 */
export function encodeTarget(
  auxiliary: AuxiliaryAnnotations,
  layout: LiftingLayout,
  where: string,
  zeroCenter = true,
): LiftingTarget {
  const { lifting_target: target, lifting_target_visible: visible } = auxiliary as Record<string, NdArray | undefined>;
  if (!target) {
    throw new InputError(`${where}.encode: found no lifting_target; expected the pose in space, [T, K, C].`);
  }
  requireRank(target, 3, `${where}.encode: lifting_target`, '[T, K, C]');
  const [t, k] = target.shape;
  if (k <= Math.max(...layout.rootIndex)) {
    throw new InputError(
      `${where}.encode: lifting_target: found ${k} keypoints; expected more than root_index, ${layout.rootIndex.join(', ')}.`,
    );
  }
  const weight = visible ? binary(visible) : full([t, k], 1);
  // Without a visibility MMPose weighs by 1 / target[:, 2], which is keypoint 2 and not the depth.
  const trajectoryWeights = visible ? weight : inverse(meanOf(target, [2]));
  const root = meanOf(target, layout.rootIndex);
  if (!zeroCenter) return { label: copyOf(target), weight, trajectoryWeights, root };
  const centred = subtractRoot(target, root);
  if (!lacksRoot(layout)) return { label: centred, weight, trajectoryWeights, root };
  const [index] = layout.rootIndex;
  return { label: without(centred, index), weight: without(weight, index), trajectoryWeights, root };
}

function inverse({ data, shape }: NdArray): NdArray {
  return { data: data.map((v) => 1 / v), shape };
}

function binary({ data, shape }: NdArray): NdArray {
  return { data: data.map((v) => (v > 0.5 ? 1 : 0)), shape };
}

/** Mean of some keypoints of [T, K, C]: [T, C]. */
function meanOf({ data, shape: [t, k, c] }: NdArray, keypoints: readonly number[]): NdArray {
  const root = zeros([t, c]);
  for (let i = 0; i < t * c; i++) {
    const [frame, axis] = [Math.floor(i / c), i % c];
    const sum = keypoints.reduce((total, keypoint) => f32(total + data[(frame * k + keypoint) * c + axis]), 0);
    root.data[i] = sum / keypoints.length;
  }
  return root;
}

function subtractRoot({ data, shape }: NdArray, root: NdArray): NdArray {
  const [, k, c] = shape;
  const at = (i: number) => Math.floor(i / (k * c)) * c + (i % c);
  return { data: data.map((v, i) => v - root.data[at(i)]), shape };
}

/** Without row `index` of the second axis of [T, K, ...]. */
function without({ data, shape: [t, k, ...rest] }: NdArray, index: number): NdArray {
  const size = sizeOf(rest);
  const kept = data.filter((_, i) => Math.floor(i / size) % k !== index);
  return { data: kept, shape: [t, k - 1, ...rest] };
}

/** What the codecs' configs say of the network's input. */
export interface KeypointArrangement {
  readonly concatVis: boolean;
  readonly reshapeKeypoints: boolean;
}

/** A codec of pose lifting: beside the whole `encode` the part that inference needs. */
export interface LiftingCodec extends KeypointCodec, KeypointArrangement {
  /**
   * @param keypoints - [T, K, D] px, image space
   * @param visible - [T, K]
   * @param size - of the picture, px
   * @returns [T, K, D], or with `concat_vis` [T, K, D + 1], in the network's unit
   */
  encodeKeypoints(keypoints: NdArray, visible: NdArray, size: PictureSize): NdArray;
}

export interface PictureSize {
  readonly w: number;
  readonly h: number;
}

/** [T, K, D], with the visibility [T, K] as one more column where that is asked for. */
export function withVisibility(keypoints: NdArray, visible: NdArray, { concatVis }: KeypointArrangement): NdArray {
  return concatVis ? withColumn(keypoints, visible) : keypoints;
}

/** [T, K, D] as MMPose's labels: [K * D, T], unless `reshape_keypoints` is off. */
export function arrangeKeypoints(keypoints: NdArray, { reshapeKeypoints }: KeypointArrangement): NdArray {
  if (!reshapeKeypoints) return keypoints;
  const [t, k, d] = keypoints.shape;
  const columns = k * d;
  const data = new Float32Array(columns * t);
  for (let frame = 0; frame < t; frame++) {
    for (let column = 0; column < columns; column++)
      data[column * t + frame] = keypoints.data[frame * columns + column];
  }
  return { data, shape: [columns, t] };
}

function withColumn({ data, shape: [t, k, d] }: NdArray, column: NdArray): NdArray {
  const joined = zeros([t, k, d + 1]);
  for (let i = 0; i < t * k; i++) {
    joined.data.set(data.subarray(i * d, (i + 1) * d), i * (d + 1));
    joined.data[i * (d + 1) + d] = column.data[i];
  }
  return joined;
}

/** The labels that all lifting codecs give, under MMPose's names. */
export function targetLabels({ label, weight, trajectoryWeights, root }: LiftingTarget): EncodedLabels {
  return {
    lifting_target_label: label,
    lifting_target_weight: weight,
    trajectory_weights: trajectoryWeights,
    target_root: root,
  };
}

/** What decoding is, once the numbers have their unit: root and scores. */
export function decodeLifted(encoded: NdArray, root: NdArray | undefined, layout: LiftingLayout): DecodedKeypoints {
  requireRank(encoded, 3, 'decode', '[N, K, C]');
  const keypoints = root && root.data.length > 0 ? restoreRoot(encoded, root, layout) : copyOf(encoded);
  return { keypoints, scores: full(keypoints.shape.slice(0, 2), 1) };
}

/** Encoded poses [N, K, C] back where their root is [N, C] or [C], with the root in its place where it was removed. */
function restoreRoot(keypoints: NdArray, root: NdArray, layout: LiftingLayout): NdArray {
  const [n, k, c] = keypoints.shape;
  if (root.data.length !== c && root.data.length !== n * c) {
    throw new InputError(
      `target_root: found shape [${root.shape.join(', ')}]; expected [${c}] or [${n}, ${c}], as the poses have.`,
    );
  }
  const rootOf = (i: number, axis: number) => root.data[root.data.length === c ? axis : i * c + axis];
  const moved = keypoints.data.map((v, i) => v + rootOf(Math.floor(i / (k * c)), i % c));
  if (!lacksRoot(layout)) return { data: moved, shape: keypoints.shape };
  const whole = zeros([n, k + 1, c]);
  const [index] = layout.rootIndex;
  for (let i = 0; i < n; i++) {
    const pose = whole.data.subarray(i * (k + 1) * c, (i + 1) * (k + 1) * c);
    pose.set(moved.subarray(i * k * c, (i * k + index) * c));
    pose.set(moved.subarray((i * k + index) * c, (i + 1) * k * c), (index + 1) * c);
    for (let axis = 0; axis < c; axis++) pose[index * c + axis] = rootOf(i, axis);
  }
  return whole;
}

/** The picture's size, `img_shape` [h, w]: MMPose has it as w and h of `camera_param`. */
export function pictureSize({ img_shape }: AuxiliaryAnnotations, where: string): PictureSize {
  const [h, w] = Array.isArray(img_shape) ? (img_shape as readonly number[]) : [];
  if (w > 0 && h > 0) return { w, h };
  throw new InputError(`${where}.encode: img_shape: found ${JSON.stringify(img_shape)}; expected [height, width], px.`);
}
