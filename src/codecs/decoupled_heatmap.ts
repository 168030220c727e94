/**
 * Global maps and one set of maps per instance (MMPose: `mmpose/codecs/decoupled_heatmap.py`; CID, Wang et al., CVPR 2022).
 */
import { REQUIRED, readConfig } from '../config.js';
import { type NdArray, concatRows, row, zeros } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { generateGaussianHeatmaps } from './utils/gaussian_heatmap.js';
import { type RootType, getDiagonalLengths, getInstanceBbox, getInstanceRoot } from './utils/instance_property.js';
import {
  type Size,
  divideXy,
  readChoice,
  readPositive,
  readSize,
  requireRank,
  scaleFactor,
  scaleXy,
  unsqueeze,
  visibleOrOnes,
} from './utils/options.js';
import { getHeatmapMaximum } from './utils/post_processing.js';
import { refineKeypoints } from './utils/refinement.js';

const f32 = Math.fround;

/** Keys of a `DecoupledHeatmap` config. */
export interface DecoupledHeatmapConfig {
  /** px */
  input_size: Size;
  /** px of the map */
  heatmap_size: Size;
  /** @default 'kpt_center' */
  root_type?: RootType;
  /** Overlap that a shifted box must keep; decides an instance's sigma. @default 0.7 */
  heatmap_min_overlap?: number;
  /** @default 30 */
  encode_max_instances?: number;
}

/** Instances chosen for encoding. */
interface Selection {
  /** Roots with their jitter, whole map pixels. */
  readonly roots: [number, number][];
  readonly indices: number[];
}

export class DecoupledHeatmap implements KeypointCodec {
  static readonly auxiliaryEncodeKeys = ['bbox'];
  static readonly labelMappingTable = { keypoint_weights: 'keypoint_weights', instance_coords: 'instance_coords' };
  static readonly fieldMappingTable = { heatmaps: 'heatmaps', instance_heatmaps: 'instance_heatmaps' };

  readonly inputSize: Size;
  readonly heatmapSize: Size;
  readonly encodedNames = ['instance_heatmaps', 'instance_scores'];
  readonly rootType: RootType;
  readonly heatmapMinOverlap: number;
  readonly encodeMaxInstances: number;
  /** Input pixels per map pixel. */
  readonly scaleFactor: Size;

  constructor(config: DecoupledHeatmapConfig, where = 'DecoupledHeatmap') {
    const options = readConfig<Required<DecoupledHeatmapConfig>>({ ...config }, where, {
      input_size: REQUIRED,
      heatmap_size: REQUIRED,
      root_type: 'kpt_center',
      heatmap_min_overlap: 0.7,
      encode_max_instances: 30,
    });
    this.inputSize = readSize(options.input_size, `${where}.input_size`);
    this.heatmapSize = readSize(options.heatmap_size, `${where}.heatmap_size`);
    this.rootType = readChoice(options.root_type, ['kpt_center', 'bbox_center'], `${where}.root_type`);
    this.heatmapMinOverlap = readPositive(options.heatmap_min_overlap, `${where}.heatmap_min_overlap`);
    this.encodeMaxInstances = readPositive(options.encode_max_instances, `${where}.encode_max_instances`);
    this.scaleFactor = scaleFactor(this.inputSize, this.heatmapSize);
  }

  /**
   * Roots are moved at random by up to one map pixel on each axis.
   *
   * @param keypoints - [N, K, 2] px, input space
   * @param keypointsVisible - [N, K]
   * @param auxiliary - `bbox` [N, 8]: four corners (left top, left bottom, right top, right bottom) px, input space; the box of the
   * visible keypoints when left out
   * @param random - numbers in [0, 1): two per instance, x then y, from the smallest instance up
   * @returns `heatmaps` [K + 1, H, W]; of the M chosen instances `instance_heatmaps` [M * K, H, W], `keypoint_weights` [M, K] and
   * `instance_coords` [M, 2] int32
   */
  encode(
    keypoints: NdArray,
    keypointsVisible?: NdArray,
    auxiliary: AuxiliaryAnnotations = {},
    random: () => number = Math.random,
  ): EncodedLabels {
    const visible = visibleOrOnes(keypoints, keypointsVisible);
    const points = divideXy(keypoints, this.scaleFactor);
    const corners = (auxiliary.bbox as NdArray | undefined) ?? cornersOf(getInstanceBbox(keypoints, visible));
    const sigmas = this.#sigmas(divideXy(corners, this.scaleFactor));
    const { roots, visible: rootsVisible } = getInstanceRoot(points, visible, this.rootType);
    const drawn = generateGaussianHeatmaps(
      this.heatmapSize,
      appendColumn(points, roots.data, 2),
      appendColumn(visible, rootsVisible.data, 1),
      sigmas,
    );
    const weight = drawn.keypointWeights;
    const usable = roots.data
      .subarray(0, rootsVisible.data.length)
      .map((_, n) => weight.data[(n + 1) * weight.shape[1] - 1]);
    const chosen = this.#select(roots, usable, getDiagonalLengths(points, visible).data, random);
    return { heatmaps: drawn.heatmaps, ...this.#encodeInstances(points, visible, sigmas, chosen) };
  }

  /** One sigma per instance: a third of the smallest radius by which its box may shift and keep the overlap (as CornerNet). */
  #sigmas(corners: NdArray): Float32Array {
    const overlap = this.heatmapMinOverlap;
    return Float32Array.from({ length: corners.shape[0] }, (_, n) => {
      const c = corners.data.subarray(8 * n, 8 * n + 8);
      const h = distance(c[0], c[1], c[2], c[3]);
      const w = distance(c[0], c[1], c[4], c[5]);
      const sum = f32(h + w);
      const area = f32(w * h);
      const r1 = largerRoot(1, sum, (area * (1 - overlap)) / (1 + overlap));
      const r2 = largerRoot(4, 2 * sum, (1 - overlap) * w * h);
      const r3 = largerRoot(4 * overlap, -2 * overlap * sum, (overlap - 1) * w * h);
      return Math.min(r1, r2, r3) / 3;
    });
  }

  /** Instances with a visible root of their own after the jitter, smallest first; a random part of them when there are too many. */
  #select(roots: NdArray, usable: Float32Array, diagonals: Float32Array, random: () => number): Selection {
    const [width, height] = this.heatmapSize;
    const jitter = (): number => Math.floor(random() * 3) - 1;
    const taken = new Set<string>();
    const chosen: { root: [number, number]; index: number }[] = [];
    const order = Array.from(diagonals.keys()).sort((a, b) => diagonals[a] - diagonals[b]);
    for (const n of order) {
      if (usable[n] < 1) continue;
      const x = Math.max(0, Math.min(roots.data[2 * n] + jitter(), width - 1));
      const y = Math.max(0, Math.min(roots.data[2 * n + 1] + jitter(), height - 1));
      if (taken.has(`${x} ${y}`)) continue;
      taken.add(`${x} ${y}`);
      chosen.push({ root: [Math.trunc(x), Math.trunc(y)], index: n });
    }
    const kept = chosen.length > this.encodeMaxInstances ? sample(chosen, this.encodeMaxInstances, random) : chosen;
    return { roots: kept.map((c) => c.root), indices: kept.map((c) => c.index) };
  }

  #encodeInstances(points: NdArray, visible: NdArray, sigmas: Float32Array, chosen: Selection): EncodedLabels {
    const drawn = chosen.indices.map((n) =>
      generateGaussianHeatmaps(this.heatmapSize, unsqueeze(row(points, n)), unsqueeze(row(visible, n)), sigmas[n]),
    );
    const [width, height] = this.heatmapSize;
    return {
      instance_heatmaps: drawn.length > 0 ? concatRows(drawn.map((d) => d.heatmaps)) : zeros([0, height, width]),
      keypoint_weights: drawn.length > 0 ? concatRows(drawn.map((d) => d.keypointWeights)) : zeros([0]),
      instance_coords: { data: Int32Array.from(chosen.roots.flat()), shape: [chosen.roots.length, 2] },
    };
  }

  /**
   * @param instanceHeatmaps - [N, K, H, W]
   * @param instanceScores - [N, 1]
   * @returns keypoints [N, K, 2] px, input space; scores [N, K]: maxima times the instance's score
   */
  decode(instanceHeatmaps: NdArray, instanceScores: NdArray): DecodedKeypoints {
    requireRank(instanceHeatmaps, 4, 'DecoupledHeatmap.decode', 'instance heatmaps [N, K, H, W]');
    const [instances, count] = instanceHeatmaps.shape;
    const { locs, vals } = getHeatmapMaximum(instanceHeatmaps);
    for (let n = 0; n < instances; n++) {
      refineKeypoints(unsqueeze(row(locs, n)), row(instanceHeatmaps, n));
      for (let k = 0; k < count; k++) vals.data[n * count + k] *= instanceScores.data[n];
    }
    return { keypoints: scaleXy(locs, this.scaleFactor), scores: vals };
  }
}

/** [N, 4] xyxy -> [N, 8]: left top, left bottom, right top, right bottom. */
function cornersOf(boxes: NdArray): NdArray {
  const out = zeros([boxes.shape[0], 8]);
  for (let n = 0; n < boxes.shape[0]; n++) {
    const [x1, y1, x2, y2] = boxes.data.subarray(4 * n, 4 * n + 4);
    out.data.set([x1, y1, x1, y2, x2, y1, x2, y2], 8 * n);
  }
  return out;
}

/** float32 distance of two points. */
function distance(x1: number, y1: number, x2: number, y2: number): number {
  const dx = f32(x1 - x2);
  const dy = f32(y1 - y2);
  return f32(Math.sqrt(f32(f32(dx * dx) + f32(dy * dy))));
}

/** (b + sqrt(b^2 - 4ac)) / 2: CornerNet's formula, kept without the division by a. */
function largerRoot(a: number, b: number, c: number): number {
  return (b + Math.sqrt(b * b - 4 * a * c)) / 2;
}

/** Appends one keypoint of `dims` values to each instance of [N, K, dims] or [N, K]. */
function appendColumn(array: NdArray, column: Float32Array, dims: number): NdArray {
  const [instances, count] = array.shape;
  const out = zeros([instances, count + 1, ...array.shape.slice(2)]);
  for (let n = 0; n < instances; n++) {
    out.data.set(array.data.subarray(n * count * dims, (n + 1) * count * dims), n * (count + 1) * dims);
    out.data.set(column.subarray(n * dims, (n + 1) * dims), ((n + 1) * (count + 1) - 1) * dims);
  }
  return out;
}

/** `count` of the items in random order. */
function sample<T>(items: readonly T[], count: number, random: () => number): T[] {
  const pool = [...items];
  for (let i = 0; i < count; i++) {
    const j = i + Math.floor(random() * (pool.length - i));
    [pool[i], pool[j]] = [pool[j], pool[i]];
  }
  return pool.slice(0, count);
}
