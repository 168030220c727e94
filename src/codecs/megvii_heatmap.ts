/**
 * Maps with a maximum of 255, blurred from a single pixel (MMPose: `mmpose/codecs/megvii_heatmap.py`; CPN
 * https://arxiv.org/abs/1711.07319, MSPN https://arxiv.org/abs/1901.00148).
 */
import { REQUIRED, readConfig } from '../config.js';
import { type NdArray, zeros } from '../ndarray.js';
import type { Tensor3D, Tensor4D } from '../tf.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { batchDecoder } from './utils/batch_decoders.js';
import { blurPlane, halfGaussianKernel } from './utils/cv2_gaussian_blur.js';
import {
  type Size,
  copyOf,
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
import { gaussianBlur, getHeatmapMaximum } from './utils/post_processing.js';

/** Keys of a `MegviiHeatmap` config. */
export interface MegviiHeatmapConfig {
  /** px */
  input_size: Size;
  /** px of the map */
  heatmap_size: Size;
  /** Odd size of the Gaussian kernel, px of the map. */
  kernel_size: number;
}

export class MegviiHeatmap implements KeypointCodec {
  static readonly labelMappingTable = { keypoint_weights: 'keypoint_weights' };
  static readonly fieldMappingTable = { heatmaps: 'heatmaps' };

  readonly inputSize: Size;
  readonly heatmapSize: Size;
  readonly encodedNames = ['heatmaps'];
  readonly kernelSize: number;
  /** Input pixels per map pixel. */
  readonly scaleFactor: Size;

  constructor(config: MegviiHeatmapConfig, where = 'MegviiHeatmap') {
    const options = readConfig<MegviiHeatmapConfig>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      kernel_size: REQUIRED,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.heatmapSize = readSize(options.heatmap_size, `${where}.heatmap_size`);
    this.kernelSize = readPositive(options.kernel_size, `${where}.kernel_size`);
    this.scaleFactor = scaleFactor(this.inputSize, this.heatmapSize);
  }

  /**
   * @param keypoints - [1, K, 2] px, input space
   * @param keypointsVisible - [1, K]
   * @returns `heatmaps` [K, H, W], 0..255, `keypoint_weights` [1, K]
   * @throws InputError for more than one instance
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    requireOneInstance(keypoints, 'MegviiHeatmap');
    const [width, height] = this.heatmapSize;
    const weights = copyOf(visibleOrOnes(keypoints, keypointsVisible));
    const points = divideXy(keypoints, this.scaleFactor).data;
    const heatmaps = zeros([keypoints.shape[1], height, width]);
    for (let k = 0; k < keypoints.shape[1]; k++) {
      if (weights.data[k] < 0.5) continue;
      const x = Math.trunc(points[2 * k]);
      const y = Math.trunc(points[2 * k + 1]);
      if (x >= 0 && x < width && y >= 0 && y < height) this.#drawPeak(heatmaps, k, x, y);
      else weights.data[k] = 0;
    }
    return { heatmaps, keypoint_weights: weights };
  }

  /** A single pixel, blurred with mirrored borders and scaled to 255. */
  #drawPeak(heatmaps: NdArray, k: number, x: number, y: number): void {
    const [width, height] = this.heatmapSize;
    const start = k * width * height;
    const peak = start + y * width + x;
    heatmaps.data[peak] = 1;
    blurPlane(heatmaps.data, start, width, height, halfGaussianKernel(this.kernelSize), 'reflect101');
    const top = heatmaps.data[peak];
    for (let i = start; i < start + width * height; i++) heatmaps.data[i] = Math.fround(heatmaps.data[i] / top) * 255;
  }

  /**
   * @param heatmaps - [K, H, W]
   * @returns keypoints [1, K, 2] px, input space; scores [1, K] = maximum / 255 + 0.5 (NaN for an all-zero map)
   */
  decode(heatmaps: NdArray): DecodedKeypoints {
    requireRank(heatmaps, 3, 'MegviiHeatmap.decode', '[K, H, W]');
    const [height, width] = heatmaps.shape.slice(1);
    const blurred = gaussianBlur(copyOf(heatmaps), this.kernelSize);
    const { locs, vals } = getHeatmapMaximum(blurred);
    for (let k = 0; k < vals.data.length; k++) {
      const [x, y] = [locs.data[2 * k], locs.data[2 * k + 1]];
      vals.data[k] = Math.fround(vals.data[k] / 255) + 0.5;
      if (!(1 < x && x < width - 1 && 1 < y && y < height - 1)) continue;
      const at = (k * height + y) * width + x;
      locs.data[2 * k] += Math.sign(blurred.data[at + 1] - blurred.data[at - 1]) * 0.25 + 0.5;
      locs.data[2 * k + 1] += Math.sign(blurred.data[at + width] - blurred.data[at - width]) * 0.25 + 0.5;
    }
    return { keypoints: scaleXy(unsqueeze(locs), this.scaleFactor), scores: unsqueeze(vals) };
  }

  /**
   * `decode` on tensors.
   *
   * @param heatmaps - [N, h, w, K]
   * @returns [N, K, 3]: x, y in px, input space, and the score
   */
  batchDecode(heatmaps: Tensor4D): Tensor3D {
    return batchDecoder('MegviiHeatmap')(this, [heatmaps]);
  }
}
