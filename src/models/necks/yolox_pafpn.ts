/** YOLOX's neck, from MMPose's `necks/yolox_pafpn.py`: a path aggregation network of CSP layers, and all maps brought to one width. */
import { readConfig, REQUIRED } from '../../config.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import type { NormCfg } from '../../nn/norm.js';
import type { Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { checkChannels } from './check_channels.js';
import { CspPafpn, readUpsample } from './csp_pafpn.js';

interface YOLOXPAFPNConfig {
  readonly in_channels: readonly number[];
  readonly out_channels: number;
  readonly num_csp_blocks: number;
  readonly use_depthwise: boolean;
  readonly upsample_cfg: Readonly<Record<string, unknown>>;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  num_csp_blocks: 3,
  use_depthwise: false,
  upsample_cfg: { scale_factor: 2, mode: 'nearest' },
  conv_cfg: null,
  // As in CSPDarknet: a config's own norm_cfg without eps means 1e-5.
  norm_cfg: { type: 'BN', eps: 1e-3 },
  act_cfg: { type: 'Swish' },
};

/** Feature maps of `in_channels`, finest first, to maps of the same sizes with `out_channels`. */
export class YOLOXPAFPN extends CspPafpn {
  readonly out_convs: readonly ConvModule[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    const cfg = readConfig<YOLOXPAFPNConfig>(config, where, SPEC);
    checkConvCfg(cfg.conv_cfg, where);
    checkChannels(cfg.in_channels, `${where}.in_channels`);
    checkCount(cfg.out_channels, `${where}.out_channels`);
    const common = { normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg };
    super({
      ...{ name: 'YOLOXPAFPN', widths: cfg.in_channels, useDepthwise: cfg.use_depthwise, ...common },
      layers: { numBlocks: cfg.num_csp_blocks },
      upsample: readUpsample(cfg.upsample_cfg, `${where}.upsample_cfg`),
    });
    this.out_convs = cfg.in_channels.map((width) => new ConvModule(width, cfg.out_channels, 1, common));
  }

  protected override select(outs: Tensor4D[]): Tensor4D[] {
    return this.out_convs.map((conv, i) => conv.forward(outs[i]));
  }
}
