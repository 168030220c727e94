/**
 * The determinants that DARK and UDP refinement invert, for model cases, which do not store them: computed from the decoded
 * heatmaps, to know where coordinates can be compared. Checked against the stored `hessian_det` of the codec cases.
 */
import type { ConfigDict } from '../../src/config.js';
import { gaussianBlur, getHeatmapMaximum } from '../../src/codecs/utils/post_processing.js';
import type { NdArray } from '../../src/ndarray.js';

/** Determinant per keypoint, NaN where nothing is refined; null for a codec without such refinement. */
export function hessianDet(decoder: ConfigDict, heatmaps: NdArray): Float64Array | null {
  const kernel = (decoder.blur_kernel_size as number | undefined) ?? 11;
  if (decoder.type === 'MSRAHeatmap' && decoder.unbiased) return detOfDark(heatmaps, kernel);
  if (decoder.type === 'UDPHeatmap' && (decoder.heatmap_type ?? 'gaussian') === 'gaussian') {
    return detOfUdp(heatmaps, kernel);
  }
  return null;
}

function blurredLog(heatmaps: NdArray, kernel: number, low: number, high: number): Float32Array {
  const blurred = gaussianBlur({ data: heatmaps.data.slice(), shape: heatmaps.shape }, kernel);
  return blurred.data.map((v) => Math.log(Math.min(Math.max(v, low), high)));
}

function detOfDark(heatmaps: NdArray, kernel: number): Float64Array {
  const [count, h, w] = heatmaps.shape;
  const { locs } = getHeatmapMaximum(heatmaps);
  const log = blurredLog(heatmaps, kernel, 1e-10, Infinity);
  return Float64Array.from({ length: count }, (_, k) => {
    const [x, y] = [locs.data[2 * k], locs.data[2 * k + 1]];
    if (!(x > 1 && x < w - 2 && y > 1 && y < h - 2)) return NaN;
    const at = (dy: number, dx: number) => log[(k * h + y + dy) * w + x + dx];
    const dxx = 0.25 * (at(0, 2) - 2 * at(0, 0) + at(0, -2));
    const dyy = 0.25 * (at(2, 0) - 2 * at(0, 0) + at(-2, 0));
    const dxy = 0.25 * (at(1, 1) - at(-1, 1) - at(1, -1) + at(-1, -1));
    return dxx * dyy - dxy * dxy;
  });
}

function detOfUdp(heatmaps: NdArray, kernel: number): Float64Array {
  const [count, h, w] = heatmaps.shape;
  const { locs } = getHeatmapMaximum(heatmaps);
  const padded = padEdges(blurredLog(heatmaps, kernel, 1e-3, 50), count, h, w);
  const stride = w + 2;
  return Float64Array.from({ length: count }, (_, k) => {
    // A point that was not found sits at (-1, -1): its neighbours are then another map's, or the array's end, as in NumPy.
    const index = locs.data[2 * k] + 1 + (locs.data[2 * k + 1] + 1) * stride + k * stride * (h + 2);
    const at = (dy: number, dx: number) => padded.at(index + dy * stride + dx)!;
    const dxx = at(0, 1) - 2 * at(0, 0) + at(0, -1);
    const dyy = at(1, 0) - 2 * at(0, 0) + at(-1, 0);
    const mixed = at(1, 1) - at(0, 1) - at(1, 0) + 2 * at(0, 0) - at(0, -1) - at(-1, 0) + at(-1, -1);
    const dxy = 0.5 * mixed;
    return dxx * dyy - dxy * dxy;
  });
}

/** Each map with its border repeated once around it. */
function padEdges(maps: Float32Array, count: number, h: number, w: number): Float32Array {
  const out = new Float32Array(count * (h + 2) * (w + 2));
  const clamp = (v: number, size: number) => Math.min(Math.max(v, 0), size - 1);
  for (let k = 0, to = 0; k < count; k++) {
    for (let y = -1; y <= h; y++) {
      for (let x = -1; x <= w; x++) out[to++] = maps[(k * h + clamp(y, h)) * w + clamp(x, w)];
    }
  }
  return out;
}
