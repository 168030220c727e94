/** Transforms that top-down and bottom-up pipelines share (MMPose: `mmpose/datasets/transforms/common_transforms.py`). */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { ndarray, row, zeros, type NdArray } from '../../ndarray.js';
import { bboxXyxy2cs, flipBbox, type FlipDirection, type FloatArray } from '../../structures/bbox/transforms.js';
import { flipKeypoints } from '../../structures/keypoint/transforms.js';
import {
  camelCase,
  requireField,
  tablesOf,
  type RandomSource,
  type TargetArrays,
  type TargetEncoder,
  type Transform,
  type TransformContext,
  type TransformResults,
} from './base.js';
import { choice, truncNorm } from './random.js';
import type { PixelImage } from './warp_affine.js';

type Config = Readonly<Record<string, unknown>>;

/**
 * Boxes to centre and padded size. The padding comes before the aspect ratio is fixed, and applies to a centre and size that
 * the sample already has too.
 */
export class GetBBoxCenterScale implements Transform {
  readonly padding: number;

  constructor(config: Config = {}) {
    ({ padding: this.padding } = readConfig<{ padding: number }>(config, 'GetBBoxCenterScale', { padding: 1.25 }));
  }

  transform(results: TransformResults): TransformResults {
    const { bboxCenter, bboxScale } = results;
    if (bboxCenter && bboxScale) {
      const padding = Math.fround(this.padding);
      return { ...results, bboxScale: { data: bboxScale.data.map((s) => s * padding), shape: bboxScale.shape } };
    }
    const { center, scale } = bboxXyxy2cs(requireField(results, 'bbox', 'GetBBoxCenterScale'), this.padding);
    return { ...results, bboxCenter: center, bboxScale: scale };
  }
}

/** A mirrored copy of a picture. */
export function flipImage<T extends PixelImage>(image: T, direction: FlipDirection): T {
  const { data, width, height, channels } = image;
  const out = data.slice();
  for (let y = 0; y < height; y++) {
    const sy = direction === 'horizontal' ? y : height - 1 - y;
    for (let x = 0; x < width; x++) {
      const from = (sy * width + (direction === 'vertical' ? x : width - 1 - x)) * channels;
      const to = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) out[to + c] = data[from + c];
    }
  }
  return { ...image, data: out };
}

const DIRECTIONS: readonly FlipDirection[] = ['horizontal', 'vertical', 'diagonal'];

/** Mirrors picture, boxes and keypoints with a probability, in one of several directions. */
export class RandomFlip implements Transform {
  readonly #directions: readonly FlipDirection[];
  /** Of each direction, and last of none. */
  readonly #weights: readonly number[];
  readonly #random: RandomSource;

  constructor(config: Config = {}, context: TransformContext = {}) {
    const spec = { prob: 0.5, direction: 'horizontal' };
    const { prob, direction } = readConfig<{
      prob: number | readonly number[];
      direction: FlipDirection | readonly FlipDirection[];
    }>(config, 'RandomFlip', spec);
    this.#directions = Array.isArray(direction) ? direction : [direction];
    const each = Array.isArray(prob) ? prob : this.#directions.map(() => (prob as number) / this.#directions.length);
    const total = each.reduce((a: number, b: number) => a + b, 0);
    if (each.length !== this.#directions.length || !(total >= 0 && total <= 1 + 1e-9)) {
      throw new ConfigError(
        `RandomFlip.prob: found ${JSON.stringify(prob)}; expected 0..1, or one number per direction.`,
      );
    }
    const unknown = this.#directions.find((d) => !DIRECTIONS.includes(d));
    if (unknown) throw new ConfigError(`RandomFlip.direction: found "${unknown}"; expected ${DIRECTIONS.join(', ')}.`);
    this.#weights = [...each, 1 - total];
    this.#random = context.random ?? Math.random;
  }

  transform(results: TransformResults): TransformResults {
    const direction = this.#directions[choice(this.#random, this.#weights)] as FlipDirection | undefined;
    if (!direction) return { ...results, flip: false, flipDirection: null };
    const { img, imgMask, bbox, bboxCenter } = results;
    const size = this.#size(results);
    return {
      ...results,
      flip: true,
      flipDirection: direction,
      ...(img && {
        img: Array.isArray(img) ? img.map((i) => flipImage(i, direction)) : flipImage(img as PixelImage, direction),
      }),
      ...(imgMask && { imgMask: flipImage(imgMask, direction) }),
      ...(bbox && { bbox: flipBbox(bbox, size, 'xyxy', direction) }),
      ...(bboxCenter && { bboxCenter: flipBbox(bboxCenter, size, 'center', direction) }),
      ...this.#keypoints(results, size, direction),
    };
  }

  /** [w, h]. MMPose reads the crop's [w, h] as [h, w] here; the picture itself is what is mirrored, so its size counts. */
  #size({ img, imgShape }: TransformResults): readonly [number, number] {
    const image = (Array.isArray(img) ? img[0] : img) as PixelImage | undefined;
    if (image) return [image.width, image.height];
    if (imgShape) return [imgShape[1], imgShape[0]];
    throw new InputError('RandomFlip: found neither img nor imgShape in the sample; load a picture first.');
  }

  #keypoints(
    results: TransformResults,
    size: readonly [number, number],
    direction: FlipDirection,
  ): Partial<TransformResults> {
    const { keypoints, keypointsVisible } = results;
    if (!keypoints) return {};
    const indices = requireField(results, 'flipIndices', 'RandomFlip');
    const flipped = flipKeypoints(keypoints, keypointsVisible ?? null, size, indices, direction);
    return {
      keypoints: flipped.keypoints,
      ...(flipped.keypointsVisible && { keypointsVisible: flipped.keypointsVisible }),
    };
  }
}

/** Visibility of keypoint k of person n; the first channel where there are several. */
function isVisible({ data, shape }: NdArray, n: number, k: number): boolean {
  const step = shape.length === 3 ? shape[2] : 1;
  return data[(n * shape[1] + k) * step] > 0;
}

interface HalfBodyConfig {
  min_total_keypoints: number;
  min_upper_keypoints: number;
  min_lower_keypoints: number;
  padding: number;
  prob: number;
  upper_prioritized_prob: number;
}

/** Narrows the box to the upper or lower body at random, so that a model learns cut-off people. */
export class RandomHalfBody implements Transform {
  readonly #config: HalfBodyConfig;
  readonly #random: RandomSource;

  constructor(config: Config = {}, context: TransformContext = {}) {
    this.#config = readConfig<HalfBodyConfig>(config, 'RandomHalfBody', {
      min_total_keypoints: 9,
      min_upper_keypoints: 2,
      min_lower_keypoints: 3,
      padding: 1.5,
      prob: 0.3,
      upper_prioritized_prob: 0.7,
    });
    this.#random = context.random ?? Math.random;
  }

  transform(results: TransformResults): TransformResults {
    const need = <K extends keyof TransformResults>(field: K) => requireField(results, field, 'RandomHalfBody');
    const [keypoints, visible] = [need('keypoints'), need('keypointsVisible')];
    const [upper, lower] = [need('upperBodyIds'), need('lowerBodyIds')];
    const bboxCenter = { ...need('bboxCenter'), data: need('bboxCenter').data.slice() };
    const bboxScale = { ...need('bboxScale'), data: need('bboxScale').data.slice() };
    for (let n = 0; n < keypoints.shape[0]; n++) {
      const ids = this.#selectHalf(visible, n, upper, lower);
      if (ids) this.#setBox(row(keypoints, n), ids, row(bboxCenter, n).data, row(bboxScale, n).data);
    }
    return { ...results, bboxCenter, bboxScale };
  }

  #selectHalf(
    visible: NdArray,
    n: number,
    upper: readonly number[],
    lower: readonly number[],
  ): readonly number[] | null {
    const config = this.#config;
    let total = 0;
    for (let k = 0; k < visible.shape[1]; k++) total += Number(isVisible(visible, n, k));
    if (total < config.min_total_keypoints || this.#random() > config.prob) return null;
    const upperIds = upper.filter((k) => isVisible(visible, n, k));
    const lowerIds = lower.filter((k) => isVisible(visible, n, k));
    const preferUpper = this.#random() < config.upper_prioritized_prob;
    const hasUpper = upperIds.length >= config.min_upper_keypoints;
    const hasLower = lowerIds.length >= config.min_lower_keypoints;
    if (!hasUpper && !hasLower) return null;
    if (!hasLower) return upperIds;
    if (!hasUpper) return lowerIds;
    return preferUpper ? upperIds : lowerIds;
  }

  /** Mean of the points as centre, their extent as size. */
  #setBox(points: NdArray, ids: readonly number[], center: Float32Array, scale: Float32Array): void {
    const d = points.shape[1];
    for (let axis = 0; axis < 2; axis++) {
      const values = ids.map((k) => points.data[k * d + axis]);
      center[axis] = values.reduce((a, b) => a + b, 0) / values.length;
      scale[axis] = Math.fround(Math.max(...values) - Math.min(...values)) * Math.fround(this.#config.padding);
    }
  }
}

interface BBoxTransformConfig {
  shift_factor: number;
  shift_prob: number;
  scale_factor: readonly [min: number, max: number];
  scale_prob: number;
  rotate_factor: number;
  rotate_prob: number;
}

/** Moves, resizes and turns boxes at random, by truncated normal amounts. */
export class RandomBBoxTransform implements Transform {
  readonly #config: BBoxTransformConfig;
  readonly #random: RandomSource;

  constructor(config: Config = {}, context: TransformContext = {}) {
    this.#config = readConfig<BBoxTransformConfig>(config, 'RandomBBoxTransform', {
      shift_factor: 0.16,
      shift_prob: 0.3,
      scale_factor: [0.5, 1.5],
      scale_prob: 1,
      rotate_factor: 80,
      rotate_prob: 0.6,
    });
    this.#random = context.random ?? Math.random;
  }

  transform(results: TransformResults): TransformResults {
    const oldCenter = requireField(results, 'bboxCenter', 'RandomBBoxTransform');
    const oldScale = requireField(results, 'bboxScale', 'RandomBBoxTransform');
    const n = oldScale.shape[0];
    const bboxCenter = { ...oldCenter, data: oldCenter.data.slice() };
    const bboxScale = { ...oldScale, data: oldScale.data.slice() };
    const bboxRotation = zeros([n]);
    for (let i = 0; i < n; i++) {
      const { offset, scale, rotation } = this.#draw();
      for (let axis = 0; axis < 2; axis++) {
        bboxCenter.data[i * 2 + axis] += offset[axis] * oldScale.data[i * 2 + axis];
        bboxScale.data[i * 2 + axis] *= scale;
      }
      bboxRotation.data[i] = rotation;
    }
    return { ...results, bboxCenter, bboxScale, bboxRotation };
  }

  #draw(): { offset: [number, number]; scale: number; rotation: number } {
    const {
      scale_factor: [low, high],
      ...config
    } = this.#config;
    const draw = (): number => truncNorm(this.#random);
    const [dx, dy, scale, rotation] = [draw(), draw(), draw(), draw()];
    const happens = (probability: number): boolean => this.#random() < probability;
    return {
      offset: happens(config.shift_prob) ? [dx * config.shift_factor, dy * config.shift_factor] : [0, 0],
      scale: happens(config.scale_prob) ? (scale * (high - low) + high + low) / 2 : 1,
      rotation: happens(config.rotate_prob) ? rotation * config.rotate_factor : 0,
    };
  }
}

/** What older MMPose configs call the outcome; the encoders themselves decide it. */
const TARGET_TYPES: readonly string[] = [
  'heatmap',
  'multilevel_heatmap',
  'keypoint_label',
  'keypoint_xy_label',
  'heatmap+keypoint_label',
];

interface TargetConfig {
  encoder: unknown;
  target_type: string | null;
  multilevel: boolean;
  use_dataset_keypoint_weights: boolean;
}

/**
 * Training targets by one codec, by one codec per level (`multilevel`), or by several codecs side by side. They go to
 * `targets` under MMPose's names: arrays, or lists of them for levels and for the weights of several codecs.
 *
 * `encoder` is a built codec or a list of them; `buildPipeline` builds them from their configs.
 */
export class GenerateTarget implements Transform {
  readonly #encoders: readonly TargetEncoder[];
  readonly #mode: 'single' | 'multilevel' | 'combined';
  readonly #useDatasetWeights: boolean;

  constructor(config: Config) {
    const spec = { encoder: REQUIRED, target_type: null, multilevel: false, use_dataset_keypoint_weights: false };
    const cfg = readConfig<TargetConfig>(config, 'GenerateTarget', spec);
    if (cfg.target_type !== null && !TARGET_TYPES.includes(cfg.target_type)) {
      throw new ConfigError(
        `GenerateTarget.target_type: found "${cfg.target_type}"; expected ${TARGET_TYPES.join(', ')}.`,
      );
    }
    const multilevel = cfg.multilevel || cfg.target_type === 'multilevel_heatmap';
    const isList = Array.isArray(cfg.encoder);
    if (multilevel && !isList)
      throw new ConfigError('GenerateTarget.encoder: found one with multilevel; expected a list.');
    this.#encoders = (isList ? cfg.encoder : [cfg.encoder]) as TargetEncoder[];
    if (this.#encoders.some((encoder) => typeof encoder?.encode !== 'function')) {
      throw new ConfigError(
        'GenerateTarget.encoder: found a config; expected a built codec. Use buildPipeline with buildEncoder.',
      );
    }
    this.#mode = multilevel ? 'multilevel' : isList ? 'combined' : 'single';
    this.#useDatasetWeights = cfg.use_dataset_keypoint_weights;
  }

  transform(results: TransformResults): TransformResults {
    const keypoints = results.transformedKeypoints ?? requireField(results, 'keypoints', 'GenerateTarget');
    const { visible, weights } = splitVisible(requireField(results, 'keypointsVisible', 'GenerateTarget'));
    const encoded = this.#encoders.map((encoder) => encoder.encode(keypoints, visible, auxiliaryOf(encoder, results)));
    const targets =
      this.#mode === 'single' ? encoded[0] : this.#mode === 'multilevel' ? byLevel(encoded) : combine(encoded);
    return {
      ...results,
      keypointsVisible: visible,
      ...(weights && { keypointsVisibleWeights: weights }),
      targets: this.#useDatasetWeights ? weighted(targets, results) : targets,
      mappingTables: mergeTables(this.#encoders),
    };
  }
}

/** A second channel of the visibility is a weight. */
function splitVisible(visible: NdArray): { visible: NdArray; weights: NdArray | null } {
  const [n, k, channels] = visible.shape;
  if (visible.shape.length !== 3) return { visible, weights: null };
  const channel = (c: number): NdArray =>
    ndarray(
      Float32Array.from({ length: n * k }, (_, i) => visible.data[i * channels + c]),
      [n, k],
    );
  return { visible: channel(0), weights: channels === 2 ? channel(1) : null };
}

/** The annotations that a codec asks for, under MMPose's names. */
function auxiliaryOf(encoder: TargetEncoder, results: TransformResults): Record<string, never> | undefined {
  const { auxiliaryEncodeKeys: keys } = tablesOf(encoder);
  if (!keys?.length) return undefined;
  return Object.fromEntries(keys.map((key) => [key, results[camelCase(key)] ?? null])) as Record<string, never>;
}

function byLevel(encoded: readonly TargetArrays[]): TargetArrays {
  const keys = Object.keys(encoded[0]);
  if (encoded.some((e) => Object.keys(e).sort().join() !== [...keys].sort().join())) {
    throw new ConfigError(
      'GenerateTarget.encoder: found encoders of different outputs; expected the same with multilevel.',
    );
  }
  return Object.fromEntries(keys.map((key) => [key, encoded.map((e) => e[key] as NdArray<FloatArray>)]));
}

function combine(encoded: readonly TargetArrays[]): TargetArrays {
  const targets: TargetArrays = {};
  const weights: NdArray<FloatArray>[] = [];
  for (const [key, value] of encoded.flatMap((e) => Object.entries(e))) {
    if (key === 'keypoint_weights') weights.push(value as NdArray<FloatArray>);
    else if (key in targets) {
      throw new ConfigError(
        `GenerateTarget.encoder: found "${key}" from two encoders; set multilevel, or leave one out.`,
      );
    } else targets[key] = value;
  }
  return weights.length > 0 ? { ...targets, keypoint_weights: weights } : targets;
}

/** Weights times the dataset's own. Lists of weights stay as they are, as in MMPose. */
function weighted(targets: TargetArrays, results: TransformResults): TargetArrays {
  const weights = targets['keypoint_weights'];
  if (!weights || Array.isArray(weights)) return targets;
  const { data: factors } = requireField(results, 'datasetKeypointWeights', 'GenerateTarget');
  const { data, shape } = weights as NdArray;
  return { ...targets, keypoint_weights: { data: data.map((w, i) => w * factors[i % factors.length]), shape } };
}

function mergeTables(encoders: readonly TargetEncoder[]): MappingTables {
  const tables = encoders.map(tablesOf);
  return {
    label: Object.assign({}, ...tables.map((t) => t.labelMappingTable)) as Record<string, string>,
    field: Object.assign({}, ...tables.map((t) => t.fieldMappingTable)) as Record<string, string>,
    instance: Object.assign({}, ...tables.map((t) => t.instanceMappingTable)) as Record<string, string>,
  };
}

/** Where `PackPoseInputs` puts targets: encoded name -> name in the sample. */
export interface MappingTables {
  readonly label: Readonly<Record<string, string>>;
  readonly field: Readonly<Record<string, string>>;
  readonly instance: Readonly<Record<string, string>>;
}
