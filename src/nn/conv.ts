/** 2-D convolutions with PyTorch's arguments and parameter names, on NHWC tensors. */
import { ConfigError } from '../errors.js';
import * as tf from '../tf.js';
import type { Tensor1D, Tensor4D } from '../tf.js';
import type { FusedActivation } from './act.js';
import type { FoldableConv } from './fold.js';
import { Module, Parameter } from './module.js';

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

type ExplicitPadding = [[number, number], [number, number], [number, number], [number, number]];

/** `torch.nn.Conv2d`: dense, depthwise or grouped. A batch norm may be folded in, and an activation fused, by the owner. */
export class Conv2d extends Module implements FoldableConv {
  readonly kind = 'conv';
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  readonly #inChannels: number;
  readonly #groups: number;
  readonly #strides: [number, number];
  readonly #dilations: [number, number];
  readonly #pad: number | ExplicitPadding;

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: Conv2dOptions = {}) {
    super();
    const [kh, kw] = pair(kernel);
    const groups = options.groups ?? 1;
    if (inChannels % groups !== 0 || outChannels % groups !== 0) {
      throw new ConfigError(
        `Conv2d: found groups ${groups}; expected a divisor of ${inChannels} and ${outChannels} channels.`,
      );
    }
    this.outChannels = outChannels;
    this.#inChannels = inChannels;
    this.#groups = groups;
    this.#strides = pair(options.stride ?? 1);
    this.#dilations = pair(options.dilation ?? 1);
    const [ph, pw] = pair(options.padding ?? 0);
    this.#pad =
      ph === pw
        ? ph
        : [
            [0, 0],
            [ph, ph],
            [pw, pw],
            [0, 0],
          ];
    this.weight = new Parameter([outChannels, inChannels / groups, kh, kw]);
    this.bias = (options.bias ?? true) ? new Parameter([outChannels]) : null;
  }

  get #isDepthwise(): boolean {
    return this.#groups > 1 && this.#groups === this.#inChannels && this.outChannels === this.#inChannels;
  }

  override prepare(): void {
    // OIHW -> HWIO; a depthwise filter is [kh, kw, channels, multiplier].
    this.weight.upload(this.#isDepthwise ? [2, 3, 0, 1] : [2, 3, 1, 0]);
    this.bias?.upload();
  }

  /** x [N, H, W, C] -> [N, H', W', O]; `activation` runs inside the same kernel. */
  override forward(x: Tensor4D, activation: FusedActivation = 'linear'): Tensor4D {
    const filter = this.weight.tensor as Tensor4D;
    const bias = this.bias?.tensor as Tensor1D | undefined;
    if (this.#groups > 1 && !this.#isDepthwise) return this.#grouped(x, filter, bias, activation);
    const options = { x, filter, strides: this.#strides, dilations: this.#dilations, bias, activation };
    // tfjs's declaration leaves out explicit padding for depthwise kernels, its code does not.
    if (this.#isDepthwise) return tf.fused.depthwiseConv2d({ ...options, pad: this.#pad as number });
    return tf.fused.conv2d({ ...options, pad: this.#pad });
  }

  /** No tfjs backend has grouped convolutions: one dense convolution per group, then concat. */
  #grouped(x: Tensor4D, filter: Tensor4D, bias: Tensor1D | undefined, activation: FusedActivation): Tensor4D {
    const xs = tf.split<Tensor4D>(x, this.#groups, 3);
    const filters = tf.split<Tensor4D>(filter, this.#groups, 3);
    const biases = bias && tf.split<Tensor1D>(bias, this.#groups);
    const common = { strides: this.#strides, pad: this.#pad, dilations: this.#dilations, activation };
    const parts = xs.map((part, g) => tf.fused.conv2d({ x: part, filter: filters[g], bias: biases?.[g], ...common }));
    return tf.concat(parts, 3);
  }
}

export interface ConvTranspose2dOptions {
  stride?: number;
  padding?: number;
  outputPadding?: number;
  bias?: boolean;
}

/** `torch.nn.ConvTranspose2d` without groups and dilation: output (H - 1) * stride - 2 * padding + kernel + outputPadding. */
export class ConvTranspose2d extends Module implements FoldableConv {
  readonly kind = 'conv_transpose';
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  readonly #kernel: number;
  readonly #stride: number;
  readonly #padding: number;
  readonly #outputPadding: number;

  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvTranspose2dOptions = {}) {
    super();
    this.outChannels = outChannels;
    this.#kernel = kernel;
    this.#stride = options.stride ?? 1;
    this.#padding = options.padding ?? 0;
    this.#outputPadding = options.outputPadding ?? 0;
    this.weight = new Parameter([inChannels, outChannels, kernel, kernel]);
    this.bias = (options.bias ?? true) ? new Parameter([outChannels]) : null;
  }

  override prepare(): void {
    this.weight.upload([2, 3, 1, 0]); // IOHW -> HWOI
    this.bias?.upload();
  }

  override forward(x: Tensor4D): Tensor4D {
    const [n, h, w] = x.shape;
    const grow = (size: number) => (size - 1) * this.#stride - 2 * this.#padding + this.#kernel + this.#outputPadding;
    const shape: [number, number, number, number] = [n, grow(h), grow(w), this.outChannels];
    const y = tf.conv2dTranspose(x, this.weight.tensor as Tensor4D, shape, this.#stride, this.#padding);
    return this.bias ? tf.add(y, this.bias.tensor) : y;
  }
}
