/** OpenCV's COLORMAP_JET as bytes, and the min-max scaling that MMEngine puts before it. */
import type { NdArray } from '../ndarray.js';

/** RGB of jet for one byte; equal to OpenCV's table. */
export function jet(value: number): [r: number, g: number, b: number] {
  const r = Math.min(4 * (value - 96) + 2, 128 + 4 * (255 - value));
  const g = Math.min(4 * (value - 32), 4 * (223 - value));
  // OpenCV's float table rounds this one entry down.
  const b = value === 159 ? 1 : Math.min(128 + 4 * value, 254 - 4 * (value - 96));
  return [clampByte(r), clampByte(g), clampByte(b)];
}

/** [256 * 3] RGB. */
export function jetTable(): Uint8Array {
  const table = new Uint8Array(256 * 3);
  for (let value = 0; value < 256; value++) table.set(jet(value), 3 * value);
  return table;
}

function clampByte(value: number): number {
  return Math.max(0, Math.min(255, value));
}

/**
 * Colours of a stack of heatmaps at picture size (`_draw_instance_heatmap` and MMEngine's `draw_featmap`): the maximum over the
 * keypoints, resized bilinearly (half-pixel centres), stretched to 0..255 and mapped with jet.
 *
 * @param heatmaps - [K, h, w]
 * @returns [height * width * 3] RGB
 */
export function heatmapColors(heatmaps: NdArray, width: number, height: number): Uint8Array {
  const [, h, w] = heatmaps.shape;
  const scaled = resizeBilinear(maxOverFirst(heatmaps), w, h, width, height);
  return applyJet(normalizeMinMax(scaled));
}

/** Element-wise maximum over the first axis: [K, h, w] to [h * w]. NaN wins, as in PyTorch. */
export function maxOverFirst(maps: NdArray): Float32Array {
  const [count, h, w] = maps.shape;
  const out = maps.data.slice(0, h * w);
  for (let k = 1; k < count; k++) {
    const offset = k * h * w;
    for (let i = 0; i < out.length; i++) {
      const value = maps.data[offset + i];
      if (value > out[i] || value !== value) out[i] = value;
    }
  }
  return out;
}

/** `cv2.normalize(map, 0, 255, NORM_MINMAX)` in float32, cut to bytes. */
export function normalizeMinMax(map: Float32Array): Uint8Array {
  let min = Infinity;
  let max = -Infinity;
  for (const value of map) {
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const scale = Math.fround(255 * (max - min > Number.EPSILON ? 1 / (max - min) : 0));
  const shift = Math.fround(0 - Math.fround(min * scale));
  const out = new Uint8Array(map.length);
  for (let i = 0; i < map.length; i++) out[i] = Math.fround(map[i] * scale + shift);
  return out;
}

/** Bytes to RGB through jet. */
export function applyJet(values: Uint8Array): Uint8Array {
  const table = jetTable();
  const out = new Uint8Array(values.length * 3);
  for (let i = 0; i < values.length; i++) {
    const at = 3 * values[i];
    out[3 * i] = table[at];
    out[3 * i + 1] = table[at + 1];
    out[3 * i + 2] = table[at + 2];
  }
  return out;
}

/** PyTorch's `interpolate(mode='bilinear', align_corners=False)` in float32: [h * w] to [height * width]. */
export function resizeBilinear(src: Float32Array, w: number, h: number, width: number, height: number): Float32Array {
  if (w === width && h === height) return src;
  const xs = axisTaps(w, width);
  const ys = axisTaps(h, height);
  const f = Math.fround;
  const out = new Float32Array(width * height);
  for (let y = 0; y < height; y++) {
    const row0 = ys.low[y] * w;
    const row1 = ys.high[y] * w;
    const wy1 = ys.weight[y];
    const wy0 = f(1 - wy1);
    for (let x = 0; x < width; x++) {
      const wx1 = xs.weight[x];
      const wx0 = f(1 - wx1);
      const a = xs.low[x];
      const b = xs.high[x];
      const top = f(f(wx0 * src[row0 + a]) + f(wx1 * src[row0 + b]));
      const bottom = f(f(wx0 * src[row1 + a]) + f(wx1 * src[row1 + b]));
      out[y * width + x] = f(f(wy0 * top) + f(wy1 * bottom));
    }
  }
  return out;
}

/** Lower and upper neighbour and the upper one's weight, for every output position of one axis. */
function axisTaps(from: number, to: number): { low: Int32Array; high: Int32Array; weight: Float32Array } {
  const taps = { low: new Int32Array(to), high: new Int32Array(to), weight: new Float32Array(to) };
  const scale = Math.fround(from / to);
  for (let i = 0; i < to; i++) {
    const at = Math.max(0, Math.fround(Math.fround(scale * (i + 0.5)) - 0.5));
    const low = Math.min(Math.trunc(at), from - 1);
    taps.low[i] = low;
    taps.high[i] = Math.min(low + 1, from - 1);
    taps.weight[i] = Math.fround(at - low);
  }
  return taps;
}
