/** SEResNet, from MMPose's `backbones/seresnet.py` (https://arxiv.org/abs/1709.01507): ResNet with a channel gate per block. */
import { Bottleneck, ResNet, RESNET_SPEC, STAGE_BLOCKS, type BottleneckOptions, type ResNetFamily } from './resnet.js';
import { SELayer } from './utils/se_layer.js';

/** A bottleneck whose result is gated before the shortcut is added. */
export class SEBottleneck extends Bottleneck {
  readonly se_layer: SELayer;

  constructor(inChannels: number, outChannels: number, options: BottleneckOptions & { readonly seRatio: number }) {
    super(inChannels, outChannels, options);
    this.se_layer = new SELayer(outChannels, { ratio: options.seRatio });
  }

  protected override get afterConvs(): SELayer {
    return this.se_layer;
  }
}

const SERESNET: ResNetFamily = {
  spec: { ...RESNET_SPEC, se_ratio: 16 },
  depths: [50, 101, 152],
  arch: ({ depth, se_ratio: seRatio }) => ({
    stageBlocks: STAGE_BLOCKS[depth],
    expansion: 4,
    block: (inC, outC, options) => new SEBottleneck(inC, outC, { ...options, seRatio: seRatio as number }),
  }),
};

/** Input [N, H, W, 3], output one map per entry of `out_indices`, as ResNet. */
export class SEResNet extends ResNet {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(config, where, SERESNET);
  }
}
