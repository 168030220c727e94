/**
 * 2-D poses of some frames, as fractions of the picture, to a pose in space (MMPose: `mmpose/codecs/video_pose_lifting.py`;
 * Pavllo et al. 2019, https://arxiv.org/abs/1811.11742).
 */
import { REQUIRED, readConfig } from '../config.js';
import type { NdArray } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels } from './base.js';
import {
  LIFTING_INSTANCES,
  LIFTING_LABELS,
  type LiftingCodec,
  type LiftingLayout,
  type PictureSize,
  arrangeKeypoints,
  decodeLifted,
  encodeTarget,
  pictureSize,
  readLayout,
  targetLabels,
  withVisibility,
} from './utils/lifting.js';
import { requireRank, visibleOrOnes } from './utils/options.js';

/** Keys of a `VideoPoseLifting` config. */
export interface VideoPoseLiftingConfig {
  num_keypoints: number;
  /** Poses are relative to their root. @default true */
  zero_center?: boolean;
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
  /** Has no meaning here: only the loss of semi-supervised training looks at the camera. @default false */
  normalize_camera?: boolean;
}

const f32 = Math.fround;

export class VideoPoseLifting implements LiftingCodec {
  static readonly auxiliaryEncodeKeys = ['lifting_target', 'lifting_target_visible', 'img_shape'];
  static readonly instanceMappingTable = LIFTING_INSTANCES;
  static readonly labelMappingTable = LIFTING_LABELS;

  /** There is no picture. */
  readonly inputSize = [0, 0] as const;
  readonly encodedNames = ['encoded', 'target_root'];
  readonly layout: LiftingLayout;
  readonly zeroCenter: boolean;
  readonly reshapeKeypoints: boolean;
  readonly concatVis: boolean;

  constructor(config: VideoPoseLiftingConfig, where = 'VideoPoseLifting') {
    const options = readConfig<Required<VideoPoseLiftingConfig>>({ ...config }, where, {
      num_keypoints: REQUIRED,
      zero_center: true,
      root_index: 0,
      remove_root: false,
      save_index: false,
      reshape_keypoints: true,
      concat_vis: false,
      normalize_camera: false,
    });
    this.layout = readLayout(options, where);
    this.zeroCenter = options.zero_center;
    this.reshapeKeypoints = options.reshape_keypoints;
    this.concatVis = options.concat_vis;
  }

  /**
   * @param keypoints - [T, K, D] px, image space
   * @param keypointsVisible - [T, K]
   * @param auxiliary - `lifting_target` [T, K, C] and `lifting_target_visible` of the pose in space; `img_shape`
   *   [h, w] of the picture, px
   * @returns `keypoint_labels` [K * D, T] (or [T, K, D]): 0 in the middle of the picture, 1 at its right border; `target_root`
   *   [T, C]; `lifting_target_label`, `lifting_target_weight`, `trajectory_weights`, `keypoints_visible`
   * @throws InputError without target or picture size
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary: AuxiliaryAnnotations = {}): EncodedLabels {
    const where = 'VideoPoseLifting';
    const { target_root, ...labels } = targetLabels(encodeTarget(auxiliary, this.layout, where, this.zeroCenter));
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const network = this.encodeKeypoints(keypoints, visible, pictureSize(auxiliary, where));
    return {
      ...labels,
      ...(this.zeroCenter && { target_root }),
      keypoint_labels: arrangeKeypoints(network, this),
      keypoints_visible: visible,
    };
  }

  encodeKeypoints(keypoints: NdArray, visible: NdArray, { w, h }: PictureSize): NdArray {
    requireRank(keypoints, 3, 'VideoPoseLifting.encode', '[T, K, D]');
    const dims = keypoints.shape[2];
    const [center, scale] = [[f32(0.5 * w), f32(0.5 * h)], f32(0.5 * w)];
    const data = keypoints.data.map((v, i) => f32(v - center[i % dims]) / scale);
    return withVisibility({ data, shape: keypoints.shape }, visible, this);
  }

  /**
   * @param encoded - [N, K, C], relative to the root, in the target's unit
   * @param targetRoot - [N, C] or [C]; left out: poses stay relative, and a removed root is not put back
   * @returns keypoints [N, K, C]; scores [N, K], all 1
   */
  decode(encoded: NdArray, targetRoot?: NdArray): DecodedKeypoints {
    return decodeLifted(encoded, targetRoot, this.layout);
  }
}
