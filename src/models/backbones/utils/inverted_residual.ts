/** The block of MobileNetV3 and ViPNAS, from MMPose's `backbones/utils/inverted_residual.py`. */
import { ConfigError } from '../../../errors.js';
import type { ActCfg } from '../../../nn/act.js';
import { ConvModule } from '../../../nn/conv_module.js';
import { chain, Module } from '../../../nn/module.js';
import type { NormCfg } from '../../../nn/norm.js';
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';
import { SELayer, type SELayerOptions } from './se_layer.js';

/** The gate of MobileNetV3: its hard sigmoid is mmcv's old one, (x + 1) / 2. */
export const MOBILE_SE: SELayerOptions = {
  ratio: 4,
  actCfg: [{ type: 'ReLU' }, { type: 'HSigmoid', bias: 1, divisor: 2 }],
};

export interface InvertedResidualOptions {
  readonly midChannels: number;
  readonly kernelSize: number;
  readonly stride: number;
  /** Groups of the middle convolution; default: depthwise. */
  readonly groups?: number | null;
  readonly se?: SELayerOptions | null;
  /** False leaves out the first 1 x 1 convolution; then midChannels = inChannels. */
  readonly withExpandConv?: boolean;
  readonly normCfg: NormCfg;
  readonly actCfg: ActCfg;
}

/** 1 x 1 to the hidden width, k x k per group, gate, 1 x 1 to the output, and a shortcut where the shapes allow. */
export class InvertedResidual extends Module {
  readonly expand_conv: ConvModule | null;
  readonly depthwise_conv: ConvModule;
  readonly se: SELayer | null;
  readonly linear_conv: ConvModule;
  readonly #shortcut: boolean;

  constructor(inChannels: number, outChannels: number, options: InvertedResidualOptions) {
    super();
    const { midChannels: mid, kernelSize, stride, normCfg, actCfg, withExpandConv = true, se = null } = options;
    if (!withExpandConv && mid !== inChannels) {
      throw new ConfigError(`InvertedResidual: found ${inChannels} input and ${mid} hidden channels; expected equal.`);
    }
    const middle = { stride, padding: Math.floor(kernelSize / 2), groups: options.groups ?? mid, normCfg, actCfg };
    this.expand_conv = withExpandConv ? new ConvModule(inChannels, mid, 1, { normCfg, actCfg }) : null;
    this.depthwise_conv = new ConvModule(mid, mid, kernelSize, middle);
    this.se = se && new SELayer(mid, se);
    this.linear_conv = new ConvModule(mid, outChannels, 1, { normCfg, actCfg: null });
    this.#shortcut = stride === 1 && inChannels === outChannels;
  }

  override forward(x: Tensor4D): Tensor4D {
    const out = chain([this.expand_conv, this.depthwise_conv, this.se, this.linear_conv], x);
    return this.#shortcut ? tf.add(x, out) : out;
  }
}
