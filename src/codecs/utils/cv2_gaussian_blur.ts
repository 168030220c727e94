/**
 * `cv2.GaussianBlur` on float32 planes with `sigma = 0`, the only form MMPose uses: OpenCV's kernels, its reflect-101 border, and
 * the zero padding that `gaussian_blur` puts around a map before it calls OpenCV.
 *
 * Equal to OpenCV 4.6 on x86-64 with AVX2 to the last bit, since DARK amplifies such bits on flat maps: float32 sums in OpenCV's order,
 * each product added without rounding (fused multiply-add). A float64 product of two float32 is exact, so `fround(a * b + c)` is that.
 */
import { InputError } from '../../errors.js';

/** What lies outside the plane. `zero`: the zero frame of MMPose's `gaussian_blur`; `reflect101`: OpenCV's default. */
export type BlurBorder = 'zero' | 'reflect101';

/** OpenCV's fixed kernels for small odd sizes and sigma 0, right half from the centre, in 1/256. */
const SMALL_KERNELS: Readonly<Record<number, readonly number[]>> = {
  1: [256],
  3: [128, 64],
  5: [96, 64, 16],
  7: [72, 56, 28, 8],
  9: [60, 51, 30, 13, 4],
};

const f32 = Math.fround;

const halfKernels = new Map<number, Float64Array>();

/**
 * Right half of OpenCV's Gaussian kernel, centre first: `(size + 1) / 2` weights, each rounded to float32 as OpenCV stores them.
 *
 * @param size - odd
 * @throws InputError for an even or non-positive size
 */
export function halfGaussianKernel(size: number): Float64Array {
  let half = halfKernels.get(size);
  if (!half) {
    half = makeHalfKernel(size);
    halfKernels.set(size, half);
  }
  return half;
}

function makeHalfKernel(size: number): Float64Array {
  if (!Number.isInteger(size) || size < 1 || size % 2 === 0) {
    throw new InputError(`Gaussian blur: found kernel size ${size}; expected a positive odd integer.`);
  }
  const radius = (size - 1) / 2;
  const fixed = SMALL_KERNELS[size];
  if (fixed) return Float64Array.from(fixed, (weight) => weight / 256);
  const sigma = 0.3 * ((size - 1) * 0.5 - 1) + 0.8;
  const half = Float64Array.from({ length: radius + 1 }, (_, i) => Math.exp((-0.5 * i * i) / (sigma * sigma)));
  let sum = half[0];
  for (let i = 1; i <= radius; i++) sum += 2 * half[i];
  return half.map((weight) => Math.fround(weight / sum));
}

/** Grow-only buffers shared by all calls; every call is synchronous and leaves nothing behind in them. */
let line = new Float64Array(0);
let rows = new Float32Array(0);

function reserve(lineLength: number, rowsLength: number): void {
  if (line.length < lineLength) line = new Float64Array(lineLength);
  if (rows.length < rowsLength) rows = new Float32Array(rowsLength);
}

/**
 * Blurs one plane of `width` x `height` floats that starts at `offset` of `data`, in place.
 *
 * @param half - from `halfGaussianKernel`
 */
export function blurPlane(
  data: Float32Array,
  offset: number,
  width: number,
  height: number,
  half: Float64Array,
  border: BlurBorder,
): void {
  const radius = half.length - 1;
  reserve(width + 2 * radius, width * (height + 2 * radius));
  for (let y = 0; y < height; y++) {
    loadLine(data, offset + y * width, width, radius, border);
    filterRow(half, width, rows, (y + radius) * width);
  }
  for (let i = 1; i <= radius; i++) {
    fillBorderRow(-i, width, height, radius, border);
    fillBorderRow(height - 1 + i, width, height, radius, border);
  }
  filterColumns(half, width, height, data, offset);
}

/** Makes row `y`, above or below the plane, of the row pass's result. */
function fillBorderRow(y: number, width: number, height: number, radius: number, border: BlurBorder): void {
  const to = (y + radius) * width;
  const from = (reflect101(y, height) + radius) * width;
  if (border === 'zero') rows.fill(0, to, to + width);
  else rows.copyWithin(to, from, from + width);
}

/** Blurs one line of `length` floats that starts at `offset` of `data`, in place. */
export function blurLine(
  data: Float32Array,
  offset: number,
  length: number,
  half: Float64Array,
  border: BlurBorder,
): void {
  const radius = half.length - 1;
  reserve(length + 2 * radius, 0);
  loadLine(data, offset, length, radius, border);
  filterRow(half, length, data, offset);
}

/** Copies one row into `line` with `radius` border values on either side. */
function loadLine(data: Float32Array, offset: number, length: number, radius: number, border: BlurBorder): void {
  const buffer = line;
  for (let i = 0; i < length; i++) buffer[radius + i] = data[offset + i];
  if (border === 'zero') {
    for (let i = 0; i < radius; i++) buffer[i] = buffer[radius + length + i] = 0;
    return;
  }
  for (let i = 1; i <= radius; i++) {
    buffer[radius - i] = data[offset + reflect101(-i, length)];
    buffer[radius + length - 1 + i] = data[offset + reflect101(length - 1 + i, length)];
  }
}

/** Index inside [0, length) that OpenCV's BORDER_REFLECT_101 reads for `index`; reflects repeatedly on short lines. */
function reflect101(index: number, length: number): number {
  if (length === 1) return 0;
  let i = index;
  while (i < 0 || i >= length) i = i < 0 ? -i : 2 * length - 2 - i;
  return i;
}

/** Convolves `line` along a row; output i goes to `out[offset + i]`. OpenCV runs over the taps from left to right... */
function filterRow(half: Float64Array, length: number, out: Float32Array, offset: number): void {
  const radius = half.length - 1;
  if (radius <= 2) return filterSmallRow(half, length, out, offset);
  const buffer = line;
  for (let i = 0; i < length; i++) {
    let sum = 0;
    for (let j = 0; j <= radius; j++) sum = f32(half[radius - j] * buffer[i + j] + sum);
    for (let j = 1; j <= radius; j++) sum = f32(half[j] * buffer[i + radius + j] + sum);
    out[offset + i] = sum;
  }
}

/** ... but adds mirrored taps first for kernels up to 5, from the outside in. */
function filterSmallRow(half: Float64Array, length: number, out: Float32Array, offset: number): void {
  const radius = half.length - 1;
  const buffer = line;
  if (radius === 1) {
    const [h0, h1] = half;
    for (let i = 0; i < length; i++) out[offset + i] = h0 * buffer[i + 1] + f32(h1 * f32(buffer[i] + buffer[i + 2]));
    return;
  }
  for (let i = 0; i < length; i++) {
    const centre = i + radius;
    let sum = 0;
    for (let j = radius; j >= 1; j--) sum = f32(half[j] * f32(buffer[centre - j] + buffer[centre + j]) + sum);
    out[offset + i] = half[0] * buffer[centre] + sum;
  }
}

/** Convolves `rows` down its columns into the plane: mirrored taps are added first, from the inside out. */
function filterColumns(half: Float64Array, width: number, height: number, out: Float32Array, offset: number): void {
  const radius = half.length - 1;
  const values = rows;
  const size = width * height;
  if (radius === 1) {
    const [h0, h1] = half;
    for (let i = 0; i < size; i++) {
      out[offset + i] = h1 * f32(values[i] + values[i + 2 * width]) + f32(h0 * values[i + width]);
    }
    return;
  }
  for (let i = 0; i < size; i++) {
    const centre = i + radius * width;
    let sum = f32(half[0] * values[centre]);
    for (let j = 1, step = width; j <= radius; j++, step += width) {
      sum = f32(half[j] * f32(values[centre - step] + values[centre + step]) + sum);
    }
    out[offset + i] = sum;
  }
}
