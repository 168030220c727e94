/**
 * Structured pose representation: a root map and dense displacements from the root to each keypoint (MMPose:
 * `mmpose/codecs/spr.py`; Nie et al. 2019, https://arxiv.org/abs/1908.09220). Used by DEKR.
 */
import { REQUIRED, readConfig } from '../config.js';
import { ConfigError, InputError } from '../errors.js';
import { type NdArray, concatRows, zeros } from '../ndarray.js';
import type { DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { generateGaussianHeatmaps } from './utils/gaussian_heatmap.js';
import { type RootType, getDiagonalLengths, getInstanceRoot } from './utils/instance_property.js';
import { generateDisplacementHeatmap } from './utils/offset_heatmap.js';
import {
  type Size,
  divideXy,
  readChoice,
  readPositive,
  readSize,
  requireRank,
  scaleFactor,
  scaleXy,
  visibleOrOnes,
} from './utils/options.js';
import { batchHeatmapNms } from './utils/post_processing.js';
import { topk } from './utils/topk.js';

const f32 = Math.fround;

/** Keys of an `SPR` config. */
export interface SPRConfig {
  /** px */
  input_size: Size;
  /** px of the map */
  heatmap_size: Size;
  /** px of the map, of roots and (with keypoint maps) of keypoints. @default from the map size */
  sigma?: number | readonly number[] | null;
  /** Maps of the keypoints before the root's. @default false */
  generate_keypoint_heatmaps?: boolean;
  /** @default 'kpt_center' */
  root_type?: RootType;
  /** Smaller instances are not encoded, px of the map. @default 5 */
  minimal_diagonal_length?: number;
  /** Weight of pixels without a target. @default 0.1 */
  background_weight?: number;
  /** Odd window of the suppression, px of the map. @default 5 */
  decode_nms_kernel?: number;
  /** @default 30 */
  decode_max_instances?: number;
  /** Roots need a larger response. @default 0.01 */
  decode_thr?: number;
}

/** Persons of one image. */
export interface DecodedRoots extends DecodedKeypoints {
  /** [N], response at the root. */
  rootScores: NdArray;
  /** [N, K], null when the maps hold roots only; `scores` then repeats the root's. */
  keypointScores: NdArray | null;
}

export class SPR implements KeypointCodec {
  static readonly fieldMappingTable = {
    heatmaps: 'heatmaps',
    heatmap_weights: 'heatmap_weights',
    displacements: 'displacements',
    displacement_weights: 'displacement_weights',
  };

  readonly inputSize: Size;
  readonly heatmapSize: Size;
  readonly encodedNames = ['heatmaps', 'displacements'];
  /** Sigma of roots, then of keypoints where their maps are generated; px of the map. */
  readonly sigma: readonly number[];
  readonly generateKeypointHeatmaps: boolean;
  readonly rootType: RootType;
  readonly minimalDiagonalLength: number;
  readonly backgroundWeight: number;
  readonly decodeNmsKernel: number;
  readonly decodeMaxInstances: number;
  readonly decodeThr: number;
  /** Input pixels per map pixel. */
  readonly scaleFactor: Size;

  constructor(config: SPRConfig, where = 'SPR') {
    const options = readConfig<Required<SPRConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      sigma: null,
      generate_keypoint_heatmaps: false,
      root_type: 'kpt_center',
      minimal_diagonal_length: 5,
      background_weight: 0.1,
      decode_nms_kernel: 5,
      decode_max_instances: 30,
      decode_thr: 0.01,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.heatmapSize = readSize(options.heatmap_size, `${where}.heatmap_size`);
    this.generateKeypointHeatmaps = options.generate_keypoint_heatmaps;
    this.sigma = readSigmas(options.sigma, this.heatmapSize, this.generateKeypointHeatmaps, `${where}.sigma`);
    this.rootType = readChoice(options.root_type, ['kpt_center', 'bbox_center'], `${where}.root_type`);
    this.minimalDiagonalLength = options.minimal_diagonal_length;
    this.backgroundWeight = options.background_weight;
    this.decodeNmsKernel = readPositive(options.decode_nms_kernel, `${where}.decode_nms_kernel`);
    this.decodeMaxInstances = readPositive(options.decode_max_instances, `${where}.decode_max_instances`);
    this.decodeThr = options.decode_thr;
    this.scaleFactor = scaleFactor(this.inputSize, this.heatmapSize);
  }

  /**
   * @param keypoints - [N, K, 2] px, input space
   * @param keypointsVisible - [N, K]
   * @returns `heatmaps` [1, H, W] or [K + 1, H, W] (root last) and `heatmap_weights`; `displacements` [K * 2, H, W] and
   * `displacement_weights`
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray): EncodedLabels {
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const points = divideXy(keypoints, this.scaleFactor);
    const { roots, visible: rootsVisible } = getInstanceRoot(points, visible, this.rootType);
    const diagonals = getDiagonalLengths(points, visible);
    diagonals.data.forEach((length, n) => length < this.minimalDiagonalLength && (rootsVisible.data[n] = 0));
    const heatmaps = this.#drawMaps(points, visible, roots, rootsVisible);
    const { displacements, displacementWeights } = generateDisplacementHeatmap(
      this.heatmapSize,
      points,
      visible,
      roots,
      rootsVisible,
      diagonals,
      this.sigma[0],
    );
    return {
      heatmaps,
      heatmap_weights: this.#weigh(heatmaps),
      displacements,
      displacement_weights: displacementWeights,
    };
  }

  /** Keypoint maps, where asked for, and the root map. */
  #drawMaps(points: NdArray, visible: NdArray, roots: NdArray, rootsVisible: NdArray): NdArray {
    const [instances] = points.shape;
    const { heatmaps } = generateGaussianHeatmaps(
      this.heatmapSize,
      { data: roots.data, shape: [instances, 1, 2] },
      { data: rootsVisible.data, shape: [instances, 1] },
      this.sigma[0],
    );
    if (!this.generateKeypointHeatmaps) return heatmaps;
    return concatRows([generateGaussianHeatmaps(this.heatmapSize, points, visible, this.sigma[1]).heatmaps, heatmaps]);
  }

  /** 1 where a map has a target, else the background's weight. */
  #weigh(heatmaps: NdArray): NdArray {
    return { data: heatmaps.data.map((value) => (value > 0 ? 1 : this.backgroundWeight)), shape: heatmaps.shape };
  }

  /**
   * @param heatmaps - [1, H, W] or [K + 1, H, W], root last
   * @param displacements - [K * 2, H, W] px of the map, from the pixel to the keypoint
   * @returns keypoints [N, K, 2] px, input space, best root first
   * @throws InputError when the maps do not fit each other
   */
  decode(heatmaps: NdArray, displacements: NdArray): DecodedRoots {
    requireRank(heatmaps, 3, 'SPR.decode', 'heatmaps [1 or K + 1, H, W]');
    requireRank(displacements, 3, 'SPR.decode', 'displacements [K * 2, H, W]');
    const [maps, height, width] = heatmaps.shape;
    if (displacements.shape[1] !== height || displacements.shape[2] !== width || displacements.shape[0] % 2 !== 0) {
      throw new InputError(
        `SPR.decode: found displacements [${displacements.shape.join(', ')}] for heatmaps [${heatmaps.shape.join(', ')}]; expected [K * 2, H, W] of the same size.`,
      );
    }
    const { pixels, rootScores } = this.#findRoots(heatmaps);
    const keypoints = followDisplacements(displacements, pixels);
    const count = displacements.shape[0] / 2;
    const withKeypointMaps = this.generateKeypointHeatmaps && maps === count + 1;
    const keypointScores = withKeypointMaps ? sampleScores(heatmaps, keypoints) : null;
    const scores = keypointScores ?? repeatScores(rootScores, count);
    return { keypoints: scaleXy(keypoints, this.scaleFactor), scores, rootScores, keypointScores };
  }

  /** Peaks of the root map above the threshold, best first. */
  #findRoots(heatmaps: NdArray): { pixels: Int32Array; rootScores: NdArray } {
    const [maps, height, width] = heatmaps.shape;
    const size = height * width;
    const roots = { data: heatmaps.data.subarray((maps - 1) * size, maps * size), shape: [1, height, width] };
    const peaks = batchHeatmapNms(roots, this.decodeNmsKernel).data;
    const pixels = topk(peaks, 0, size, this.decodeMaxInstances).filter((index) => peaks[index] > this.decodeThr);
    const data = Float32Array.from(pixels, (index) => peaks[index]);
    return { pixels, rootScores: { data, shape: [data.length] } };
  }
}

/** Keypoints [N, K, 2], map pixels: each root pixel plus its displacements. */
function followDisplacements(displacements: NdArray, pixels: Int32Array): NdArray {
  const [channels, height, width] = displacements.shape;
  const size = height * width;
  const keypoints = zeros([pixels.length, channels / 2, 2]);
  pixels.forEach((pixel, n) => {
    const [x, y] = [pixel % width, Math.floor(pixel / width)];
    for (let c = 0; c < channels; c++) {
      keypoints.data[n * channels + c] = (c % 2 === 0 ? x : y) + displacements.data[c * size + pixel];
    }
  });
  return keypoints;
}

/**
 * Responses at the keypoints, as torch's `grid_sample` reads them: bilinear, borders repeated, and without `align_corners`
 * although MMPose normalises by (size - 1).
 */
function sampleScores(heatmaps: NdArray, keypoints: NdArray): NdArray {
  const [instances, count] = keypoints.shape;
  const [height, width] = heatmaps.shape.slice(1);
  const scores = zeros([instances, count]);
  for (let i = 0; i < instances * count; i++) {
    const x = gridCoordinate(keypoints.data[2 * i], width);
    const y = gridCoordinate(keypoints.data[2 * i + 1], height);
    scores.data[i] = bilinear(heatmaps, i % count, x, y);
  }
  return scores;
}

function gridCoordinate(value: number, size: number): number {
  const normalised = f32(f32(f32(value / (size - 1)) * 2) - 1);
  const pixel = f32(f32(f32(normalised + 1) * (size / 2)) - 0.5);
  return Math.min(Math.max(pixel, 0), size - 1) || 0;
}

function bilinear(maps: NdArray, k: number, x: number, y: number): number {
  const [height, width] = maps.shape.slice(1);
  const [x0, y0] = [Math.floor(x), Math.floor(y)];
  const [right, below] = [Math.min(x0 + 1, width - 1), Math.min(y0 + 1, height - 1)];
  const [fx, fy] = [x - x0, y - y0];
  const at = (row: number, column: number): number => maps.data[(k * height + row) * width + column];
  const top = at(y0, x0) * (1 - fx) + at(y0, right) * fx;
  const bottom = at(below, x0) * (1 - fx) + at(below, right) * fx;
  return top * (1 - fy) + bottom * fy;
}

/** [N] -> [N, K] */
function repeatScores(scores: NdArray, count: number): NdArray {
  const out = zeros([scores.data.length, count]);
  scores.data.forEach((score, n) => out.data.fill(score, n * count, (n + 1) * count));
  return out;
}

function readSigmas(value: unknown, size: Size, withKeypoints: boolean, where: string): readonly number[] {
  if (value === null) {
    const sigma = Math.sqrt(size[0] * size[1]) / 32;
    return withKeypoints ? [sigma, Math.floor(sigma / 2)] : [sigma];
  }
  const sigmas = Array.isArray(value) ? value : [value];
  sigmas.forEach((sigma) => readPositive(sigma, where));
  if (sigmas.length === 0 || (withKeypoints && sigmas.length !== 2)) {
    throw new ConfigError(
      `${where}: found ${JSON.stringify(value)}; expected ${withKeypoints ? 'two numbers, of roots and of keypoints, such as [4, 2]' : 'a number'}.`,
    );
  }
  return sigmas;
}
