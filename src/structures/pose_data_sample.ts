/**
 * The containers that travel between all modules: MMPose's `PoseDataSample` and `InstanceData` as plain columns of typed
 * arrays, without methods, so that they cross worker borders by transfer.
 */
import type { NdArray } from '../ndarray.js';

/** Columns of N persons with K keypoints of D coordinates each (D is 2, or 3 when lifted). */
export interface InstanceData {
  /** [N, 4] xyxy, px, image space. */
  bboxes: NdArray;
  /** [N], 0..1. */
  bboxScores: NdArray;
  /** [N, K, D] px, image space. */
  keypoints: NdArray;
  /** [N, K]; range depends on the codec, see its docs. */
  keypointScores: NdArray;
  /** [N, K]; equal to the scores where the model has no visibility branch, as in MMPose. */
  keypointsVisible: NdArray;
  /** [N, K, Wx] and [N, K, Wy]: normalised SimCC vectors, present when `test_cfg.output_heatmaps` asks for them. */
  keypointXLabels?: NdArray;
  keypointYLabels?: NdArray;
  /** [N, 1] mm, from models of both hands: how far the left hand's root lies behind the right one's. */
  relRootDepth?: NdArray;
  /** [N, 2], from models of both hands: 1 for those that are there, right and left. */
  handType?: NdArray;
  /** [N], set by tracking. */
  trackIds?: NdArray<Int32Array>;
}

/** Dense outputs, present when `test_cfg.output_heatmaps` asks for them. */
export interface PredFields {
  /** [K, h, w], in input-map space of the person (one person per sample). */
  heatmaps: NdArray;
}

/** Facts about the picture and the crops that a sample was made from. */
export interface SampleMetainfo {
  /** Height and width of the source picture, px. */
  imgShape: readonly [h: number, w: number];
  /** Network input, px. */
  inputSize: readonly [w: number, h: number];
  /** [N, 2] px, image space: centres of the crops. */
  inputCenter: NdArray;
  /** [N, 2] px, image space: sizes of the crops (padding included). */
  inputScale: NdArray;
  /** Left/right partner of each keypoint. */
  flipIndices: readonly number[];
  /** Limbs, pairs of keypoints; DEKR's second opinion on a person reads them. */
  skeletonLinks?: readonly (readonly [number, number])[];
  /** Presentation time of the frame, ms; 0 for a still picture. */
  timestamp: number;
}

/** One picture's (or one crop's) annotations and predictions. */
export interface PoseDataSample {
  metainfo: SampleMetainfo;
  gtInstances?: InstanceData;
  predInstances?: InstanceData;
  predFields?: PredFields;
}
