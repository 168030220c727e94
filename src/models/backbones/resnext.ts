/** ResNeXt, from MMPose's `backbones/resnext.py` (https://arxiv.org/abs/1611.05431): ResNet with grouped middle convolutions. */
import { ConfigError } from '../../errors.js';
import { Bottleneck, ResNet, RESNET_SPEC, STAGE_BLOCKS, type ResNetConfig, type ResNetFamily } from './resnet.js';

/** What ResNeXt's block widths depend on. */
export interface GroupConfig {
  readonly groups: number;
  readonly widthPerGroup: number;
  readonly baseChannels: number;
}

/** Channels of the middle convolution: groups x width per group in the first stage, doubling with every stage. */
export function groupedMidChannels(plain: number, { groups, widthPerGroup, baseChannels }: GroupConfig): number {
  if (groups === 1) return plain;
  if (plain % baseChannels !== 0) {
    throw new ConfigError(
      `ResNeXt: found ${plain} middle channels; expected a multiple of base_channels ${baseChannels}.`,
    );
  }
  return Math.floor((groups * widthPerGroup * plain) / baseChannels);
}

/** Reads the keys that ResNeXt adds. */
export function groupConfig(config: ResNetConfig): GroupConfig {
  return {
    groups: config.groups as number,
    widthPerGroup: config.width_per_group as number,
    baseChannels: config.base_channels,
  };
}

export const RESNEXT_SPEC = { ...RESNET_SPEC, groups: 32, width_per_group: 4 };

const RESNEXT: ResNetFamily = {
  spec: RESNEXT_SPEC,
  depths: [50, 101, 152],
  arch: (config) => {
    const group = groupConfig(config);
    return {
      stageBlocks: STAGE_BLOCKS[config.depth],
      expansion: 4,
      block: (inChannels, outChannels, options) => {
        const midChannels = groupedMidChannels(outChannels / options.expansion, group);
        return new Bottleneck(inChannels, outChannels, { ...options, midChannels, groups: group.groups });
      },
    };
  },
};

/** Input [N, H, W, 3], output one map per entry of `out_indices`, as ResNet. */
export class ResNeXt extends ResNet {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(config, where, RESNEXT);
  }
}
