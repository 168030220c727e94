/** COCO keypoint AP and AR (MMPose: `mmpose/evaluation/metrics/coco_metric.py`), for COCO, CrowdPose, AIC and their like. */
import { readConfig } from '../../config.js';
import type { CocoAnnotation, CocoImage, CocoJson, CocoResult } from '../../datasets/coco.js';
import type { PoseMetaInfo } from '../../datasets/metainfo/types.js';
import { ConfigError, InputError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';
import { bboxXyxy2xywh, type FloatArray } from '../../structures/bbox/transforms.js';
import { COCO_STATS, cocoEval, CROWDPOSE_STATS, type KeypointIouType } from '../functional/coco_eval.js';
import { oksNms, softOksNms } from '../functional/nms.js';
import {
  transformAnn,
  transformPred,
  transformSigmas,
  type KeypointConverterConfig,
} from '../functional/transforms.js';
import { BASE_METRIC_KEYS, Metric, type EvalSample, type MetricContext, type MetricValues } from './base.js';

interface CocoMetricConfig {
  ann_file: unknown;
  use_area: boolean;
  iou_type: KeypointIouType;
  score_mode: 'bbox' | 'bbox_keypoint' | 'bbox_rle' | 'keypoint';
  keypoint_score_thr: number;
  nms_mode: 'oks_nms' | 'soft_oks_nms' | 'none';
  nms_thr: number;
  format_only: boolean;
  pred_converter: KeypointConverterConfig | null;
  gt_converter: KeypointConverterConfig | null;
  prefix: string | null;
}

const SPEC = {
  ann_file: null,
  use_area: true,
  iou_type: 'keypoints',
  score_mode: 'bbox_keypoint',
  keypoint_score_thr: 0.2,
  nms_mode: 'oks_nms',
  nms_thr: 0.9,
  format_only: false,
  pred_converter: null,
  gt_converter: null,
  outfile_prefix: null,
  ...BASE_METRIC_KEYS,
};

/** One detected person on the way to COCO's result format. */
export interface PersonResult {
  readonly id: number | null;
  readonly imgId: number;
  readonly categoryId: number;
  /** [K, 3] x, y, score; px */
  readonly keypoints: NdArray;
  readonly bboxScore: number;
  /** xywh, px */
  readonly bbox?: readonly number[];
  /** px², of the padded box where known */
  readonly area: number;
  readonly score: number;
}

interface CocoMetricResult {
  readonly persons: readonly PersonResult[];
  readonly image: CocoImage | null;
  readonly annotations: readonly CocoAnnotation[];
}

/**
 * Scores persons, drops doubles by OKS, and runs COCO's evaluation.
 *
 * Ground truth comes from `context.annotations` (a parsed COCO file; `ann_file` of a config is only its name), or from the
 * samples' `rawAnnInfo` and `oriShape`. Samples need `id` and `imgId`; `gtInstances.bboxScales` gives the area for the NMS.
 *
 * @example
 * const metric = await buildMetric({ type: 'CocoMetric' }, { annotations, datasetMeta });
 * metric.process(samples);
 * metric.evaluate(); // { 'coco/AP': 0.624, 'coco/AP .5': 0.835, ... }
 */
export class CocoMetric extends Metric<CocoMetricResult> {
  protected readonly config: CocoMetricConfig;
  readonly #annotations: CocoJson | null;
  #sigmas: Float32Array;
  #keptAfterNms: PersonResult[] = [];

  constructor(config: Readonly<Record<string, unknown>> = {}, context: MetricContext = {}, defaultPrefix = 'coco') {
    const cfg = readConfig<CocoMetricConfig>(config, 'CocoMetric', SPEC);
    super(cfg.prefix ?? defaultPrefix, context);
    checkChoice('iou_type', cfg.iou_type, ['keypoints', 'keypoints_crowd']);
    checkChoice('score_mode', cfg.score_mode, ['bbox', 'bbox_keypoint', 'bbox_rle', 'keypoint']);
    checkChoice('nms_mode', cfg.nms_mode, ['oks_nms', 'soft_oks_nms', 'none']);
    if (cfg.ann_file && !context.annotations) {
      throw new ConfigError(
        `CocoMetric.ann_file: found ${JSON.stringify(cfg.ann_file)}; expected its content; pass the parsed JSON as ` +
          '`annotations` of the second argument.',
      );
    }
    this.config = cfg;
    this.#annotations = context.annotations ?? null;
    this.#sigmas = new Float32Array();
  }

  /** Persons that the last `evaluate` handed to COCO's evaluation, in that order. */
  get keptAfterNms(): readonly PersonResult[] {
    return this.#keptAfterNms;
  }

  process(samples: readonly EvalSample[]): void {
    for (const sample of samples) {
      this.results.push({
        persons: this.#personsOf(sample),
        ...(this.#annotations ? NO_TRUTH : this.#truthOf(sample)),
      });
    }
  }

  protected computeMetrics(results: readonly CocoMetricResult[]): MetricValues {
    const meta = this.requireMeta();
    const { gt_converter: gtConverter, pred_converter: predConverter } = this.config;
    this.#sigmas = gtConverter ? transformSigmas(meta.sigmas, gtConverter) : meta.sigmas;
    const scored = results.flatMap(({ persons }) => persons);
    const k = predConverter?.num_keypoints ?? this.#sigmas.length;
    const byImage = uniquePersons(
      groupBy(scored, ({ imgId }) => imgId),
      (person) => this.#score(person, k),
    );
    this.#keptAfterNms = [...byImage.values()].flatMap((persons) => this.#suppress(persons));
    if (this.config.format_only) return {};
    const gt = this.#groundTruth(results);
    return this.evaluateCoco(gt, this.#keptAfterNms, this.#sigmas);
  }

  /** The numbers of COCO's evaluation under MMPose's names. */
  protected evaluateCoco(gt: CocoJson, persons: readonly PersonResult[], sigmas: Float32Array): MetricValues {
    const { iou_type: iouType, use_area: useArea } = this.config;
    const results = persons.map((person) => this.toResult(person));
    const stats = cocoEval(gt, results, { iouType, sigmas, useArea });
    const names = iouType === 'keypoints_crowd' ? CROWDPOSE_STATS : COCO_STATS;
    return Object.fromEntries(names.map((name, i) => [name, stats[i]]));
  }

  /** COCO's result format: what `format_only` files hold. */
  toResult({ imgId, categoryId, keypoints, score, bbox }: PersonResult): CocoResult {
    return {
      image_id: imgId,
      category_id: categoryId,
      keypoints: Array.from(keypoints.data),
      score,
      ...(bbox && { bbox }),
    };
  }

  protected requireMeta(): PoseMetaInfo {
    const meta = this.datasetMeta;
    if (!meta) throw new InputError(`${this.constructor.name}: found no datasetMeta; pass the parsed meta-info.`);
    if (meta.sigmas.length === 0) {
      throw new InputError(
        `${this.constructor.name}: dataset "${meta.datasetName}" has no sigmas; choose another metric.`,
      );
    }
    return meta;
  }

  #personsOf(sample: EvalSample): PersonResult[] {
    const { predInstances: pred, gtInstances: gt } = sample;
    if (sample.imgId === undefined) throw new InputError('CocoMetric.process: found a sample without imgId.');
    if (!pred.keypointScores) throw new InputError('CocoMetric.process: found no predInstances.keypointScores.');
    const [keypoints, scores] = this.#converted(pred.keypoints, pred.keypointScores);
    const n = keypoints.shape[0];
    const boxes = pred.bboxes && bboxXyxy2xywh(pred.bboxes).data;
    const fromTruth = gt?.bboxScores?.data.length === n ? gt.bboxScores.data : null;
    const bboxScores = pred.bboxScores?.data ?? fromTruth;
    const scales = gt?.bboxScales?.data;
    return Array.from({ length: n }, (_, i) => ({
      id: typeof sample.id === 'number' ? sample.id : null,
      imgId: sample.imgId as number,
      categoryId: sample.categoryId ?? 1,
      keypoints: withScores(keypoints, scores, i),
      bboxScore: bboxScores?.[i] ?? 1,
      area: scales ? Math.fround(scales[i * 2] * scales[i * 2 + 1]) : extent(keypoints, i),
      score: 0,
      ...(boxes && { bbox: Array.from(boxes.subarray(i * 4, i * 4 + 4)) }),
    }));
  }

  #converted(keypoints: NdArray<FloatArray>, scores: NdArray<FloatArray>): [NdArray<FloatArray>, NdArray<FloatArray>] {
    const converter = this.config.pred_converter;
    return converter ? [transformPred(keypoints, converter), transformPred(scores, converter)] : [keypoints, scores];
  }

  #truthOf(sample: EvalSample): Omit<CocoMetricResult, 'persons'> {
    const { oriShape, rawAnnInfo, imgId, crowdIndex } = sample;
    if (!oriShape || rawAnnInfo === undefined) {
      throw new InputError(
        'CocoMetric.process: found no ground truth; pass `annotations` to the constructor, or oriShape and rawAnnInfo in samples.',
      );
    }
    const list = Array.isArray(rawAnnInfo)
      ? (rawAnnInfo as readonly (CocoAnnotation | null)[])
      : [rawAnnInfo as CocoAnnotation];
    const annotations = list.filter((ann) => ann !== null);
    const image = {
      id: imgId as number,
      width: oriShape[1],
      height: oriShape[0],
      ...(crowdIndex !== undefined && { crowdIndex }),
    };
    return { annotations, image };
  }

  #score(person: PersonResult, k: number): PersonResult {
    return { ...person, score: personScore(person, k, this.config) };
  }

  #suppress(persons: readonly PersonResult[]): PersonResult[] {
    const { nms_mode: mode, nms_thr: thr } = this.config;
    if (mode === 'none') return [...persons];
    const keep = (mode === 'oks_nms' ? oksNms : softOksNms)(persons, thr, { sigmas: this.#sigmas });
    return keep.map((i) => persons[i]);
  }

  #groundTruth(results: readonly CocoMetricResult[]): CocoJson {
    const gt = this.#annotations ?? collectTruth(results);
    const converter = this.config.gt_converter;
    return converter ? { ...gt, annotations: gt.annotations.map((ann) => transformAnn(ann, converter)) } : gt;
  }
}

const NO_TRUTH = { image: null, annotations: [] } as const;

function checkChoice(key: string, value: unknown, choices: readonly string[]): void {
  if (choices.includes(value as string)) return;
  throw new ConfigError(`CocoMetric.${key}: found ${JSON.stringify(value)}; expected one of ${choices.join(', ')}.`);
}

function withScores(keypoints: NdArray<FloatArray>, scores: NdArray<FloatArray>, person: number): NdArray {
  const [, k, d] = keypoints.shape;
  const out = new Float32Array(k * 3);
  for (let i = 0; i < k; i++) {
    const at = (person * k + i) * d;
    out[i * 3] = keypoints.data[at];
    out[i * 3 + 1] = keypoints.data[at + 1];
    out[i * 3 + 2] = scores.data[person * k + i];
  }
  return { data: out, shape: [k, 3] };
}

function extent({ data, shape }: NdArray<FloatArray>, person: number): number {
  const [, k, d] = shape;
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = person * k * d; i < (person + 1) * k * d; i += d) {
    x0 = Math.min(x0, data[i]);
    x1 = Math.max(x1, data[i]);
    y0 = Math.min(y0, data[i + 1]);
    y1 = Math.max(y1, data[i + 1]);
  }
  return Math.fround(Math.fround(x1 - x0) * Math.fround(y1 - y0));
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => number): Map<number, T[]> {
  const groups = new Map<number, T[]>();
  for (const item of items) {
    const group = groups.get(keyOf(item));
    if (group) group.push(item);
    else groups.set(keyOf(item), [item]);
  }
  return groups;
}

/**
 * Persons of each picture by ascending id, each id once: a sampler that pads its last batch hands some over twice. Persons of
 * bottom-up models have no ids of their own and stay as they are.
 */
function uniquePersons(
  byImage: ReadonlyMap<number, readonly PersonResult[]>,
  score: (person: PersonResult) => PersonResult,
): Map<number, PersonResult[]> {
  const out = new Map<number, PersonResult[]>();
  for (const [imgId, persons] of byImage) {
    const sorted = persons.some(({ id }) => id === null)
      ? persons
      : [...persons].sort((a, b) => Number(a.id) - Number(b.id));
    const unique = sorted.filter(({ id }, i) => id === null || i === 0 || id !== sorted[i - 1].id);
    out.set(imgId, unique.map(score));
  }
  return out;
}

function personScore({ keypoints, bboxScore }: PersonResult, k: number, config: CocoMetricConfig): number {
  const scores = Float32Array.from({ length: k }, (_, i) => keypoints.data[i * 3 + 2]);
  switch (config.score_mode) {
    case 'bbox':
      return bboxScore;
    case 'keypoint':
      return meanFloat32(scores);
    case 'bbox_rle':
      return Math.fround(
        Math.fround(bboxScore + meanFloat32(scores)) + scores.reduce((a, b) => Math.max(a, b), -Infinity),
      );
    case 'bbox_keypoint':
      return bboxScore * meanAbove(scores, config.keypoint_score_thr);
    default:
      return config.score_mode satisfies never;
  }
}

/** Mean of the scores above a threshold; 0 without any. */
function meanAbove(scores: Float32Array, threshold: number): number {
  let [sum, count] = [0, 0];
  for (const score of scores) {
    if (!(score > threshold)) continue;
    sum += score;
    count++;
  }
  return count === 0 ? 0 : sum / count;
}

/** `numpy.mean` of float32: eight running sums in float32, so that equal persons get equal scores as in MMPose. */
function meanFloat32(values: Float32Array): number {
  const f = Math.fround;
  const n = values.length;
  let sum = n < 8 ? -0 : 0;
  let i = 0;
  if (n >= 8) {
    const r = values.slice(0, 8);
    for (i = 8; i + 8 <= n; i += 8) for (let j = 0; j < 8; j++) r[j] += values[i + j];
    sum = f(f(f(r[0] + r[1]) + f(r[2] + r[3])) + f(f(r[4] + r[5]) + f(r[6] + r[7])));
  }
  for (; i < n; i++) sum = f(sum + values[i]);
  return f(sum / n);
}

/** COCO annotations out of the samples' own; each picture once. */
function collectTruth(results: readonly CocoMetricResult[]): CocoJson {
  const images = new Map<number, CocoImage>();
  const annotations = new Map<number, CocoAnnotation>();
  for (const result of results) {
    if (result.image && !images.has(result.image.id)) images.set(result.image.id, result.image);
    for (const ann of result.annotations) annotations.set(ann.id, ann);
  }
  return { images: [...images.values()], annotations: [...annotations.values()] };
}
