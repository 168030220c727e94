/**
 * The contract of a codec (MMPose: `mmpose/codecs/base.py`): how keypoints become training targets and how a network's output
 * becomes keypoints. `decode` on the CPU is the truth and is tested against MMPose's numbers.
 */
import type { NdArray } from '../ndarray.js';

/** What a codec's `decode` gives; coordinates in input space. */
export interface DecodedKeypoints {
  /** [N, K, D] px, input space. Float64Array where MMPose computes in float64. */
  keypoints: NdArray<Float32Array | Float64Array>;
  /** [N, K] */
  scores: NdArray;
  /** [N, K], only from codecs with a visibility branch. */
  visible?: NdArray;
}

/** Training targets under MMPose's own names: `heatmaps`, `keypoint_weights`, `keypoint_x_labels`, ... */
export type EncodedLabels = Record<string, NdArray<Float32Array | Float64Array | Int32Array>>;

export interface KeypointCodec {
  /** Network input, px. */
  readonly inputSize: readonly [w: number, h: number];
  /** Names of the arrays that `decode` takes, in order; heads use it to name their outputs. */
  readonly encodedNames: readonly string[];
  /**
   * @param keypoints - [N, K, D] px, input space
   * @param keypointsVisible - [N, K]; all 1 when left out
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels;
  /** Takes one sample's encoded arrays in MMPose's layout: heatmaps [K, h, w], SimCC x and y [N, K, bins], coordinates [N, K, D]. */
  decode(...encoded: NdArray[]): DecodedKeypoints;
}
