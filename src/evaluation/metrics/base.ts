/** What a metric is (MMEngine: `BaseMetric`): it collects samples and gives a table of numbers at the end. */
import type { CocoAnnotation, CocoJson } from '../../datasets/coco.js';
import type { PoseMetaInfo } from '../../datasets/metainfo/types.js';
import { InputError } from '../../errors.js';
import type { NdArray, TypedArray } from '../../ndarray.js';
import type { FloatArray } from '../../structures/bbox/transforms.js';

/** Predicted persons of a sample, px of the source picture; `InstanceData` fits. */
export interface EvalPredictions {
  /** [N, K, D] */
  readonly keypoints: NdArray<FloatArray>;
  /** [N, K] */
  readonly keypointScores?: NdArray<FloatArray>;
  /** [N, 4] xyxy */
  readonly bboxes?: NdArray<FloatArray>;
  /** [N] */
  readonly bboxScores?: NdArray<FloatArray>;
}

/** Annotated persons of a sample. Each metric says which fields it needs. */
export interface EvalTruth {
  /** [N, K, D] */
  readonly keypoints?: NdArray<FloatArray>;
  /** [N, K] or [N, K, C]; the first channel counts. */
  readonly keypointsVisible?: NdArray<TypedArray>;
  /** [N, 4] xyxy */
  readonly bboxes?: NdArray<FloatArray>;
  /** [N] */
  readonly bboxScores?: NdArray<FloatArray>;
  /** [N, 2] px, padded size of the crops */
  readonly bboxScales?: NdArray<FloatArray>;
  /** [N] px, MPII */
  readonly headSize?: NdArray<FloatArray>;
  /** Further normalisers of NME, by the name in its config. */
  readonly [item: string]: unknown;
}

/** One sample: a person of a top-down model, or a picture of a bottom-up one. */
export interface EvalSample {
  /** Annotation id; a list of them for a whole picture. */
  readonly id?: number | readonly number[];
  readonly imgId?: number;
  /** @default 1 */
  readonly categoryId?: number;
  readonly crowdIndex?: number;
  readonly oriShape?: readonly [h: number, w: number];
  readonly rawAnnInfo?: CocoAnnotation | readonly (CocoAnnotation | null)[] | null;
  readonly predInstances: EvalPredictions;
  readonly gtInstances?: EvalTruth;
}

/** Metric names, in MMPose's order, to values. */
export type MetricValues = Record<string, number>;

export interface MetricContext {
  /** The ground truth; in a browser it takes the place of `ann_file`. */
  readonly annotations?: CocoJson;
  /** As parsed; some metrics take sigmas and names from it. */
  readonly datasetMeta?: PoseMetaInfo;
}

/** Keys that every metric of MMEngine takes; where results are collected is of no matter here. */
export const BASE_METRIC_KEYS = { collect_device: 'cpu', prefix: null } as const;

/** A metric class: built from one config object with MMPose's keys. */
export type MetricClass = new (config: Readonly<Record<string, unknown>>, context?: MetricContext) => Metric;

export abstract class Metric<Result = unknown> {
  /** Goes before each name, with a slash; `prefix` of the config replaces it. */
  readonly prefix: string | null;
  datasetMeta: PoseMetaInfo | null;
  protected results: Result[] = [];

  constructor(prefix: string | null, context: MetricContext) {
    this.prefix = prefix;
    this.datasetMeta = context.datasetMeta ?? null;
  }

  /** Adds samples. */
  abstract process(samples: readonly EvalSample[]): void;

  /** The table over all results since the last `evaluate`, without the prefix. */
  protected abstract computeMetrics(results: readonly Result[]): MetricValues;

  /** The table over all samples so far, which are then forgotten. */
  evaluate(): MetricValues {
    const { results } = this;
    this.results = [];
    if (results.length === 0)
      throw new InputError(`${this.constructor.name}.evaluate: found no samples; process some first.`);
    const values = this.computeMetrics(results);
    if (!this.prefix) return values;
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${this.prefix}/${name}`, value]));
  }
}

/** The named part of a sample's ground truth. */
export function requireTruth<K extends keyof EvalTruth>(
  sample: EvalSample,
  field: K,
  where: string,
): NonNullable<EvalTruth[K]> {
  const value = sample.gtInstances?.[field];
  if (value === undefined || value === null) {
    throw new InputError(`${where}: found no gtInstances.${String(field)} in a sample; this metric needs it.`);
  }
  return value as NonNullable<EvalTruth[K]>;
}
