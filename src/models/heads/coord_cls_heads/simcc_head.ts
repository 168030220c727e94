/**
 * SimCC head (Li et al. 2022; MMPose: `mmpose/models/heads/coord_cls_heads/simcc_head.py`): each coordinate is a classification
 * over sub-pixel bins, from heatmaps flattened into a linear layer.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { Conv2d } from '../../../nn/conv.js';
import { Linear } from '../../../nn/linear.js';
import { chain } from '../../../nn/module.js';
import type { Tensor3D, Tensor4D } from '../../../tf.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { HeatmapHead } from '../heatmap_heads/heatmap_head.js';
import { ViPNASHead } from '../heatmap_heads/vipnas_head.js';
import { binCounts, checkSize, flattenMaps, SimCCBaseHead } from './simcc_base.js';

interface SimCCHeadConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly input_size: readonly [w: number, h: number];
  readonly in_featuremap_size: readonly [w: number, h: number];
  readonly simcc_split_ratio: number;
  readonly deconv_type: string;
  readonly deconv_out_channels: readonly number[] | null;
  readonly deconv_kernel_sizes: readonly number[] | null;
  readonly deconv_num_groups: readonly number[] | null;
  readonly conv_out_channels: readonly number[] | null;
  readonly conv_kernel_sizes: readonly number[] | null;
  readonly final_layer: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  input_size: REQUIRED,
  in_featuremap_size: REQUIRED,
  simcc_split_ratio: 2,
  deconv_type: 'heatmap',
  deconv_out_channels: [256, 256, 256],
  deconv_kernel_sizes: [4, 4, 4],
  deconv_num_groups: [16, 16, 16],
  conv_out_channels: null,
  conv_kernel_sizes: null,
  final_layer: { kernel_size: 1 },
  decoder: null,
};

/** Features [N, h, w, C] (the last of the list) -> x [N, K, Wx] and y [N, K, Wy]. */
export class SimCCHead extends SimCCBaseHead {
  readonly deconv_head: HeatmapHead | null;
  readonly final_layer: Conv2d | null;
  readonly mlp_head_x: Linear;
  readonly mlp_head_y: Linear;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<SimCCHeadConfig>(config, where, SPEC);
    checkSize(cfg.input_size, `${where}.input_size`);
    checkSize(cfg.in_featuremap_size, `${where}.in_featuremap_size`);
    checkCount(cfg.in_channels, `${where}.in_channels`);
    const deconvs = cfg.deconv_out_channels?.length ?? 0;
    this.deconv_head = deconvs > 0 ? deconvHead(cfg, where) : null;
    this.final_layer =
      deconvs > 0 ? null : buildFinalLayer(cfg.final_layer, cfg.in_channels, cfg.out_channels, `${where}.final_layer`);
    const [w, h] = cfg.in_featuremap_size;
    const flat = w * h * 4 ** deconvs;
    const [wx, wy] = binCounts(cfg.input_size, cfg.simcc_split_ratio);
    this.mlp_head_x = new Linear(flat, wx);
    this.mlp_head_y = new Linear(flat, wy);
  }

  override forward(feats: HeadFeats): [x: Tensor3D, y: Tensor3D] {
    const maps = this.deconv_head
      ? this.deconv_head.forward(feats)[0]
      : chain([this.final_layer], feats[feats.length - 1] as Tensor4D);
    const x = flattenMaps(maps);
    return [this.mlp_head_x.forward(x) as Tensor3D, this.mlp_head_y.forward(x) as Tensor3D];
  }

  /** The codec's sigma. RTMPose's heads do without, in MMPose too. */
  protected override displaySigmas(): readonly [x: number | null, y: number | null] {
    const sigma = (this.decoder as { sigma?: ArrayLike<number> } | null)?.sigma;
    return sigma ? [sigma[0], sigma[1]] : [null, null];
  }
}

function deconvHead(cfg: SimCCHeadConfig, where: string): HeatmapHead {
  const { in_channels, out_channels, deconv_out_channels, deconv_kernel_sizes } = cfg;
  const { conv_out_channels, conv_kernel_sizes, final_layer, deconv_num_groups } = cfg;
  const common = {
    ...{ in_channels, out_channels, deconv_out_channels, deconv_kernel_sizes },
    ...{ conv_out_channels, conv_kernel_sizes, final_layer },
  };
  switch (cfg.deconv_type) {
    case 'heatmap':
      return new HeatmapHead({ type: 'HeatmapHead', ...common }, null, where);
    case 'vipnas':
      return new ViPNASHead({ type: 'ViPNASHead', ...common, deconv_num_groups }, null, where);
    default:
      throw new ConfigError(
        `${where}.deconv_type: found ${JSON.stringify(cfg.deconv_type)}; expected "heatmap" or "vipnas".`,
      );
  }
}
