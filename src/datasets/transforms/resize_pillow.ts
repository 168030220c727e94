/**
 * Pillow's `Image.resize` with bilinear interpolation on 8-bit pictures, in its integer arithmetic: a triangle as wide as what is left
 * out when a picture shrinks, weights of 22 bits, rows of bytes between the two directions. Configs ask for it by `backend: 'pillow'`.
 */
import { InputError } from '../../errors.js';
import type { PixelImage } from './warp_affine.js';

const PRECISION = 2 ** 22;

/** What one output pixel is made of on one axis. */
interface Window {
  readonly start: number;
  /** Sum about 2^22. */
  readonly weights: Int32Array;
}

/**
 * Resizes a picture of 3 or 4 channels; of RGBA the alpha is dropped.
 *
 * @param size - [w, h] px
 * @returns [h, w, 3] flat
 * @throws InputError when data and size do not fit together, or there are no pixels
 */
export function resizePillow(image: PixelImage, [w, h]: readonly [w: number, h: number]): Uint8Array {
  const { data, width, height, channels } = image;
  if (data.length !== width * height * channels || channels < 3 || !(w > 0 && h > 0 && width > 0 && height > 0)) {
    throw new InputError(
      `resizePillow: found ${data.length} values for ${width} x ${height} px with ${channels} channels, to ${w} x ${h}; expected RGB or RGBA.`,
    );
  }
  return resizeRows(resizeColumns(image, windowsOf(width, w)), 3 * w, windowsOf(height, h));
}

function windowsOf(from: number, to: number): Window[] {
  const scale = from / to;
  const support = Math.max(scale, 1);
  return Array.from({ length: to }, (_, i) => {
    const center = (i + 0.5) * scale;
    const start = Math.max(Math.trunc(center - support + 0.5), 0);
    const end = Math.min(Math.trunc(center + support + 0.5), from);
    const shares = Array.from({ length: end - start }, (_, x) =>
      Math.max(1 - Math.abs((x + start - center + 0.5) * (1 / support)), 0),
    );
    const total = shares.reduce((sum, share) => sum + share, 0);
    return { start, weights: Int32Array.from(shares, (share) => Math.trunc((share / total) * PRECISION + 0.5)) };
  });
}

/** [height, w, 3] */
function resizeColumns({ data, width, height, channels }: PixelImage, windows: readonly Window[]): Uint8Array {
  const out = new Uint8Array(height * windows.length * 3);
  for (let y = 0, to = 0; y < height; y++) {
    for (const { start, weights } of windows) {
      let [r, g, b] = [PRECISION / 2, PRECISION / 2, PRECISION / 2];
      let from = (y * width + start) * channels;
      for (let i = 0; i < weights.length; i++, from += channels) {
        const weight = weights[i];
        r += data[from] * weight;
        g += data[from + 1] * weight;
        b += data[from + 2] * weight;
      }
      out[to++] = byteOf(r);
      out[to++] = byteOf(g);
      out[to++] = byteOf(b);
    }
  }
  return out;
}

/** rows [height, pitch] -> [h, pitch] */
function resizeRows(rows: Uint8Array, pitch: number, windows: readonly Window[]): Uint8Array {
  const out = new Uint8Array(windows.length * pitch);
  const sums = new Int32Array(pitch);
  for (const [y, { start, weights }] of windows.entries()) {
    sums.fill(PRECISION / 2);
    for (let i = 0; i < weights.length; i++) {
      const row = (start + i) * pitch;
      for (let x = 0; x < pitch; x++) sums[x] += rows[row + x] * weights[i];
    }
    for (let x = 0; x < pitch; x++) out[y * pitch + x] = byteOf(sums[x]);
  }
  return out;
}

/** Rounded weights may add up to a little more than one. */
function byteOf(sum: number): number {
  return Math.min(sum >> 22, 255);
}
