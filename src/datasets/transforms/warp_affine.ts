/**
 * `cv2.warpAffine` with bilinear interpolation and a constant border, in OpenCV's integer arithmetic: coordinates in 1/1024 px
 * rounded per row and per column, fractions in 1/32 px, weights in 1/1024. The rounding is part of what MMPose's networks saw,
 * so a crop by a mathematically better sampler would move their keypoints.
 *
 * The terms are float64 work of w + h steps; the pixels are int32 work that a shader can repeat. `warpAffineTerms` is therefore
 * a function of its own.
 */
import { InputError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';
import { invertAffine } from '../../structures/bbox/transforms.js';

/** A picture in memory, row by row. Of RGBA the alpha is ignored. */
export interface PixelImage<T = Uint8Array | Uint8ClampedArray> {
  readonly data: T;
  /** px */
  readonly width: number;
  /** px */
  readonly height: number;
  readonly channels: 1 | 3 | 4;
}

/** Source coordinates of an output pixel (x, y) in 1/32 px: `(columnX[x] + rowX[y]) >> 5` and the same for Y. */
export interface WarpTerms {
  /** [w] 1/1024 px, source space */
  readonly columnX: Int32Array;
  /** [w] */
  readonly columnY: Int32Array;
  /** [h], rounding offset included */
  readonly rowX: Int32Array;
  /** [h] */
  readonly rowY: Int32Array;
}

const AB_SCALE = 1024;
/** Half of 1/32 px in 1/1024 px. */
const ROUND_DELTA = 16;

/** cvRound: to the nearest integer, halves to the even one; saturated to int32, NaN as x86 gives it. */
function roundToInt32(value: number): number {
  const floor = Math.floor(value);
  const diff = value - floor;
  const rounded = diff < 0.5 || (diff === 0.5 && floor % 2 === 0) ? floor : floor + 1;
  return rounded >= -2147483648 && rounded <= 2147483647 ? rounded : -2147483648;
}

/**
 * The fixed-point terms of a warp, for the CPU loops below and for the GPU's crop.
 *
 * @param matrix - 2x3, source to output px, as `getWarpMatrix` gives
 * @param outputSize - [w, h] px
 */
export function warpAffineTerms(matrix: ArrayLike<number>, [w, h]: readonly [w: number, h: number]): WarpTerms {
  const m = invertAffine(matrix);
  const terms = {
    columnX: new Int32Array(w),
    columnY: new Int32Array(w),
    rowX: new Int32Array(h),
    rowY: new Int32Array(h),
  };
  for (let x = 0; x < w; x++) {
    terms.columnX[x] = roundToInt32(m[0] * x * AB_SCALE);
    terms.columnY[x] = roundToInt32(m[3] * x * AB_SCALE);
  }
  for (let y = 0; y < h; y++) {
    terms.rowX[y] = roundToInt32((m[1] * y + m[2]) * AB_SCALE) + ROUND_DELTA;
    terms.rowY[y] = roundToInt32((m[4] * y + m[5]) * AB_SCALE) + ROUND_DELTA;
  }
  return terms;
}

export interface WarpAffineOptions {
  /** Value of pixels outside the source, one per output channel. @default [0, 0, 0] */
  borderValue?: readonly number[];
  /** Terms computed before, when several pictures are warped alike. */
  terms?: WarpTerms;
}

/**
 * Warps an 8-bit picture.
 *
 * @param src - 1, 3 or 4 channels; any order of colours
 * @param matrix - 2x3, source to output px
 * @param outputSize - [w, h] px
 * @returns [h, w, 3] flat, or [h, w] for one channel
 * @throws InputError when the picture's data and size do not fit together
 */
export function warpAffine(
  src: PixelImage,
  matrix: ArrayLike<number>,
  outputSize: readonly [w: number, h: number],
  { borderValue = [0, 0, 0], terms = warpAffineTerms(matrix, outputSize) }: WarpAffineOptions = {},
): Uint8Array {
  checkImage(src);
  const [w, h] = outputSize;
  if (src.channels === 1) {
    const out = new Uint8Array(w * h);
    warpPlane(src, terms, borderValue[0], out);
    return out;
  }
  const out = new Uint8Array(w * h * 3);
  warpColour(src, terms, borderValue, out);
  return out;
}

function checkImage({ data, width, height, channels }: PixelImage): void {
  if (data.length === width * height * channels) return;
  throw new InputError(
    `warpAffine: found ${data.length} bytes; expected ${width * height * channels} for ${width} x ${height} px with ` +
      `${channels} channels.`,
  );
}

/** (sum * 32 + 2^14) >> 15 of OpenCV's 15-bit weights is (sum + 512) >> 10 of these 10-bit ones. */
function warpColour(src: PixelImage, terms: WarpTerms, border: readonly number[], out: Uint8Array): void {
  const { data, width, height, channels } = src;
  const { columnX, columnY, rowX, rowY } = terms;
  const right = channels;
  const down = width * channels;
  const [lastX, lastY] = [width - 1, height - 1];
  let o = 0;
  for (let y = 0; y < rowX.length; y++) {
    const x0 = rowX[y];
    const y0 = rowY[y];
    for (let x = 0; x < columnX.length; x++, o += 3) {
      const fixedX = (x0 + columnX[x]) >> 5;
      const fixedY = (y0 + columnY[x]) >> 5;
      const sx = fixedX >> 5;
      const sy = fixedY >> 5;
      const fx = fixedX & 31;
      const fy = fixedY & 31;
      // The unsigned comparison also refuses negative positions.
      if (sx >>> 0 < lastX && sy >>> 0 < lastY) {
        const w11 = fx * fy;
        const w01 = (fx << 5) - w11;
        const w10 = (fy << 5) - w11;
        const w00 = 1024 - w01 - w10 - w11;
        const p = sy * down + sx * channels;
        const q = p + down;
        out[o] = (data[p] * w00 + data[p + right] * w01 + data[q] * w10 + data[q + right] * w11 + 512) >> 10;
        out[o + 1] =
          (data[p + 1] * w00 + data[p + right + 1] * w01 + data[q + 1] * w10 + data[q + right + 1] * w11 + 512) >> 10;
        out[o + 2] =
          (data[p + 2] * w00 + data[p + right + 2] * w01 + data[q + 2] * w10 + data[q + right + 2] * w11 + 512) >> 10;
      } else {
        for (let c = 0; c < 3; c++) out[o + c] = sampleAtBorder(src, sx, sy, fx, fy, c, border[c]);
      }
    }
  }
}

function warpPlane(src: PixelImage, terms: WarpTerms, border: number, out: Uint8Array): void {
  const { data, width, height } = src;
  const { columnX, columnY, rowX, rowY } = terms;
  let o = 0;
  for (let y = 0; y < rowX.length; y++) {
    for (let x = 0; x < columnX.length; x++, o++) {
      const fixedX = (rowX[y] + columnX[x]) >> 5;
      const fixedY = (rowY[y] + columnY[x]) >> 5;
      const sx = fixedX >> 5;
      const sy = fixedY >> 5;
      const fx = fixedX & 31;
      const fy = fixedY & 31;
      if (sx >>> 0 < width - 1 && sy >>> 0 < height - 1) {
        const p = sy * width + sx;
        const top = data[p] * (32 - fx) + data[p + 1] * fx;
        const bottom = data[p + width] * (32 - fx) + data[p + width + 1] * fx;
        out[o] = (top * (32 - fy) + bottom * fy + 512) >> 10;
      } else {
        out[o] = sampleAtBorder(src, sx, sy, fx, fy, 0, border);
      }
    }
  }
}

/** One channel of a pixel of which at least one of the four neighbours lies outside. */
function sampleAtBorder(
  { data, width, height, channels }: PixelImage,
  sx: number,
  sy: number,
  fx: number,
  fy: number,
  channel: number,
  border: number,
): number {
  const at = (x: number, y: number): number =>
    x >= 0 && x < width && y >= 0 && y < height ? data[(y * width + x) * channels + channel] : border;
  const top = at(sx, sy) * (32 - fx) + at(sx + 1, sy) * fx;
  const bottom = at(sx, sy + 1) * (32 - fx) + at(sx + 1, sy + 1) * fx;
  return (top * (32 - fy) + bottom * fy + 512) >> 10;
}

/**
 * Warps float32 maps: the same coordinates, weights in float32, zero outside.
 *
 * @param maps - [K, h, w] or [h, w], source space
 * @param matrix - 2x3, source to output px
 * @param outputSize - [w, h] px
 * @returns [K, outH, outW] or [outH, outW]
 */
export function warpAffineMaps(
  maps: NdArray,
  matrix: ArrayLike<number>,
  [w, h]: readonly [w: number, h: number],
): NdArray {
  const [mapH, mapW] = maps.shape.slice(-2);
  const lead = maps.shape.slice(0, -2);
  const count = lead.reduce((a, b) => a * b, 1);
  const out = new Float32Array(count * w * h);
  const terms = warpAffineTerms(matrix, [w, h]);
  for (let k = 0; k < count; k++) {
    const map = maps.data.subarray(k * mapH * mapW, (k + 1) * mapH * mapW);
    warpMap(map, mapW, mapH, terms, out.subarray(k * w * h, (k + 1) * w * h));
  }
  return { data: out, shape: [...lead, h, w] };
}

function warpMap(map: Float32Array, mapW: number, mapH: number, terms: WarpTerms, out: Float32Array): void {
  const { columnX, columnY, rowX, rowY } = terms;
  let o = 0;
  for (let y = 0; y < rowX.length; y++) {
    for (let x = 0; x < columnX.length; x++, o++) {
      const fixedX = (rowX[y] + columnX[x]) >> 5;
      const fixedY = (rowY[y] + columnY[x]) >> 5;
      const sx = fixedX >> 5;
      const sy = fixedY >> 5;
      if (sx < -1 || sy < -1 || sx >= mapW || sy >= mapH) continue;
      const fx = (fixedX & 31) / 32;
      const fy = (fixedY & 31) / 32;
      const inLeft = sx >= 0;
      const inRight = sx + 1 < mapW;
      const p = sy * mapW + sx;
      let value = 0;
      if (sy >= 0) value = (inLeft ? map[p] * (1 - fx) : 0) * (1 - fy) + (inRight ? map[p + 1] * fx : 0) * (1 - fy);
      if (sy + 1 < mapH) {
        value += (inLeft ? map[p + mapW] * (1 - fx) : 0) * fy + (inRight ? map[p + mapW + 1] * fx : 0) * fy;
      }
      out[o] = value;
    }
  }
}
