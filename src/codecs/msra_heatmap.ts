/**
 * One Gaussian map per keypoint (MMPose: `mmpose/codecs/msra_heatmap.py`; Xiao et al. 2018, https://arxiv.org/abs/1804.06208),
 * with quarter-pixel refinement, or DARK (https://arxiv.org/abs/1910.06278) when `unbiased`.
 */
import { REQUIRED, readConfig } from '../config.js';
import type { NdArray } from '../ndarray.js';
import type { Tensor3D, Tensor4D } from '../tf.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { batchDecoder } from './utils/batch_decoders.js';
import { generateGaussianHeatmaps, generateUnbiasedGaussianHeatmaps } from './utils/gaussian_heatmap.js';
import {
  type Size,
  divideXy,
  readPositive,
  readSize,
  requireOneInstance,
  requireRank,
  scaleFactor,
  scaleXy,
  unsqueeze,
  visibleOrOnes,
} from './utils/options.js';
import { getHeatmapMaximum } from './utils/post_processing.js';
import { refineKeypoints, refineKeypointsDarkLazily } from './utils/refinement.js';

/** Keys of an `MSRAHeatmap` config. */
export interface MSRAHeatmapConfig {
  /** px */
  input_size: Size;
  /** px of the map */
  heatmap_size: Size;
  /** px of the map */
  sigma: number;
  /** DARK encoding and decoding. @default false */
  unbiased?: boolean;
  /** Odd kernel of DARK's blur; 17 suits sigma 3, 11 sigma 2. @default 11 */
  blur_kernel_size?: number;
}

export class MSRAHeatmap implements KeypointCodec {
  static readonly labelMappingTable = { keypoint_weights: 'keypoint_weights' };
  static readonly fieldMappingTable = { heatmaps: 'heatmaps' };

  readonly inputSize: Size;
  readonly heatmapSize: Size;
  readonly encodedNames = ['heatmaps'];
  readonly sigma: number;
  readonly unbiased: boolean;
  readonly blurKernelSize: number;
  /** Input pixels per map pixel. */
  readonly scaleFactor: Size;

  constructor(config: MSRAHeatmapConfig, where = 'MSRAHeatmap') {
    const options = readConfig<Required<MSRAHeatmapConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      sigma: REQUIRED,
      unbiased: false,
      blur_kernel_size: 11,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.heatmapSize = readSize(options.heatmap_size, `${where}.heatmap_size`);
    this.sigma = readPositive(options.sigma, `${where}.sigma`);
    this.unbiased = options.unbiased;
    this.blurKernelSize = readPositive(options.blur_kernel_size, `${where}.blur_kernel_size`);
    this.scaleFactor = scaleFactor(this.inputSize, this.heatmapSize);
  }

  /**
   * @param keypoints - [1, K, 2] px, input space
   * @param keypointsVisible - [1, K]
   * @returns `heatmaps` [K, H, W], `keypoint_weights` [1, K]
   * @throws InputError for more than one instance
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    requireOneInstance(keypoints, 'MSRAHeatmap');
    const generate = this.unbiased ? generateUnbiasedGaussianHeatmaps : generateGaussianHeatmaps;
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const drawn = generate(this.heatmapSize, divideXy(keypoints, this.scaleFactor), visible, this.sigma);
    return { heatmaps: drawn.heatmaps, keypoint_weights: drawn.keypointWeights };
  }

  /**
   * @param heatmaps - [K, H, W]
   * @returns keypoints [1, K, 2] px, input space; scores [1, K], the maps' maxima
   */
  decode(heatmaps: NdArray): DecodedKeypoints {
    requireRank(heatmaps, 3, 'MSRAHeatmap.decode', '[K, H, W]');
    const { locs, vals } = getHeatmapMaximum(heatmaps);
    const keypoints = unsqueeze(locs);
    if (this.unbiased) refineKeypointsDarkLazily(keypoints, heatmaps, this.blurKernelSize);
    else refineKeypoints(keypoints, heatmaps);
    return { keypoints: scaleXy(keypoints, this.scaleFactor), scores: unsqueeze(vals) };
  }

  /**
   * `decode` on tensors.
   *
   * @param heatmaps - [N, h, w, K]
   * @returns [N, K, 3]: x, y in px, input space, and the score
   */
  batchDecode(heatmaps: Tensor4D): Tensor3D {
    return batchDecoder('MSRAHeatmap')(this, [heatmaps]);
  }
}
