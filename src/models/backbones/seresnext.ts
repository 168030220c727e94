/** SEResNeXt, from MMPose's `backbones/seresnext.py`: ResNeXt's grouped convolutions with SEResNet's gates. */
import { ResNet, STAGE_BLOCKS, type ResNetFamily } from './resnet.js';
import { groupConfig, groupedMidChannels, RESNEXT_SPEC } from './resnext.js';
import { SEBottleneck } from './seresnet.js';

const SERESNEXT: ResNetFamily = {
  spec: { ...RESNEXT_SPEC, se_ratio: 16 },
  depths: [50, 101, 152],
  arch: (config) => {
    const group = groupConfig(config);
    return {
      stageBlocks: STAGE_BLOCKS[config.depth],
      expansion: 4,
      block: (inChannels, outChannels, options) => {
        const midChannels = groupedMidChannels(outChannels / options.expansion, group);
        // MMPose takes `se_ratio` but does not hand it to the blocks: the ratio is always 16.
        const variant = { midChannels, groups: group.groups, seRatio: 16 };
        return new SEBottleneck(inChannels, outChannels, { ...options, ...variant });
      },
    };
  },
};

/** Input [N, H, W, 3], output one map per entry of `out_indices`, as ResNet. */
export class SEResNeXt extends ResNet {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(config, where, SERESNEXT);
  }
}
