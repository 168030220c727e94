/**
 * 3-D convolutions with PyTorch's parameter names, on volumes [N, D, H, W, C], made of 2-D ones: what a filter sees of the neighbouring
 * slices becomes channels of one slice. tfjs's own conv3d is a plain loop in wasm, fuses nothing, and the jit has no shader for it.
 */
import { ConfigError } from '../errors.js';
import * as tf from '../tf.js';
import type { Tensor1D, Tensor4D, Tensor5D } from '../tf.js';
import type { FusedActivation } from './act.js';
import { depthToSpace } from './conv.js';
import { denseConv2d, type DenseConvOptions } from './dense_conv.js';
import type { FoldableConv } from './fold.js';
import { Module, Parameter } from './module.js';

export interface Conv3dOptions {
  /** The same on all six sides. */
  padding?: number;
  /** Default true, as in PyTorch. */
  bias?: boolean;
}

/** `torch.nn.Conv3d` with a cubic kernel of stride 1. A batch norm may be folded in, and an activation fused, by the owner. */
export class Conv3d extends Module<Tensor5D, Tensor5D> implements FoldableConv {
  readonly kind = 'conv';
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  activation: FusedActivation = 'linear';
  readonly #inChannels: number;
  readonly #kernel: number;
  readonly #padding: number;

  constructor(inChannels: number, outChannels: number, kernel: number, options: Conv3dOptions = {}) {
    super();
    this.outChannels = outChannels;
    this.#inChannels = inChannels;
    this.#kernel = kernel;
    this.#padding = options.padding ?? 0;
    this.weight = new Parameter([outChannels, inChannels, kernel, kernel, kernel]);
    this.bias = (options.bias ?? true) ? new Parameter([outChannels]) : null;
  }

  get #filterShape(): [number, number, number, number] {
    return [this.#kernel, this.#kernel, this.#kernel * this.#inChannels, this.outChannels];
  }

  /** OIDHW -> HW(DI)O. */
  override prepare(): void {
    this.weight.upload([3, 4, 2, 1, 0], this.#filterShape);
    this.bias?.upload();
  }

  /** x [N, D, H, W, C] -> [N, D', H', W', O]; `activation` runs inside the same kernel. */
  override forward(x: Tensor5D, activation: FusedActivation = this.activation): Tensor5D {
    const p = this.#padding;
    const options: DenseConvOptions = { strides: [1, 1], padding: [p, p], dilations: [1, 1], activation };
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const slices = denseConv2d(this.#withNeighbours(x), this.weight, this.#filterShape, bias, options);
    const [, h, w, out] = slices.shape;
    return tf.reshape(slices, [x.shape[0], -1, h, w, out]);
  }

  /** [N, D, H, W, C] -> [N x D', H, W, k x C]: each slice with those that the filter sees beside it. */
  #withNeighbours(x: Tensor5D): Tensor4D {
    const [n, d, h, w, c] = x.shape;
    const [k, p] = [this.#kernel, this.#padding];
    if (k === 1 && p === 0) return tf.reshape(x, [n * d, h, w, c]);
    const rows: Tensor4D = tf.reshape(x, [n, d, h * w, c]);
    const padded = tf.pad(rows, [
      [0, 0],
      [p, p],
      [0, 0],
      [0, 0],
    ]);
    const out = d + 2 * p - k + 1;
    const taps = Array.from({ length: k }, (_, tap) => tf.slice(padded, [0, tap, 0, 0], [n, out, h * w, c]));
    return tf.reshape(tf.concat(taps, 3), [n * out, h, w, k * c]);
  }
}

/**
 * `torch.nn.ConvTranspose3d` whose kernel is as large as its stride, without padding: every voxel becomes a cube of its own, so it is a
 * 1 x 1 convolution to the voxels of that cube as channels, and a move of these to their places.
 */
export class ConvTranspose3d extends Module<Tensor5D, Tensor5D> implements FoldableConv {
  readonly kind = 'conv_transpose';
  readonly weight: Parameter;
  bias: Parameter | null;
  readonly outChannels: number;
  activation: FusedActivation = 'linear';
  readonly #inChannels: number;
  readonly #stride: number;

  constructor(inChannels: number, outChannels: number, kernel: number, { stride = 1, bias = true } = {}) {
    super();
    if (kernel !== stride) {
      throw new ConfigError(`ConvTranspose3d: found a kernel of ${kernel} and a stride of ${stride}; expected equals.`);
    }
    this.outChannels = outChannels;
    this.#inChannels = inChannels;
    this.#stride = stride;
    this.weight = new Parameter([inChannels, outChannels, kernel, kernel, kernel]);
    this.bias = bias ? new Parameter([outChannels]) : null;
  }

  get #filterShape(): [number, number, number, number] {
    return [1, 1, this.#inChannels, this.#stride ** 3 * this.outChannels];
  }

  /** IODHW -> I(HWDO). */
  override prepare(): void {
    this.weight.upload([0, 3, 4, 2, 1], this.#filterShape);
    if (!this.bias) return;
    const tiled = Array.from({ length: this.#stride ** 3 }, () => [...this.bias!.value]).flat();
    this.bias.uploadAs(Float32Array.from(tiled), [tiled.length]);
  }

  /** x [N, D, H, W, C] -> [N, D x s, H x s, W x s, O]; `activation` runs inside the same kernel. */
  override forward(x: Tensor5D, activation: FusedActivation = this.activation): Tensor5D {
    const [n, d, h, w, c] = x.shape;
    const s = this.#stride;
    const options: DenseConvOptions = { strides: [1, 1], padding: [0, 0], dilations: [1, 1], activation };
    const bias = this.bias?.tensor as Tensor1D | undefined;
    const cubes = denseConv2d(tf.reshape(x, [n * d, h, w, c]), this.weight, this.#filterShape, bias, options);
    const columns = tf.reshape(depthToSpace(cubes, s), [n * d, h * s * w * s, s, this.outChannels]);
    return tf.reshape(tf.transpose(columns, [0, 2, 1, 3]), [n, d * s, h * s, w * s, this.outChannels]);
  }
}
