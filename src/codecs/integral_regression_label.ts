/**
 * Regression labels with auxiliary heatmaps (MMPose: `mmpose/codecs/integral_regression_label.py`; DSNT, Nibali et al. 2018,
 * https://arxiv.org/abs/1801.07372). Decoding is that of `RegressionLabel`.
 */
import { REQUIRED, readConfig } from '../config.js';
import type { NdArray } from '../ndarray.js';
import type { Tensor3D } from '../tf.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { MSRAHeatmap, type MSRAHeatmapConfig } from './msra_heatmap.js';
import { RegressionLabel } from './regression_label.js';
import { batchDecoder } from './utils/batch_decoders.js';
import type { Size } from './utils/options.js';

/** Keys of an `IntegralRegressionLabel` config. */
export interface IntegralRegressionLabelConfig extends MSRAHeatmapConfig {
  /** Divide each map by its sum. @default true */
  normalize?: boolean;
}

export class IntegralRegressionLabel implements KeypointCodec {
  static readonly labelMappingTable = RegressionLabel.labelMappingTable;
  static readonly fieldMappingTable = MSRAHeatmap.fieldMappingTable;

  readonly inputSize: Size;
  readonly encodedNames = ['encoded'];
  readonly heatmapCodec: MSRAHeatmap;
  readonly keypointCodec: RegressionLabel;
  readonly normalize: boolean;

  constructor(config: IntegralRegressionLabelConfig, where = 'IntegralRegressionLabel') {
    const { normalize, ...heatmap } = readConfig<Required<IntegralRegressionLabelConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      sigma: REQUIRED,
      unbiased: false,
      blur_kernel_size: 11,
      normalize: true,
    });
    this.heatmapCodec = new MSRAHeatmap(heatmap, where);
    this.keypointCodec = new RegressionLabel({ input_size: heatmap.input_size }, where);
    this.inputSize = this.keypointCodec.inputSize;
    this.normalize = normalize;
  }

  /**
   * @param keypoints - [1, K, 2] px, input space
   * @param keypointsVisible - [1, K]
   * @returns `keypoint_labels` [1, K, 2], `heatmaps` [K, H, W], `keypoint_weights` [1, K]
   * @throws InputError for more than one instance
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    const { heatmaps } = this.heatmapCodec.encode(keypoints, keypointsVisible);
    const labels = this.keypointCodec.encode(keypoints, keypointsVisible);
    if (this.normalize) divideBySums(heatmaps as NdArray);
    return { keypoint_labels: labels.keypoint_labels, heatmaps, keypoint_weights: labels.keypoint_weights };
  }

  /** See `RegressionLabel.decode`. */
  decode(encoded: NdArray): DecodedKeypoints {
    return this.keypointCodec.decode(encoded);
  }

  /** See `RegressionLabel.batchDecode`. */
  batchDecode(coords: Tensor3D): Tensor3D {
    return batchDecoder('IntegralRegressionLabel')(this, [coords]);
  }
}

/** Makes each map of [K, H, W] sum to 1, in place; empty maps stay empty. */
function divideBySums(heatmaps: NdArray): void {
  const size = heatmaps.shape[1] * heatmaps.shape[2];
  for (let start = 0; start < heatmaps.data.length; start += size) {
    let sum = 0;
    for (let i = start; i < start + size; i++) sum += heatmaps.data[i];
    const divisor = Math.fround(sum + 1e-24);
    for (let i = start; i < start + size; i++) heatmaps.data[i] /= divisor;
  }
}
