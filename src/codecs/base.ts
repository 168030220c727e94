/**
 * The contract of a codec (MMPose: `mmpose/codecs/base.py`): how keypoints become training targets and how a network's output
 * becomes keypoints. `decode` on the CPU is the truth and is tested against MMPose's numbers.
 */
import type { NdArray } from '../ndarray.js';
import type { Tensor, Tensor3D } from '../tf.js';

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

/** Further annotations under MMPose's own names, for codecs that ask for them: `bbox`, `area`, `img_shape`, ... */
export type AuxiliaryAnnotations = Readonly<Record<string, NdArray | readonly number[] | null | undefined>>;

export interface KeypointCodec {
  /** Network input, px; [0, 0] for the annotation processors, which have none. */
  readonly inputSize: readonly [w: number, h: number];
  /** Names of the arrays that `decode` takes, in order; heads use it to name their outputs. */
  readonly encodedNames: readonly string[];
  /** Whether `decode` gives `visible`, and `batchDecode` a column of it. @default false */
  readonly decodeVisibility?: boolean;
  /**
   * @param keypoints - [N, K, D] px, input space
   * @param keypointsVisible - [N, K]; all 1 when left out
   * @param auxiliary - what the class's `auxiliaryEncodeKeys` name
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary?: AuxiliaryAnnotations): EncodedLabels;
  /** Takes one sample's encoded arrays in MMPose's layout: heatmaps [K, h, w], SimCC x and y [N, K, bins], coordinates [N, K, D]. */
  decode(...encoded: NdArray[]): DecodedKeypoints;
  /**
   * `decode` for a batch that stays on the backend. A codec without it works through read-back; having it changes speed, not numbers.
   *
   * @param encoded - in the network's layout: heatmaps [N, h, w, K], SimCC x and y [N, K, bins], coordinates [N, K, D]
   * @returns [N, K, D + 1]: coordinates in px, input space, then the score; with `decodeVisibility` [N, K, D + 2], the
   * visibility before the score
   * @throws InputError before tfjs is loaded: call `loadBatchDecode` first, or build a model
   */
  batchDecode?(...encoded: Tensor[]): Tensor3D;
}

/** A codec class as the registry holds it: built from a config with MMPose's keys. */
export interface CodecClass {
  new (config: Readonly<Record<string, unknown>>, where?: string): KeypointCodec;
  /** Annotations beside the keypoints that `encode` reads (`auxiliary_encode_keys`). */
  readonly auxiliaryEncodeKeys?: readonly string[];
  /** Encoded name -> name in the data sample, for labels, fields and instances (`*_mapping_table`). */
  readonly labelMappingTable?: Readonly<Record<string, string>>;
  readonly fieldMappingTable?: Readonly<Record<string, string>>;
  readonly instanceMappingTable?: Readonly<Record<string, string>>;
}
