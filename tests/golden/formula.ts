/** The golden set's formula values: inputs, pictures and weights that are computed instead of stored (see the set's README). */
import { sizeOf, type NdArray } from '../../src/ndarray.js';

/** FNV-1a, 32 bit, over the UTF-8 bytes of `name`. */
export function fnv1a(name: string): number {
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

/** u in [0, 1) of the element at flat index `i`. */
export function uniformAt(seed: number, i: number): number {
  let h = (seed + Math.imul(i + 1, 0x9e3779b9)) >>> 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return ((h ^ (h >>> 16)) >>> 0) / 2 ** 32;
}

/** float32 values in [lo, hi). */
export function uniform(name: string, shape: readonly number[], lo: number, hi: number): NdArray {
  const data = new Float32Array(sizeOf(shape));
  const seed = fnv1a(name);
  for (let i = 0; i < data.length; i++) data[i] = lo + (hi - lo) * uniformAt(seed, i);
  return { data, shape };
}

/** A coarse 8 x 8 pattern plus noise, shape (N, C, H, W). */
export function blocks8(name: string, shape: readonly number[], lo: number, hi: number): NdArray {
  const [n, c, h, w] = shape;
  const [bh, bw] = [Math.ceil(h / 8), Math.ceil(w / 8)];
  const [fine, coarse] = [fnv1a(name), fnv1a(`${name}:block`)];
  const data = new Float32Array(sizeOf(shape));
  for (let i = 0; i < data.length; i++) {
    const x = i % w;
    const y = Math.floor(i / w) % h;
    const plane = Math.floor(i / (w * h));
    const block = (plane * bh + (y >> 3)) * bw + (x >> 3);
    data[i] = lo + (hi - lo) * (0.75 * uniformAt(coarse, block) + 0.25 * uniformAt(fine, i));
  }
  if (sizeOf([n, c]) === 0) throw new RangeError('blocks8: found an empty batch; expected at least one picture.');
  return { data, shape };
}

/** An RGB test picture (H, W, 3). */
export function patternImage(name: string, shape: readonly number[]): NdArray<Uint8Array> {
  const [h, w] = shape;
  const s = fnv1a(name) & 511;
  const data = new Uint8Array(h * w * 3);
  for (let y = 0; y < h; y++) {
    for (let x = 0; x < w; x++) {
      for (let c = 0; c < 3; c++) {
        const a = (x * (3 + c) + y * (5 - c) + s) & 511;
        const t = a < 256 ? a : 511 - a;
        const b = ((x * x + 2 * y * y + 7 * c * x * y) >> 5) & 63;
        const k = ((x >> 3) + (y >> 3)) & 1 ? 40 : 0;
        data[(y * w + x) * 3 + c] = Math.min((t * 3 + b * 2 + k * 4) >> 2, 255);
      }
    }
  }
  return { data, shape };
}

export interface WeightsFormula {
  readonly gain: number;
  readonly norm: readonly [number, number];
}

/** The range from which a tensor of a `state_dict` is drawn: the first rule of the README that fits its name and shape. */
export function weightRange(name: string, shape: readonly number[], weights: WeightsFormula): [lo: number, hi: number] {
  const last = name.slice(name.lastIndexOf('.') + 1);
  if (last === 'num_batches_tracked') return [0, 0];
  if (last === 'running_var') return [0.5, 1.5];
  if (last === 'running_mean' || last === 'bias') return [-0.1, 0.1];
  if (shape.length <= 1) return last === 'weight' ? [weights.norm[0], weights.norm[1]] : [0.5, 1];
  if (last !== 'weight') return [-0.5, 0.5];
  const r = weights.gain * Math.sqrt(3 / sizeOf(shape.slice(1)));
  return [-r, r];
}

/** One tensor of a formula `state_dict`. */
export function weightTensor(name: string, shape: readonly number[], weights: WeightsFormula): NdArray {
  const [lo, hi] = weightRange(name, shape, weights);
  return uniform(name, shape, lo, hi);
}
