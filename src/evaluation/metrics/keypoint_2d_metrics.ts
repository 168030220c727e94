/** PCK, AUC, EPE and NME over a set (MMPose: `mmpose/evaluation/metrics/keypoint_2d_metrics.py`). */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { concatRows, ndarray, type NdArray, type TypedArray } from '../../ndarray.js';
import type { FloatArray } from '../../structures/bbox/transforms.js';
import {
  keypointAuc,
  keypointEpe,
  keypointNme,
  keypointPckAccuracy,
  type PckAccuracy,
} from '../functional/keypoint_eval.js';
import {
  BASE_METRIC_KEYS,
  Metric,
  requireTruth,
  type EvalSample,
  type EvalTruth,
  type MetricContext,
  type MetricValues,
} from './base.js';

/** One sample's coordinates [N, K, D] and what counts of them [N, K]. */
interface KeypointPair {
  readonly pred: NdArray;
  readonly gt: NdArray;
  readonly mask: NdArray;
}

function pairOf(sample: EvalSample, where: string): KeypointPair {
  const gt = asFloat32(requireTruth(sample, 'keypoints', where));
  const visible = requireTruth(sample, 'keypointsVisible', where);
  return { pred: asFloat32(sample.predInstances.keypoints), gt, mask: firstChannel(visible, gt.shape) };
}

function asFloat32({ data, shape }: NdArray<FloatArray>): NdArray {
  return { data: data instanceof Float32Array ? data : Float32Array.from(data), shape };
}

/** [N, K] of 0 and 1. */
function firstChannel(visible: NdArray<TypedArray>, [n, k]: readonly number[]): NdArray {
  const step = visible.data.length / (n * k);
  return ndarray(
    Float32Array.from({ length: n * k }, (_, i) => Number(Boolean(visible.data[i * step]))),
    [n, k],
  );
}

function concatPairs(pairs: readonly KeypointPair[]): KeypointPair {
  return {
    pred: concatRows(pairs.map(({ pred }) => pred)),
    gt: concatRows(pairs.map(({ gt }) => gt)),
    mask: concatRows(pairs.map(({ mask }) => mask)),
  };
}

/** The larger side of the first box, px. */
function bboxSize(sample: EvalSample, where: string): number {
  const { data } = requireTruth(sample, 'bboxes', where);
  return Math.max(Math.fround(data[2] - data[0]), Math.fround(data[3] - data[1]));
}

function distance({ data, shape }: NdArray, a: number, b: number): number {
  const d = shape[2];
  let sum = 0;
  for (let c = 0; c < d; c++) sum += (data[a * d + c] - data[b * d + c]) ** 2;
  return Math.fround(Math.sqrt(sum));
}

type NormItem = 'bbox' | 'head' | 'torso';
const NORM_ITEMS: readonly NormItem[] = ['bbox', 'head', 'torso'];

interface PckResult extends KeypointPair {
  /** px */
  readonly norms: Readonly<Partial<Record<NormItem, number>>>;
}

/** JHMDB's neck and belly, between which the torso is measured. */
const TORSO_JOINTS = [4, 5] as const;

/** Share of keypoints nearer than `thr` times the box, head or torso size: `PCK`, `PCKh`, `tPCK`. */
export class PCKAccuracy extends Metric<PckResult> {
  readonly thr: number;
  readonly normItem: readonly NormItem[];

  constructor(config: Readonly<Record<string, unknown>> = {}, context: MetricContext = {}, defaults = PCK_DEFAULTS) {
    const spec = { ...defaults, ...BASE_METRIC_KEYS };
    const cfg = readConfig<{ thr: number; norm_item: NormItem | NormItem[]; prefix: string | null }>(
      config,
      'PCKAccuracy',
      spec,
    );
    super(cfg.prefix, context);
    this.thr = cfg.thr;
    this.normItem = Array.isArray(cfg.norm_item) ? cfg.norm_item : [cfg.norm_item];
    const unknown = this.normItem.find((item) => !NORM_ITEMS.includes(item));
    if (unknown !== undefined) {
      throw new ConfigError(
        `PCKAccuracy.norm_item: found ${JSON.stringify(unknown)}; expected one of ${NORM_ITEMS.join(', ')}.`,
      );
    }
  }

  process(samples: readonly EvalSample[]): void {
    for (const sample of samples) {
      const pair = pairOf(sample, this.constructor.name);
      const norms = Object.fromEntries(this.normItem.map((item) => [item, this.#norm(item, sample, pair)]));
      this.results.push({ ...pair, norms });
    }
  }

  protected computeMetrics(results: readonly PckResult[]): MetricValues {
    const pair = concatPairs(results);
    const values: MetricValues = {};
    const names = { bbox: 'PCK', head: 'PCKh', torso: 'tPCK' } as const;
    for (const item of NORM_ITEMS) {
      if (this.normItem.includes(item)) values[names[item]] = this.pck(pair, results, item).avgAcc;
    }
    return values;
  }

  protected pck(pair: KeypointPair, results: readonly PckResult[], item: NormItem, thr = this.thr): PckAccuracy {
    const d = pair.pred.shape[2];
    const rows = results.flatMap(({ norms, pred }) =>
      Array.from({ length: pred.shape[0] * d }, () => norms[item] ?? 0),
    );
    const norm = ndarray(Float32Array.from(rows), [pair.pred.shape[0], d]);
    return keypointPckAccuracy(pair.pred, pair.gt, pair.mask, thr, norm);
  }

  #norm(item: NormItem, sample: EvalSample, { pred, gt }: KeypointPair): number {
    if (item === 'bbox') return bboxSize(sample, this.constructor.name);
    if (item === 'head') return requireTruth(sample, 'headSize', this.constructor.name).data[0];
    const size = distance(gt, ...TORSO_JOINTS);
    // An annotated torso of no length: the predicted one has to do.
    return size < 1 ? distance(pred, ...TORSO_JOINTS) : size;
  }
}

const PCK_DEFAULTS: Readonly<Record<string, unknown>> = { thr: 0.05, norm_item: 'bbox' };

/** MPII's joints by name; 6 and 7 (pelvis, thorax) do not count. */
const MPII_PARTS: readonly (readonly [name: string, joints: readonly number[]])[] = [
  ['Head', [9]],
  ['Shoulder', [13, 12]],
  ['Elbow', [14, 11]],
  ['Wrist', [15, 10]],
  ['Hip', [3, 2]],
  ['Knee', [4, 1]],
  ['Ankle', [5, 0]],
];
const MPII_LEFT_OUT: readonly number[] = [6, 7];

/** PCKh of MPII in percent, by part and over all joints, and `PCK@0.1`. */
export class MpiiPCKAccuracy extends PCKAccuracy {
  constructor(config: Readonly<Record<string, unknown>> = {}, context: MetricContext = {}) {
    super(config, context, { thr: 0.5, norm_item: 'head' });
  }

  protected override computeMetrics(results: readonly PckResult[]): MetricValues {
    if (!this.normItem.includes('head')) return {};
    const zeroBased = concatPairs(results);
    // MPII's own annotations are 1-based, predictions are not.
    const pred = { data: zeroBased.pred.data.map((v) => v + 1), shape: zeroBased.pred.shape };
    const pair = { ...zeroBased, pred };
    const { acc } = this.pck(pair, results, 'head');
    const at01 = this.pck(pair, results, 'head', 0.1).acc;
    const percent = (joint: number): number => 100 * acc[joint];
    const parts = MPII_PARTS.map(([name, joints]) => [
      `${name} PCK`,
      joints.map(percent).reduce((a, b) => a + b, 0) / joints.length,
    ]);
    const ratio = jointRatio(pair.mask);
    const total = (of: (joint: number) => number): number => ratio.reduce((sum, r, joint) => sum + r * of(joint), 0);
    return {
      ...Object.fromEntries(parts),
      PCK: total(percent),
      'PCK@0.1': total((joint) => Math.fround(100 * at01[joint])),
    };
  }
}

/** [K] share of each joint among the annotated ones. */
function jointRatio({ data, shape: [n, k] }: NdArray): number[] {
  const counts = Array.from({ length: k }, (_, joint) => {
    let count = 0;
    for (let i = 0; i < n; i++) count += data[i * k + joint];
    return MPII_LEFT_OUT.includes(joint) ? 0 : count;
  });
  const sum = counts.reduce((a, b) => a + b, 0);
  return counts.map((count) => count / sum);
}

const JHMDB_PARTS: readonly (readonly [name: string, joints: readonly number[]])[] = [
  ['Head', [2]],
  ['Sho', [3, 4]],
  ['Elb', [7, 8]],
  ['Wri', [11, 12]],
  ['Hip', [5, 6]],
  ['Knee', [9, 10]],
  ['Ank', [13, 14]],
];

/** PCK of JHMDB by part, relative to the box (`PCK`) and the torso (`tPCK`). */
export class JhmdbPCKAccuracy extends PCKAccuracy {
  protected override computeMetrics(results: readonly PckResult[]): MetricValues {
    const pair = concatPairs(results);
    const values: MetricValues = {};
    for (const [item, suffix] of [
      ['bbox', 'PCK'],
      ['torso', 'tPCK'],
    ] as const) {
      if (!this.normItem.includes(item)) continue;
      const { acc, avgAcc } = this.pck(pair, results, item);
      for (const [name, joints] of JHMDB_PARTS) {
        values[`${name} ${suffix}`] = joints.reduce((sum, joint) => sum + acc[joint] / joints.length, 0);
      }
      values[suffix] = avgAcc;
    }
    return values;
  }
}

/** Area under the PCK curve up to `norm_factor` px. */
export class AUC extends Metric<KeypointPair> {
  readonly normFactor: number;
  readonly numThrs: number;

  constructor(config: Readonly<Record<string, unknown>> = {}, context: MetricContext = {}) {
    const spec = { norm_factor: 30, num_thrs: 20, ...BASE_METRIC_KEYS };
    const cfg = readConfig<{ norm_factor: number; num_thrs: number; prefix: string | null }>(config, 'AUC', spec);
    super(cfg.prefix, context);
    this.normFactor = cfg.norm_factor;
    this.numThrs = cfg.num_thrs;
  }

  process(samples: readonly EvalSample[]): void {
    for (const sample of samples) this.results.push(pairOf(sample, 'AUC'));
  }

  protected computeMetrics(results: readonly KeypointPair[]): MetricValues {
    const { pred, gt, mask } = concatPairs(results);
    return { AUC: keypointAuc(pred, gt, mask, this.normFactor, this.numThrs) };
  }
}

/** Mean distance in px. */
export class EPE extends Metric<KeypointPair> {
  constructor(config: Readonly<Record<string, unknown>> = {}, context: MetricContext = {}) {
    super(readConfig<{ prefix: string | null }>(config, 'EPE', BASE_METRIC_KEYS).prefix, context);
  }

  process(samples: readonly EvalSample[]): void {
    for (const sample of samples) this.results.push(pairOf(sample, 'EPE'));
  }

  protected computeMetrics(results: readonly KeypointPair[]): MetricValues {
    const { pred, gt, mask } = concatPairs(results);
    return { EPE: keypointEpe(pred, gt, mask) };
  }
}

/** Pairs of points (the eyes, mostly) whose distance normalises, by dataset name. */
const DEFAULT_KEYPOINT_INDICES: Readonly<Record<string, readonly [number, number]>> = {
  horse10: [0, 1],
  '300w': [36, 45],
  coco_wholebody_face: [36, 45],
  cofw: [8, 9],
  wflw: [60, 72],
  lapa: [66, 79],
};

interface NmeResult extends KeypointPair {
  /** [N]; empty with `keypoint_distance`. */
  readonly norm: readonly number[];
}

interface NmeConfig {
  norm_mode: 'use_norm_item' | 'keypoint_distance';
  norm_item: string | null;
  keypoint_indices: readonly number[] | null;
  prefix: string | null;
}

/** Mean distance relative to a field of the ground truth (`use_norm_item`) or to the distance of two keypoints. */
export class NME extends Metric<NmeResult> {
  readonly #config: NmeConfig;

  constructor(config: Readonly<Record<string, unknown>>, context: MetricContext = {}) {
    const spec = { norm_mode: REQUIRED, norm_item: null, keypoint_indices: null, ...BASE_METRIC_KEYS };
    const cfg = readConfig<NmeConfig>(config, 'NME', spec);
    super(cfg.prefix, context);
    if (!['use_norm_item', 'keypoint_distance'].includes(cfg.norm_mode)) {
      throw new ConfigError(
        `NME.norm_mode: found ${JSON.stringify(cfg.norm_mode)}; expected "use_norm_item" or "keypoint_distance".`,
      );
    }
    if (cfg.norm_mode === 'use_norm_item' && !cfg.norm_item) {
      throw new ConfigError('NME.norm_item: found none; expected the field to normalise by, such as "bbox_size".');
    }
    this.#config = cfg;
  }

  process(samples: readonly EvalSample[]): void {
    for (const sample of samples) this.results.push({ ...pairOf(sample, 'NME'), norm: this.#normOf(sample) });
  }

  protected computeMetrics(results: readonly NmeResult[]): MetricValues {
    const { pred, gt, mask } = concatPairs(results);
    const d = pred.shape[2];
    const norm =
      this.#config.norm_mode === 'use_norm_item' ? results.flatMap((r) => r.norm) : pointDistances(gt, this.#indices());
    const rows = Float32Array.from(norm.flatMap((v) => Array.from({ length: d }, () => v)));
    return { NME: keypointNme(pred, gt, mask, ndarray(rows, [pred.shape[0], d])) };
  }

  #normOf(sample: EvalSample): readonly number[] {
    const item = this.#config.norm_item;
    if (!item) return [];
    if (item === 'bbox_size') return [bboxSize(sample, 'NME')];
    const value = sample.gtInstances?.[item] ?? sample.gtInstances?.[camelCase(item) as keyof EvalTruth];
    if (typeof value === 'number') return [value];
    if (value && typeof value === 'object' && 'data' in value) return Array.from((value as NdArray).data);
    throw new InputError(`NME: found no gtInstances.${item} in a sample; norm_item needs it.`);
  }

  #indices(): readonly [number, number] {
    const { keypoint_indices: given } = this.#config;
    const meta = this.datasetMeta;
    if (!given) {
      const name = meta?.datasetName ?? '';
      if (Object.hasOwn(DEFAULT_KEYPOINT_INDICES, name)) return DEFAULT_KEYPOINT_INDICES[name];
      throw new ConfigError(
        `NME.keypoint_indices: found none, and "${name}" has no usual pair; expected two keypoints.`,
      );
    }
    if (given.length !== 2 || (meta && given.some((i) => !(i in meta.keypointId2name)))) {
      throw new ConfigError(
        `NME.keypoint_indices: found ${JSON.stringify(given)}; expected two keypoints of the dataset.`,
      );
    }
    return [given[0], given[1]];
  }
}

/** [N] distance of two keypoints. */
function pointDistances({ data, shape: [n, k, d] }: NdArray, [a, b]: readonly [number, number]): number[] {
  return Array.from({ length: n }, (_, i) => {
    const sample = { data: data.subarray(i * k * d, (i + 1) * k * d), shape: [1, k, d] };
    return distance(sample, a, b);
  });
}

function camelCase(word: string): string {
  return word.replace(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}
