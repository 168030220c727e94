/** Pooling with PyTorch's padding, `ceil_mode` and adaptive windows, on NHWC tensors. */
import { meanWindows } from '../ops/mean_windows.js';
import * as tf from '../tf.js';
import type { Tensor3D, Tensor4D } from '../tf.js';
import { pair, type Pair } from './conv.js';
import { Module } from './module.js';

export interface PoolOptions {
  /** Default: the kernel, as in PyTorch. */
  stride?: Pair;
  padding?: Pair;
  ceilMode?: boolean;
}

export interface AvgPoolOptions extends PoolOptions {
  /** Whether padding counts in the mean. Default true, as in PyTorch. */
  countIncludePad?: boolean;
}

/** One axis of a pooling: how far the windows reach beyond the input, and how many there are. */
interface Axis {
  readonly kernel: number;
  readonly stride: number;
  readonly before: number;
  readonly after: number;
  readonly out: number;
}

/** PyTorch's output size; a last window of `ceil_mode` that would start beyond the input and its left padding is dropped. */
function poolAxis(size: number, kernel: number, stride: number, padding: number, ceilMode: boolean): Axis {
  const span = size + 2 * padding - kernel;
  let out = (ceilMode ? Math.ceil(span / stride) : Math.floor(span / stride)) + 1;
  if (ceilMode && (out - 1) * stride >= size + padding) out--;
  const after = Math.max(0, (out - 1) * stride + kernel - size - padding);
  return { kernel, stride, before: padding, after, out };
}

type Padding = [[number, number], [number, number], [number, number], [number, number]];

abstract class Pool2d extends Module {
  readonly #kernel: [number, number];
  readonly #stride: [number, number];
  readonly #padding: [number, number];
  readonly #ceilMode: boolean;

  constructor(kernel: Pair, options: PoolOptions) {
    super();
    this.#kernel = pair(kernel);
    this.#stride = pair(options.stride ?? kernel);
    this.#padding = pair(options.padding ?? 0);
    this.#ceilMode = options.ceilMode ?? false;
  }

  protected axes(x: Tensor4D): [h: Axis, w: Axis] {
    const at = (i: 0 | 1) =>
      poolAxis(x.shape[i + 1], this.#kernel[i], this.#stride[i], this.#padding[i], this.#ceilMode);
    return [at(0), at(1)];
  }
}

/** Null when every window lies inside the input. */
function paddingOf([h, w]: [Axis, Axis]): Padding | null {
  if (h.before + h.after + w.before + w.after === 0) return null;
  return [
    [0, 0],
    [h.before, h.after],
    [w.before, w.after],
    [0, 0],
  ];
}

/** `torch.nn.MaxPool2d`: padding never wins. */
export class MaxPool2d extends Pool2d {
  constructor(kernel: Pair, options: PoolOptions = {}) {
    super(kernel, options);
  }

  override forward(x: Tensor4D): Tensor4D {
    const [h, w] = this.axes(x);
    return tf.maxPool(x, [h.kernel, w.kernel], [h.stride, w.stride], paddingOf([h, w]) ?? 'valid');
  }
}

/** `torch.nn.AvgPool2d`. */
export class AvgPool2d extends Pool2d {
  readonly #countIncludePad: boolean;

  constructor(kernel: Pair, options: AvgPoolOptions = {}) {
    super(kernel, options);
    this.#countIncludePad = options.countIncludePad ?? true;
  }

  override forward(x: Tensor4D): Tensor4D {
    const [h, w] = this.axes(x);
    const padding = paddingOf([h, w]);
    const padded = padding ? tf.pad(x, padding) : x;
    const mean = tf.avgPool(padded, [h.kernel, w.kernel], [h.stride, w.stride], 'valid');
    if (!padding) return mean;
    // The backends disagree on what padding counts for, so the zeros go in as data and the divisor is put right here.
    const rows = windowShares(h, x.shape[1], this.#countIncludePad);
    const columns = windowShares(w, x.shape[2], this.#countIncludePad);
    return tf.mul(mean, tf.mul(tf.tensor4d(rows, [1, h.out, 1, 1]), tf.tensor4d(columns, [1, 1, w.out, 1])));
  }
}

/** Per window: kernel size / number of positions that count. `ceil_mode`'s overhang never counts. */
function windowShares(axis: Axis, size: number, countPadding: boolean): Float32Array {
  const margin = countPadding ? axis.before : 0;
  return Float32Array.from({ length: axis.out }, (_, i) => {
    const start = i * axis.stride - axis.before;
    const count = Math.min(start + axis.kernel, size + margin) - Math.max(start, -margin);
    return axis.kernel / count;
  });
}

/** Mean over height and width: [N, H, W, C] -> [N, 1, 1, C]. */
export function globalAvgPool(x: Tensor4D): Tensor4D {
  return meanWindows(x, [x.shape[1], x.shape[2]]);
}

/** PyTorch's `adaptive_avg_pool2d` to `[h, w]`: window i covers floor(i*H/h) to ceil((i+1)*H/h). */
export function adaptiveAvgPool2d(x: Tensor4D, [h, w]: readonly [number, number]): Tensor4D {
  const [n, height, width, channels] = x.shape;
  if (height === h && width === w) return x;
  if (h === 1 && w === 1) return globalAvgPool(x);
  if (height % h === 0 && width % w === 0) return meanWindows(x, [height / h, width / w]);
  // Windows of unequal size: one averaging matrix per axis.
  const rows = tf.tensor3d(averagingMatrix(height, h), [1, h, height]);
  const byRow: Tensor3D = tf.matMul(rows, tf.reshape(x, [n, height, width * channels]));
  const columns = tf.tensor3d(averagingMatrix(width, w), [1, w, width]);
  return tf.reshape(tf.matMul(columns, tf.reshape(byRow, [n * h, width, channels])), [n, h, w, channels]);
}

/** [out, size] row-major: row i holds 1 / (size of window i) inside the window. */
function averagingMatrix(size: number, out: number): Float32Array {
  const matrix = new Float32Array(out * size);
  for (let i = 0; i < out; i++) {
    const start = Math.floor((i * size) / out);
    const end = Math.ceil(((i + 1) * size) / out);
    matrix.fill(1 / (end - start), i * size + start, i * size + end);
  }
  return matrix;
}

/** `torch.nn.AdaptiveAvgPool2d` as a layer. */
export class AdaptiveAvgPool2d extends Module {
  readonly #size: [number, number];

  constructor(size: Pair) {
    super();
    this.#size = pair(size);
  }

  override forward(x: Tensor4D): Tensor4D {
    return adaptiveAvgPool2d(x, this.#size);
  }
}
