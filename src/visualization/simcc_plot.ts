/**
 * How sure a SimCC model is along each axis (MMPose: `mmpose/visualization/simcc_vis.py`): the picture under its heatmap, below
 * it one bar per keypoint along x, to its right one bar per keypoint along y. The sheet is scaled to the picture's size, as
 * MMPose does. The picture keeps its colours, where MMPose's comes out with red and blue swapped.
 */
import { InputError } from '../errors.js';
import type { NdArray } from '../ndarray.js';
import { applyJet, maxOverFirst, resizeBilinear } from './colormap.js';
import { painterOf } from './draw.js';
import type { DrawTarget } from './draw.js';
import type { Painter } from './painter.js';

export interface XyHeatmapStyle {
  /** Keypoints that get bars, from the first. @default 20 */
  readonly maxKeypoints?: number;
  /** Share of the heatmap's colours over the picture, 0..1. @default 0.5 */
  readonly weight?: number;
}

/** Thickness of a bar, and the distance from one to the next, px of the sheet. */
const BAR = 15;
const STEP = 20;
const BLUE = [0, 0, 255] as const;
const WHITE = [255, 255, 255] as const;

/**
 * Replaces what is on the target by the sheet.
 *
 * @param heatmaps - [K, h, w], 0..1: the outer products of the SimCC vectors, in the picture's space
 * @throws InputError when the shape is another
 */
export function drawXyHeatmaps(target: DrawTarget, heatmaps: NdArray, style: XyHeatmapStyle = {}): void {
  const [k, h, w] = heatmaps.shape;
  if (heatmaps.shape.length !== 3 || heatmaps.data.length !== k * h * w || k === 0) {
    throw new InputError(`drawXyHeatmaps: found heatmaps [${heatmaps.shape.join(', ')}]; expected [K, h, w].`);
  }
  const { maxKeypoints = 20, weight = 0.5 } = style;
  const painter = painterOf(target);
  const count = Math.min(k, maxKeypoints);
  const merged = resizeBilinear(maxOverFirst(heatmaps), w, h, painter.width, painter.height);
  painter.blend(applyJet(toBytes(merged)), weight);
  const sheet = sheetOf(painter, count);
  painter.shrink(...sheet.box(sheet.left, sheet.top, painter.width, painter.height), WHITE);
  for (let i = 0; i < count; i++) drawBars(painter, sheet, axisMaxima(heatmaps, i), i);
}

/** Where things stand on the sheet, before it is scaled. */
interface Sheet {
  readonly left: number;
  readonly top: number;
  /** A box of the sheet, in pixels of the target. */
  box(x: number, y: number, width: number, height: number): [x: number, y: number, width: number, height: number];
}

function sheetOf({ width, height }: Painter, count: number): Sheet {
  const [left, top] = [Math.trunc(0.1 * width), Math.trunc(0.1 * height)];
  const fx = width / (Math.trunc(1.1 * width) + STEP * (count + 1) + left + 1);
  const fy = height / (Math.trunc(1.1 * height) + STEP * (count + 1) + top + 1);
  const box: Sheet['box'] = (x, y, w, h) => {
    const [x1, y1] = [Math.round(x * fx), Math.round(y * fy)];
    return [x1, y1, Math.max(1, Math.round((x + w) * fx) - x1), Math.max(1, Math.round((y + h) * fy) - y1)];
  };
  return { left, top, box };
}

function drawBars(painter: Painter, { left, top, box }: Sheet, axes: AxisMaxima, i: number): void {
  const { width, height } = painter;
  const x = Math.trunc(1.1 * width) + STEP * (i + 1);
  const y = Math.trunc(1.1 * height) + STEP * (i + 1);
  painter.picture(applyJet(toBytes(axes.x)), axes.x.length, 1, ...box(left, y, width, BAR));
  painter.picture(applyJet(toBytes(axes.y)), 1, axes.y.length, ...box(x, top, BAR, height));
  const [labelX, labelY, , size] = box(left - 30, y + 10, 30, BAR);
  const [aboveX, aboveY] = box(x, top - 5, BAR, BAR);
  const style = { color: BLUE, size: Math.max(6, size) };
  painter.text(String(i), Math.max(0, labelX), labelY, style);
  painter.text(String(i), aboveX, aboveY, style);
}

/** The largest value per column, [w], and per row, [h], of one keypoint's map. */
interface AxisMaxima {
  readonly x: Float32Array;
  readonly y: Float32Array;
}

function axisMaxima({ data, shape: [, h, w] }: NdArray, keypoint: number): AxisMaxima {
  const axes = { x: new Float32Array(w).fill(-Infinity), y: new Float32Array(h).fill(-Infinity) };
  for (let y = 0, at = keypoint * h * w; y < h; y++) {
    for (let x = 0; x < w; x++, at++) {
      const value = data[at];
      if (value > axes.x[x]) axes.x[x] = value;
      if (value > axes.y[y]) axes.y[y] = value;
    }
  }
  return axes;
}

/** 0..1 to bytes, cut off, as torchvision's `ToPILImage` does within that range. */
function toBytes(values: Float32Array): Uint8Array {
  return Uint8Array.from(values, (value) => Math.max(0, Math.min(255, Math.trunc(value * 255))));
}
