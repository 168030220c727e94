/**
 * Bottom-up keypoints grouped into persons by tags (MMPose: `mmpose/codecs/associative_embedding.py`; Newell et al. 2017,
 * https://arxiv.org/abs/1611.05424). Encoding gives maps and pixel indices; decoding takes maps and tag maps.
 *
 * `decode` is MMPose's `batch_decode` for one image. MMPose changes the maps in place; here they stay.
 */
import { REQUIRED, readConfig } from '../config.js';
import { ConfigError, InputError } from '../errors.js';
import { type NdArray, zeros } from '../ndarray.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { PLAIN_RESPONSE, type ResponseRule, fillMissingKeypoints } from './utils/ae_fill.js';
import { type Candidates, groupKeypointsByTags } from './utils/ae_group.js';
import { generateGaussianHeatmaps, generateUdpGaussianHeatmaps } from './utils/gaussian_heatmap.js';
import {
  type Size,
  copyOf,
  divideXy,
  readPositive,
  readSize,
  requireRank,
  scaleFactor,
  scaleXy,
  udpScaleFactor,
  visibleOrOnes,
} from './utils/options.js';
import { gaussianBlur, peaksAbove } from './utils/post_processing.js';
import { refineKeypoints, refineKeypointsOnBlurred, udpLog, udpLogAtLeast } from './utils/refinement.js';

/** Keys of an `AssociativeEmbedding` config. */
export interface AssociativeEmbeddingConfig {
  /** px */
  input_size: Size;
  /** px of the map */
  heatmap_size: Size;
  /** px of the map. @default sqrt(W * H) / 64 */
  sigma?: number | null;
  /** Unbiased data processing. @default false */
  use_udp?: boolean;
  /** Order in which keypoints are grouped: from head and torso to the limbs; names each keypoint once. */
  decode_keypoint_order?: readonly number[];
  /** Odd window of the suppression, px of the map. @default 5 */
  decode_nms_kernel?: number;
  /** Odd kernel of the blur with `use_udp`. @default 3 */
  decode_gaussian_kernel?: number;
  /** Candidates need a larger response. @default 0.1 */
  decode_keypoint_thr?: number;
  /** A keypoint farther than this from every group starts a group. @default 1 */
  decode_tag_thr?: number;
  /** Candidates per keypoint. @default 30 */
  decode_topk?: number;
  /** Added to both coordinates of found keypoints, px of the map. @default 0 */
  decode_center_shift?: number;
  /** Most persons, in order of their discovery. @default null, no limit */
  decode_max_instances?: number | null;
}

/** Persons of one image. */
export interface DecodedInstances extends DecodedKeypoints {
  /** [N], mean of the keypoint scores before missing keypoints were filled in. */
  instanceScores: NdArray;
}

/** With UDP the search for missing keypoints reads what refinement leaves behind: the logarithm of the blurred maps, as in MMPose. */
const LOG_RESPONSE: ResponseRule = { response: udpLog, atLeast: udpLogAtLeast };

export class AssociativeEmbedding implements KeypointCodec {
  readonly inputSize: Size;
  readonly heatmapSize: Size;
  readonly encodedNames = ['heatmaps', 'tags'];
  readonly sigma: number;
  readonly useUdp: boolean;
  /** Input pixels per map pixel. */
  readonly scaleFactor: Size;
  readonly decodeKeypointOrder: readonly number[];
  readonly decodeNmsKernel: number;
  readonly decodeGaussianKernel: number;
  readonly decodeKeypointThr: number;
  readonly decodeTagThr: number;
  readonly decodeTopk: number;
  readonly decodeCenterShift: number;
  readonly decodeMaxInstances: number | null;

  constructor(config: AssociativeEmbeddingConfig, where = 'AssociativeEmbedding') {
    const options = readConfig<Required<AssociativeEmbeddingConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      sigma: null,
      use_udp: false,
      decode_keypoint_order: [],
      decode_nms_kernel: 5,
      decode_gaussian_kernel: 3,
      decode_keypoint_thr: 0.1,
      decode_tag_thr: 1,
      decode_topk: 30,
      decode_center_shift: 0,
      decode_max_instances: null,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.heatmapSize = readSize(options.heatmap_size, `${where}.heatmap_size`);
    const [w, h] = this.heatmapSize;
    this.sigma = readPositive(options.sigma ?? Math.sqrt(w * h) / 64, `${where}.sigma`);
    this.useUdp = options.use_udp;
    this.scaleFactor = (this.useUdp ? udpScaleFactor : scaleFactor)(this.inputSize, this.heatmapSize);
    this.decodeKeypointOrder = readOrder(options.decode_keypoint_order, `${where}.decode_keypoint_order`);
    this.decodeNmsKernel = readPositive(options.decode_nms_kernel, `${where}.decode_nms_kernel`);
    this.decodeGaussianKernel = readPositive(options.decode_gaussian_kernel, `${where}.decode_gaussian_kernel`);
    this.decodeKeypointThr = options.decode_keypoint_thr;
    this.decodeTagThr = options.decode_tag_thr;
    this.decodeTopk = readPositive(options.decode_topk, `${where}.decode_topk`);
    this.decodeCenterShift = options.decode_center_shift;
    this.decodeMaxInstances = options.decode_max_instances;
  }

  /**
   * @param keypoints - [N, K, 2] px, input space
   * @param keypointsVisible - [N, K]
   * @returns `heatmaps` [K, H, W]; `keypoint_indices` [N, K, 2] int32: pixel index y * W + x, and 1 where visible and inside;
   * `keypoint_weights` [N, K]
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const points = divideXy(keypoints, this.scaleFactor);
    const generate = this.useUdp ? generateUdpGaussianHeatmaps : generateGaussianHeatmaps;
    const drawn = generate(this.heatmapSize, points, visible, this.sigma);
    return {
      heatmaps: drawn.heatmaps,
      keypoint_indices: this.#encodeIndices(points, visible),
      keypoint_weights: drawn.keypointWeights,
    };
  }

  #encodeIndices(points: NdArray, visible: NdArray): NdArray<Int32Array> {
    const [w, h] = this.heatmapSize;
    const data = new Int32Array(points.data.length);
    for (let i = 0; i < data.length; i += 2) {
      const x = Math.trunc(Math.fround(points.data[i] + 0.5));
      const y = Math.trunc(Math.fround(points.data[i + 1] + 0.5));
      data[i] = y * w + x;
      data[i + 1] = visible.data[i / 2] > 0.5 && x >= 0 && x < w && y >= 0 && y < h ? 1 : 0;
    }
    return { data, shape: points.shape };
  }

  /**
   * One image; MMPose's `batch_decode` runs this per image.
   *
   * @param heatmaps - [K, H, W]
   * @param tags - [L * K, H, W]; L is 2 with flip test
   * @returns keypoints [N, K, 2] px, input space; scores [N, K]; instanceScores [N]
   * @throws InputError when the shapes or the keypoint order do not fit each other
   */
  decode(heatmaps: NdArray, tags: NdArray): DecodedInstances {
    this.#check(heatmaps, tags);
    const candidates = this.#candidates(heatmaps, tags);
    const { keypoints, scores } = groupKeypointsByTags(candidates, heatmaps.shape[0], {
      keypointOrder: this.decodeKeypointOrder,
      tagThr: this.decodeTagThr,
      maxGroups: this.decodeMaxInstances,
    });
    const instanceScores = meanScores(scores);
    if (scores.data.length > 0) this.#refine(keypoints, scores, heatmaps, tags);
    return { keypoints: scaleXy(keypoints, this.scaleFactor), scores, instanceScores };
  }

  #check(heatmaps: NdArray, tags: NdArray): void {
    requireRank(heatmaps, 3, 'AssociativeEmbedding.decode', 'heatmaps [K, H, W]');
    requireRank(tags, 3, 'AssociativeEmbedding.decode', 'tags [L * K, H, W]');
    const [count, height, width] = heatmaps.shape;
    if (tags.shape[1] !== height || tags.shape[2] !== width || tags.shape[0] % count !== 0) {
      throw new InputError(
        `AssociativeEmbedding.decode: found tags [${tags.shape.join(', ')}] for heatmaps [${heatmaps.shape.join(', ')}]; expected [L * K, H, W] of the same size.`,
      );
    }
    if (this.decodeKeypointOrder.length !== count) {
      throw new InputError(
        `AssociativeEmbedding.decode: found ${count} heatmaps; expected ${this.decodeKeypointOrder.length}, the length of decode_keypoint_order.`,
      );
    }
  }

  /** Peaks of each map with their tags, best first. */
  #candidates(heatmaps: NdArray, tags: NdArray): Candidates[] {
    const [count, height, width] = heatmaps.shape;
    const size = height * width;
    const length = tags.shape[0] / count;
    return Array.from({ length: count }, (_, k) => {
      const indices = peaksAbove(heatmaps, k, this.decodeNmsKernel, this.decodeKeypointThr, this.decodeTopk);
      return Array.from(indices, (index) => ({
        x: index % width,
        y: Math.floor(index / width),
        score: heatmaps.data[k * size + index],
        tag: Float32Array.from({ length }, (_tag, l) => tags.data[(l * count + k) * size + index]),
      }));
    });
  }

  /** Sub-pixel refinement of what was found, then a search for what was not. */
  #refine(keypoints: NdArray, scores: NdArray, heatmaps: NdArray, tags: NdArray): void {
    const maps = this.useUdp ? gaussianBlur(copyOf(heatmaps), this.decodeGaussianKernel) : heatmaps;
    if (this.useUdp) refineKeypointsOnBlurred(keypoints, maps);
    else refineKeypoints(keypoints, maps);
    const shift = Math.fround(this.decodeCenterShift);
    for (let i = 0; i < keypoints.data.length; i++) if (scores.data[i >> 1] > 0) keypoints.data[i] += shift;
    fillMissingKeypoints(keypoints, scores, maps, tags, this.useUdp ? LOG_RESPONSE : PLAIN_RESPONSE);
  }
}

/** Mean over the last axis of [N, K]. */
function meanScores(scores: NdArray): NdArray {
  const [instances, count] = scores.shape;
  const means = zeros([instances]);
  for (let n = 0; n < instances; n++) {
    let sum = 0;
    for (let k = 0; k < count; k++) sum += scores.data[n * count + k];
    means.data[n] = sum / count;
  }
  return means;
}

function readOrder(value: unknown, where: string): readonly number[] {
  const ok = Array.isArray(value) && new Set(value).size === value.length && value.every((k) => k in value);
  if (!ok) throw new ConfigError(`${where}: found ${JSON.stringify(value)}; expected every keypoint index once.`);
  return value;
}
