/** PyTorch's `interpolate`: nearest, and bilinear with and without `align_corners`, on NHWC tensors. */
import { ConfigError } from '../errors.js';
import { addNearest, mulNearest, repeatsEvenly } from '../ops/combine_nearest.js';
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import { chain, Module, type Layers } from './module.js';

export type ResizeMode = 'nearest' | 'bilinear';

export interface ResizeOptions {
  /** Default `nearest`, as in PyTorch. */
  mode?: ResizeMode;
  /** Bilinear only: corner pixels keep their values. Default false. */
  alignCorners?: boolean;
  /**
   * The factor that the caller asked for, when it was not a size: PyTorch then steps by 1 / factor through the input, which differs
   * from input / output size wherever the output size was rounded.
   */
  scaleFactor?: number;
}

/** x [N, H, W, C] -> [N, h, w, C]. */
export function resize(x: Tensor4D, size: readonly [h: number, w: number], options: ResizeOptions = {}): Tensor4D {
  const { mode = 'nearest', alignCorners = false, scaleFactor } = options;
  const [, height, width] = x.shape;
  const [h, w] = size;
  const exact = scaleFactor === undefined || (height * scaleFactor === h && width * scaleFactor === w);
  // PyTorch copies a map whose size stays, whatever the factor.
  if (height === h && width === w) return x;
  const step = (from: number, to: number) => (exact ? from / to : 1 / scaleFactor!);
  if (mode === 'nearest') return resizeNearest(x, [h, w], [step(height, h), step(width, w)], exact);
  if (alignCorners || exact) return tf.image.resizeBilinear(x, [h, w], alignCorners, !alignCorners);
  return lerp(lerp(x, 1, h, step(height, h)), 2, w, step(width, w));
}

/** Resizes by a factor; the output size is rounded down. */
export function resizeBy(x: Tensor4D, scaleFactor: number, options: Omit<ResizeOptions, 'scaleFactor'> = {}): Tensor4D {
  const [, height, width] = x.shape;
  const size = [Math.floor(height * scaleFactor), Math.floor(width * scaleFactor)] as const;
  return resize(x, size, { ...options, scaleFactor });
}

function resizeNearest(x: Tensor4D, [h, w]: [number, number], steps: [number, number], exact: boolean): Tensor4D {
  // Powers of two are exact in any precision; for the rest the sources are computed here, in PyTorch's float32.
  if (exact && repeatsEvenly(x.shape[1], h) && repeatsEvenly(x.shape[2], w))
    return tf.image.resizeNearestNeighbor(x, [h, w]);
  const rows = tf.gather(x, nearestSources(x.shape[1], h, steps[0]), 1);
  return tf.gather(rows, nearestSources(x.shape[2], w, steps[1]), 2);
}

function nearestSources(size: number, out: number, step: number): tf.Tensor1D {
  const step32 = Math.fround(step);
  const sources = Int32Array.from({ length: out }, (_, i) => Math.min(Math.floor(Math.fround(i * step32)), size - 1));
  return tf.tensor1d(sources, 'int32');
}

/** Bilinear interpolation along one axis with half-pixel centres and a step of the caller's; sources are computed on the host. */
function lerp(x: Tensor4D, axis: 1 | 2, out: number, step: number): Tensor4D {
  // Bilinear mode copies also a single axis whose size stays; nearest does not.
  if (x.shape[axis] === out) return x;
  const last = x.shape[axis] - 1;
  const step32 = Math.fround(step);
  const position = Float32Array.from({ length: out }, (_, i) => Math.max(0, Math.fround(step32 * (i + 0.5)) - 0.5));
  const low = Int32Array.from(position, (p) => Math.min(Math.floor(p), last));
  const high = low.map((i) => Math.min(i + 1, last));
  const fraction = position.map((p, i) => p - low[i]);
  const weights = tf.tensor4d(fraction, axis === 1 ? [1, out, 1, 1] : [1, 1, out, 1]);
  const lower = tf.gather(x, tf.tensor1d(low, 'int32'), axis);
  const upper = tf.gather(x, tf.tensor1d(high, 'int32'), axis);
  return tf.add(lower, tf.mul(tf.sub(upper, lower), weights));
}

/** `mode` of a config. */
export function readResizeMode(mode: unknown, where: string): ResizeMode {
  if (mode === 'nearest' || mode === 'bilinear') return mode;
  throw new ConfigError(`${where}: found ${JSON.stringify(mode)}; expected "nearest" or "bilinear".`);
}

/** `torch.nn.Upsample` with a scale factor. */
export class Upsample extends Module {
  readonly #scaleFactor: number;
  readonly #options: { mode: ResizeMode; alignCorners: boolean };

  constructor(scaleFactor: number, options: { mode?: ResizeMode; alignCorners?: boolean } = {}) {
    super();
    this.#scaleFactor = scaleFactor;
    this.#options = { mode: options.mode ?? 'nearest', alignCorners: options.alignCorners ?? false };
  }

  override forward(x: Tensor4D): Tensor4D {
    return resizeBy(x, this.#scaleFactor, this.#options);
  }

  /** `sum` plus what `forward` gives of x, which has the size of `sum`. */
  addTo(sum: Tensor4D, x: Tensor4D): Tensor4D {
    const isEven = [1, 2].every((axis) => repeatsEvenly(x.shape[axis], sum.shape[axis]));
    return this.#options.mode === 'nearest' && isEven ? addNearest(sum, x) : tf.add(sum, this.forward(x));
  }
}

/** `sum` plus `chain(layers, x)`, of the same shape; a last `Upsample` adds as it goes, without making the larger map. */
export function addChain(sum: Tensor4D, layers: Layers, x: Tensor4D): Tensor4D {
  const last = layers.at(-1);
  if (!(last instanceof Upsample)) return tf.add(sum, chain(layers, x));
  return tf.tidy(() => last.addTo(sum, chain(layers.slice(0, -1), x)));
}

/** x times a gate of one pixel, or of fewer than x, resized to it (nearest). */
export function gate(x: Tensor4D, gates: Tensor4D): Tensor4D {
  const [, h, w] = gates.shape;
  const isEven = (h === 1 && w === 1) || (repeatsEvenly(h, x.shape[1]) && repeatsEvenly(w, x.shape[2]));
  return isEven ? mulNearest(x, gates) : tf.mul(x, resize(gates, [x.shape[1], x.shape[2]]));
}
