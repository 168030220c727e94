/**
 * RTMW's and RTMDet's neck, from MMPose's `necks/cspnext_pafpn.py` and MMDetection's file of the same name: a path aggregation network
 * of CSPNeXt layers.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { readResizeMode, Upsample } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { convOf, CSPLayer } from '../utils/csp_layer.js';

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
export class CSPNeXtPAFPN extends Module<Feats, Feats> {
  /** Top-down, coarsest first. */
  readonly reduce_layers: readonly ConvModule[];
  readonly top_down_blocks: readonly CSPLayer[];
  /** Bottom-up, finest first. */
  readonly downsamples: readonly Module[];
  readonly bottom_up_blocks: readonly CSPLayer[];
  /** Finest first. */
  readonly out_convs: readonly Module[];
  readonly #upsample: Upsample;
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    super();
    const cfg = readPAFPNConfig(config, where);
    const { in_channels: widths, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const common = { normCfg, actCfg };
    const layer = (inChannels: number, outChannels: number) =>
      new CSPLayer(inChannels, outChannels, {
        ...common,
        ...{ numBlocks: cfg.num_csp_blocks, addIdentity: false, useCspnextBlock: true },
        ...{ useDepthwise: cfg.use_depthwise, expandRatio: cfg.expand_ratio },
      });
    const coarseToFine = widths
      .slice(1)
      .map((width, i) => [width, widths[i]] as const)
      .toReversed();
    this.#upsample = readUpsample(cfg.upsample_cfg, `${where}.upsample_cfg`);
    this.#outIndices = cfg.out_indices;
    this.reduce_layers = coarseToFine.map(([from, to]) => new ConvModule(from, to, 1, common));
    this.top_down_blocks = coarseToFine.map(([, to]) => layer(to * 2, to));
    const finer = widths.slice(0, -1);
    this.downsamples = finer.map((width) =>
      convOf(cfg.use_depthwise, width, width, { stride: 2, padding: 1, ...common }),
    );
    this.bottom_up_blocks = finer.map((width, i) => layer(width * 2, widths[i + 1]));
    const { out_channels: outChannels } = cfg;
    const outConv = (width: number) => convOf(cfg.use_depthwise, width, outChannels!, { padding: 1, ...common });
    this.out_convs = outChannels === null ? [] : widths.map(outConv);
  }

  override forward(feats: Feats): Feats {
    if (feats.length !== this.downsamples.length + 1) {
      throw new InputError(
        `CSPNeXtPAFPN: found ${feats.length} feature maps; expected ${this.downsamples.length + 1}, one per entry of in_channels.`,
      );
    }
    return tf.tidy(() => {
      const inner = this.#topDown(feats);
      const outs = [inner[0]];
      for (const [i, downsample] of this.downsamples.entries()) {
        const join = () => tf.concat([downsample.forward(outs[i]), inner[i + 1]], 3);
        outs.push(tf.tidy(() => this.bottom_up_blocks[i].forward(join())));
      }
      return this.#outIndices.map((i) => this.out_convs[i]?.forward(outs[i]) ?? outs[i]);
    });
  }

  /** Maps finest first; all but the finest are as wide as the next finer input. */
  #topDown(feats: Feats): Tensor4D[] {
    const inner = [feats[feats.length - 1]];
    for (const [i, reduce] of this.reduce_layers.entries()) {
      const high = reduce.forward(inner[0]);
      const low = feats[feats.length - 2 - i];
      inner[0] = high;
      inner.unshift(tf.tidy(() => this.top_down_blocks[i].forward(tf.concat([this.#upsample.forward(high), low], 3))));
    }
    return inner;
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

function readUpsample(config: Readonly<Record<string, unknown>>, where: string): Upsample {
  const cfg = readConfig<{ scale_factor: number; mode: unknown; align_corners: boolean | null }>(config, where, {
    ...{ scale_factor: REQUIRED, mode: 'nearest', align_corners: null },
  });
  const mode = readResizeMode(cfg.mode, `${where}.mode`);
  return new Upsample(cfg.scale_factor, { mode, alignCorners: cfg.align_corners ?? false });
}
