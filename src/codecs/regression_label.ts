/**
 * Coordinates as fractions of the input size (MMPose: `mmpose/codecs/regression_label.py`).
 */
import { REQUIRED, readConfig } from '../config.js';
import { InputError } from '../errors.js';
import { type NdArray, full, zeros } from '../ndarray.js';
import type { Tensor3D } from '../tf.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { batchDecoder } from './utils/batch_decoders.js';
import { type Size, divideXy, readSize, visibleOrOnes } from './utils/options.js';

/** Keys of a `RegressionLabel` config. */
export interface RegressionLabelConfig {
  /** px */
  input_size: Size;
}

export class RegressionLabel implements KeypointCodec {
  static readonly labelMappingTable = { keypoint_labels: 'keypoint_labels', keypoint_weights: 'keypoint_weights' };

  readonly inputSize: Size;
  readonly encodedNames = ['encoded'];

  constructor(config: RegressionLabelConfig, where = 'RegressionLabel') {
    const options = readConfig<RegressionLabelConfig>({ ...config }, where, { input_size: REQUIRED });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
  }

  /**
   * @param keypoints - [N, K, 2] px, input space
   * @param keypointsVisible - [N, K]
   * @returns `keypoint_labels` [N, K, 2], 0..1 inside the input; `keypoint_weights` [N, K], 1 for visible points inside
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    const [w, h] = this.inputSize;
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const weights = zeros(keypoints.shape.slice(0, 2));
    for (let i = 0; i < weights.data.length; i++) {
      const [x, y] = [keypoints.data[2 * i], keypoints.data[2 * i + 1]];
      const inside = x >= 0 && y >= 0 && x <= w - 1 && y <= h - 1;
      weights.data[i] = inside && visible.data[i] > 0.5 ? 1 : 0;
    }
    return { keypoint_labels: divideXy(keypoints, this.inputSize), keypoint_weights: weights };
  }

  /**
   * @param encoded - [N, K, 2] fractions, or [N, K, 4] with sigma of x and y behind them
   * @returns keypoints [N, K, 2] float64 px, input space; scores [N, K]: 1, or the mean of `1 - sigma` (negative for large sigma)
   * @throws InputError for another last axis
   */
  decode(encoded: NdArray): DecodedKeypoints {
    const [instances, count, dims] = encoded.shape;
    if (encoded.shape.length !== 3 || (dims !== 2 && dims !== 4)) {
      throw new InputError(
        `RegressionLabel.decode: found shape [${encoded.shape.join(', ')}]; expected [N, K, 2], or [N, K, 4] with sigma.`,
      );
    }
    const data = new Float64Array(instances * count * 2);
    const scores = full([instances, count], 1);
    for (let i = 0; i < instances * count; i++) {
      data[2 * i] = encoded.data[i * dims] * this.inputSize[0];
      data[2 * i + 1] = encoded.data[i * dims + 1] * this.inputSize[1];
      if (dims === 4) scores.data[i] = meanConfidence(encoded.data[i * dims + 2], encoded.data[i * dims + 3]);
    }
    return { keypoints: { data, shape: [instances, count, 2] }, scores };
  }

  /**
   * `decode` on tensors.
   *
   * @param coords - [N, K, 2], or [N, K, 4] with sigmas
   * @returns [N, K, 3]: x, y in px, input space, and the score
   */
  batchDecode(coords: Tensor3D): Tensor3D {
    return batchDecoder('RegressionLabel')(this, [coords]);
  }
}

/** Mean of `1 - sigma` over both axes, in float32 steps. */
function meanConfidence(sigmaX: number, sigmaY: number): number {
  return Math.fround(Math.fround(1 - sigmaX) + Math.fround(1 - sigmaY)) / 2;
}
