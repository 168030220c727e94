/** Normalisation layers in inference mode. Parameters carry PyTorch's names. */
import { ConfigError } from '../errors.js';
import { stripScope } from '../registry.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor1D, Tensor4D } from '../tf.js';
import { Module, Parameter } from './module.js';

/** `norm_cfg` of a config: BN and SyncBN are the same at inference. */
export interface NormCfg {
  readonly type: string;
  readonly eps?: number;
  readonly num_groups?: number;
  readonly [key: string]: unknown;
}

/** `torch.nn.BatchNorm2d`, 1d and 3d in eval mode, on channels-last tensors of any rank; normally folded into the convolution before it, then it is the identity. */
export class BatchNorm2d extends Module {
  readonly kind = 'batch_norm';
  readonly eps: number;
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly running_mean: Parameter;
  readonly running_var: Parameter;
  #folded = false;

  constructor(channels: number, options: { eps?: number } = {}) {
    super();
    this.eps = options.eps ?? 1e-5;
    this.weight = new Parameter([channels], { value: new Float32Array(channels).fill(1) });
    this.bias = new Parameter([channels]);
    this.running_mean = new Parameter([channels]);
    this.running_var = new Parameter([channels], { value: new Float32Array(channels).fill(1) });
  }

  /** y = x * scale + shift, per channel, in float64. Host values only. */
  affine(): { scale: Float64Array; shift: Float64Array } {
    const [weight, bias] = [this.weight.value, this.bias.value];
    const [mean, variance] = [this.running_mean.value, this.running_var.value];
    const scale = new Float64Array(weight.length);
    const shift = new Float64Array(weight.length);
    for (let c = 0; c < scale.length; c++) {
      scale[c] = weight[c] / Math.sqrt(variance[c] + this.eps);
      shift[c] = bias[c] - mean[c] * scale[c];
    }
    return { scale, shift };
  }

  get isFolded(): boolean {
    return this.#folded;
  }

  /** Called by `foldBatchNorm`: the parameters are now part of a convolution. */
  markFolded(): void {
    this.#folded = true;
    for (const parameter of [this.weight, this.bias, this.running_mean, this.running_var]) parameter.dispose();
  }

  override prepare(): void {
    if (this.#folded) return;
    const { scale, shift } = this.affine();
    this.weight.value = Float32Array.from(scale);
    this.bias.value = Float32Array.from(shift);
    this.weight.upload();
    this.bias.upload();
    this.running_mean.dispose();
    this.running_var.dispose();
  }

  override forward(x: Tensor4D): Tensor4D {
    if (this.#folded) return x;
    return tf.add(tf.mul(x, this.weight.tensor as Tensor1D), this.bias.tensor as Tensor1D);
  }
}

/** `torch.nn.LayerNorm` over the last axis: the channels. */
export class LayerNorm extends Module<Tensor, Tensor> {
  readonly eps: number;
  readonly weight: Parameter;
  readonly bias: Parameter;

  /** @param shape - PyTorch's `normalized_shape`: the channels C, or [C, 1, 1] as for maps of one pixel */
  constructor(shape: number | readonly [channels: number, h: 1, w: 1], options: { eps?: number } = {}) {
    super();
    const stored = typeof shape === 'number' ? [shape] : shape;
    this.eps = options.eps ?? 1e-5;
    this.weight = new Parameter(stored, { value: new Float32Array(stored[0]).fill(1) });
    this.bias = new Parameter(stored);
  }

  override prepare(): void {
    const channels = this.weight.shape.slice(0, 1);
    this.weight.upload(undefined, channels);
    this.bias.upload(undefined, channels);
  }

  override forward(x: Tensor): Tensor {
    const mean = tf.mean(x, -1, true);
    const centred = tf.sub(x, mean);
    const variance = tf.mean(tf.square(centred), -1, true);
    const normed = tf.mul(centred, tf.rsqrt(tf.add(variance, this.eps)));
    return tf.add(tf.mul(normed, this.weight.tensor), this.bias.tensor);
  }
}

/** `torch.nn.GroupNorm` of maps: mean and variance per picture and group of neighbouring channels. */
export class GroupNorm extends Module {
  readonly eps: number;
  readonly weight: Parameter;
  readonly bias: Parameter;
  readonly #groups: number;

  constructor(groups: number, channels: number, options: { eps?: number } = {}, where = 'norm_cfg') {
    super();
    if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
      throw new ConfigError(
        `${where}.num_groups: found ${groups} for ${channels} channels; expected a divisor of the channels.`,
      );
    }
    this.eps = options.eps ?? 1e-5;
    this.weight = new Parameter([channels], { value: new Float32Array(channels).fill(1) });
    this.bias = new Parameter([channels]);
    this.#groups = groups;
  }

  override prepare(): void {
    this.weight.upload();
    this.bias.upload();
  }

  override forward(x: Tensor4D): Tensor4D {
    const [n, h, w, channels] = x.shape;
    const grouped = tf.reshape(x, [n, h * w, this.#groups, channels / this.#groups]);
    const centred = tf.sub(grouped, tf.mean(grouped, [1, 3], true));
    const variance = tf.mean(tf.square(centred), [1, 3], true);
    const normed = tf.reshape(tf.mul(centred, tf.rsqrt(tf.add(variance, this.eps))), x.shape);
    return tf.add(tf.mul(normed, this.weight.tensor as Tensor1D), this.bias.tensor as Tensor1D);
  }
}

/**
 * mmcv's `build_norm_layer` for the layers that pose networks use: `[name of the field, layer]`. MMPose's `FrozenBatchNorm2d` differs
 * from batch norm in training only.
 */
export function buildNormLayer(
  cfg: NormCfg,
  channels: number,
  where = 'norm_cfg',
): ['bn', BatchNorm2d] | ['ln', LayerNorm] | ['gn', GroupNorm] {
  switch (stripScope(cfg.type)) {
    case 'BN':
    case 'BN1d':
    case 'BN2d':
    case 'BN3d':
    case 'SyncBN':
    case 'MMSyncBN':
    case 'FrozenBatchNorm2d':
      return ['bn', new BatchNorm2d(channels, { eps: cfg.eps })];
    case 'LN':
      return ['ln', new LayerNorm(channels, { eps: cfg.eps })];
    case 'GN':
    case 'GroupNorm':
      return ['gn', new GroupNorm(cfg.num_groups ?? NaN, channels, { eps: cfg.eps }, where)];
    default:
      throw new ConfigError(`${where}.type: found "${cfg.type}"; expected BN, SyncBN, FrozenBatchNorm2d, LN or GN.`);
  }
}

/** `buildNormLayer` where only batch norm makes sense (after a convolution). */
export function buildBatchNorm(cfg: NormCfg, channels: number, where = 'norm_cfg'): BatchNorm2d {
  const [, norm] = buildNormLayer(cfg, channels, where);
  if (norm instanceof BatchNorm2d) return norm;
  throw new ConfigError(`${where}.type: found "${cfg.type}"; expected BN or SyncBN here.`);
}

/** `buildNormLayer` where only layer norm makes sense (on tokens). */
export function buildLayerNorm(cfg: NormCfg, channels: number, where = 'norm_cfg'): LayerNorm {
  const [, norm] = buildNormLayer(cfg, channels, where);
  if (norm instanceof LayerNorm) return norm;
  throw new ConfigError(`${where}.type: found "${cfg.type}"; expected LN here.`);
}
