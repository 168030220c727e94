/** From MMPose's `necks/channel_mapper.py`: every map to one width, and coarser maps after the last. */
import { readConfig, REQUIRED } from '../../config.js';
import { InputError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import type { Pair } from '../../nn/conv.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { checkChannels } from './check_channels.js';

interface ChannelMapperConfig {
  readonly in_channels: readonly number[];
  readonly out_channels: number;
  readonly kernel_size: number;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg | null;
  readonly act_cfg: ActCfg | null;
  readonly num_outs: number | null;
  readonly bias: boolean | 'auto';
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  kernel_size: 3,
  conv_cfg: null,
  norm_cfg: null,
  act_cfg: { type: 'ReLU' },
  num_outs: null,
  bias: 'auto',
};

/** Maps of `in_channels` to `num_outs` maps of `out_channels`; each one beyond the inputs has half the size of the one before. */
export class ChannelMapper extends Module<Feats, Feats> {
  readonly convs: readonly ConvModule[];
  readonly extra_convs: readonly ConvModule[] | null;

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    super();
    const cfg = readConfig<ChannelMapperConfig>(config, where, SPEC);
    const { in_channels: inChannels, out_channels: outChannels, kernel_size: kernel } = cfg;
    checkChannels(inChannels, `${where}.in_channels`);
    checkCount(outChannels, `${where}.out_channels`);
    checkCount(kernel, `${where}.kernel_size`);
    if (cfg.num_outs !== null) checkCount(cfg.num_outs, `${where}.num_outs`);
    checkConvCfg(cfg.conv_cfg, where);
    const options = {
      ...{ normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg },
      ...(cfg.bias !== 'auto' && { bias: cfg.bias }),
    };
    const padding: Pair = Math.floor((kernel - 1) / 2);
    this.convs = inChannels.map((from) => new ConvModule(from, outChannels, kernel, { ...options, padding }));
    const numExtra = Math.max(0, (cfg.num_outs ?? 0) - inChannels.length);
    const extra = Array.from({ length: numExtra }, (_, i) => {
      const from = i === 0 ? inChannels[inChannels.length - 1] : outChannels;
      return new ConvModule(from, outChannels, 3, { ...options, stride: 2, padding: 1 });
    });
    this.extra_convs = numExtra > 0 ? extra : null;
  }

  override forward(feats: Feats): Feats {
    if (feats.length !== this.convs.length) {
      throw new InputError(
        `ChannelMapper: found ${feats.length} feature maps; expected ${this.convs.length}, one per entry of in_channels.`,
      );
    }
    return tf.tidy(() => {
      const outs = this.convs.map((conv, i) => conv.forward(feats[i]));
      for (const [i, conv] of (this.extra_convs ?? []).entries()) {
        outs.push(conv.forward(i === 0 ? feats[feats.length - 1] : outs[outs.length - 1]));
      }
      return outs;
    });
  }
}
