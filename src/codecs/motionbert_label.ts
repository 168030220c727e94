/**
 * 2-D poses as fractions of the picture, and poses in space in the same measure (MMPose: `mmpose/codecs/motionbert_label.py`; Zhu et al.
 * 2022, https://arxiv.org/abs/2210.06551). Without cameras: targets count as they are, with a factor of 4.
 */
import { REQUIRED, readConfig } from '../config.js';
import { InputError } from '../errors.js';
import { type NdArray, full } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels } from './base.js';
import {
  LIFTING_INSTANCES,
  LIFTING_LABELS,
  type LiftingCodec,
  type PictureSize,
  encodeTarget,
  pictureSize,
  readLayout,
  withVisibility,
} from './utils/lifting.js';
import { readChoice, requireRank, visibleOrOnes } from './utils/options.js';

/** Keys of a `MotionBERTLabel` config. */
export interface MotionBERTLabelConfig {
  num_keypoints: number;
  /** @default 0 */
  root_index?: number;
  /** Have no meaning, here and in MMPose. @default false */
  remove_root?: boolean;
  save_index?: boolean;
  /** Visibility as a third column of the keypoints. @default false */
  concat_vis?: boolean;
  /** The network's poses have their root in the origin. @default false */
  rootrel?: boolean;
  /** Measure of the encoded target: fractions of a picture in metres, or the annotations' times the factor. @default 'test' */
  mode?: 'train' | 'test';
}

/** From a network's pose to millimetres, where no camera says otherwise. */
export const USUAL_FACTOR = 4;

export class MotionBERTLabel implements LiftingCodec {
  static readonly auxiliaryEncodeKeys = ['lifting_target', 'lifting_target_visible', 'img_shape', 'factor'];
  static readonly instanceMappingTable = LIFTING_INSTANCES;
  static readonly labelMappingTable = LIFTING_LABELS;

  /** There is no picture. */
  readonly inputSize = [0, 0] as const;
  readonly encodedNames = ['encoded', 'w', 'h', 'factor'];
  readonly reshapeKeypoints = false;
  readonly rootIndex: number;
  readonly concatVis: boolean;
  readonly rootrel: boolean;
  readonly mode: 'train' | 'test';

  constructor(config: MotionBERTLabelConfig, where = 'MotionBERTLabel') {
    const options = readConfig<Required<MotionBERTLabelConfig>>({ ...config }, where, {
      num_keypoints: REQUIRED,
      root_index: 0,
      remove_root: false,
      save_index: false,
      concat_vis: false,
      rootrel: false,
      mode: 'test',
    });
    this.rootIndex = readLayout(options, where).rootIndex[0];
    this.concatVis = options.concat_vis;
    this.rootrel = options.rootrel;
    this.mode = readChoice(options.mode, ['train', 'test'], `${where}.mode`);
  }

  /**
   * @param keypoints - [T, K, D] px, image space
   * @param keypointsVisible - [T, K]
   * @param auxiliary - `lifting_target` [T, K, C] and `lifting_target_visible`; `img_shape` [h, w] px; `factor` [T], 4 when left out
   * @returns `keypoint_labels` [T, K, D], -1 at the picture's left border and 1 at its right one; `lifting_target_label` around the
   *   root, the same as `lifting_target`; `lifting_target_weight`; `factor` [T, 1]; `keypoint_labels_visible`
   * @throws InputError without target or picture size
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary: AuxiliaryAnnotations = {}): EncodedLabels {
    const size = pictureSize(auxiliary, 'MotionBERTLabel');
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const network = this.encodeKeypoints(keypoints, visible, size);
    const layout = { numKeypoints: keypoints.shape[1], rootIndex: [this.rootIndex], removeRoot: false };
    const target = encodeTarget(auxiliary, layout, 'MotionBERTLabel');
    const factor = factorOf(auxiliary.factor as NdArray | undefined, keypoints.shape[0]);
    const label = this.mode === 'test' ? scaled(target.label, factor) : inMetres(target.label, size);
    return {
      keypoint_labels: network,
      keypoint_labels_visible: visible,
      lifting_target_label: label,
      lifting_target_weight: target.weight,
      lifting_target: label,
      factor,
    };
  }

  encodeKeypoints(keypoints: NdArray, visible: NdArray, { w, h }: PictureSize): NdArray {
    requireRank(keypoints, 3, 'MotionBERTLabel.encode', '[T, K, D]');
    const dims = keypoints.shape[2];
    const middle = [1, h / w];
    const data = keypoints.data.map((v, i) => (i % dims < 2 ? (v / w) * 2 - middle[i % dims] : v));
    return withVisibility({ data, shape: keypoints.shape }, visible, this);
  }

  /**
   * @param encoded - [N, K, C]
   * @param w - [N] or one for all, px: poses are moved and scaled into pictures of this width; left out: they are not
   * @param h - the same of the height
   * @param factor - [N] or one for all, from there to millimetres
   * @returns keypoints [N, K, C] around the root, in metres; scores [N, K], all 1
   * @throws InputError when the numbers of poses, sizes and factors differ
   */
  decode(encoded: NdArray, w?: NdArray, h?: NdArray, factor?: NdArray): DecodedKeypoints {
    requireRank(encoded, 3, 'MotionBERTLabel.decode', '[N, K, C]');
    const [n, k, c] = encoded.shape;
    const widths = w && w.data.length > 0 ? perPose(w, n, 'w') : null;
    const heights = widths && perPose(h!, n, 'h');
    const factors = factor && factor.data.length > 0 ? perPose(factor, n, 'factor') : null;
    const data = encoded.data.map((v, i) => {
      const [pose, keypoint, axis] = [Math.floor(i / (k * c)), Math.floor(i / c) % k, i % c];
      const own = this.rootrel && keypoint === 0 ? 0 : v;
      const moved = axis === 0 ? 1 : axis === 1 && widths ? heights![pose] / widths[pose] : 0;
      const inPicture = widths ? ((own + moved) * widths[pose]) / 2 : own;
      return inPicture * (factors?.[pose] ?? 1);
    });
    const centred = data.map((v, i) => {
      const root = data[(Math.floor(i / (k * c)) * k + this.rootIndex) * c + (i % c)];
      return (v - root) / 1000;
    });
    return { keypoints: { data: centred, shape: encoded.shape }, scores: full([n, k], 1) };
  }
}

/** [T, 1] */
function factorOf(given: NdArray | undefined, frames: number): NdArray {
  if (!given || given.data[0] === 0) return full([frames, 1], USUAL_FACTOR);
  return { data: given.data, shape: [given.data.length, 1] };
}

/** Each pose of [T, K, C], or the only one for all factors, times its factor. */
function scaled({ data, shape: [t, k, c] }: NdArray, factor: NdArray): NdArray {
  const frames = Math.max(t, factor.data.length);
  const all = Float32Array.from({ length: frames * k * c }, (_, i) => {
    const frame = Math.floor(i / (k * c));
    return data[i % data.length] * factor.data[factor.data.length === 1 ? 0 : frame];
  });
  return { data: all, shape: [frames, k, c] };
}

/** Around the root, so that only the scale is left of MMPose's fractions of a picture in metres. */
function inMetres({ data, shape }: NdArray, { w }: PictureSize): NdArray {
  return { data: data.map((v) => (v / (w / 1000)) * 2), shape };
}

/** A number per pose, out of one for all or one each. */
function perPose({ data }: NdArray, count: number, name: string): readonly number[] {
  if (data.length === 1) return Array<number>(count).fill(data[0]);
  if (data.length === count) return [...data];
  throw new InputError(
    `MotionBERTLabel.decode: ${name}: found ${data.length} numbers; expected ${count}, one per pose.`,
  );
}
