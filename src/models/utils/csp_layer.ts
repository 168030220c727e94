/** Cross-stage-partial layers of CSPNeXt and CSPDarknet, from MMPose's `models/utils/csp_layer.py`. */
import type { ActCfg } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { ConvModule, DepthwiseSeparableConvModule } from '../../nn/conv_module.js';
import { chain, Module } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { buildActivation } from '../../nn/act.js';
import { globalAvgPool, MaxPool2d } from '../../nn/pool.js';
import { gate } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';

/** Norm and activation that a whole network shares. */
export interface CspCfg {
  readonly normCfg: NormCfg;
  readonly actCfg: ActCfg;
}

const hardSigmoid = buildActivation({ type: 'Hardsigmoid' });

/** A channel gate: global mean, 1 x 1 convolution, hard sigmoid. */
export class ChannelAttention extends Module {
  readonly fc: Conv2d;

  constructor(channels: number) {
    super();
    this.fc = new Conv2d(channels, channels, 1);
  }

  override forward(x: Tensor4D): Tensor4D {
    return gate(x, hardSigmoid(this.fc.forward(globalAvgPool(x))));
  }
}

interface BlockOptions extends CspCfg {
  readonly addIdentity: boolean;
  readonly useDepthwise: boolean;
}

/** Two convolutions and a shortcut, hidden width = output width (MMPose calls both with expansion 1 here). */
abstract class CspBlock extends Module {
  abstract readonly conv1: Module;
  abstract readonly conv2: Module;
  readonly #addIdentity: boolean;

  constructor(addIdentity: boolean) {
    super();
    this.#addIdentity = addIdentity;
  }

  override forward(x: Tensor4D): Tensor4D {
    const out = chain([this.conv1, this.conv2], x);
    return this.#addIdentity ? tf.add(out, x) : out;
  }
}

/** 1 x 1, then 3 x 3. */
export class DarknetBottleneck extends CspBlock {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule | DepthwiseSeparableConvModule;

  constructor(channels: number, options: BlockOptions) {
    super(options.addIdentity);
    const { normCfg, actCfg } = options;
    this.conv1 = new ConvModule(channels, channels, 1, { normCfg, actCfg });
    this.conv2 = convOf(options.useDepthwise, channels, channels, { padding: 1, normCfg, actCfg });
  }
}

/** 3 x 3, then depthwise-separable 5 x 5. */
export class CSPNeXtBlock extends CspBlock {
  readonly conv1: ConvModule | DepthwiseSeparableConvModule;
  readonly conv2: DepthwiseSeparableConvModule;

  constructor(channels: number, options: BlockOptions) {
    super(options.addIdentity);
    const { normCfg, actCfg } = options;
    this.conv1 = convOf(options.useDepthwise, channels, channels, { padding: 1, normCfg, actCfg });
    this.conv2 = new DepthwiseSeparableConvModule(channels, channels, 5, { padding: 2, normCfg, actCfg });
  }
}

interface ConvOfOptions extends CspCfg {
  readonly stride?: number;
  readonly padding: number;
}

/** A 3 x 3 convolution, ordinary or depthwise-separable. */
export function convOf(useDepthwise: boolean, inChannels: number, outChannels: number, options: ConvOfOptions) {
  const Conv = useDepthwise ? DepthwiseSeparableConvModule : ConvModule;
  return new Conv(inChannels, outChannels, 3, options);
}

export interface CSPLayerOptions extends CspCfg {
  /** Hidden width / output width; default 0.5. */
  readonly expandRatio?: number;
  readonly numBlocks?: number;
  readonly addIdentity?: boolean;
  readonly useDepthwise?: boolean;
  readonly useCspnextBlock?: boolean;
  readonly channelAttention?: boolean;
}

/** One half of the channels goes through the blocks, the other straight to the last convolution. */
export class CSPLayer extends Module {
  readonly main_conv: ConvModule;
  readonly short_conv: ConvModule;
  readonly final_conv: ConvModule;
  readonly blocks: readonly Module[];
  readonly attention: ChannelAttention | null;

  constructor(inChannels: number, outChannels: number, options: CSPLayerOptions) {
    super();
    const { expandRatio = 0.5, numBlocks = 1, addIdentity = true, useDepthwise = false, normCfg, actCfg } = options;
    const mid = Math.trunc(outChannels * expandRatio);
    const Block = options.useCspnextBlock ? CSPNeXtBlock : DarknetBottleneck;
    this.main_conv = new ConvModule(inChannels, mid, 1, { normCfg, actCfg });
    this.short_conv = new ConvModule(inChannels, mid, 1, { normCfg, actCfg });
    this.final_conv = new ConvModule(2 * mid, outChannels, 1, { normCfg, actCfg });
    this.blocks = Array.from(
      { length: numBlocks },
      () => new Block(mid, { addIdentity, useDepthwise, normCfg, actCfg }),
    );
    this.attention = options.channelAttention ? new ChannelAttention(2 * mid) : null;
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => {
      const main = chain([this.main_conv, this.blocks], x);
      const joined = tf.concat([main, this.short_conv.forward(x)], 3);
      return chain([this.attention, this.final_conv], joined);
    });
  }
}

/** MMPose's `SPPBottleneck` (`backbones/csp_darknet.py`): max pools of several sizes beside the map itself. */
export class SPPBottleneck extends Module {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule;
  readonly #poolings: readonly MaxPool2d[];

  constructor(inChannels: number, outChannels: number, options: CspCfg & { readonly kernelSizes?: readonly number[] }) {
    super();
    const { kernelSizes = [5, 9, 13], normCfg, actCfg } = options;
    const mid = Math.floor(inChannels / 2);
    this.conv1 = new ConvModule(inChannels, mid, 1, { normCfg, actCfg });
    this.#poolings = kernelSizes.map((k) => new MaxPool2d(k, { stride: 1, padding: Math.floor(k / 2) }));
    this.conv2 = new ConvModule(mid * (kernelSizes.length + 1), outChannels, 1, { normCfg, actCfg });
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => {
      const y = this.conv1.forward(x);
      const pooled = this.#poolings.map((pooling) => pooling.forward(y));
      return this.conv2.forward(tf.concat([y, ...pooled], 3));
    });
  }
}
