/**
 * `cv2.resize` on 8-bit pictures with bilinear interpolation, in OpenCV's integer arithmetic: weights of 11 bits, two roundings. Half
 * the size in both directions is the mean of four pixels, as OpenCV has it. Detectors see a picture only through this.
 */
import { InputError } from '../../errors.js';
import { roundToInt32 } from '../../structures/warp_maps.js';
import type { PixelImage } from './warp_affine.js';

const WEIGHT_ONE = 2048;

/** Where an output pixel comes from on one axis. */
interface ResizeTerms {
  /** The nearer-to-zero source; may lie one outside. */
  readonly source: Int32Array;
  /** Weights of that source and the next, of 2048. */
  readonly weights: Int32Array;
}

/**
 * Resizes a picture of 3 or 4 channels; of RGBA the alpha is dropped.
 *
 * @param size - [w, h] px
 * @returns [h, w, 3] flat
 * @throws InputError when data and size do not fit together, or there are no pixels
 */
export function resizeBilinear(image: PixelImage, [w, h]: readonly [w: number, h: number]): Uint8Array {
  const { data, width, height, channels } = image;
  if (data.length !== width * height * channels || channels < 3 || !(w > 0 && h > 0 && width > 0 && height > 0)) {
    throw new InputError(
      `resizeBilinear: found ${data.length} values for ${width} x ${height} px with ${channels} channels, to ${w} x ${h}; expected RGB or RGBA.`,
    );
  }
  const out = new Uint8Array(w * h * 3);
  if (width === w && height === h) copyColours(data, channels, out);
  else if (width === 2 * w && height === 2 * h) halve(image, w, h, out);
  else interpolate(image, columnTerms(width, w), rowTerms(height, h), out);
  return out;
}

function copyColours(data: PixelImage['data'], channels: number, out: Uint8Array): void {
  for (let from = 0, to = 0; to < out.length; from += channels, to += 3) {
    out[to] = data[from];
    out[to + 1] = data[from + 1];
    out[to + 2] = data[from + 2];
  }
}

function halve({ data, width, channels }: PixelImage, w: number, h: number, out: Uint8Array): void {
  const [right, down] = [channels, width * channels];
  for (let y = 0, to = 0; y < h; y++) {
    for (let x = 0, from = 2 * y * down; x < w; x++, from += 2 * channels, to += 3) {
      for (let c = 0; c < 3; c++) {
        const p = from + c;
        out[to + c] = (data[p] + data[p + right] + data[p + down] + data[p + down + right] + 2) >> 2;
      }
    }
  }
}

/** Centre of an output pixel in the source, its pixel there and what remains, as OpenCV rounds: to float32 once. */
function place(position: number, from: number, to: number): [source: number, fraction: number] {
  const at = Math.fround((position + 0.5) * (1 / (to / from)) - 0.5);
  const source = Math.floor(at);
  return [source, Math.fround(at - source)];
}

function setWeights(weights: Int32Array, i: number, fraction: number): void {
  weights[2 * i] = roundToInt32(Math.fround(1 - fraction) * WEIGHT_ONE);
  weights[2 * i + 1] = roundToInt32(fraction * WEIGHT_ONE);
}

/** Columns at the borders take one pixel whole. */
function columnTerms(from: number, to: number): ResizeTerms {
  const terms = { source: new Int32Array(to), weights: new Int32Array(2 * to) };
  for (let i = 0; i < to; i++) {
    const [source, fraction] = place(i, from, to);
    const inside = source >= 0 && source < from - 1;
    terms.source[i] = Math.min(Math.max(source, 0), from - 1);
    setWeights(terms.weights, i, inside ? fraction : 0);
  }
  return terms;
}

/** Rows at the borders weigh the same row twice, which rounds differently. */
function rowTerms(from: number, to: number): ResizeTerms {
  const terms = { source: new Int32Array(to), weights: new Int32Array(2 * to) };
  for (let i = 0; i < to; i++) {
    const [source, fraction] = place(i, from, to);
    terms.source[i] = source;
    setWeights(terms.weights, i, fraction);
  }
  return terms;
}

function interpolate(image: PixelImage, columns: ResizeTerms, rows: ResizeTerms, out: Uint8Array): void {
  const { height } = image;
  const w = columns.source.length;
  const clamped = (y: number) => Math.min(Math.max(y, 0), height - 1);
  // Neighbouring output rows share source rows.
  let [upper, lower] = [new Int32Array(3 * w), new Int32Array(3 * w)];
  let [inUpper, inLower] = [-1, -1];
  let to = 0;
  for (let y = 0; y < rows.source.length; y++) {
    const [top, bottom] = [clamped(rows.source[y]), clamped(rows.source[y] + 1)];
    if (top === inLower) [upper, lower, inUpper, inLower] = [lower, upper, inLower, inUpper];
    if (top !== inUpper) resizeRow(image, top, columns, upper);
    if (bottom !== inLower) resizeRow(image, bottom, columns, lower);
    [inUpper, inLower] = [top, bottom];
    const [b0, b1] = [rows.weights[2 * y], rows.weights[2 * y + 1]];
    for (let i = 0; i < 3 * w; i++, to++) {
      out[to] = (((b0 * (upper[i] >> 4)) >> 16) + ((b1 * (lower[i] >> 4)) >> 16) + 2) >> 2;
    }
  }
}

function resizeRow({ data, width, channels }: PixelImage, y: number, columns: ResizeTerms, row: Int32Array): void {
  const { source, weights } = columns;
  const start = y * width * channels;
  for (let x = 0, to = 0; x < source.length; x++, to += 3) {
    const p = start + source[x] * channels;
    const next = source[x] < width - 1 ? p + channels : p;
    const [a0, a1] = [weights[2 * x], weights[2 * x + 1]];
    row[to] = data[p] * a0 + data[next] * a1;
    row[to + 1] = data[p + 1] * a0 + data[next + 1] * a1;
    row[to + 2] = data[p + 2] * a0 + data[next + 2] * a1;
  }
}
