/**
 * Which pixels OpenCV fills for `line`, `rectangle`, `circle`, `ellipse2Poly` + `fillConvexPoly` and `putText`, with its 16.16
 * fixed-point edges. Only what MMPose draws is here: 8-connected, not anti-aliased. Both painters use it.
 *
 * Fixed-point numbers exceed 32 bits, so they are held as whole float64 and shifted by multiplying and flooring.
 */
import { glyphOf } from './stroke_font.js';

/** A point in whole pixels. */
export type Point = readonly [x: number, y: number];

/** Fills pixels x1..x2 (both inside the picture, x1 <= x2) of row y. */
export type Span = (y: number, x1: number, x2: number) => void;

/** What the scan converters need: the picture's size and where their runs of pixels go. */
export interface Target {
  readonly width: number;
  readonly height: number;
  readonly span: Span;
}

/** Calls the target's span for every run of its pixels; a pixel may come more than once. */
export type Shape = (target: Target) => void;

const ONE = 65536;
const HALF = 32768;
/** Sine table of OpenCV: float32 of seven decimals. */
const SIN = Float32Array.from({ length: 451 }, (_, degrees) => Number(Math.sin((degrees * Math.PI) / 180).toFixed(7)));

/** Straight line with round ends. */
export function line(x1: number, y1: number, x2: number, y2: number, thickness: number): Shape {
  return (target) => thickLine(target, fixed([x1, y1]), fixed([x2, y2]), thickness, 3);
}

/** Outline of a box. */
export function rectangle(x1: number, y1: number, x2: number, y2: number, thickness: number): Shape {
  const corners: Point[] = [
    [x1, y1],
    [x2, y1],
    [x2, y2],
    [x1, y2],
  ];
  return (target) =>
    corners.forEach((corner, i) => thickLine(target, fixed(corners[(i + 3) % 4]), fixed(corner), thickness, 2));
}

/** Filled circle; the radius is cut to whole pixels. */
export function circle(x: number, y: number, radius: number): Shape {
  return (target) => fillCircle(target, x, y, Math.trunc(radius));
}

/** Filled convex polygon with whole-pixel vertices. */
export function polygon(points: readonly Point[]): Shape {
  return (target) => fillConvexPoly(target, points, 0);
}

/** Filled box, both corners included. */
export function filledBox(x1: number, y1: number, x2: number, y2: number): Shape {
  return (target) => {
    for (let y = y1; y <= y2; y++) clippedSpan(target, y, x1, x2);
  };
}

/** `cv2.putText` with the stroke font; `y` is the base line. */
export function strokeText(text: string, x: number, y: number, scale: number, thickness: number): Shape {
  return (target) => putText(target, text, x, y, scale, thickness);
}

/** OpenCV's cvRound. */
export function roundHalfEven(value: number): number {
  const low = Math.floor(value);
  const rest = value - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}

function fixed([x, y]: Point): Point {
  return [x * ONE, y * ONE];
}

/** Rounds a fixed-point number to whole pixels: `(v + ONE / 2) >> 16`. */
function toPixel(value: number): number {
  return Math.floor((value + HALF) / ONE);
}

function pixel(target: Target, x: number, y: number): void {
  if (x >= 0 && x < target.width && y >= 0 && y < target.height) target.span(y, x, x);
}

/** A run clipped to the picture. */
function clippedSpan(target: Target, y: number, x1: number, x2: number): void {
  if (y < 0 || y >= target.height || x2 < 0 || x1 >= target.width) return;
  const left = Math.max(0, x1);
  const right = Math.min(target.width - 1, x2);
  if (left <= right) target.span(y, left, right);
}

/** Cohen-Sutherland with OpenCV's order and truncation; null when nothing of the line is inside [0, right] x [0, bottom]. */
function clipLine(right: number, bottom: number, p1: Point, p2: Point): [Point, Point] | null {
  let [x1, y1] = p1;
  let [x2, y2] = p2;
  const sideX = (x: number) => (x < 0 ? 1 : 0) + (x > right ? 2 : 0);
  const side = (x: number, y: number) => sideX(x) + (y < 0 ? 4 : 0) + (y > bottom ? 8 : 0);
  let c1 = side(x1, y1);
  let c2 = side(x2, y2);
  if ((c1 & c2) === 0 && (c1 | c2) !== 0) {
    if (c1 & 12) {
      const a = c1 < 8 ? 0 : bottom;
      x1 += Math.trunc(((a - y1) * (x2 - x1)) / (y2 - y1));
      y1 = a;
      c1 = sideX(x1);
    }
    if (c2 & 12) {
      const a = c2 < 8 ? 0 : bottom;
      x2 += Math.trunc(((a - y2) * (x2 - x1)) / (y2 - y1));
      y2 = a;
      c2 = sideX(x2);
    }
    if ((c1 & c2) === 0 && (c1 | c2) !== 0) {
      if (c1) {
        const a = c1 === 1 ? 0 : right;
        y1 += Math.trunc(((a - x1) * (y2 - y1)) / (x2 - x1));
        x1 = a;
        c1 = 0;
      }
      if (c2) {
        const a = c2 === 1 ? 0 : right;
        y2 += Math.trunc(((a - x2) * (y2 - y1)) / (x2 - x1));
        x2 = a;
        c2 = 0;
      }
    }
  }
  return (c1 | c2) === 0
    ? [
        [x1, y1],
        [x2, y2],
      ]
    : null;
}

/** One-pixel Bresenham line between whole pixels, always walked from left to right. */
function thinLine(target: Target, p1: Point, p2: Point): void {
  const clipped = clipLine(target.width - 1, target.height - 1, p1, p2);
  if (!clipped) return;
  let [[x, y], [endX, endY]] = clipped;
  if (endX < x) [x, y, endX, endY] = [endX, endY, x, y];
  const dx = endX - x;
  const dy = Math.abs(endY - y);
  const stepY = endY < y ? -1 : 1;
  const steep = dy > dx;
  const long = steep ? dy : dx;
  const short = steep ? dx : dy;
  let error = long - 2 * short;
  for (let count = long; count >= 0; count--) {
    pixel(target, x, y);
    const turn = error < 0;
    error += (turn ? 2 * long : 0) - 2 * short;
    if (steep) {
      y += stepY;
      if (turn) x++;
    } else {
      x++;
      if (turn) y += stepY;
    }
  }
}

/** One-pixel line between fixed-point ends (OpenCV's Line2): a step along the longer axis, 16.16 along the other. */
function fixedLine(target: Target, p1: Point, p2: Point): void {
  const clipped = clipLine(target.width * ONE - 1, target.height * ONE - 1, p1, p2);
  if (!clipped) return;
  let [[x1, y1], [x2, y2]] = clipped;
  const flat = Math.abs(x2 - x1) > Math.abs(y2 - y1);
  if (flat ? x2 < x1 : y2 < y1) [x1, y1, x2, y2] = [x2, y2, x1, y1];
  const long = flat ? x2 - x1 : y2 - y1;
  const slope = Math.trunc(((flat ? y2 - y1 : x2 - x1) * ONE) / (long % 2 === 0 ? long + 1 : long));
  pixel(target, toPixel(x2), toPixel(y2));
  let along = toPixel(flat ? x1 : y1);
  let across = (flat ? y1 : x1) + HALF;
  for (let count = Math.floor(long / ONE); count >= 0; count--) {
    const side = Math.floor(across / ONE);
    if (flat) pixel(target, along, side);
    else pixel(target, side, along);
    along++;
    across += slope;
  }
}

/**
 * A line of any thickness (OpenCV's ThickLine): a quadrilateral with a round cap at each end that `caps` names (bit 0 the first,
 * bit 1 the second). Odd thicknesses come out wider than their name says; that is OpenCV's doing.
 */
function thickLine(target: Target, p0: Point, p1: Point, thickness: number, caps: number, subPixel = false): void {
  if (thickness <= 1) {
    if (subPixel) fixedLine(target, p0, p1);
    else thinLine(target, [toPixel(p0[0]), toPixel(p0[1])], [toPixel(p1[0]), toPixel(p1[1])]);
    return;
  }
  const dx = (p0[0] - p1[0]) / ONE;
  const dy = (p1[1] - p0[1]) / ONE;
  const squared = dx * dx + dy * dy;
  const half = thickness * HALF;
  if (squared > Number.EPSILON) {
    const r = (half + (thickness % 2) * ONE * 0.5) / Math.sqrt(squared);
    const ox = roundHalfEven(dy * r);
    const oy = roundHalfEven(dx * r);
    const quad: Point[] = [
      [p0[0] + ox, p0[1] + oy],
      [p0[0] - ox, p0[1] - oy],
      [p1[0] - ox, p1[1] - oy],
      [p1[0] + ox, p1[1] + oy],
    ];
    fillConvexPoly(target, quad, 16);
  }
  [p0, p1].forEach((end, i) => {
    if (caps & (1 << i)) fillCircle(target, toPixel(end[0]), toPixel(end[1]), toPixel(half));
  });
}

/** Filled circle by Bresenham's octants. */
function fillCircle(target: Target, cx: number, cy: number, radius: number): void {
  let error = 0;
  let plus = 1;
  let minus = 2 * radius - 1;
  for (let dx = radius, dy = 0; dx >= dy; dy++) {
    clippedSpan(target, cy - dy, cx - dx, cx + dx);
    clippedSpan(target, cy + dy, cx - dx, cx + dx);
    clippedSpan(target, cy - dx, cx - dy, cx + dy);
    clippedSpan(target, cy + dx, cx - dy, cx + dy);
    error += plus;
    plus += 2;
    if (error > 0) {
      error -= minus;
      dx--;
      minus -= 2;
    }
  }
}

/**
 * `cv2.ellipse2Poly(center, axes, angle, 0, 360, 1)`: whole-pixel vertices without repeats.
 *
 * @param axes - half axes, whole pixels
 * @param degrees - whole degrees
 */
export function ellipse2Poly(center: Point, axes: readonly [number, number], degrees: number): Point[] {
  const turn = wrapDegrees(degrees);
  const cos = SIN[450 - turn];
  const sin = SIN[turn];
  const out: Point[] = [];
  for (let i = 0; i <= 360; i++) {
    const x = axes[0] * SIN[450 - i];
    const y = axes[1] * SIN[i];
    const px = roundHalfEven(center[0] + x * cos - y * sin);
    const py = roundHalfEven(center[1] + x * sin + y * cos);
    const last = out.at(-1);
    if (!last || last[0] !== px || last[1] !== py) out.push([px, py]);
  }
  return out.length === 1 ? [center, center] : out;
}

function wrapDegrees(degrees: number): number {
  let turn = degrees;
  while (turn < 0) turn += 360;
  while (turn > 360) turn -= 360;
  return turn;
}

/** One side of the polygon while the scan line sinks: the vertex it runs to, its direction, x and slope in 16.16. */
interface Edge {
  index: number;
  readonly step: number;
  x: number;
  slope: number;
  endY: number;
}

/**
 * Fills a convex polygon, outline included.
 *
 * @param points - whole pixels (`shift` 0) or 16.16 (`shift` 16)
 */
function fillConvexPoly(target: Target, points: readonly Point[], shift: 0 | 16): void {
  const up = shift === 0 ? ONE : 1;
  const rowOf = shift === 0 ? (y: number) => y : toPixel;
  points.forEach((point, i) => {
    const before = points.at(i - 1)!;
    if (shift === 0) thinLine(target, before, point);
    else fixedLine(target, before, point);
  });
  const xs = points.map(([x]) => x);
  const ys = points.map(([, y]) => y);
  const top = rowOf(Math.min(...ys));
  const bottom = Math.min(rowOf(Math.max(...ys)), target.height - 1);
  if (points.length < 3 || rowOf(Math.max(...xs)) < 0 || bottom < 0) return;
  if (rowOf(Math.min(...xs)) >= target.width || top >= target.height) return;
  fillRows(target, points, up, rowOf, top, bottom);
}

function fillRows(
  target: Target,
  points: readonly Point[],
  up: number,
  rowOf: (y: number) => number,
  top: number,
  bottom: number,
): void {
  const count = points.length;
  let first = 0;
  for (let i = 1; i < count; i++) if (points[i][1] < points[first][1]) first = i;
  const edges: Edge[] = [1, count - 1].map((step) => ({ index: first, step, x: -ONE, slope: 0, endY: top }));
  let unused = count;
  for (let y = top; y <= bottom; y++) {
    for (const edge of edges) if (y >= edge.endY) unused = nextEdge(edge, points, unused, y, up, rowOf);
    const [a, b] = edges;
    const left = toPixel(Math.min(a.x, b.x));
    const right = toPixel(Math.max(a.x, b.x));
    clippedSpan(target, y, left, right);
    a.x += a.slope;
    b.x += b.slope;
  }
}

/** Turns to the first following side that reaches below row `y`; returns how many sides are left to either edge. */
function nextEdge(
  edge: Edge,
  points: readonly Point[],
  unused: number,
  y: number,
  up: number,
  rowOf: (y: number) => number,
): number {
  const count = points.length;
  let from = edge.index;
  let to = (from + edge.step) % count;
  while (unused-- > 0) {
    const endY = rowOf(points[to][1]);
    if (endY > y) {
      const x = points[from][0] * up;
      const rows = endY - y;
      edge.endY = endY;
      edge.slope = Math.trunc(((points[to][0] * up - x) * 2 + rows) / (2 * rows));
      edge.x = x;
      edge.index = to;
      break;
    }
    from = to;
    to = (to + edge.step) % count;
  }
  return unused;
}

/** Hershey units from the base line to the top of a digit, and down to the lowest descender; OpenCV's constants. */
const CAP_LINE = 12;
const BASE_LINE = 9;
/** Width of a digit of the duplex face, by which MMPose measures although it writes in the simplex one. */
const DUPLEX_ADVANCE = 20;

/** Size of a label in px as `cv2.getTextSize` gives it for the duplex face. */
export function textSize(
  text: string,
  scale: number,
  thickness: number,
): [width: number, height: number, baseline: number] {
  const width = roundHalfEven(text.length * DUPLEX_ADVANCE * scale + thickness);
  const height = roundHalfEven((CAP_LINE + BASE_LINE) * scale + (thickness + 1) / 2);
  return [width, height, roundHalfEven(BASE_LINE * scale + thickness * 0.5)];
}

function putText(target: Target, text: string, x: number, y: number, scale: number, thickness: number): void {
  const unit = roundHalfEven(scale * ONE);
  const baseY = y * ONE;
  let penX = x * ONE;
  for (const character of text) {
    const { advance, strokes } = glyphOf(character);
    for (const stroke of strokes) {
      for (let i = 1; i < stroke.length; i++) {
        const from: Point = [penX + stroke[i - 1][0] * unit, baseY - stroke[i - 1][1] * unit];
        const to: Point = [penX + stroke[i][0] * unit, baseY - stroke[i][1] * unit];
        thickLine(target, from, to, thickness, i === 1 ? 3 : 2, true);
      }
    }
    penX += advance * unit;
  }
}
