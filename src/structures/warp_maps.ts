/**
 * The coordinates of `cv2.warpAffine` and its warp of float maps: positions in 1/1024 px rounded per row and per column,
 * fractions in 1/32 px. The terms are float64 work of w + h steps; what remains per pixel is int32 work that a shader can
 * repeat, so the terms are a function of their own.
 */
import type { NdArray } from '../ndarray.js';
import { invertAffine } from './bbox/transforms.js';

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
export function roundToInt32(value: number): number {
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
