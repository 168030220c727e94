/**
 * Box formats and warp matrices (MMPose: `mmpose/structures/bbox/transforms.py`), in px of one picture. Arithmetic is NumPy's:
 * float32 boxes give float32 results rounded after every step, because a crop is only MMPose's to the bit when its matrix is.
 * Unlike MMPose's, no function changes its arguments.
 */
import { InputError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';

/** What NumPy calls a floating array; results keep the type of their input. */
export type FloatArray = Float32Array | Float64Array;

export type FlipDirection = 'horizontal' | 'vertical' | 'diagonal';
export type BboxFormat = 'xywh' | 'xyxy' | 'center';

/** Centre (x, y) and size (w, h) of boxes, both [2] or [N, 2]. */
export interface CenterScale<T extends FloatArray = Float32Array> {
  center: NdArray<T>;
  scale: NdArray<T>;
}

/** A Python scalar meeting an array: NumPy casts it to the array's type before it computes. */
function scalarFor(data: FloatArray, value: number): number {
  return data instanceof Float32Array ? Math.fround(value) : value;
}

function like<T extends FloatArray>(data: T, length: number): T {
  return (data instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as T;
}

function checkLastAxis(where: string, array: NdArray<FloatArray>, ...allowed: number[]): void {
  const last = array.shape[array.shape.length - 1];
  if (!allowed.includes(last)) {
    throw new InputError(
      `${where}: found shape [${array.shape.join(', ')}]; expected a last axis of ${allowed.join(' or ')}.`,
    );
  }
}

function checkDirection(where: string, direction: string): void {
  if (!['horizontal', 'vertical', 'diagonal'].includes(direction)) {
    throw new InputError(`${where}: found direction "${direction}"; expected horizontal, vertical or diagonal.`);
  }
}

/**
 * Left, top, right, bottom to left, top, width, height; a score in a fifth column is kept.
 *
 * @param bboxXyxy - [N, 4] or [N, 5]
 */
export function bboxXyxy2xywh<T extends FloatArray>(bboxXyxy: NdArray<T>): NdArray<T> {
  checkLastAxis('bboxXyxy2xywh', bboxXyxy, 4, 5);
  return offsetCorner(bboxXyxy, -1);
}

/**
 * Left, top, width, height to left, top, right, bottom; a score in a fifth column is kept.
 *
 * @param bboxXywh - [N, 4] or [N, 5]
 */
export function bboxXywh2xyxy<T extends FloatArray>(bboxXywh: NdArray<T>): NdArray<T> {
  checkLastAxis('bboxXywh2xyxy', bboxXywh, 4, 5);
  return offsetCorner(bboxXywh, 1);
}

function offsetCorner<T extends FloatArray>({ data, shape }: NdArray<T>, sign: 1 | -1): NdArray<T> {
  const out = data.slice() as T;
  const step = shape[shape.length - 1];
  for (let i = 0; i < out.length; i += step) {
    out[i + 2] += sign * out[i];
    out[i + 3] += sign * out[i + 1];
  }
  return { data: out, shape };
}

/**
 * Corners to centre and size.
 *
 * @param bbox - [4] or [N, 4] xyxy
 * @param padding - factor on the size; MMPose's top-down configs use 1.25
 */
export function bboxXyxy2cs<T extends FloatArray>(bbox: NdArray<T>, padding = 1): CenterScale<T> {
  checkLastAxis('bboxXyxy2cs', bbox, 4);
  const { data } = bbox;
  const p = scalarFor(data, padding);
  const round = roundingOf(data);
  return centerScale(bbox, (i, axis) => {
    const low = data[i + axis];
    const high = data[i + axis + 2];
    return [round(high + low) * 0.5, round(high - low) * p];
  });
}

/**
 * Left, top, width, height to centre and size.
 *
 * @param bbox - [4] or [N, 4] xywh
 * @param padding - factor on the size
 */
export function bboxXywh2cs<T extends FloatArray>(bbox: NdArray<T>, padding = 1): CenterScale<T> {
  checkLastAxis('bboxXywh2cs', bbox, 4);
  const { data } = bbox;
  const p = scalarFor(data, padding);
  return centerScale(bbox, (i, axis) => [data[i + axis] + data[i + axis + 2] * 0.5, data[i + axis + 2] * p]);
}

function roundingOf(data: FloatArray): (value: number) => number {
  return data instanceof Float32Array ? Math.fround : (value) => value;
}

function centerScale<T extends FloatArray>(
  { data, shape }: NdArray<T>,
  of: (offset: number, axis: 0 | 1) => [center: number, scale: number],
): CenterScale<T> {
  const n = data.length / 4;
  const center = like(data, n * 2);
  const scale = like(data, n * 2);
  for (let i = 0; i < n; i++) {
    [center[i * 2], scale[i * 2]] = of(i * 4, 0);
    [center[i * 2 + 1], scale[i * 2 + 1]] = of(i * 4, 1);
  }
  const outShape = [...shape.slice(0, -1), 2];
  return { center: { data: center, shape: outShape }, scale: { data: scale, shape: outShape } };
}

/**
 * Centre and size to corners.
 *
 * @param center - [2] or [N, 2]
 * @param scale - [2] or [N, 2]
 * @param padding - the factor that is in `scale` and comes off again
 * @returns [4] or [N, 4] xyxy
 */
export function bboxCs2xyxy<T extends FloatArray>(center: NdArray<T>, scale: NdArray<T>, padding = 1): NdArray<T> {
  return boxFromCenter(center, scale, padding, true);
}

/**
 * Centre and size to left, top, width, height.
 *
 * @param center - [2] or [N, 2]
 * @param scale - [2] or [N, 2]
 * @param padding - the factor that is in `scale` and comes off again
 * @returns [4] or [N, 4] xywh
 */
export function bboxCs2xywh<T extends FloatArray>(center: NdArray<T>, scale: NdArray<T>, padding = 1): NdArray<T> {
  return boxFromCenter(center, scale, padding, false);
}

function boxFromCenter<T extends FloatArray>(
  center: NdArray<T>,
  scale: NdArray<T>,
  padding: number,
  corners: boolean,
): NdArray<T> {
  checkLastAxis('bboxCs2xyxy', center, 2);
  checkLastAxis('bboxCs2xyxy', scale, 2);
  const p = scalarFor(scale.data, padding);
  const round = roundingOf(center.data);
  const out = like(center.data, center.data.length * 2);
  for (let i = 0; i < center.data.length; i++) {
    const size = round(scale.data[i] / p);
    const low = round(center.data[i] - 0.5 * size);
    const at = (i >> 1) * 4 + (i & 1);
    out[at] = low;
    out[at + 2] = corners ? low + size : size;
  }
  return { data: out, shape: [...center.shape.slice(0, -1), 4] };
}

/**
 * Corners of boxes as points: top-left, bottom-left, top-right, bottom-right, the order that MMPose's code gives.
 *
 * @param bbox - [4] or [N, 4] xyxy
 * @returns [4, 2] or [N, 4, 2]
 */
export function bboxXyxy2corner<T extends FloatArray>(bbox: NdArray<T>): NdArray<T> {
  checkLastAxis('bboxXyxy2corner', bbox, 4);
  const { data, shape } = bbox;
  const out = like(data, data.length * 2);
  for (let i = 0; i < data.length; i += 4) {
    const [x1, y1, x2, y2] = [data[i], data[i + 1], data[i + 2], data[i + 3]];
    out.set([x1, y1, x1, y2, x2, y1, x2, y2], i * 2);
  }
  return { data: out, shape: [...shape.slice(0, -1), 4, 2] };
}

/**
 * The upright box around four points.
 *
 * @param bbox - [4, 2], [N, 4, 2] or [N, 8]
 * @returns [4] or [N, 4] xyxy
 */
export function bboxCorner2xyxy<T extends FloatArray>(bbox: NdArray<T>): NdArray<T> {
  checkLastAxis('bboxCorner2xyxy', bbox, 2, 8);
  const { data, shape } = bbox;
  const lead = shape[shape.length - 1] === 8 ? shape.slice(0, -1) : shape.slice(0, -2);
  const out = like(data, data.length / 2);
  for (let i = 0; i < out.length; i += 4) {
    for (let axis = 0; axis < 2; axis++) {
      const at = i * 2 + axis;
      out[i + axis] = Math.min(data[at], data[at + 2], data[at + 4], data[at + 6]);
      out[i + axis + 2] = Math.max(data[at], data[at + 2], data[at + 4], data[at + 6]);
    }
  }
  return { data: out, shape: [...lead, 4] };
}

/**
 * Boxes or points moved inside [0, w] x [0, h].
 *
 * @param bbox - [..., 4] xyxy or [..., 2]
 */
export function bboxClipBorder<T extends FloatArray>(
  bbox: NdArray<T>,
  [w, h]: readonly [w: number, h: number],
): NdArray<T> {
  checkLastAxis('bboxClipBorder', bbox, 2, 4);
  const out = bbox.data.slice() as T;
  for (let i = 0; i < out.length; i++) out[i] = Math.min(Math.max(out[i], 0), i & 1 ? h : w);
  return { data: out, shape: bbox.shape };
}

/**
 * Mirrors boxes in a picture. `xywh` mirrors the left edge only (the width is not subtracted), as MMPose does.
 *
 * @param bbox - [..., 4], or [..., 2] for `center`
 * @param imageSize - [w, h] px
 */
export function flipBbox<T extends FloatArray>(
  bbox: NdArray<T>,
  [w, h]: readonly [w: number, h: number],
  bboxFormat: BboxFormat = 'xywh',
  direction: FlipDirection = 'horizontal',
): NdArray<T> {
  checkDirection('flipBbox', direction);
  checkLastAxis('flipBbox', bbox, bboxFormat === 'center' ? 2 : 4);
  const { data, shape } = bbox;
  const out = data.slice() as T;
  const step = bboxFormat === 'center' ? 2 : 4;
  const round = roundingOf(data);
  const flipAxis = (axis: 0 | 1, size: number): void => {
    for (let i = axis; i < data.length; i += step) {
      if (bboxFormat !== 'xyxy') out[i] = round(size - data[i]) - 1;
      else [out[i], out[i + 2]] = [round(size - data[i + 2]) - 1, round(size - data[i]) - 1];
    }
  };
  if (direction !== 'vertical') flipAxis(0, w);
  if (direction !== 'horizontal') flipAxis(1, h);
  return { data: out, shape };
}

/** Row-major 2x3 affine matrix: x' = m0 x + m1 y + m2, y' = m3 x + m4 y + m5. */
export type AffineMatrix = Float64Array;

function checkPair(where: string, name: string, value: ArrayLike<number>): void {
  if (value.length !== 2) throw new InputError(`${where}: found ${value.length} values for ${name}; expected 2.`);
}

/**
 * The matrix from a box to an output picture under the unbiased constraint (UDP, CVPR 2020): sizes count pixel centres,
 * and the box is stretched to the output. The values are rounded to float32, as MMPose's are.
 *
 * @param center - [2] px, source space
 * @param scale - [2] px, size of the box
 * @param rot - degrees
 * @param outputSize - [w, h] px
 */
export function getUdpWarpMatrix(
  center: ArrayLike<number>,
  scale: ArrayLike<number>,
  rot: number,
  outputSize: readonly [w: number, h: number],
  { float32Rotation = false }: Pick<WarpMatrixOptions, 'float32Rotation'> = {},
): AffineMatrix {
  checkPair('getUdpWarpMatrix', 'center', center);
  checkPair('getUdpWarpMatrix', 'scale', scale);
  const angle = radians(rot, float32Rotation);
  const cos = Math.cos(angle);
  const sin = Math.sin(angle);
  const [cx, cy] = [center[0] * 2, center[1] * 2];
  const sx = (outputSize[0] - 1) / scale[0];
  const sy = (outputSize[1] - 1) / scale[1];
  const matrix = Float32Array.of(
    cos * sx,
    -sin * sx,
    sx * (-0.5 * cx * cos + 0.5 * cy * sin + 0.5 * scale[0]),
    sin * sy,
    cos * sy,
    sy * (-0.5 * cx * sin - 0.5 * cy * cos + 0.5 * scale[1]),
  );
  return Float64Array.from(matrix);
}

export interface WarpMatrixOptions {
  /** Shift of the box as a share of its width and height. @default [0, 0] */
  shift?: readonly [x: number, y: number];
  /** The matrix from output to source instead. @default false */
  inv?: boolean;
  /** Scale by the width only, so that the box is not stretched. @default true */
  fixAspectRatio?: boolean;
  /** The rotation comes out of a float32 array: NumPy then turns it to radians in float32. @default false */
  float32Rotation?: boolean;
}

function radians(degrees: number, float32: boolean): number {
  return float32 ? Math.fround(Math.fround(degrees) * Math.fround(Math.PI / 180)) : degrees * (Math.PI / 180);
}

/**
 * The matrix from a box to an output picture, from three point pairs. The points are float32, the solution is float64.
 *
 * @param center - [2] px, source space
 * @param scale - [2] px, size of the box
 * @param rot - degrees
 * @param outputSize - [w, h] px
 */
export function getWarpMatrix(
  center: ArrayLike<number>,
  scale: ArrayLike<number>,
  rot: number,
  outputSize: readonly [w: number, h: number],
  { shift = [0, 0], inv = false, fixAspectRatio = true, float32Rotation = false }: WarpMatrixOptions = {},
): AffineMatrix {
  checkPair('getWarpMatrix', 'center', center);
  checkPair('getWarpMatrix', 'scale', scale);
  const angle = radians(rot, float32Rotation);
  const round = float32Rotation ? Math.fround : (value: number) => value;
  const cos = round(Math.cos(angle));
  const sin = round(Math.sin(angle));
  const [dstW, dstH] = outputSize;
  const [ox, oy] = [scale[0] * shift[0], scale[1] * shift[1]];
  const halfW = scale[0] * -0.5;
  const halfH = scale[1] * -0.5;
  const src = new Float32Array(6);
  const dst = new Float32Array(6);
  src.set([center[0] + ox, center[1] + oy, center[0] + cos * halfW + ox, center[1] + sin * halfW + oy]);
  dst.set([dstW * 0.5, dstH * 0.5, 0, dstH * 0.5]);
  if (fixAspectRatio) {
    setThirdPoint(src);
    setThirdPoint(dst);
  } else {
    src.set([center[0] - sin * halfH + ox, center[1] + cos * halfH + oy], 4);
    dst.set([dstW * 0.5, 0], 4);
  }
  return inv ? getAffineTransform(dst, src) : getAffineTransform(src, dst);
}

/** The third of three points: the first turned by 90 degrees about the second. */
function setThirdPoint(p: Float32Array): void {
  p[4] = p[2] - Math.fround(p[1] - p[3]);
  p[5] = p[3] + Math.fround(p[0] - p[2]);
}

/**
 * `cv2.getAffineTransform`: the matrix that maps three points onto three others, by the same elimination as OpenCV's, so that
 * the last bits agree too.
 *
 * @param src - [3, 2] flat
 * @param dst - [3, 2] flat
 * @returns zeros when the points of `src` lie on one line, as OpenCV does
 */
export function getAffineTransform(src: ArrayLike<number>, dst: ArrayLike<number>): AffineMatrix {
  const a = new Float64Array(36);
  const b = new Float64Array(6);
  for (let i = 0; i < 3; i++) {
    a.set([src[i * 2], src[i * 2 + 1], 1], i * 12);
    a.set([src[i * 2], src[i * 2 + 1], 1], i * 12 + 9);
    b[i * 2] = dst[i * 2];
    b[i * 2 + 1] = dst[i * 2 + 1];
  }
  return solveLu(a, b, 6) ? b : new Float64Array(6);
}

/** Below this pivot OpenCV calls a system singular. */
const LU_EPSILON = Number.EPSILON * 100;

/** Gaussian elimination with partial pivoting, in OpenCV's order of operations; `b` becomes the solution. */
function solveLu(a: Float64Array, b: Float64Array, n: number): boolean {
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) if (Math.abs(a[j * n + i]) > Math.abs(a[pivot * n + i])) pivot = j;
    if (Math.abs(a[pivot * n + i]) < LU_EPSILON) return false;
    if (pivot !== i) swapRows(a, b, n, i, pivot);
    const d = -1 / a[i * n + i];
    for (let j = i + 1; j < n; j++) {
      const alpha = a[j * n + i] * d;
      for (let k = i + 1; k < n; k++) a[j * n + k] += alpha * a[i * n + k];
      b[j] += alpha * b[i];
    }
  }
  for (let i = n - 1; i >= 0; i--) {
    let sum = b[i];
    for (let k = i + 1; k < n; k++) sum -= a[i * n + k] * b[k];
    b[i] = sum / a[i * n + i];
  }
  return true;
}

function swapRows(a: Float64Array, b: Float64Array, n: number, i: number, j: number): void {
  for (let k = i; k < n; k++) [a[i * n + k], a[j * n + k]] = [a[j * n + k], a[i * n + k]];
  [b[i], b[j]] = [b[j], b[i]];
}

/**
 * `cv2.invertAffineTransform` in the arithmetic of `cv2.warpAffine`; a singular matrix gives zeros.
 */
export function invertAffine(matrix: ArrayLike<number>): AffineMatrix {
  let d = matrix[0] * matrix[4] - matrix[1] * matrix[3];
  d = d === 0 ? 0 : 1 / d;
  const m0 = matrix[4] * d;
  const m1 = matrix[1] * -d;
  const m3 = matrix[3] * -d;
  const m4 = matrix[0] * d;
  return Float64Array.of(m0, m1, -m0 * matrix[2] - m1 * matrix[5], m3, m4, -m3 * matrix[2] - m4 * matrix[5]);
}

/**
 * A perspective matrix from a shift, shear, rotation and scale about a centre, as YOLO's augmentations compose them.
 *
 * @param center - [2] px
 * @param translate - [2] px
 * @param scale - factor
 * @param rot - degrees
 * @param shear - [2] degrees, along x and y
 * @returns [3, 3] float32
 */
export function getPersWarpMatrix(
  center: ArrayLike<number>,
  translate: ArrayLike<number>,
  scale: number,
  rot: number,
  shear: ArrayLike<number>,
): NdArray {
  const rad = (degrees: number): number => degrees * (Math.PI / 180);
  const [cos, sin] = [Math.cos(rad(rot)), Math.sin(rad(rot))];
  const steps = [
    [1, 0, translate[0] + center[0], 0, 1, translate[1] + center[1], 0, 0, 1],
    [1, Math.tan(rad(shear[0])), 0, Math.tan(rad(shear[1])), 1, 0, 0, 0, 1],
    [cos, -sin, 0, sin, cos, 0, 0, 0, 1],
    [scale, 0, 0, 0, scale, 0, 0, 0, 1],
    [1, 0, -center[0], 0, 1, -center[1], 0, 0, 1],
  ];
  const [first, ...rest] = steps.map((values): Float32Array => Float32Array.from(values));
  const product = rest.reduce(matmul3, first);
  return { data: product, shape: [3, 3] };
}

function matmul3(a: Float32Array, b: Float32Array): Float32Array {
  const out = new Float32Array(9);
  for (let i = 0; i < 3; i++) {
    for (let j = 0; j < 3; j++) out[i * 3 + j] = a[i * 3] * b[j] + a[i * 3 + 1] * b[3 + j] + a[i * 3 + 2] * b[6 + j];
  }
  return out;
}

/**
 * `cv2.transform` of points by an affine matrix; float32 points are computed in float32, as OpenCV does.
 *
 * @param points - [..., D] with D >= 2; columns beyond x and y are kept
 */
export function transformPoints<T extends FloatArray>(points: NdArray<T>, matrix: ArrayLike<number>): NdArray<T> {
  const { data, shape } = points;
  const step = shape[shape.length - 1];
  const round = roundingOf(data);
  const m = Float64Array.from(matrix, round);
  const out = data.slice() as T;
  for (let i = 0; i < data.length; i += step) {
    const x = data[i];
    const y = data[i + 1];
    out[i] = round(round(m[0] * x) + round(m[1] * y)) + m[2];
    out[i + 1] = round(round(m[3] * x) + round(m[4] * y)) + m[5];
  }
  return { data: out, shape };
}
