/**
 * `cv2.warpAffine` on 8-bit pictures with bilinear interpolation and a constant border, in OpenCV's integer arithmetic. The
 * rounding is part of what MMPose's networks saw, so a crop by a mathematically better sampler would move their keypoints.
 */
import { InputError } from '../../errors.js';
import { roundToInt32, warpAffineTerms, type WarpTerms } from '../../structures/warp_maps.js';

export { warpAffineMaps, warpAffineTerms, type WarpTerms } from '../../structures/warp_maps.js';

/** A picture in memory, row by row. Of RGBA the alpha is ignored. */
export interface PixelImage<T = Uint8Array | Uint8ClampedArray> {
  readonly data: T;
  /** px */
  readonly width: number;
  /** px */
  readonly height: number;
  readonly channels: 1 | 3 | 4;
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
      } else if (sx < -1 || sy < -1 || sx > lastX || sy > lastY) {
        out[o] = border[0];
        out[o + 1] = border[1];
        out[o + 2] = border[2];
      } else {
        out[o] = sampleAtBorder(src, sx, sy, fx, fy, 0, border[0]);
        out[o + 1] = sampleAtBorder(src, sx, sy, fx, fy, 1, border[1]);
        out[o + 2] = sampleAtBorder(src, sx, sy, fx, fy, 2, border[2]);
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

/** One channel of a pixel of which some neighbours may lie outside. */
function sampleAtBorder(
  src: PixelImage,
  sx: number,
  sy: number,
  fx: number,
  fy: number,
  channel: number,
  border: number,
): number {
  const top = valueAt(src, sx, sy, channel, border) * (32 - fx) + valueAt(src, sx + 1, sy, channel, border) * fx;
  const bottom =
    valueAt(src, sx, sy + 1, channel, border) * (32 - fx) + valueAt(src, sx + 1, sy + 1, channel, border) * fx;
  return (top * (32 - fy) + bottom * fy + 512) >> 10;
}

function valueAt(src: PixelImage, x: number, y: number, channel: number, border: number): number {
  const inside = x >= 0 && x < src.width && y >= 0 && y < src.height;
  return inside ? src.data[(y * src.width + x) * src.channels + channel] : border;
}

/**
 * `cv2.warpPerspective` on 8-bit pictures: positions per pixel in 1/32 px, the weights of `warpAffine`.
 *
 * @param matrix - 3x3, source to output px
 * @param outputSize - [w, h] px
 * @returns [h, w, 3] flat, or [h, w] for one channel
 */
export function warpPerspective(
  src: PixelImage,
  matrix: ArrayLike<number>,
  [w, h]: readonly [w: number, h: number],
  { borderValue = [0, 0, 0] }: Pick<WarpAffineOptions, 'borderValue'> = {},
): Uint8Array {
  checkImage(src);
  const m = invert3x3(matrix);
  const channels = src.channels === 1 ? 1 : 3;
  const out = new Uint8Array(w * h * channels);
  let o = 0;
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      const depth = m[6] * x + m[7] * y + m[8];
      const scale = depth === 0 ? 0 : 32 / depth;
      const fixedX = roundToInt32((m[0] * x + m[1] * y + m[2]) * scale);
      const fixedY = roundToInt32((m[3] * x + m[4] * y + m[5]) * scale);
      for (let c = 0; c < channels; c++, o++) {
        out[o] = sampleAtBorder(src, fixedX >> 5, fixedY >> 5, fixedX & 31, fixedY & 31, c, borderValue[c]);
      }
    }
  }
  return out;
}

function invert3x3(m: ArrayLike<number>): Float64Array {
  const out = Float64Array.of(
    m[4] * m[8] - m[5] * m[7],
    m[2] * m[7] - m[1] * m[8],
    m[1] * m[5] - m[2] * m[4],
    m[5] * m[6] - m[3] * m[8],
    m[0] * m[8] - m[2] * m[6],
    m[2] * m[3] - m[0] * m[5],
    m[3] * m[7] - m[4] * m[6],
    m[1] * m[6] - m[0] * m[7],
    m[0] * m[4] - m[1] * m[3],
  );
  const d = m[0] * out[0] + m[1] * out[3] + m[2] * out[6];
  return out.map((v) => (d === 0 ? 0 : v / d));
}
