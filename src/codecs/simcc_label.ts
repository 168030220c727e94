/**
 * Coordinates as two one-dimensional classifications (MMPose: `mmpose/codecs/simcc_label.py`; Li et al. 2022,
 * https://arxiv.org/abs/2107.03332).
 */
import { REQUIRED, readConfig } from '../config.js';
import { ConfigError } from '../errors.js';
import { type NdArray, zeros } from '../ndarray.js';
import type { Tensor3D } from '../tf.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { batchDecoder } from './utils/batch_decoders.js';
import { type Size, copyOf, readChoice, readPositive, readSize, visibleOrOnes } from './utils/options.js';
import { getSimccMaximum } from './utils/post_processing.js';
import { refineSimccDark } from './utils/refinement.js';

const f32 = Math.fround;

/** Keys of a `SimCCLabel` config. */
export interface SimCCLabelConfig {
  /** px */
  input_size: Size;
  /** Gaussian labels, or one-hot labels with optional smoothing. @default 'gaussian' */
  smoothing_type?: 'gaussian' | 'standard';
  /** Bins; one number or one per axis. @default 6 */
  sigma?: number | readonly number[];
  /** Bins per input pixel. @default 2 */
  simcc_split_ratio?: number;
  /** 0..1, for `standard` only. @default 0 */
  label_smooth_weight?: number;
  /** Divide Gaussian labels by their norm. @default true */
  normalize?: boolean;
  /** Refine maxima by DARK. @default false */
  use_dark?: boolean;
  /** Also decode a visibility from the sharpness of the peaks. @default false */
  decode_visibility?: boolean;
  /** Sharpness of that softmax. @default 150 */
  decode_beta?: number;
}

export class SimCCLabel implements KeypointCodec {
  static readonly labelMappingTable = {
    keypoint_x_labels: 'keypoint_x_labels',
    keypoint_y_labels: 'keypoint_y_labels',
    keypoint_weights: 'keypoint_weights',
  };

  readonly inputSize: Size;
  readonly encodedNames = ['simcc_x', 'simcc_y'];
  readonly smoothingType: 'gaussian' | 'standard';
  /** Bins, x and y. */
  readonly sigma: readonly [number, number];
  readonly simccSplitRatio: number;
  readonly labelSmoothWeight: number;
  readonly normalize: boolean;
  readonly useDark: boolean;
  readonly decodeVisibility: boolean;
  readonly decodeBeta: number;

  constructor(config: SimCCLabelConfig, where = 'SimCCLabel') {
    const options = readConfig<Required<SimCCLabelConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      smoothing_type: 'gaussian',
      sigma: 6,
      simcc_split_ratio: 2,
      label_smooth_weight: 0,
      normalize: true,
      use_dark: false,
      decode_visibility: false,
      decode_beta: 150,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.smoothingType = readChoice(options.smoothing_type, ['gaussian', 'standard'], `${where}.smoothing_type`);
    this.sigma = readSigma(options.sigma, `${where}.sigma`);
    this.simccSplitRatio = readPositive(options.simcc_split_ratio, `${where}.simcc_split_ratio`);
    this.labelSmoothWeight = readSmoothing(options.label_smooth_weight, this.smoothingType, where);
    this.normalize = options.normalize;
    this.useDark = options.use_dark;
    this.decodeVisibility = options.decode_visibility;
    this.decodeBeta = options.decode_beta;
  }

  /** Numbers of bins, x and y. */
  get bins(): Size {
    return [
      roundHalfEven(this.inputSize[0] * this.simccSplitRatio),
      roundHalfEven(this.inputSize[1] * this.simccSplitRatio),
    ];
  }

  /**
   * @param keypoints - [N, K, 2] px, input space
   * @param keypointsVisible - [N, K]
   * @returns `keypoint_x_labels` [N, K, Wx], `keypoint_y_labels` [N, K, Wy], `keypoint_weights` [N, K]
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    const [instances, count, dims] = keypoints.shape;
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const weights = copyOf(visible);
    const [binsX, binsY] = this.bins;
    const labelsX = zeros([instances, count, binsX]);
    const labelsY = zeros([instances, count, binsY]);
    for (let i = 0; i < instances * count; i++) {
      if (visible.data[i] < 0.5) continue;
      const x = roundHalfEven(f32(keypoints.data[i * dims] * this.simccSplitRatio));
      const y = roundHalfEven(f32(keypoints.data[i * dims + 1] * this.simccSplitRatio));
      if (this.#isInside(x, 0) && this.#isInside(y, 1)) {
        this.#writeLabel(labelsX.data.subarray(i * binsX, (i + 1) * binsX), x, 0);
        this.#writeLabel(labelsY.data.subarray(i * binsY, (i + 1) * binsY), y, 1);
      } else weights.data[i] = 0;
    }
    return { keypoint_x_labels: labelsX, keypoint_y_labels: labelsY, keypoint_weights: weights };
  }

  /** `standard` needs the bin itself inside; `gaussian` only some part of the three-sigma window. */
  #isInside(bin: number, axis: 0 | 1): boolean {
    const bins = this.bins[axis];
    if (this.smoothingType === 'standard') return bin < bins && bin >= 0;
    const radius = this.sigma[axis] * 3;
    return bin - radius < bins && bin + radius + 1 >= 0;
  }

  #writeLabel(label: Float32Array, bin: number, axis: 0 | 1): void {
    if (this.smoothingType === 'standard') {
      if (this.labelSmoothWeight > 0) label.fill(this.labelSmoothWeight / (label.length - 1));
      label[bin] = 1 - this.labelSmoothWeight;
      return;
    }
    const sigma = this.sigma[axis];
    const denominator = f32(2 * sigma ** 2);
    const norm = this.normalize ? f32(sigma * Math.sqrt(Math.PI * 2)) : 1;
    for (let i = 0; i < label.length; i++) {
      const distance = i - bin;
      label[i] = f32(Math.exp(f32(-f32(distance * distance) / denominator))) / norm;
    }
  }

  /**
   * @param simccX - [N, K, Wx] or [K, Wx]
   * @param simccY - [N, K, Wy] or [K, Wy]
   * @returns keypoints [N, K, 2] px, input space; scores [N, K], the smaller of the two maxima; with `decode_visibility` also
   * `visible` [N, K]
   */
  decode(simccX: NdArray, simccY: NdArray): DecodedKeypoints {
    let x = withInstances(simccX);
    let y = withInstances(simccY);
    const { locs: keypoints, vals: scores } = getSimccMaximum(x, y);
    if (this.useDark) {
      // DARK leaves its blurred logarithm behind, and MMPose decodes the visibility from that.
      x = copyOf(x);
      y = copyOf(y);
      refineAxis(keypoints, 0, x, darkKernel(this.sigma[0]));
      refineAxis(keypoints, 1, y, darkKernel(this.sigma[1]));
    }
    for (let i = 0; i < keypoints.data.length; i++) keypoints.data[i] /= this.simccSplitRatio;
    if (!this.decodeVisibility) return { keypoints, scores };
    const sharpX = this.#sharpen(x, 0);
    const sharpY = this.#sharpen(y, 1);
    return { keypoints, scores, visible: getSimccMaximum(sharpX, sharpY, true).vals };
  }

  /**
   * `decode` on tensors.
   *
   * @param x - [N, K, Wx]
   * @param y - [N, K, Wy]
   * @returns [N, K, 3]: x, y in px, input space, and the score; with `decode_visibility` [N, K, 4], the visibility before the score
   */
  batchDecode(x: Tensor3D, y: Tensor3D): Tensor3D {
    return batchDecoder('SimCCLabel')(this, [x, y]);
  }

  /** The vectors times beta and sigma, the logits of the visibility. */
  #sharpen(simcc: NdArray, axis: 0 | 1): NdArray {
    const [beta, sigma] = [f32(this.decodeBeta), f32(this.sigma[axis])];
    return { data: simcc.data.map((value) => f32(value * beta) * sigma), shape: simcc.shape };
  }
}

/** NumPy's `around`: half to even; NaN becomes the smallest integer and so lies outside. */
function roundHalfEven(value: number): number {
  if (value !== value) return -(2 ** 63);
  const floor = Math.floor(value);
  const rest = value - floor;
  if (rest !== 0.5) return rest < 0.5 ? floor : floor + 1;
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Odd kernel size that suits a sigma in bins. */
export function darkKernel(sigma: number): number {
  const size = Math.trunc(Math.floor((sigma * 20 - 7) / 3));
  return size % 2 === 0 ? size - 1 : size;
}

/** [K, bins] becomes [1, K, bins]; no copy. */
function withInstances(simcc: NdArray): NdArray {
  return simcc.shape.length === 2 ? { data: simcc.data, shape: [1, ...simcc.shape] } : simcc;
}

/** Refines one column of `keypoints` [N, K, 2] on its own axis. */
function refineAxis(keypoints: NdArray, axis: 0 | 1, simcc: NdArray, kernel: number): void {
  const column = zeros(keypoints.shape.slice(0, 2));
  for (let i = 0; i < column.data.length; i++) column.data[i] = keypoints.data[2 * i + axis];
  refineSimccDark(column, simcc, kernel);
  for (let i = 0; i < column.data.length; i++) keypoints.data[2 * i + axis] = column.data[i];
}

function readSigma(value: unknown, where: string): readonly [number, number] {
  if (Array.isArray(value) && value.length === 2) {
    return [readPositive(value[0], `${where}[0]`), readPositive(value[1], `${where}[1]`)];
  }
  const sigma = readPositive(value, where);
  return [sigma, sigma];
}

function readSmoothing(value: unknown, smoothing: string, where: string): number {
  if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
    throw new ConfigError(
      `${where}.label_smooth_weight: found ${JSON.stringify(value)}; expected a number from 0 to 1.`,
    );
  }
  if (smoothing === 'gaussian' && value > 0) {
    throw new ConfigError(
      `${where}.label_smooth_weight: found ${value} with smoothing_type "gaussian"; expected 0, or smoothing_type "standard".`,
    );
  }
  return value;
}
