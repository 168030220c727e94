/**
 * Unbiased data processing (MMPose: `mmpose/codecs/udp_heatmap.py`; Huang et al. 2020, https://arxiv.org/abs/1911.07524):
 * Gaussian maps refined by DARK, or `combined` class and offset maps.
 */
import { REQUIRED, readConfig } from '../config.js';
import { InputError } from '../errors.js';
import { type NdArray, zeros } from '../ndarray.js';
import type { Tensor3D, Tensor4D } from '../tf.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { batchDecoder } from './utils/batch_decoders.js';
import { blurPlane, halfGaussianKernel } from './utils/cv2_gaussian_blur.js';
import { generateUdpGaussianHeatmaps } from './utils/gaussian_heatmap.js';
import { generateOffsetHeatmap } from './utils/offset_heatmap.js';
import {
  type Size,
  divideXy,
  readChoice,
  readPositive,
  readSize,
  requireOneInstance,
  requireRank,
  udpScaleFactor,
  unsqueeze,
  visibleOrOnes,
} from './utils/options.js';
import { type Maxima, getHeatmapMaximum } from './utils/post_processing.js';
import { refineKeypointsDarkUdpLazily } from './utils/refinement.js';

/** Keys of a `UDPHeatmap` config. */
export interface UDPHeatmapConfig {
  /** px */
  input_size: Size;
  /** px of the map */
  heatmap_size: Size;
  /** `combined`: class, x offset and y offset per keypoint. @default 'gaussian' */
  heatmap_type?: 'gaussian' | 'combined';
  /** px of the map, for `gaussian`. @default 2 */
  sigma?: number;
  /** Radius of `combined` as a part of the longer map side. @default 0.0546875 */
  radius_factor?: number;
  /** Odd kernel of DARK's blur; `combined` blurs the class map with twice this plus one. @default 11 */
  blur_kernel_size?: number;
}

export class UDPHeatmap implements KeypointCodec {
  static readonly labelMappingTable = { keypoint_weights: 'keypoint_weights' };
  static readonly fieldMappingTable = { heatmaps: 'heatmaps' };

  readonly inputSize: Size;
  readonly heatmapSize: Size;
  readonly encodedNames = ['heatmaps'];
  readonly heatmapType: 'gaussian' | 'combined';
  readonly sigma: number;
  readonly radiusFactor: number;
  readonly blurKernelSize: number;
  /** Input intervals per map interval; used by `encode` only, see `decode`. */
  readonly scaleFactor: Size;

  constructor(config: UDPHeatmapConfig, where = 'UDPHeatmap') {
    const options = readConfig<Required<UDPHeatmapConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      heatmap_type: 'gaussian',
      sigma: 2,
      radius_factor: 0.0546875,
      blur_kernel_size: 11,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.heatmapSize = readSize(options.heatmap_size, `${where}.heatmap_size`);
    this.heatmapType = readChoice(options.heatmap_type, ['gaussian', 'combined'], `${where}.heatmap_type`);
    this.sigma = readPositive(options.sigma, `${where}.sigma`);
    this.radiusFactor = readPositive(options.radius_factor, `${where}.radius_factor`);
    this.blurKernelSize = readPositive(options.blur_kernel_size, `${where}.blur_kernel_size`);
    this.scaleFactor = udpScaleFactor(this.inputSize, this.heatmapSize);
  }

  /**
   * @param keypoints - [1, K, 2] px, input space
   * @param keypointsVisible - [1, K]
   * @returns `heatmaps` [K, H, W] or [K * 3, H, W], `keypoint_weights` [1, K]
   * @throws InputError for more than one instance
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    requireOneInstance(keypoints, 'UDPHeatmap');
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const points = divideXy(keypoints, this.scaleFactor);
    const drawn =
      this.heatmapType === 'gaussian'
        ? generateUdpGaussianHeatmaps(this.heatmapSize, points, visible, this.sigma)
        : generateOffsetHeatmap(this.heatmapSize, points, visible, this.radiusFactor);
    return { heatmaps: drawn.heatmaps, keypoint_weights: drawn.keypointWeights };
  }

  /**
   * @param heatmaps - [K, H, W], or [K * 3, H, W] for `combined`
   * @returns keypoints [1, K, 2] float64 px, input space; scores [1, K]. The points of an all-zero map are NaN (`gaussian`)
   */
  decode(heatmaps: NdArray): DecodedKeypoints {
    requireRank(heatmaps, 3, 'UDPHeatmap.decode', '[K, H, W]');
    const { locs, vals } =
      this.heatmapType === 'gaussian' ? this.#decodeGaussian(heatmaps) : this.#decodeCombined(heatmaps);
    // MMPose multiplies by the whole input size here although encode divides by (size - 1) intervals.
    const [w, h] = this.inputSize;
    const [mapW, mapH] = this.heatmapSize;
    const data = new Float64Array(locs.data.length);
    for (let i = 0; i < data.length; i += 2) {
      data[i] = (locs.data[i] / (mapW - 1)) * w;
      data[i + 1] = (locs.data[i + 1] / (mapH - 1)) * h;
    }
    return { keypoints: { data, shape: [1, ...locs.shape] }, scores: unsqueeze(vals) };
  }

  /**
   * `decode` on tensors.
   *
   * @param heatmaps - [N, h, w, K], or [N, h, w, K * 3] for `combined`
   * @returns [N, K, 3]: x, y in px, input space, and the score
   */
  batchDecode(heatmaps: Tensor4D): Tensor3D {
    return batchDecoder('UDPHeatmap')(this, [heatmaps]);
  }

  #decodeGaussian(heatmaps: NdArray): Maxima {
    const maxima = getHeatmapMaximum(heatmaps);
    refineKeypointsDarkUdpLazily(unsqueeze(maxima.locs), heatmaps, this.blurKernelSize);
    return maxima;
  }

  /** Maximum of the blurred class map plus the (unblurred) offsets found there. */
  #decodeCombined(heatmaps: NdArray): Maxima {
    const [channels, height, width] = heatmaps.shape;
    if (channels % 3 !== 0) {
      throw new InputError(`UDPHeatmap.decode: found ${channels} maps; expected 3 per keypoint for "combined".`);
    }
    const count = channels / 3;
    const size = width * height;
    const classes = zeros([count, height, width]);
    const half = halfGaussianKernel(2 * this.blurKernelSize + 1);
    for (let k = 0; k < count; k++) {
      classes.data.set(heatmaps.data.subarray(3 * k * size, (3 * k + 1) * size), k * size);
      blurPlane(classes.data, k * size, width, height, half, 'reflect101');
    }
    const maxima = getHeatmapMaximum(classes);
    addOffsets(maxima.locs.data, heatmaps, this.radiusFactor * Math.max(width, height));
    return maxima;
  }
}

/** Adds to each location of `locs` [K, 2] the offsets of `heatmaps` [K * 3, H, W] at that pixel, times `radius`. */
function addOffsets(locs: Float32Array, heatmaps: NdArray, radius: number): void {
  const [channels, height, width] = heatmaps.shape;
  const size = width * height;
  const factor = Math.fround(radius);
  for (let k = 0; k < channels / 3; k++) {
    // A location of -1 makes the flat index negative, which reads the map before (the last one for the first keypoint).
    let index = locs[2 * k] + locs[2 * k + 1] * width + size * k;
    if (index < 0) index += (channels / 3) * size;
    const at = Math.floor(index / size) * 3 * size + (index % size);
    locs[2 * k] += Math.fround(heatmaps.data[at + size] * factor);
    locs[2 * k + 1] += Math.fround(heatmaps.data[at + 2 * size] * factor);
  }
}
