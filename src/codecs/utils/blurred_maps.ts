/**
 * What `gaussianBlur` would leave at single pixels, without blurring whole maps: DARK reads a dozen pixels of each map. The one
 * global number, the maximum of the blurred map, is found from bounds and then computed exactly. Same bits as `gaussianBlur`.
 */
import type { NdArray } from '../../ndarray.js';
import { blurPlane, halfGaussianKernel } from './cv2_gaussian_blur.js';
import { argmax } from './post_processing.js';

const f32 = Math.fround;

/** Side of the blocks whose maxima bound the blurred values, px. */
const BLOCK = 8;

/** Float32 sums in another order differ by less than this part of the largest value. */
const ROUNDING = 4e-6;

/** With more pixels than this within rounding of the maximum (a plateau), blurring the whole map is cheaper. */
const MAX_EXACT_PIXELS = 64;

/** Pixels x0 <= x < x1, y0 <= y < y1. */
interface Rect {
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

/** Grow-only buffers shared by all calls; every call is synchronous and leaves nothing behind in them. */
let column = new Float64Array(0);
let line = new Float64Array(0);
let rows = new Float64Array(0);
let blocks = new Float32Array(0);

export class BlurredMaps {
  readonly #data: Float32Array;
  readonly #width: number;
  readonly #height: number;
  readonly #half: Float64Array;
  /** Per map: old maximum over the maximum after the blur; undefined until asked for. */
  readonly #ratios: (number | undefined)[] = [];

  /**
   * @param heatmaps - [K, H, W], read only
   * @param kernel - odd kernel size
   */
  constructor(heatmaps: NdArray, kernel: number) {
    this.#data = heatmaps.data;
    [this.#height, this.#width] = heatmaps.shape.slice(1);
    this.#half = halfGaussianKernel(kernel);
  }

  /** Value of map `k` at pixel (x, y), which lies inside, after blur and rescaling. */
  at(k: number, y: number, x: number): number {
    const ratio = (this.#ratios[k] ??= this.#ratio(k));
    return f32(this.#blurredAt(k, y, x) * ratio);
  }

  #ratio(k: number): number {
    const start = k * this.#width * this.#height;
    const end = start + this.#width * this.#height;
    const peak = argmax(this.#data, start, end);
    const top = this.#data[start + peak];
    if (top !== top) return NaN;
    const y = Math.floor(peak / this.#width);
    return f32(top / this.#blurredMaximum(k, this.#blurredAt(k, y, peak % this.#width)));
  }

  /** One pixel by both passes, in OpenCV's order of summation (see `cv2_gaussian_blur.ts`). */
  #blurredAt(k: number, y: number, x: number): number {
    const half = this.#half;
    const radius = half.length - 1;
    if (column.length < half.length * 2) column = new Float64Array(half.length * 2);
    for (let j = -radius; j <= radius; j++) {
      const inside = y + j >= 0 && y + j < this.#height;
      column[radius + j] = inside ? this.#rowAt((k * this.#height + y + j) * this.#width, x) : 0;
    }
    let sum = f32(half[0] * column[radius]);
    for (let j = 1; j <= radius; j++) sum = f32(half[j] * f32(column[radius - j] + column[radius + j]) + sum);
    return sum;
  }

  /** Row pass at one pixel of the row that starts at `start`. */
  #rowAt(start: number, x: number): number {
    const half = this.#half;
    const radius = half.length - 1;
    const data = this.#data;
    const width = this.#width;
    let sum = 0;
    if (radius <= 2) {
      for (let j = radius; j >= 1; j--) {
        const left = x - j >= 0 ? data[start + x - j] : 0;
        const right = x + j < width ? data[start + x + j] : 0;
        sum = f32(half[j] * f32(left + right) + sum);
      }
      return f32(half[0] * data[start + x] + sum);
    }
    const to = Math.min(width - 1, x + radius);
    for (let i = Math.max(0, x - radius); i <= to; i++) sum = f32(half[i < x ? x - i : i - x] * data[start + i] + sum);
    return sum;
  }

  /** Exact maximum of the blurred map; `known` is one of its values. */
  #blurredMaximum(k: number, known: number): number {
    const largest = this.#fillBlocks(k);
    const margin = ROUNDING * largest;
    const rect = this.#candidates(known - margin);
    const found = this.#approximate(k, rect);
    const pixels: number[] = [];
    const threshold = found - 2 * margin;
    for (let i = 0, n = (rect.x1 - rect.x0) * (rect.y1 - rect.y0); i < n; i++) {
      if (!(rows[i] < threshold) && pixels.push(i) > MAX_EXACT_PIXELS) return this.#denseMaximum(k);
    }
    const width = rect.x1 - rect.x0;
    let max = known;
    for (const i of pixels) {
      max = Math.max(max, this.#blurredAt(k, rect.y0 + Math.floor(i / width), rect.x0 + (i % width)));
    }
    return max;
  }

  #denseMaximum(k: number): number {
    const size = this.#width * this.#height;
    const map = this.#data.slice(k * size, (k + 1) * size);
    blurPlane(map, 0, this.#width, this.#height, this.#half, 'zero');
    return map[argmax(map, 0, size)];
  }

  /** Writes each block's maximum (at least 0, as outside the map) to `blocks`; returns the largest magnitude in the map. */
  #fillBlocks(k: number): number {
    const across = Math.ceil(this.#width / BLOCK);
    const down = Math.ceil(this.#height / BLOCK);
    if (blocks.length < across * down) blocks = new Float32Array(across * down);
    blocks.fill(0, 0, across * down);
    const [data, maxima, width] = [this.#data, blocks, this.#width];
    let [largest, lowest] = [0, 0];
    for (let y = 0, at = k * width * this.#height; y < this.#height; y++) {
      const row = (y >> 3) * across;
      for (let x = 0; x < width; x++, at++) {
        const value = data[at];
        if (value > maxima[row + (x >> 3)]) maxima[row + (x >> 3)] = value;
        if (value < lowest) lowest = value;
      }
    }
    for (let i = 0; i < across * down; i++) if (maxima[i] > largest) largest = maxima[i];
    return Math.max(largest, -lowest);
  }

  /** Rectangle around the blocks in whose reach some value is at least `bound`: only there can a blurred value be. */
  #candidates(bound: number): Rect {
    const reach = Math.ceil((this.#half.length - 1) / BLOCK);
    const across = Math.ceil(this.#width / BLOCK);
    const down = Math.ceil(this.#height / BLOCK);
    const rect: Rect = { x0: this.#width, x1: 0, y0: this.#height, y1: 0 };
    for (let i = 0; i < across * down; i++) {
      if (blocks[i] < bound) continue;
      const [x, y] = [i % across, Math.floor(i / across)];
      rect.x0 = Math.min(rect.x0, Math.max(0, x - reach) * BLOCK);
      rect.x1 = Math.max(rect.x1, Math.min(this.#width, (x + reach + 1) * BLOCK));
      rect.y0 = Math.min(rect.y0, Math.max(0, y - reach) * BLOCK);
      rect.y1 = Math.max(rect.y1, Math.min(this.#height, (y + reach + 1) * BLOCK));
    }
    return rect;
  }

  /** Blurs the rectangle in float64 into `rows`, row-major; returns the maximum. */
  #approximate(k: number, rect: Rect): number {
    const radius = this.#half.length - 1;
    const width = rect.x1 - rect.x0;
    const height = rect.y1 - rect.y0;
    const tall = height + 2 * radius;
    if (line.length < width + 2 * radius) line = new Float64Array(width + 2 * radius);
    if (rows.length < width * tall) rows = new Float64Array(width * tall);
    for (let i = 0; i < tall; i++) {
      const y = rect.y0 - radius + i;
      if (y < 0 || y >= this.#height) rows.fill(0, i * width, (i + 1) * width);
      else this.#approximateRow((k * this.#height + y) * this.#width, rect, i * width);
    }
    return sumColumns(this.#half, width, height);
  }

  #approximateRow(start: number, rect: Rect, to: number): void {
    const half = this.#half;
    const radius = half.length - 1;
    const length = rect.x1 - rect.x0 + 2 * radius;
    const data = this.#data;
    const width = this.#width;
    const [buffer, out] = [line, rows];
    for (let i = 0; i < length; i++) {
      const x = rect.x0 - radius + i;
      buffer[i] = x >= 0 && x < width ? data[start + x] : 0;
    }
    if (radius === 5) return sumRowOf11(half, buffer, length - 10, out, to);
    for (let i = 0; i < length - 2 * radius; i++) {
      const centre = i + radius;
      let sum = half[0] * buffer[centre];
      for (let j = 1; j <= radius; j++) sum += half[j] * (buffer[centre - j] + buffer[centre + j]);
      out[to + i] = sum;
    }
  }
}

/** Row pass for the usual kernel size, 11, written out: half the time of the loop. */
function sumRowOf11(half: Float64Array, from: Float64Array, length: number, out: Float64Array, to: number): void {
  const [h0, h1, h2, h3, h4, h5] = half;
  for (let i = 0; i < length; i++) {
    out[to + i] =
      h0 * from[i + 5] +
      h1 * (from[i + 4] + from[i + 6]) +
      h2 * (from[i + 3] + from[i + 7]) +
      h3 * (from[i + 2] + from[i + 8]) +
      h4 * (from[i + 1] + from[i + 9]) +
      h5 * (from[i] + from[i + 10]);
  }
}

/** Column pass for kernel size 11, as `sumColumns`. */
function sumColumnsOf11(half: Float64Array, width: number, height: number): number {
  const [h0, h1, h2, h3, h4, h5] = half;
  const values = rows;
  const w = width;
  const size = width * height;
  let max = -Infinity;
  for (let i = 0; i < size; i++) {
    const sum =
      h0 * values[i + 5 * w] +
      h1 * (values[i + 4 * w] + values[i + 6 * w]) +
      h2 * (values[i + 3 * w] + values[i + 7 * w]) +
      h3 * (values[i + 2 * w] + values[i + 8 * w]) +
      h4 * (values[i + w] + values[i + 9 * w]) +
      h5 * (values[i] + values[i + 10 * w]);
    values[i] = sum;
    if (sum > max) max = sum;
  }
  return max;
}

/** Column pass of `rows` onto itself (row i is last read for row i, before it is overwritten); returns the maximum. */
function sumColumns(half: Float64Array, width: number, height: number): number {
  const radius = half.length - 1;
  if (radius === 5) return sumColumnsOf11(half, width, height);
  const values = rows;
  const size = width * height;
  let max = -Infinity;
  for (let i = 0; i < size; i++) {
    const centre = i + radius * width;
    let sum = half[0] * values[centre];
    for (let j = 1, step = width; j <= radius; j++, step += width) {
      sum += half[j] * (values[centre - step] + values[centre + step]);
    }
    values[i] = sum;
    if (sum > max) max = sum;
  }
  return max;
}
