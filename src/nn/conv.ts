/** 2-D convolutions with PyTorch's arguments and parameter names, on NHWC tensors. */
import { ConfigError } from '../errors.js';
import { sizeOf } from '../ndarray.js';
import { hasWasmDepthwise, wasmDepthwiseConv2d } from '../ops/wasm/depthwise_conv2d.js';
import * as tf from '../tf.js';
import type { Tensor1D, Tensor4D } from '../tf.js';
import type { FusedActivation } from './act.js';
import { activate, denseConv2d, tfPadding, type DenseConvOptions } from './dense_conv.js';
import type { FoldableConv } from './fold.js';
import { Module, Parameter, transpose } from './module.js';

/** One number for both axes, or `[height, width]` as PyTorch orders them. */
export type Pair = number | readonly [h: number, w: number];

export interface Conv2dOptions {
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
  /** Default true, as in PyTorch. */
  bias?: boolean;
}

/** `[h, w]` of a `Pair`. */
export function pair(value: Pair): [h: number, w: number] {
  return typeof value === 'number' ? [value, value] : [value[0], value[1]];
}

/** `torch.nn.Conv2d`: dense, depthwise or grouped. A batch norm may be folded in, and an activation fused, by the owner. */
export class Conv2d extends Module implements FoldableConv {
  readonly kind = 'conv';
  weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  activation: FusedActivation = 'linear';
  /** Filters and biases per group, when the groups are few and wide (`#kernels`). */
  groupWeights: readonly Parameter[] = [];
  groupBiases: readonly Parameter[] = [];
  readonly #inChannels: number;
  readonly #groups: number;
  readonly #stride: [number, number];
  readonly #dilation: [number, number];
  readonly #padding: [number, number];

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: Conv2dOptions = {}) {
    super();
    const [kh, kw] = pair(kernel);
    const groups = options.groups ?? 1;
    checkGroups('Conv2d', groups, inChannels, outChannels);
    this.outChannels = outChannels;
    this.#inChannels = inChannels;
    this.#groups = groups;
    this.#stride = pair(options.stride ?? 1);
    this.#dilation = pair(options.dilation ?? 1);
    this.#padding = pair(options.padding ?? 0);
    this.weight = new Parameter([outChannels, inChannels / groups, kh, kw]);
    this.bias = (options.bias ?? true) ? new Parameter([outChannels]) : null;
  }

  /**
   * How it runs, since no tfjs backend has grouped convolutions: many narrow groups as one depthwise convolution that gives each
   * pair of input and output channel, summed; few wide ones as a dense convolution each.
   */
  get #kernels(): 'dense' | 'depthwise' | 'pairs' | 'split' {
    const groups = this.#groups;
    if (groups === 1) return 'dense';
    if (groups === this.#inChannels && this.outChannels === groups) return 'depthwise';
    return this.#inChannels / groups < groups ? 'pairs' : 'split';
  }

  override prepare(): void {
    const kernels = this.#kernels;
    if (kernels === 'split') return this.#splitGroups();
    if (kernels === 'pairs') this.#uploadPairs();
    // OIHW -> HWIO; a depthwise filter is [kh, kw, channels, multiplier].
    else this.weight.upload(kernels === 'depthwise' ? [2, 3, 0, 1] : [2, 3, 1, 0]);
    this.bias?.upload();
  }

  /** One parameter per group instead of a split in every forward. The groups are neighbours in PyTorch's layout. */
  #splitGroups(): void {
    const [out, ...rest] = this.weight.shape;
    const shape = [out / this.#groups, ...rest];
    this.groupWeights = splitParameter(this.weight, shape, this.#groups);
    if (this.bias) this.groupBiases = splitParameter(this.bias, [shape[0]], this.#groups);
    for (const weight of this.groupWeights) weight.upload([2, 3, 1, 0]);
    for (const bias of this.groupBiases) bias.upload();
  }

  /** [group, out, in, h, w] -> depthwise [h, w, group x in, out]. */
  #uploadPairs(): void {
    const [, groupIn, kh, kw] = this.weight.shape;
    const groupOut = this.outChannels / this.#groups;
    const grouped = transpose(this.weight.value, [this.#groups, groupOut, groupIn, kh, kw], [3, 4, 0, 2, 1]);
    this.weight.uploadAs(grouped.data, [kh, kw, this.#inChannels, groupOut]);
  }

  /** x [N, H, W, C] -> [N, H', W', O]; `activation` runs inside the same kernel. */
  override forward(x: Tensor4D, activation: FusedActivation = this.activation): Tensor4D {
    const dilated = this.#dilation.some((d) => d > 1);
    if (!dilated || this.#stride.every((s) => s === 1)) return this.#run(x, activation, this.#stride);
    // tfjs refuses strides together with dilation: every s-th pixel of the dense result is the same.
    const dense = this.#run(x, activation, [1, 1]);
    return tf.stridedSlice(dense, [0, 0, 0, 0], dense.shape, [1, ...this.#stride, 1]) as Tensor4D;
  }

  /** `activation(conv(x) + residual)`, in one kernel where the backend has it: the end of a residual block. */
  forwardAdd(x: Tensor4D, residual: Tensor4D, activation: FusedActivation): Tensor4D {
    const isPlain = this.#kernels === 'dense' && this.#dilation.every((d) => d === 1);
    if (!isPlain) return activate(tf.add(this.forward(x), residual), activation);
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const options = { strides: this.#stride, padding: this.#padding, dilations: this.#dilation, activation, residual };
    return denseConv2d(x, this.weight, this.#filterShape(), bias, options);
  }

  #run(x: Tensor4D, activation: FusedActivation, strides: [number, number]): Tensor4D {
    const options = { strides, padding: this.#padding, dilations: this.#dilation, activation };
    if (this.groupWeights.length > 0) return this.#runSplit(x, options);
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const kernels = this.#kernels;
    if (kernels !== 'depthwise' && kernels !== 'pairs')
      return denseConv2d(x, this.weight, this.#filterShape(), bias, options);
    const filter = this.weight.tensor as Tensor4D;
    if (kernels === 'depthwise' && this.#dilation.every((d) => d === 1) && hasWasmDepthwise(this.outChannels)) {
      const kernel: [number, number] = [this.weight.shape[2], this.weight.shape[3]];
      return wasmDepthwiseConv2d({ x, filter, bias }, { kernel, strides, padding: this.#padding }, activation);
    }
    // tfjs's declaration leaves out explicit padding for depthwise kernels, its code does not.
    const [, , kh, kw] = this.weight.shape;
    const pad = tfPadding(this.#padding, [kh, kw], options) as number;
    const depthwise = { x, filter, strides, pad, dilations: this.#dilation };
    if (kernels === 'depthwise') return tf.fused.depthwiseConv2d({ ...depthwise, bias, activation });
    return this.#sumPairs(tf.fused.depthwiseConv2d(depthwise), bias, activation);
  }

  /** [kh, kw, in, out] of one group. */
  #filterShape(): [number, number, number, number] {
    const [, groupIn, kh, kw] = this.weight.shape;
    return [kh, kw, groupIn, this.groupWeights.length > 0 ? this.outChannels / this.#groups : this.outChannels];
  }

  #runSplit(x: Tensor4D, options: DenseConvOptions): Tensor4D {
    const xs = tf.split<Tensor4D>(x, this.#groups, 3);
    const parts = xs.map((part, g) => {
      const bias = this.groupBiases[g]?.tensor as Tensor1D | undefined;
      return denseConv2d(part, this.groupWeights[g], this.#filterShape(), bias, options);
    });
    return tf.concat(parts, 3);
  }

  /** pairs [N, H, W, group x in x out] -> [N, H, W, group x out]. */
  #sumPairs(pairs: Tensor4D, bias: Tensor1D | undefined, activation: FusedActivation): Tensor4D {
    const [n, h, w] = pairs.shape;
    const groupIn = this.#inChannels / this.#groups;
    const groupOut = this.outChannels / this.#groups;
    const sum = tf.sum(tf.reshape(pairs, [n * h * w * this.#groups, groupIn, groupOut]), 1);
    const map: Tensor4D = tf.reshape(sum, [n, h, w, this.outChannels]);
    const biased = bias ? tf.add<Tensor4D>(map, bias) : map;
    return activate(biased, activation);
  }
}

export function checkGroups(what: string, groups: number, inChannels: number, outChannels: number): void {
  if (inChannels % groups === 0 && outChannels % groups === 0) return;
  throw new ConfigError(
    `${what}: found groups ${groups}; expected a divisor of ${inChannels} input and ${outChannels} output channels.`,
  );
}

/** Cuts host values into `count` equal neighbours of the given shape, which no checkpoint stores; frees the whole. */
function splitParameter(whole: Parameter, shape: readonly number[], count: number): Parameter[] {
  const values = whole.value;
  const size = sizeOf(shape);
  const parts = Array.from({ length: count }, (_, g) => {
    const value = values.slice(g * size, (g + 1) * size);
    return new Parameter(shape, { value, persistent: false });
  });
  whole.dispose();
  return parts;
}

export interface ConvTranspose2dOptions {
  stride?: number;
  padding?: number;
  outputPadding?: number;
  groups?: number;
  /** Default true, as in PyTorch. */
  bias?: boolean;
}

/**
 * `torch.nn.ConvTranspose2d` without dilation: output (H - 1) * stride - 2 * padding + kernel + outputPadding.
 *
 * Computed as an ordinary convolution that yields all stride x stride phases of an output pixel as channels, then depth-to-space
 * and a crop. Output pixel s*j + b of the uncropped result is the sum over taps m of x[j - m] * w[s*m + b], so ceil(k / s) taps
 * are enough. tfjs's own conv2dTranspose is a plain loop in wasm, and cannot fuse bias and activation on any backend.
 */
export class ConvTranspose2d extends Module implements FoldableConv {
  readonly kind = 'conv_transpose';
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  activation: FusedActivation = 'linear';
  readonly #inChannels: number;
  readonly #groups: number;
  readonly #kernel: number;
  readonly #stride: number;
  readonly #padding: number;
  readonly #outputPadding: number;

  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvTranspose2dOptions = {}) {
    super();
    this.#groups = options.groups ?? 1;
    checkGroups('ConvTranspose2d', this.#groups, inChannels, outChannels);
    this.outChannels = outChannels;
    this.#inChannels = inChannels;
    this.#kernel = kernel;
    this.#stride = options.stride ?? 1;
    this.#padding = options.padding ?? 0;
    this.#outputPadding = options.outputPadding ?? 0;
    this.weight = new Parameter([inChannels, outChannels / this.#groups, kernel, kernel]);
    this.bias = (options.bias ?? true) ? new Parameter([outChannels]) : null;
  }

  /** Taps per phase. Output padding beyond the last tap's reach needs one more, of zeros: there only the bias is seen. */
  get #taps(): number {
    return Math.ceil((this.#kernel + Math.max(0, this.#outputPadding - this.#padding)) / this.#stride);
  }

  override prepare(): void {
    const [s, taps] = [this.#stride, this.#taps];
    const phases = s * s * this.outChannels;
    this.weight.uploadAs(this.#phaseFilter(), [taps, taps, this.#inChannels, phases]);
    if (!this.bias) return;
    const tiled = new Float32Array(phases);
    for (let phase = 0; phase < s * s; phase++) tiled.set(this.bias.value, phase * this.outChannels);
    this.bias.uploadAs(tiled, [phases]);
  }

  /** HWIO filter whose output channel is (phase y, phase x, o). Groups become blocks of an otherwise zero dense filter. */
  #phaseFilter(): Float32Array {
    const [k, s, taps] = [this.#kernel, this.#stride, this.#taps];
    const [groupIn, groupOut] = [this.#inChannels / this.#groups, this.outChannels / this.#groups];
    const source = this.weight.value;
    const out = new Float32Array(taps * taps * this.#inChannels * s * s * this.outChannels);
    for (let i = 0; i < this.#inChannels; i++) {
      const firstOut = Math.floor(i / groupIn) * groupOut;
      for (let o = 0; o < groupOut; o++) {
        for (let y = 0; y < k; y++) {
          for (let x = 0; x < k; x++) {
            // A convolution looks forward where the sum looks back: the taps are mirrored.
            const [ty, tx] = [taps - 1 - Math.floor(y / s), taps - 1 - Math.floor(x / s)];
            const phase = (y % s) * s + (x % s);
            const at = ((ty * taps + tx) * this.#inChannels + i) * s * s * this.outChannels;
            out[at + phase * this.outChannels + firstOut + o] = source[((i * groupOut + o) * k + y) * k + x];
          }
        }
      }
    }
    return out;
  }

  /** x [N, H, W, C] -> [N, H', W', O]; `activation` runs inside the same kernel. */
  override forward(x: Tensor4D, activation: FusedActivation = this.activation): Tensor4D {
    const [s, p] = [this.#stride, this.#padding];
    const [n, h, w] = x.shape;
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const taps = this.#taps;
    const shape = [taps, taps, this.#inChannels, s * s * this.outChannels] as const;
    const options: DenseConvOptions = { strides: [1, 1], padding: [taps - 1, taps - 1], dilations: [1, 1], activation };
    const phases = denseConv2d(x, this.weight, shape, bias, options);
    const full = s > 1 ? depthToSpace(phases, s) : phases;
    const grow = (size: number) => (size - 1) * s - 2 * p + this.#kernel + this.#outputPadding;
    return tf.slice(full, [0, p, p, 0], [n, grow(h), grow(w), this.outChannels]);
  }
}

/** [N, H, W, s x s x C] -> [N, H x s, W x s, C]. tfjs's wasm kernel for it takes 80 times as long as a transposition. */
export function depthToSpace(x: Tensor4D, s: number): Tensor4D {
  if (tf.getBackend() !== 'wasm') return tf.depthToSpace(x, s);
  const [n, h, w, c] = x.shape;
  const rows = tf.transpose(tf.reshape(x, [n * h, w, s, c / s]), [0, 2, 1, 3]);
  return tf.reshape(rows, [n, h * s, w * s, c / s ** 2]);
}
