/** mmcv's `ConvModule` (convolution + norm + activation) and its depthwise-separable form. */
import { ConfigError } from '../errors.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor4D } from '../tf.js';
import { buildActivation, fusedName, type ActCfg, type Activation, type FusedActivation } from './act.js';
import { Conv2d, type Pair } from './conv.js';
import { foldBatchNorm, type FoldableConv } from './fold.js';
import { chain, Module } from './module.js';
import { BatchNorm2d, buildNormLayer, GroupNorm, LayerNorm, type NormCfg } from './norm.js';

/**
 * Configs may name the convolution; only the ordinary one has an implementation here.
 *
 * @throws ConfigError for deformable and other special convolutions
 */
export function checkConvCfg(convCfg: { readonly type?: unknown } | null | undefined, where: string): void {
  if (!convCfg || convCfg.type === 'Conv2d' || convCfg.type === 'Conv') return;
  throw new ConfigError(`${where}.conv_cfg: found ${JSON.stringify(convCfg)}; expected null or { "type": "Conv2d" }.`);
}

export interface ConvModuleOptions {
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  groups?: number;
  /** Default: true exactly when there is no norm (mmcv's `'auto'`). */
  bias?: boolean;
  normCfg?: NormCfg | null;
  /** Default ReLU, as in mmcv; `null` for none. */
  actCfg?: ActCfg | null;
}

/** A convolution of any number of dimensions. */
export interface ConvLayer<T extends Tensor> extends Module<T, T>, FoldableConv {
  forward(x: T, activation?: FusedActivation): T;
}

/** Convolution, then batch norm (folded at load) or group norm, then activation (fused where tfjs can). */
export class ConvNormAct<C extends ConvLayer<T>, T extends Tensor> extends Module<T, T> {
  readonly conv: C;
  readonly bn: BatchNorm2d | null;
  readonly gn: GroupNorm | null;
  readonly #fused: FusedActivation | null;
  readonly #activate: Activation;

  constructor(conv: C, { normCfg = null, actCfg = { type: 'ReLU' } }: Pick<ConvModuleOptions, 'normCfg' | 'actCfg'>) {
    super();
    this.conv = conv;
    const norm = normCfg && buildNormLayer(normCfg, conv.outChannels)[1];
    if (norm instanceof LayerNorm) {
      throw new ConfigError(`norm_cfg.type: found "${normCfg!.type}"; expected BN, SyncBN or GN here.`);
    }
    this.bn = norm instanceof BatchNorm2d ? norm : null;
    this.gn = norm instanceof GroupNorm ? norm : null;
    this.#fused = this.gn ? null : fusedName(actCfg);
    this.#activate = buildActivation(actCfg);
  }

  override prepare(): void {
    if (this.bn) foldBatchNorm(this.conv, this.bn);
  }

  override forward(x: T): T {
    if (this.#fused) return this.conv.forward(x, this.#fused);
    return tf.tidy(() => this.#activate(chain([this.conv, this.gn], x)));
  }
}

/** `ConvNormAct` around a 2-D convolution: what mmcv makes without `conv_cfg`. */
export class ConvModule extends ConvNormAct<Conv2d, Tensor4D> {
  constructor(inChannels: number, outChannels: number, kernel: Pair, options: ConvModuleOptions = {}) {
    const { normCfg = null, actCfg, bias = normCfg === null, ...convOptions } = options;
    super(new Conv2d(inChannels, outChannels, kernel, { ...convOptions, bias }), { normCfg, actCfg });
  }
}

export interface DepthwiseSeparableOptions {
  stride?: Pair;
  padding?: Pair;
  dilation?: Pair;
  normCfg?: NormCfg | null;
  actCfg?: ActCfg | null;
  dwActCfg?: ActCfg | null;
  pwActCfg?: ActCfg | null;
}

/** mmcv's `DepthwiseSeparableConvModule`: depthwise k x k, then pointwise 1 x 1. */
export class DepthwiseSeparableConvModule extends Module {
  readonly depthwise_conv: ConvModule;
  readonly pointwise_conv: ConvModule;

  constructor(inChannels: number, outChannels: number, kernel: Pair, options: DepthwiseSeparableOptions = {}) {
    super();
    const { stride, padding, dilation, normCfg = null, actCfg = { type: 'ReLU' } } = options;
    const { dwActCfg = actCfg, pwActCfg = actCfg } = options;
    this.depthwise_conv = new ConvModule(inChannels, inChannels, kernel, {
      ...{ stride, padding, dilation, normCfg },
      groups: inChannels,
      actCfg: dwActCfg,
    });
    this.pointwise_conv = new ConvModule(inChannels, outChannels, 1, { normCfg, actCfg: pwActCfg });
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => this.pointwise_conv.forward(this.depthwise_conv.forward(x)));
  }
}
