/**
 * COCO's keypoint evaluation as `xtcocotools` 1.x does it (`COCOeval`), which MMPose's metrics call: average precision and
 * recall over ten OKS thresholds, for COCO, CrowdPose and the body parts of COCO-WholeBody. Quirks are kept: an annotation with
 * id 0 never counts as found, CrowdPose's AP(E/M/H) are rounded to four digits.
 */
import { CocoIndex, type CocoAnnotation, type CocoJson, type CocoResult } from '../../datasets/coco.js';
import { InputError } from '../../errors.js';

/** Which keypoints count; `keypoints` is COCO's own. */
export type KeypointIouType =
  | 'keypoints'
  | 'keypoints_crowd'
  | 'keypoints_body'
  | 'keypoints_foot'
  | 'keypoints_face'
  | 'keypoints_lefthand'
  | 'keypoints_righthand'
  | 'keypoints_wholebody';

export interface CocoEvalOptions {
  /** @default 'keypoints' */
  iouType?: KeypointIouType;
  /** [K] */
  sigmas: ArrayLike<number>;
  /** Use the annotations' `area`; else 0.53 of the box. @default true */
  useArea?: boolean;
}

/** Names of the ten numbers of `keypoints`, in order. */
export const COCO_STATS = [
  'AP',
  'AP .5',
  'AP .75',
  'AP (M)',
  'AP (L)',
  'AR',
  'AR .5',
  'AR .75',
  'AR (M)',
  'AR (L)',
] as const;

/** Names of the nine numbers of `keypoints_crowd`, in order. */
export const CROWDPOSE_STATS = ['AP', 'AP .5', 'AP .75', 'AR', 'AR .5', 'AR .75', 'AP(E)', 'AP(M)', 'AP(H)'] as const;

/** Most detections per picture and category that count. */
const MAX_DETS = 20;
const EPSILON = Number.EPSILON;
const BOX_TO_AREA = 0.53;
const IOU_THRS = linspace(0.5, 0.95, 10);
const REC_THRS = linspace(0, 1, 101);
/** px²: all, medium, large */
const AREA_RANGES: readonly (readonly [min: number, max: number])[] = [
  [0, 1e10],
  [32 ** 2, 96 ** 2],
  [96 ** 2, 1e10],
];
const ALL_AREAS = 0;

/** numpy.linspace: the last value is the stop itself. */
function linspace(start: number, stop: number, count: number): Float64Array {
  const step = (stop - start) / (count - 1);
  return Float64Array.from({ length: count }, (_, i) => (i === count - 1 ? stop : i * step + start));
}

const PART_KEYS: Readonly<Record<KeypointIouType, readonly string[]>> = {
  keypoints: ['keypoints'],
  keypoints_crowd: ['keypoints'],
  keypoints_body: ['keypoints'],
  keypoints_foot: ['foot_kpts'],
  keypoints_face: ['face_kpts'],
  keypoints_lefthand: ['lefthand_kpts'],
  keypoints_righthand: ['righthand_kpts'],
  keypoints_wholebody: ['keypoints', 'foot_kpts', 'face_kpts', 'lefthand_kpts', 'righthand_kpts'],
};

/** A part may have a score of its own: `foot_score`, `wholebody_score`. */
function scoreKeyOf(iouType: KeypointIouType): string {
  const part = iouType.slice('keypoints_'.length);
  return ['', 'crowd', 'body'].includes(part) ? 'score' : `${part}_score`;
}

/** An annotation or a detection, made ready for comparison. */
interface Entry {
  readonly id: number;
  readonly keypoints: readonly number[];
  readonly area: number;
}

interface Truth extends Entry {
  readonly bbox: readonly number[];
  /** How many keypoints are annotated. */
  readonly visible: number;
  readonly crowd: boolean;
  readonly ignore: boolean;
}

interface Detection extends Entry {
  readonly score: number;
}

/** People and detections of one picture and category, best detection first, with their similarities [D, G]. */
interface ImageEntry {
  readonly imageId: number;
  readonly category: number;
  readonly truths: readonly Truth[];
  readonly detections: readonly Detection[];
  readonly oks: Float64Array;
}

/** Outcome of one picture in one range of areas. Flat [T, D]. */
interface ImageMatch {
  readonly scores: readonly number[];
  readonly matched: Uint8Array;
  readonly ignored: Uint8Array;
  /** Annotations that count. */
  readonly positives: number;
}

/** Precision [T, R, C, A] and recall [T, C, A]; -1 where nothing was to be found. */
interface Curves {
  readonly precision: Float64Array;
  readonly recall: Float64Array;
}

/**
 * Evaluates detections.
 *
 * @param gt - annotations in COCO format
 * @param results - detections; pictures that are not in `gt` are an error
 * @returns the numbers that `COCO_STATS` (or `CROWDPOSE_STATS`) name; -1 where there was nothing to find
 */
export function cocoEval(gt: CocoJson, results: readonly CocoResult[], options: CocoEvalOptions): number[] {
  const index = new CocoIndex(gt);
  const { iouType = 'keypoints' } = options;
  const categories = index.categoryIds().sort((a, b) => a - b);
  const entries = prepare(index, results, categories, options);
  const mean = summarizer(accumulate(entries, categories));
  if (iouType !== 'keypoints_crowd') return summarizeKeypoints(mean);
  const crowd = byCrowdIndex(index).map((ids) => {
    const { precision } = accumulate(
      entries.filter(({ imageId }) => ids.has(imageId)),
      categories,
    );
    return roundTo4(meanOverAllAreas(precision));
  });
  return [...[0, 1].flatMap((recall) => [mean(recall), mean(recall, 0.5), mean(recall, 0.75)]), ...crowd];
}

function summarizeKeypoints(mean: ReturnType<typeof summarizer>): number[] {
  return [0, 1].flatMap((recall) => [
    mean(recall),
    mean(recall, 0.5),
    mean(recall, 0.75),
    mean(recall, null, 1),
    mean(recall, null, 2),
  ]);
}

/** Pictures that are easy, medium and hard by CrowdPose's measure. */
function byCrowdIndex(index: CocoIndex): [Set<number>, Set<number>, Set<number>] {
  const sets: [Set<number>, Set<number>, Set<number>] = [new Set(), new Set(), new Set()];
  for (const image of index.images.values()) {
    const crowding = image.crowdIndex;
    if (crowding === undefined) {
      throw new InputError(
        `CrowdPose evaluation: image ${image.id} has no crowdIndex; use CrowdPose's own annotations.`,
      );
    }
    sets[crowding < 0.2 ? 0 : crowding < 0.8 ? 1 : 2].add(image.id);
  }
  return sets;
}

/** numpy.round(x, 4) */
function roundTo4(value: number): number {
  const scaled = value * 1e4;
  const floor = Math.floor(scaled);
  const diff = scaled - floor;
  return (diff < 0.5 || (diff === 0.5 && floor % 2 === 0) ? floor : floor + 1) / 1e4;
}

function prepare(
  index: CocoIndex,
  results: readonly CocoResult[],
  categories: readonly number[],
  options: CocoEvalOptions,
): ImageEntry[] {
  const { iouType = 'keypoints', sigmas, useArea = true } = options;
  const parts = PART_KEYS[iouType];
  const variances = Float64Array.from(sigmas, varianceOf);
  const detections = groupDetections(index, results, parts, scoreKeyOf(iouType));
  const entries: ImageEntry[] = [];
  for (const category of categories) {
    for (const imageId of [...index.images.keys()].sort((a, b) => a - b)) {
      const annotations = index.annotationsOf(imageId).filter((a) => a.category_id === category);
      const found = topDetections(detections.get(`${imageId}/${category}`) ?? []);
      if (annotations.length === 0 && found.length === 0) continue;
      const truths = annotations.map((a) => truthOf(a, parts, variances.length, useArea));
      entries.push({ imageId, category, truths, detections: found, oks: oksTable(found, truths, variances) });
    }
  }
  return entries;
}

/** MMPose's sigmas are float32, and so are the variances made of them. */
function varianceOf(sigma: number): number {
  const doubled = Math.fround(sigma) * 2;
  return Math.fround(doubled * doubled);
}

function keypointsOf(
  object: Readonly<Record<string, unknown>>,
  parts: readonly string[],
  where: string,
): readonly number[] {
  const lists = parts.map((key) => {
    const list = object[key];
    if (!Array.isArray(list)) throw new InputError(`${where}: found no "${key}"; expected [x, y, v, ...].`);
    return list as number[];
  });
  return lists.length === 1 ? lists[0] : lists.flat();
}

function countVisible(keypoints: readonly number[]): number {
  let count = 0;
  for (let i = 2; i < keypoints.length; i += 3) if (keypoints[i] > 0) count++;
  return count;
}

function truthOf(annotation: CocoAnnotation, parts: readonly string[], k: number, useArea: boolean): Truth {
  const where = `annotation ${annotation.id}`;
  const keypoints = keypointsOf(annotation, parts, where);
  if (keypoints.length !== k * 3) {
    throw new InputError(`${where}: found ${keypoints.length / 3} keypoints; expected ${k}, one per sigma.`);
  }
  const bbox = annotation.bbox ?? [];
  if (bbox.length !== 4) throw new InputError(`${where}: found no bbox; expected [x, y, w, h].`);
  if (useArea && annotation.area === undefined) {
    throw new InputError(`${where}: found no area; add it, or set use_area to false.`);
  }
  const visible = countVisible(keypoints);
  const crowd = Boolean(annotation.iscrowd);
  const area = useArea ? (annotation.area ?? 0) : bbox[2] * bbox[3] * BOX_TO_AREA;
  return { id: annotation.id, keypoints, area, bbox, visible, crowd, ignore: crowd || visible === 0 };
}

/** Detections by picture and category. Those without any scored keypoint do not count. */
function groupDetections(
  index: CocoIndex,
  results: readonly CocoResult[],
  parts: readonly string[],
  scoreKey: string,
): Map<string, Detection[]> {
  const groups = new Map<string, Detection[]>();
  const withBoxes = results.length > 0 && (results[0].bbox?.length ?? 0) > 0;
  results.forEach((result, i) => {
    if (!index.images.has(result.image_id)) {
      throw new InputError(`COCO results: image ${result.image_id} is not among the annotated ones.`);
    }
    const keypoints = keypointsOf(result, parts, `result ${i}`);
    if (countVisible(keypoints) === 0) return;
    const box = withBoxes ? result.bbox : undefined;
    const detection: Detection = {
      id: i + 1,
      keypoints,
      score: (result[scoreKey] as number | undefined) ?? result.score,
      area: box ? box[2] * box[3] : extentOf(result.keypoints),
    };
    const key = `${result.image_id}/${result.category_id}`;
    const group = groups.get(key);
    if (group) group.push(detection);
    else groups.set(key, [detection]);
  });
  return groups;
}

/** px² of the upright box around all keypoints. */
function extentOf(keypoints: readonly number[]): number {
  let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
  for (let i = 0; i < keypoints.length; i += 3) {
    x0 = Math.min(x0, keypoints[i]);
    x1 = Math.max(x1, keypoints[i]);
    y0 = Math.min(y0, keypoints[i + 1]);
    y1 = Math.max(y1, keypoints[i + 1]);
  }
  return (x1 - x0) * (y1 - y0);
}

function topDetections(detections: readonly Detection[]): Detection[] {
  return [...detections].sort((a, b) => b.score - a.score).slice(0, MAX_DETS);
}

function oksTable(detections: readonly Detection[], truths: readonly Truth[], variances: Float64Array): Float64Array {
  const table = new Float64Array(detections.length * truths.length);
  truths.forEach((truth, g) => {
    detections.forEach((detection, d) => {
      const at = d * truths.length + g;
      table[at] = truth.visible > 0 ? oksOfVisible(detection, truth, variances) : oksOfBox(detection, truth, variances);
    });
  });
  return table;
}

/** Similarity over the annotated keypoints. */
function oksOfVisible(
  { keypoints: d }: Detection,
  { keypoints: g, area, visible }: Truth,
  variances: Float64Array,
): number {
  let sum = 0;
  for (let k = 0; k < variances.length; k++) {
    if (!(g[k * 3 + 2] > 0)) continue;
    const dx = d[k * 3] - g[k * 3];
    const dy = d[k * 3 + 1] - g[k * 3 + 1];
    sum += Math.exp(-((dx * dx + dy * dy) / variances[k] / (area + EPSILON) / 2));
  }
  return sum / visible;
}

/** Nobody annotated the keypoints: similarity by how far they lie outside the doubled box. */
function oksOfBox({ keypoints: d }: Detection, { bbox: [x, y, w, h], area }: Truth, variances: Float64Array): number {
  let sum = 0;
  for (let k = 0; k < variances.length; k++) {
    const dx = Math.max(0, x - w - d[k * 3]) + Math.max(0, d[k * 3] - (x + w * 2));
    const dy = Math.max(0, y - h - d[k * 3 + 1]) + Math.max(0, d[k * 3 + 1] - (y + h * 2));
    sum += Math.exp(-((dx * dx + dy * dy) / variances[k] / (area + EPSILON) / 2));
  }
  return sum / variances.length;
}

/** Pairs each detection, best first, with the most similar free person, per threshold. */
function matchImage(
  { truths, detections, oks }: ImageEntry,
  [minArea, maxArea]: readonly [number, number],
): ImageMatch {
  const isOutside = (area: number): boolean => area < minArea || area > maxArea;
  const ignoreTruth = truths.map((t) => t.ignore || isOutside(t.area));
  // People who do not count come last, so that a detection prefers one who does.
  const order = truths.map((_, g) => g).sort((a, b) => Number(ignoreTruth[a]) - Number(ignoreTruth[b]));
  const outside = detections.map(({ area }) => isOutside(area));
  const count = detections.length;
  const matched = new Uint8Array(IOU_THRS.length * count);
  const ignored = new Uint8Array(IOU_THRS.length * count);
  for (let t = 0; t < IOU_THRS.length; t++) {
    const taken = new Uint8Array(truths.length);
    for (let d = 0; d < count; d++) {
      const g = bestTruth(d, IOU_THRS[t], order, truths, ignoreTruth, taken, oks);
      if (g >= 0) taken[g] = 1;
      const hit = g >= 0 && truths[g].id !== 0;
      matched[t * count + d] = Number(hit);
      ignored[t * count + d] = Number((g >= 0 && ignoreTruth[g]) || (!hit && outside[d]));
    }
  }
  const positives = ignoreTruth.filter((ignore) => !ignore).length;
  return { scores: detections.map(({ score }) => score), matched, ignored, positives };
}

function bestTruth(
  d: number,
  threshold: number,
  order: readonly number[],
  truths: readonly Truth[],
  ignoreTruth: readonly boolean[],
  taken: Uint8Array,
  oks: Float64Array,
): number {
  let best = -1;
  let bestOks = Math.min(threshold, 1 - 1e-10);
  for (const g of order) {
    if (taken[g] && !truths[g].crowd) continue;
    if (best >= 0 && !ignoreTruth[best] && ignoreTruth[g]) break;
    const similarity = oks[d * truths.length + g];
    if (similarity < bestOks) continue;
    bestOks = similarity;
    best = g;
  }
  return best;
}

function accumulate(entries: readonly ImageEntry[], categories: readonly number[]): Curves {
  const [T, R, C, A] = [IOU_THRS.length, REC_THRS.length, categories.length, AREA_RANGES.length];
  const precision = new Float64Array(T * R * C * A).fill(-1);
  const recall = new Float64Array(T * C * A).fill(-1);
  categories.forEach((category, c) => {
    const ofCategory = entries.filter((entry) => entry.category === category);
    AREA_RANGES.forEach((range, a) => {
      const matches = ofCategory.map((entry) => matchImage(entry, range));
      const positives = matches.reduce((sum, m) => sum + m.positives, 0);
      if (positives === 0) return;
      const ranked = rank(matches);
      for (let t = 0; t < T; t++) {
        const curve = precisionCurve(ranked, matches, t, positives);
        recall[(t * C + c) * A + a] = curve.recall;
        for (let r = 0; r < R; r++) precision[((t * R + r) * C + c) * A + a] = curve.precision[r];
      }
    });
  });
  return { precision, recall };
}

/** Where each detection stands: its picture and its place there. */
interface Ranked {
  readonly image: number;
  readonly place: number;
}

/** All detections, best first; equal scores keep the order of the pictures. */
function rank(matches: readonly ImageMatch[]): Ranked[] {
  const all = matches.flatMap(({ scores }, image) => scores.map((score, place) => ({ image, place, score })));
  return all.sort((a, b) => b.score - a.score);
}

function precisionCurve(ranked: readonly Ranked[], matches: readonly ImageMatch[], t: number, positives: number) {
  const recalls: number[] = [];
  const precisions: number[] = [];
  let [tp, fp] = [0, 0];
  for (const { image, place } of ranked) {
    const { matched, ignored, scores } = matches[image];
    const at = t * scores.length + place;
    if (!ignored[at]) {
      if (matched[at]) tp++;
      else fp++;
    }
    recalls.push(tp / positives);
    precisions.push(tp / (fp + tp + EPSILON));
  }
  for (let i = precisions.length - 1; i > 0; i--) precisions[i - 1] = Math.max(precisions[i - 1], precisions[i]);
  return { recall: recalls.at(-1) ?? 0, precision: sampleAtRecalls(recalls, precisions) };
}

/** Precision where the recall first reaches each of the 101 steps; 0 beyond the last. */
function sampleAtRecalls(recalls: readonly number[], precisions: readonly number[]): Float64Array {
  const out = new Float64Array(REC_THRS.length);
  let i = 0;
  for (let r = 0; r < out.length; r++) {
    while (i < recalls.length && recalls[i] < REC_THRS[r]) i++;
    if (i === recalls.length) break;
    out[r] = precisions[i];
  }
  return out;
}

/** Means over thresholds, recalls and categories of what was to be found. */
function summarizer({ precision, recall }: Curves) {
  const A = AREA_RANGES.length;
  return (isRecall: number, iouThr: number | null = null, area = ALL_AREAS): number => {
    const source = isRecall ? recall : precision;
    const block = source.length / IOU_THRS.length;
    const from = iouThr === null ? 0 : IOU_THRS.indexOf(iouThr);
    const to = iouThr === null ? IOU_THRS.length : from + 1;
    let [sum, count] = [0, 0];
    for (let i = from * block + area; i < to * block; i += A) {
      if (source[i] <= -1) continue;
      sum += source[i];
      count++;
    }
    return count === 0 ? -1 : sum / count;
  };
}

/** CrowdPose's mean includes the -1 of categories without people. */
function meanOverAllAreas(precision: Float64Array): number {
  let [sum, count] = [0, 0];
  for (let i = ALL_AREAS; i < precision.length; i += AREA_RANGES.length) {
    sum += precision[i];
    count++;
  }
  return count === 0 ? -1 : sum / count;
}
