/**
 * Heatmap head of SimpleBaseline (Xiao et al. 2018) and of nearly all top-down heatmap models (MMPose:
 * `mmpose/models/heads/heatmap_heads/heatmap_head.py`): deconvolutions, convolutions, a final layer.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict, type ConfigSpec } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { Act } from '../../../nn/act.js';
import { Conv2d } from '../../../nn/conv.js';
import { chain, type Layers } from '../../../nn/module.js';
import { BatchNorm2d } from '../../../nn/norm.js';
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { BaseHeatmapHead } from './base_heatmap_head.js';
import { deconvLayers, pairUp, type LayerSize } from './deconv_layers.js';

interface HeatmapHeadConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly deconv_out_channels: readonly number[] | null;
  readonly deconv_kernel_sizes: readonly number[] | null;
  /** A key of ViPNASHead; without it every deconvolution is dense. */
  readonly deconv_num_groups?: readonly number[] | null;
  readonly conv_out_channels: readonly number[] | null;
  readonly conv_kernel_sizes: readonly number[] | null;
  readonly final_layer: Readonly<Record<string, unknown>> | null;
}

/** The keys of its layers. */
export const HEATMAP_LAYERS_SPEC = {
  deconv_out_channels: [256, 256, 256],
  deconv_kernel_sizes: [4, 4, 4],
  conv_out_channels: null,
  conv_kernel_sizes: null,
  final_layer: { kernel_size: 1 },
};

/** HeatmapHead's keys; relatives add theirs. */
export const HEATMAP_HEAD_SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  ...HEATMAP_LAYERS_SPEC,
  decoder: null,
};

/** Features [N, h, w, C] (the last of the list) -> one tensor of heatmaps [N, h', w', out_channels]. */
export class HeatmapHead extends BaseHeatmapHead {
  readonly deconv_layers: Layers;
  readonly conv_layers: Layers;
  readonly final_layer: Conv2d | null;

  constructor(
    config: ConfigDict,
    decoder: KeypointCodec | null = null,
    where = 'model.head',
    spec: ConfigSpec = HEATMAP_HEAD_SPEC,
  ) {
    super(decoder, where);
    const cfg = readConfig<HeatmapHeadConfig>(config, where, spec);
    checkCount(cfg.in_channels, `${where}.in_channels`);
    const { deconv_out_channels: deconvs, conv_out_channels: convs } = cfg;
    const sizes = pairUp(deconvs, cfg.deconv_kernel_sizes, `${where}.deconv`);
    this.deconv_layers = deconvLayers(cfg.in_channels, sizes, where, groupsPerLayer(cfg, where));
    const afterDeconv = deconvs?.at(-1) ?? cfg.in_channels;
    this.conv_layers = convLayers(afterDeconv, pairUp(convs, cfg.conv_kernel_sizes, `${where}.conv`));
    const afterConv = convs?.at(-1) ?? afterDeconv;
    this.final_layer = buildFinalLayer(cfg.final_layer, afterConv, cfg.out_channels, `${where}.final_layer`);
  }

  override forward(feats: HeadFeats): [heatmaps: Tensor4D] {
    const x = feats[feats.length - 1] as Tensor4D;
    const y = chain([this.deconv_layers, this.conv_layers, this.final_layer], x);
    return [y === x ? tf.clone(y) : y];
  }
}

/** Groups of each deconvolution; empty when all are dense. */
function groupsPerLayer(cfg: HeatmapHeadConfig, where: string): readonly number[] {
  const count = cfg.deconv_out_channels?.length ?? 0;
  const groups = cfg.deconv_num_groups;
  if (groups === undefined || count === 0) return [];
  if (groups?.length !== count) {
    throw new ConfigError(
      `${where}.deconv_num_groups: found ${JSON.stringify(groups)}; expected as many as ${where}.deconv_out_channels, ${count}.`,
    );
  }
  for (const [i, each] of groups.entries()) checkCount(each, `${where}.deconv_num_groups.${i}`);
  return groups;
}

/** Convolutions, each with batch norm and ReLU. */
export function convLayers(inChannels: number, sizes: readonly LayerSize[]): Layers {
  let from = inChannels;
  return sizes.flatMap(([to, kernel]) => {
    const conv = new Conv2d(from, to, kernel, { padding: Math.floor((kernel - 1) / 2) });
    from = to;
    return [conv, new BatchNorm2d(to), new Act({ type: 'ReLU' })];
  });
}
