/** Any keypoint metric per group of keypoints (MMPose: `mmpose/evaluation/metrics/keypoint_partition_metric.py`). */
import { readConfig, REQUIRED } from '../../config.js';
import type { CocoAnnotation, CocoJson } from '../../datasets/coco.js';
import type { PoseMetaInfo } from '../../datasets/metainfo/types.js';
import { ConfigError } from '../../errors.js';
import type { NdArray, TypedArray } from '../../ndarray.js';
import type { EvalSample, EvalTruth, Metric, MetricClass, MetricContext, MetricValues } from './base.js';
import { CocoMetric } from './coco_metric.js';
import { AUC, EPE, NME, PCKAccuracy } from './keypoint_2d_metrics.js';

const SUPPORTED: Readonly<Record<string, MetricClass>> = { CocoMetric, PCKAccuracy, AUC, EPE, NME };

interface PartitionConfig {
  metric: Readonly<Record<string, unknown>>;
  partitions: Readonly<Record<string, readonly number[]>>;
}

/**
 * Builds one metric per partition and gives each the keypoints of its own: `{ 'body/coco/AP': ..., 'face/coco/AP': ... }`.
 * With CocoMetric, scores and NMS are per part too, unless `score_mode: 'bbox'` and `nms_mode: 'none'` are chosen.
 */
export class KeypointPartitionMetric {
  readonly #partitions: Readonly<Record<string, readonly number[]>>;
  readonly #metrics: ReadonlyMap<string, Metric>;

  constructor(config: Readonly<Record<string, unknown>>, context: MetricContext = {}) {
    const spec = { metric: REQUIRED, partitions: REQUIRED };
    const { metric, partitions } = readConfig<PartitionConfig>(config, 'KeypointPartitionMetric', spec);
    const MetricType = checkMetric(metric);
    checkPartitions(partitions);
    this.#partitions = partitions;
    const { ann_file: _, ...own } = metric;
    this.#metrics = new Map(
      Object.entries(partitions).map(([name, ids]) => [name, new MetricType(own, partContext(context, ids))]),
    );
  }

  /** Splits the sigmas and names of a dataset among the parts. */
  set datasetMeta(meta: PoseMetaInfo | null) {
    for (const [name, metric] of this.#metrics) metric.datasetMeta = meta && partOfMeta(meta, this.#partitions[name]);
  }

  process(samples: readonly EvalSample[]): void {
    for (const [name, metric] of this.#metrics) {
      metric.process(samples.map((sample) => partOfSample(sample, this.#partitions[name])));
    }
  }

  evaluate(): MetricValues {
    const tables = [...this.#metrics].flatMap(([part, metric]) =>
      Object.entries(metric.evaluate()).map(([name, value]) => [`${part}/${name}`, value] as const),
    );
    return Object.fromEntries(tables);
  }
}

function checkMetric(metric: Readonly<Record<string, unknown>>): MetricClass {
  const type = String(metric['type']);
  if (!Object.hasOwn(SUPPORTED, type)) {
    const names = Object.keys(SUPPORTED).join(', ');
    throw new ConfigError(`KeypointPartitionMetric.metric.type: found "${type}"; expected one of ${names}.`);
  }
  if (type === 'NME' && metric['norm_mode'] !== 'use_norm_item') {
    throw new ConfigError(
      'KeypointPartitionMetric.metric.norm_mode: found a distance of keypoints, which a part may lack; use "use_norm_item".',
    );
  }
  return SUPPORTED[type];
}

function checkPartitions(partitions: PartitionConfig['partitions']): void {
  const entries = Object.entries(partitions);
  if (entries.length > 0 && entries.every(([, ids]) => Array.isArray(ids) && ids.length > 0)) return;
  throw new ConfigError(
    'KeypointPartitionMetric.partitions: found none, or one without keypoints; expected { name: [keypoint, ...] }.',
  );
}

function partContext({ annotations, datasetMeta }: MetricContext, ids: readonly number[]): MetricContext {
  return {
    ...(annotations && { annotations: partOfCoco(annotations, ids) }),
    ...(datasetMeta && { datasetMeta: partOfMeta(datasetMeta, ids) }),
  };
}

function partOfCoco(coco: CocoJson, ids: readonly number[]): CocoJson {
  return { ...coco, annotations: coco.annotations.map((ann) => partOfAnnotation(ann, ids)) };
}

function partOfAnnotation(ann: CocoAnnotation, ids: readonly number[]): CocoAnnotation {
  if (!ann.keypoints) return ann;
  const { foot_kpts: feet = [], face_kpts: face = [], lefthand_kpts: left = [], righthand_kpts: right = [] } = ann;
  const all = [...ann.keypoints, ...feet, ...face, ...left, ...right];
  const keypoints = ids.flatMap((i) => all.slice(i * 3, i * 3 + 3));
  return { ...ann, keypoints, num_keypoints: ids.filter((i) => all[i * 3 + 2] > 0).length };
}

function partOfMeta(meta: PoseMetaInfo, ids: readonly number[]): PoseMetaInfo {
  const sigmas = meta.sigmas.length > 0 ? Float32Array.from(ids, (i) => meta.sigmas[i]) : meta.sigmas;
  return { ...meta, numKeypoints: ids.length, keypointId2name: ids.map((i) => meta.keypointId2name[i]), sigmas };
}

function partOfSample(sample: EvalSample, ids: readonly number[]): EvalSample {
  const { predInstances: pred, gtInstances: gt, rawAnnInfo: raw } = sample;
  const take = <T extends TypedArray>(array: NdArray<T>): NdArray<T> => takeKeypoints(array, ids);
  const annotations = Array.isArray(raw)
    ? (raw as readonly (CocoAnnotation | null)[])
    : raw
      ? [raw as CocoAnnotation]
      : raw;
  return {
    ...sample,
    predInstances: {
      ...pred,
      keypoints: take(pred.keypoints),
      ...(pred.keypointScores && { keypointScores: take(pred.keypointScores) }),
    },
    ...(gt && { gtInstances: partOfTruth(gt, ids) }),
    ...(annotations && { rawAnnInfo: annotations.map((ann) => ann && partOfAnnotation(ann, ids)) }),
  };
}

function partOfTruth(gt: EvalTruth, ids: readonly number[]): EvalTruth {
  const { keypoints, keypointsVisible } = gt;
  return {
    ...gt,
    ...(keypoints && { keypoints: takeKeypoints(keypoints, ids) }),
    ...(keypointsVisible && { keypointsVisible: takeKeypoints(keypointsVisible, ids) }),
  };
}

/** `array[:, ids]` */
function takeKeypoints<T extends TypedArray>({ data, shape }: NdArray<T>, ids: readonly number[]): NdArray<T> {
  const [n, k, ...rest] = shape;
  const size = rest.reduce((a, b) => a * b, 1);
  const out = new (data.constructor as new (length: number) => T)(n * ids.length * size);
  for (let i = 0; i < n; i++) {
    ids.forEach((id, j) => {
      const from = (i * k + id) * size;
      out.set(data.subarray(from, from + size) as never, (i * ids.length + j) * size);
    });
  }
  return { data: out, shape: [n, ids.length, ...rest] };
}
