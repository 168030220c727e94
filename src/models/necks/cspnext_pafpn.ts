/**
 * RTMW's and RTMDet's neck, from MMPose's `necks/cspnext_pafpn.py` and MMDetection's file of the same name: a path aggregation network
 * of CSPNeXt layers.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg } from '../../nn/conv_module.js';
import type { NormCfg } from '../../nn/norm.js';
import type { Module } from '../../nn/module.js';
import type { Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { convOf } from '../utils/csp_layer.js';
import { CspPafpn, readUpsample } from './csp_pafpn.js';

interface CSPNeXtPAFPNConfig {
  readonly in_channels: readonly number[];
  readonly out_channels: number | null;
  readonly out_indices: readonly number[];
  readonly num_csp_blocks: number;
  readonly use_depthwise: boolean;
  readonly expand_ratio: number;
  readonly upsample_cfg: Readonly<Record<string, unknown>>;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

/** Feature maps of `in_channels`, finest first, to maps of the same sizes, of `out_channels` unless that is null; `out_indices` selects. */
export class CSPNeXtPAFPN extends CspPafpn {
  /** Finest first. */
  readonly out_convs: readonly Module[];
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    const cfg = readPAFPNConfig(config, where);
    const common = { normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg };
    super({
      ...{ name: 'CSPNeXtPAFPN', widths: cfg.in_channels, ...common },
      layers: { numBlocks: cfg.num_csp_blocks, expandRatio: cfg.expand_ratio, useCspnextBlock: true },
      useDepthwise: cfg.use_depthwise,
      upsample: readUpsample(cfg.upsample_cfg, `${where}.upsample_cfg`),
    });
    this.#outIndices = cfg.out_indices;
    const { out_channels: outChannels } = cfg;
    const outConv = (width: number) => convOf(cfg.use_depthwise, width, outChannels!, { padding: 1, ...common });
    this.out_convs = outChannels === null ? [] : cfg.in_channels.map(outConv);
  }

  protected override select(outs: Tensor4D[]): Tensor4D[] {
    return this.#outIndices.map((i) => this.out_convs[i]?.forward(outs[i]) ?? outs[i]);
  }
}

function readPAFPNConfig(config: Readonly<Record<string, unknown>>, where: string): CSPNeXtPAFPNConfig {
  const cfg = readConfig<CSPNeXtPAFPNConfig>(config, where, {
    ...{ in_channels: REQUIRED, out_channels: REQUIRED, out_indices: [0, 1, 2], num_csp_blocks: 3 },
    ...{ use_depthwise: false, expand_ratio: 0.5, upsample_cfg: { scale_factor: 2, mode: 'nearest' }, conv_cfg: null },
    // As in CSPNeXt: a config's own norm_cfg without eps means 1e-5.
    ...{ norm_cfg: { type: 'BN', eps: 1e-3 }, act_cfg: { type: 'Swish' } },
  });
  checkConvCfg(cfg.conv_cfg, where);
  // For a number MMPose's own file fails in forward; MMDetection's has a convolution per map.
  if (cfg.out_channels !== null) checkCount(cfg.out_channels, `${where}.out_channels`);
  if (!cfg.out_indices.every((i) => Number.isInteger(i) && i >= 0 && i < cfg.in_channels.length)) {
    throw new ConfigError(
      `${where}.out_indices: found [${cfg.out_indices.join(', ')}]; expected 0 to ${cfg.in_channels.length - 1}.`,
    );
  }
  return cfg;
}
