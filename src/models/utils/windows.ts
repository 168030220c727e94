/** Maps cut into windows and put together again, for attention within windows: Swin's, also shifted, and HRFormer's. */
import * as tf from '../../tf.js';
import type { Tensor3D, Tensor4D } from '../../tf.js';
import { toMap, toTokens, type Size } from './tokens.js';

/** How a map of `size` is cut. */
export interface Windows {
  /** Of the map, px. */
  readonly size: Size;
  /** Of a window, px. */
  readonly window: Size;
  /** Zeros around the map up to whole windows, px. */
  readonly top: number;
  readonly left: number;
  readonly padded: Size;
  /** The map is rolled up and to the left by so many pixels first. */
  readonly shift: number;
}

/** Windows over a map, with the zeros on the right and below, or around it when `centred`. */
export function windowsOf(
  size: Size,
  window: Size,
  options: { readonly shift?: number; readonly centred?: boolean },
): Windows {
  const padded = size.map((length, i) => Math.ceil(length / window[i]) * window[i]) as unknown as Size;
  const before = (i: number) => (options.centred ? Math.floor((padded[i] - size[i]) / 2) : 0);
  return { size, window, top: before(0), left: before(1), padded, shift: options.shift ?? 0 };
}

/** Number of windows. */
export function windowCount({ padded, window }: Windows): number {
  return (padded[0] / window[0]) * (padded[1] / window[1]);
}

/** Tokens [N, h w, C] -> [N windows, window h w, C] */
export function partition(tokens: Tensor3D, windows: Windows): Tensor3D {
  const { padded, window, shift } = windows;
  const [n, , c] = tokens.shape;
  const map = roll(roll(surround(toMap(tokens, windows.size), windows), 1, shift), 2, shift);
  const [down, across] = [padded[0] / window[0], padded[1] / window[1]];
  const rows = tf.reshape(map, [n * down, window[0], across, window[1] * c]);
  return tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [n * down * across, window[0] * window[1], c]);
}

/** [N windows, window h w, C] -> tokens [N, h w, C] */
export function merge(parts: Tensor3D, windows: Windows): Tensor3D {
  const { size, padded, window, shift, top, left } = windows;
  const [n, c] = [parts.shape[0] / windowCount(windows), parts.shape[2]];
  const [down, across] = [padded[0] / window[0], padded[1] / window[1]];
  const rows = tf.reshape(parts, [n * down, across, window[0], window[1] * c]);
  const map: Tensor4D = tf.reshape(tf.transpose(rows, [0, 2, 1, 3]), [n, padded[0], padded[1], c]);
  const back = roll(roll(map, 1, padded[0] - shift), 2, padded[1] - shift);
  return toTokens(isWhole(windows) ? back : tf.slice(back, [0, top, left, 0], [n, size[0], size[1], c]));
}

function isWhole({ size, padded }: Windows): boolean {
  return size.join() === padded.join();
}

function surround(map: Tensor4D, windows: Windows): Tensor4D {
  if (isWhole(windows)) return map;
  const { size, padded, top, left } = windows;
  return tf.pad(map, [
    [0, 0],
    [top, padded[0] - size[0] - top],
    [left, padded[1] - size[1] - left],
    [0, 0],
  ]);
}

/** `by` pixels towards the start of an axis; what leaves there comes back at the end. */
function roll(map: Tensor4D, axis: 1 | 2, by: number): Tensor4D {
  const length = map.shape[axis];
  if (by === 0 || by === length) return map;
  const [first, rest] = tf.split<Tensor4D>(map, [by, length - by], axis);
  return tf.concat([rest, first], axis);
}
