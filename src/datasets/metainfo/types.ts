/**
 * Types of dataset meta-info: `DatasetInfo` is MMPose's `configs/_base_/datasets/*.py` verbatim, `PoseMetaInfo` what
 * `parsePoseMetainfo` makes of it.
 */

/** RGB, 0..255. */
export type RgbColor = readonly [r: number, g: number, b: number];

export interface KeypointInfo {
  readonly name: string;
  readonly id: number;
  readonly color?: RgbColor | null;
  readonly type?: string;
  /** Name of the left/right partner; an empty string when there is none. */
  readonly swap?: string;
}

export interface SkeletonInfo {
  readonly link: readonly [from: string, to: string];
  readonly id: number;
  readonly color?: RgbColor | null;
}

/** Raw meta-info of a dataset, MMPose's keys verbatim. */
export interface DatasetInfo {
  readonly dataset_name: string;
  readonly paper_info?: Readonly<Record<string, unknown>>;
  readonly keypoint_info: Readonly<Record<string, KeypointInfo>>;
  readonly skeleton_info: Readonly<Record<string, SkeletonInfo>>;
  readonly joint_weights: readonly number[];
  readonly sigmas?: readonly number[];
  /** Statistics that lifting networks normalise with. */
  readonly stats_info?: Readonly<Record<string, number | readonly number[]>>;
  readonly [key: string]: unknown;
}

/** The names of a dataset's keypoints as a type: `KeypointName<typeof coco>` is `'nose' | 'left_eye' | ...`. */
export type KeypointName<Info extends DatasetInfo> = Info['keypoint_info'][keyof Info['keypoint_info']]['name'];

/** Parsed meta-info: indices instead of names, colours as bytes. */
export interface PoseMetaInfo {
  readonly datasetName: string;
  readonly numKeypoints: number;
  readonly keypointId2name: readonly string[];
  readonly keypointName2id: Readonly<Record<string, number>>;
  /** [K]: index of the left/right partner, or the point itself. */
  readonly flipIndices: readonly number[];
  /** Each pair once per direction, as MMPose lists them. */
  readonly flipPairs: readonly (readonly [number, number])[];
  readonly skeletonLinks: readonly (readonly [from: number, to: number])[];
  /** [K * 3] RGB. */
  readonly keypointColors: Uint8Array;
  /** [L * 3] RGB. */
  readonly skeletonLinkColors: Uint8Array;
  /** [K]: OKS sigmas; empty when the dataset publishes none. */
  readonly sigmas: Float32Array;
  /** [K]; a few datasets of MMPose give fewer. */
  readonly jointWeights: Float32Array;
  readonly upperBodyIds: readonly number[];
  readonly lowerBodyIds: readonly number[];
  /** Present where the dataset has `stats_info`. */
  readonly statsInfo?: Readonly<Record<string, Float32Array>>;
}
