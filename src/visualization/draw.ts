/**
 * One verb per thing that MMPose draws, for a 2D canvas context or for plain pixels. They render what they are given and filter
 * by `kptThr` only. Points are truncated to whole pixels, and a link is left out when an end lies at <= 0 or >= the picture's
 * size: MMPose's rules, kept so that the pictures agree.
 */
import type { NdArray } from '../ndarray.js';
import { InputError } from '../errors.js';
import type { InstanceData } from '../structures/pose_data_sample.js';
import { canvasPainter } from './canvas.js';
import type { Context2D } from './canvas.js';
import { heatmapColors } from './colormap.js';
import { colorList, colorVal } from './painter.js';
import type { Color, Colors, Painter } from './painter.js';
import { rasterPainter } from './raster.js';
import type { RasterImage } from './raster.js';

/** What can be drawn on. */
export type DrawTarget = Context2D | RasterImage | Painter;

/** Keypoints below the threshold, and the links that end there, are not drawn. */
interface Threshold {
  /** @default 0.3 */
  readonly kptThr?: number;
}

export interface LinkStyle extends Threshold {
  /** Pairs of keypoint indices. */
  readonly links: readonly (readonly number[])[];
  readonly colors: Colors;
  /** px @default 1 */
  readonly lineWidth?: number;
}

export interface KeypointStyle extends Threshold {
  /** @default 'red' */
  readonly colors?: Colors;
  /** px @default 3 */
  readonly radius?: number;
  /** 0..1 @default 1 */
  readonly alpha?: number;
  /** Make unsure keypoints transparent. @default false */
  readonly showKeypointWeight?: boolean;
}

export interface LabelStyle extends Threshold {
  /** @default 'white' */
  readonly colors?: Colors;
  /** Radius of the keypoints that the labels stand beside, px. @default 3 */
  readonly radius?: number;
  /** px @default 3 * radius, as MMPose writes indices */
  readonly fontSize?: number;
}

export interface BboxStyle {
  /** @default 'green' */
  readonly color?: Color;
  /** px @default 1 */
  readonly lineWidth?: number;
  /** 0..1 @default 1 */
  readonly alpha?: number;
}

/** The painter for a canvas context or a raster image; a painter is handed back. */
export function painterOf(target: DrawTarget): Painter {
  if ('blend' in target) return target;
  return 'channels' in target ? rasterPainter(target) : canvasPainter(target);
}

/**
 * Lines between keypoints, person by person.
 *
 * @param keypoints - [N, K, D] or [K, D] px, image space
 * @param scores - [N, K] or [K]
 * @throws InputError when the colours are not one per link
 */
export function drawLinks(target: DrawTarget, keypoints: NdArray, scores: NdArray, style: LinkStyle): void {
  const painter = painterOf(target);
  const colors = colorList(style.colors, style.links.length, 'linkColor');
  for (const person of persons(keypoints, scores)) {
    style.links.forEach((link, i) => {
      const color = colors[i];
      const ends = color && linkEnds(painter, person, link, style.kptThr ?? 0.3);
      if (ends) painter.line(...ends, color, style.lineWidth ?? 1);
    });
  }
}

/**
 * A dot at every keypoint.
 *
 * @param keypoints - [N, K, D] or [K, D] px, image space
 * @param scores - [N, K] or [K]
 * @throws InputError when the colours are not one per keypoint
 */
export function drawKeypoints(
  target: DrawTarget,
  keypoints: NdArray,
  scores: NdArray,
  style: KeypointStyle = {},
): void {
  const painter = painterOf(target);
  const { kptThr = 0.3, radius = 3, alpha = 1, showKeypointWeight = false } = style;
  for (const person of persons(keypoints, scores)) {
    const colors = colorList(style.colors ?? 'red', person.scores.length, 'kptColor');
    colors.forEach((color, k) => {
      const score = person.scores[k];
      if (!color || !isDrawn(person, k, kptThr)) return;
      const [x, y] = pixelOf(person, k);
      painter.circle(x, y, radius, color, alpha * (showKeypointWeight ? Math.max(0, Math.min(1, score)) : 1));
    });
  }
}

/**
 * A short text at the upper right of every keypoint: its index, its name, its score.
 *
 * @param keypoints - [N, K, D] or [K, D] px, image space
 * @param scores - [N, K] or [K]
 * @param labelOf - text for keypoint k with this score; an empty one is left out
 */
export function drawLabels(
  target: DrawTarget,
  keypoints: NdArray,
  scores: NdArray,
  labelOf: (k: number, score: number) => string,
  style: LabelStyle = {},
): void {
  const painter = painterOf(target);
  const { kptThr = 0.3, radius = 3 } = style;
  const size = style.fontSize ?? 3 * radius;
  for (const person of persons(keypoints, scores)) {
    const colors = colorList(style.colors ?? 'white', person.scores.length, 'labelColor');
    colors.forEach((color, k) => {
      const text = labelOf(k, person.scores[k]);
      if (!color || !text || !isDrawn(person, k, kptThr)) return;
      const { points, stride } = person;
      const x = Math.trunc(points[k * stride] + radius);
      const y = Math.trunc(points[k * stride + 1] - radius);
      painter.text(text, x, y, { color, size, align: 'center' });
    });
  }
}

/**
 * Outlines of boxes.
 *
 * @param bboxes - [N, 4] xyxy px, image space
 */
export function drawBboxes(target: DrawTarget, bboxes: NdArray, style: BboxStyle = {}): void {
  const painter = painterOf(target);
  const color = colorVal(style.color ?? 'green');
  for (let n = 0; n < bboxes.shape[0]; n++) {
    const [x1, y1, x2, y2] = bboxes.data.subarray(4 * n, 4 * n + 4).map(Math.trunc);
    if (![x1, y1, x2, y2].every(Number.isFinite)) continue;
    painter.rectangle(x1, y1, x2, y2, color, style.lineWidth ?? 1, style.alpha ?? 1);
  }
}

/** The track id of every person as a tag at the upper left corner of the box; nothing without ids. */
export function drawTrackIds(
  target: DrawTarget,
  { bboxes, trackIds }: Pick<InstanceData, 'bboxes' | 'trackIds'>,
  style: { readonly color?: Color; readonly background?: Color; readonly fontSize?: number } = {},
): void {
  const painter = painterOf(target);
  const color = colorVal(style.color ?? 'white');
  const background = colorVal(style.background ?? 'black');
  const size = style.fontSize ?? 13;
  trackIds?.data.forEach((id, n) => {
    const x = Math.max(0, Math.trunc(bboxes.data[4 * n]));
    const y = Math.max(size, Math.trunc(bboxes.data[4 * n + 1]));
    if (Number.isFinite(x) && Number.isFinite(y)) painter.text(`#${id}`, x, y, { color, background, size });
  });
}

/**
 * Heatmaps over the whole picture, in jet, mixed half and half.
 *
 * @param heatmaps - [K, h, w]; the maximum over the keypoints is shown
 * @param alpha - 0..1, weight of the heatmap
 */
export function drawHeatmap(target: DrawTarget, heatmaps: NdArray, alpha = 0.5): void {
  const painter = painterOf(target);
  if (heatmaps.shape.length !== 3) {
    throw new InputError(`drawHeatmap: found shape [${heatmaps.shape.join(', ')}]; expected [K, h, w].`);
  }
  painter.blend(heatmapColors(heatmaps, painter.width, painter.height), alpha);
}

/** Body links of the openpose style are translucent ellipses; the first 17 of a skeleton are body links. */
const OPENPOSE_BODY_LINKS = 17;
const OPENPOSE_LIMB_ALPHA = 0.6;

/**
 * Limbs of the openpose style.
 *
 * @param keypoints - [N, K, D] or [K, D] px, image space, in openpose order (see `toOpenpose`)
 * @param scores - [N, K] or [K]
 */
export function drawOpenposeLinks(target: DrawTarget, keypoints: NdArray, scores: NdArray, style: LinkStyle): void {
  const painter = painterOf(target);
  const colors = colorList(style.colors, style.links.length, 'linkColor');
  for (const person of persons(keypoints, scores)) {
    style.links.forEach((link, i) => {
      const color = colors[i];
      const ends = color && linkEnds(painter, person, link, style.kptThr ?? 0.3);
      if (!ends) return;
      if (i >= OPENPOSE_BODY_LINKS) painter.line(...ends, color, 2);
      else painter.ellipse(...limb(ends, style.lineWidth ?? 1), color, OPENPOSE_LIMB_ALPHA);
    });
  }
}

/** Centre, half axes and angle of the ellipse between two points, in the whole numbers that MMPose hands to OpenCV. */
function limb(
  [x1, y1, x2, y2]: Segment,
  width: number,
): [x: number, y: number, halfX: number, halfY: number, degrees: number] {
  const length = Math.sqrt((y1 - y2) ** 2 + (x1 - x2) ** 2);
  const degrees = (Math.atan2(y1 - y2, x1 - x2) * 180) / Math.PI;
  return [
    Math.trunc((x1 + x2) / 2),
    Math.trunc((y1 + y2) / 2),
    Math.trunc(length / 2),
    Math.trunc(width),
    Math.trunc(degrees),
  ];
}

const OPENPOSE_FROM = [17, 6, 8, 10, 7, 9, 12, 14, 16, 13, 15, 2, 1, 4, 3];
const OPENPOSE_TO = [1, 2, 3, 4, 6, 7, 8, 9, 10, 12, 13, 14, 15, 16, 17];

/**
 * COCO's body order to OpenPose's, with a neck between the shoulders; points after the body (hands, face) move up by one.
 * The neck's score is 1 when both shoulders pass the threshold, else 0.
 *
 * @param keypoints - [N, K, D], K at least 17
 * @param scores - [N, K]
 * @returns [N, K + 1, 2] and [N, K + 1]
 */
export function toOpenpose(keypoints: NdArray, scores: NdArray, kptThr = 0.3): { keypoints: NdArray; scores: NdArray } {
  const [count, k, stride] = keypoints.shape;
  if (k < 17) {
    throw new InputError(`openpose style: found ${k} keypoints; expected COCO's 17 body points first.`);
  }
  const points = new Float32Array(count * (k + 1) * 2);
  const out = new Float32Array(count * (k + 1));
  for (let n = 0; n < count; n++) {
    const person = { points: keypoints.data.subarray(n * k * stride), scores: scores.data.subarray(n * k), stride };
    const source = withNeck(person, k, Math.fround(kptThr));
    const target = source.map((point) => point);
    OPENPOSE_TO.forEach((to, i) => (target[to] = source[OPENPOSE_FROM[i]]));
    target.forEach(([x, y, score], i) => {
      points.set([x, y], (n * (k + 1) + i) * 2);
      out[n * (k + 1) + i] = score;
    });
  }
  return {
    keypoints: { data: points, shape: [count, k + 1, 2] },
    scores: { data: out, shape: [count, k + 1] },
  };
}

function withNeck({ points, scores, stride }: Person, k: number, kptThr: number): [number, number, number][] {
  const at = (i: number): [number, number, number] => [points[i * stride], points[i * stride + 1], scores[i]];
  const mean = (a: number, b: number) => Math.fround(Math.fround(a + b) / 2);
  const [left, right] = [at(5), at(6)];
  const sure = left[2] > kptThr && right[2] > kptThr;
  const all = Array.from({ length: k }, (_, i) => at(i));
  all.splice(17, 0, [mean(left[0], right[0]), mean(left[1], right[1]), sure ? 1 : 0]);
  return all;
}

/** One person's columns; `points` holds `stride` numbers per keypoint. */
interface Person {
  readonly points: Float32Array;
  readonly scores: Float32Array;
  readonly stride: number;
}

function persons(keypoints: NdArray, scores: NdArray): Person[] {
  const [count, k, stride] = keypoints.shape.length === 2 ? [1, ...keypoints.shape] : keypoints.shape;
  if (scores.data.length !== count * k) {
    throw new InputError(
      `drawing: found ${scores.data.length} scores for keypoints [${keypoints.shape.join(', ')}]; expected one per keypoint.`,
    );
  }
  return Array.from({ length: count }, (_, n) => ({
    points: keypoints.data.subarray(n * k * stride, (n + 1) * k * stride),
    scores: scores.data.subarray(n * k, (n + 1) * k),
    stride,
  }));
}

/** Above the threshold, and somewhere: a NaN has no pixel (MMPose raises there). */
function isDrawn({ points, scores, stride }: Person, k: number, kptThr: number): boolean {
  return scores[k] >= kptThr && Number.isFinite(points[k * stride]) && Number.isFinite(points[k * stride + 1]);
}

function pixelOf({ points, stride }: Person, k: number): [x: number, y: number] {
  return [Math.trunc(points[k * stride]), Math.trunc(points[k * stride + 1])];
}

type Segment = [x1: number, y1: number, x2: number, y2: number];

function linkEnds(
  { width, height }: Painter,
  person: Person,
  [a, b]: readonly number[],
  kptThr: number,
): Segment | null {
  if (!isDrawn(person, a, kptThr) || !isDrawn(person, b, kptThr)) return null;
  const [x1, y1] = pixelOf(person, a);
  const [x2, y2] = pixelOf(person, b);
  const inside = (x: number, y: number) => x > 0 && x < width && y > 0 && y < height;
  return inside(x1, y1) && inside(x2, y2) ? [x1, y1, x2, y2] : null;
}
