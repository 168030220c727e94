/**
 * From a detector's raw outputs to boxes in the picture (MMDetection: `predict_by_feat` of `mmdet/models/dense_heads/base_dense_head.py`
 * and mmcv's `batched_nms`), in float32 steps as PyTorch does them. Plain arrays on the CPU.
 */
import { readConfig, type ConfigDict } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';
import { stripScope } from '../../registry.js';
import type { DetInstanceData } from '../../structures/det_data_sample.js';
import type { PointGenerator } from './rtmdet_head.js';

/** A detector's `test_cfg`. */
export interface DetTestCfg {
  /** Candidates per level that go on, best first; -1: all. */
  readonly nmsPre: number;
  /** px; smaller boxes are dropped; -1: none are. */
  readonly minBboxSize: number;
  readonly scoreThr: number;
  readonly iouThreshold: number;
  /** Boxes of different classes suppress each other. */
  readonly classAgnostic: boolean;
  readonly maxPerImg: number;
}

/**
 * @throws ConfigError for unknown keys and for another NMS than `nms`
 */
export function parseDetTestCfg(config: Readonly<Record<string, unknown>> | null, where: string): DetTestCfg {
  const cfg = readConfig<{
    nms_pre: number;
    min_bbox_size: number;
    score_thr: number;
    nms: ConfigDict;
    max_per_img: number;
  }>(config ?? {}, where, {
    ...{ nms_pre: -1, min_bbox_size: -1, score_thr: 0, nms: { type: 'nms', iou_threshold: 0.6 }, max_per_img: 100 },
    ...{ multi_label: true, yolox_style: false },
  });
  const nms = readConfig<{ iou_threshold: number; class_agnostic: boolean }>(cfg.nms, `${where}.nms`, {
    ...{ iou_threshold: 0.6, class_agnostic: false, split_thr: 10000 },
  });
  if (stripScope(String(cfg.nms.type)) !== 'nms') {
    throw new ConfigError(`${where}.nms.type: found ${JSON.stringify(cfg.nms.type)}; expected "nms".`);
  }
  const parsed = {
    ...{ nmsPre: cfg.nms_pre, minBboxSize: cfg.min_bbox_size, scoreThr: cfg.score_thr, maxPerImg: cfg.max_per_img },
    ...{ iouThreshold: nms.iou_threshold, classAgnostic: nms.class_agnostic },
  };
  const bad = Object.entries(parsed).find(([key, value]) => key !== 'classAgnostic' && !Number.isFinite(value));
  if (bad) throw new ConfigError(`${where}: found ${JSON.stringify(bad[1])} for ${bad[0]}; expected a number.`);
  return parsed;
}

/** How a picture lies in the network's input. */
export interface Placement {
  /** px of the input, padding included; boxes end there. */
  readonly inputSize: readonly [w: number, h: number];
  /** Size of the picture in the input by its own. */
  readonly scaleFactor: readonly [w: number, h: number];
}

/** What of a head this needs. */
interface HeadFacts {
  readonly numClasses: number;
  readonly points: PointGenerator;
  readonly clipBorder: boolean;
}

/** One class at one point. */
interface Candidate {
  readonly score: number;
  readonly label: number;
  /** xyxy px, first input, then image space */
  readonly box: readonly number[];
}

/**
 * @param output - [P, classes + 4] of one picture, as the head gives
 */
export function predictByFeat(
  output: NdArray,
  head: HeadFacts,
  testCfg: DetTestCfg,
  { inputSize, scaleFactor }: Placement,
): DetInstanceData {
  const [w, h] = inputSize;
  const candidates: Candidate[] = [];
  let first = 0;
  for (const stride of head.points.strides) {
    const columns = Math.ceil(w / stride);
    const count = columns * Math.ceil(h / stride);
    candidates.push(...candidatesOf(output, head, testCfg, { first, count, columns, stride, inputSize }));
    first += count;
  }
  const factors = scaleFactor.map((factor) => Math.fround(1 / factor));
  const scaled = candidates.map((found) => ({
    ...found,
    box: found.box.map((v, i) => Math.fround(v * factors[i & 1])),
  }));
  const min = testCfg.minBboxSize;
  const large = scaled.filter(({ box }) => min < 0 || (box[2] - box[0] > min && box[3] - box[1] > min));
  return toColumns(batchedNms(large, testCfg).slice(0, testCfg.maxPerImg));
}

interface LevelView {
  /** Row of the level's first point. */
  readonly first: number;
  readonly count: number;
  /** Points per row of the map. */
  readonly columns: number;
  readonly stride: number;
  readonly inputSize: readonly [w: number, h: number];
}

function candidatesOf(
  { data, shape }: NdArray,
  { numClasses, points: { offset }, clipBorder }: HeadFacts,
  { scoreThr, nmsPre }: DetTestCfg,
  { first, count, columns, stride, inputSize }: LevelView,
): Candidate[] {
  const width = shape[1];
  const found: { score: number; point: number; label: number }[] = [];
  const threshold = Math.fround(scoreThr);
  for (let point = 0; point < count; point++) {
    for (let label = 0; label < numClasses; label++) {
      const score = sigmoid(data[(first + point) * width + label]);
      if (score > threshold) found.push({ score, point, label });
    }
  }
  const order = argsortDescending(found.map(({ score }) => score));
  const kept = nmsPre > 0 ? order.slice(0, nmsPre) : order;
  return kept.map((i) => {
    const { score, point, label } = found[i];
    const x = Math.fround(((point % columns) + offset) * stride);
    const y = Math.fround((Math.floor(point / columns) + offset) * stride);
    const at = (first + point) * width + numClasses;
    const sides = [x - data[at], y - data[at + 1], x + data[at + 2], y + data[at + 3]].map(Math.fround);
    const box = clipBorder ? sides.map((v, axis) => Math.min(Math.max(v, 0), inputSize[axis & 1])) : sides;
    return { score, label, box };
  });
}

/** Equal values keep their order, as in `torch.sort`. */
function argsortDescending(values: readonly number[]): number[] {
  return values.map((_, i) => i).sort((a, b) => values[b] - values[a]);
}

function sigmoid(x: number): number {
  return Math.fround(1 / (1 + Math.exp(-x)));
}

/** Greedy NMS per class; what is kept, best first. */
function batchedNms(candidates: readonly Candidate[], { iouThreshold, classAgnostic }: DetTestCfg): Candidate[] {
  const f = Math.fround;
  // As mmcv keeps classes apart: each is moved beyond the last. The offset costs bits, which is seen in close calls.
  const step = candidates.reduce((max, { box }) => Math.max(max, ...box), -Infinity) + 1;
  const moved = candidates.map(({ box, label }) => {
    const offset = classAgnostic ? 0 : f(label * f(step));
    return box.map((v) => f(v + offset));
  });
  const keep: number[] = [];
  const keptOf = new Map<number, number[]>();
  for (const i of argsortDescending(candidates.map(({ score }) => score))) {
    const group = classAgnostic ? 0 : candidates[i].label;
    const rivals = keptOf.get(group) ?? [];
    if (rivals.some((better) => iou(moved[better], moved[i]) > f(iouThreshold))) continue;
    rivals.push(i);
    keptOf.set(group, rivals);
    keep.push(i);
  }
  return keep.map((i) => candidates[i]);
}

/** In float32 steps. */
function iou(a: readonly number[], b: readonly number[]): number {
  const f = Math.fround;
  const area = (box: readonly number[]) => f(f(box[2] - box[0]) * f(box[3] - box[1]));
  const w = Math.max(0, f(Math.min(a[2], b[2]) - Math.max(a[0], b[0])));
  const h = Math.max(0, f(Math.min(a[3], b[3]) - Math.max(a[1], b[1])));
  const shared = f(w * h);
  return f(shared / f(f(area(a) + area(b)) - shared));
}

function toColumns(found: readonly Candidate[]): DetInstanceData {
  const n = found.length;
  return {
    bboxes: { data: Float32Array.from(found.flatMap(({ box }) => box)), shape: [n, 4] },
    scores: { data: Float32Array.from(found, ({ score }) => score), shape: [n] },
    labels: { data: Int32Array.from(found, ({ label }) => label), shape: [n] },
  };
}
