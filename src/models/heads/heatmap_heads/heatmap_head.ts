/**
 * Heatmap head of SimpleBaseline (Xiao et al. 2018) and of nearly all top-down heatmap models (MMPose:
 * `mmpose/models/heads/heatmap_heads/heatmap_head.py`): deconvolutions, convolutions, a final layer.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import { Act } from '../../../nn/act.js';
import { Conv2d, ConvTranspose2d } from '../../../nn/conv.js';
import { chain, type Layers } from '../../../nn/module.js';
import { BatchNorm2d } from '../../../nn/norm.js';
import type { SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import { flipHeatmaps } from '../../utils/tta.js';
import { BaseHead, type DenseFields, type HeadFeats } from '../base_head.js';

interface HeatmapHeadConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly deconv_out_channels: readonly number[] | null;
  readonly deconv_kernel_sizes: readonly number[] | null;
  readonly conv_out_channels: readonly number[] | null;
  readonly conv_kernel_sizes: readonly number[] | null;
  readonly final_layer: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  deconv_out_channels: [256, 256, 256],
  deconv_kernel_sizes: [4, 4, 4],
  conv_out_channels: null,
  conv_kernel_sizes: null,
  final_layer: { kernel_size: 1 },
  decoder: null,
};

/** Padding and output padding of a stride-2 deconvolution that exactly doubles the size. */
const DECONV_PADDING: Readonly<Record<number, readonly [padding: number, outputPadding: number]>> = {
  4: [1, 0],
  3: [1, 1],
  2: [0, 0],
};

/** Features [N, h, w, C] (the last of the list) -> one tensor of heatmaps [N, h', w', out_channels]. */
export class HeatmapHead extends BaseHead {
  readonly deconv_layers: Layers;
  readonly conv_layers: Layers;
  readonly final_layer: Conv2d | null;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<HeatmapHeadConfig>(config, where, SPEC);
    checkCount(cfg.in_channels, `${where}.in_channels`);
    const { deconv_out_channels: deconvs, conv_out_channels: convs } = cfg;
    this.deconv_layers = deconvLayers(
      cfg.in_channels,
      pairUp(deconvs, cfg.deconv_kernel_sizes, `${where}.deconv`),
      where,
    );
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

  protected override unflip([heatmaps]: [Tensor4D], meta: SampleMetainfo, testCfg: TestCfg): [Tensor4D] {
    const { flipMode, shiftHeatmap } = testCfg;
    return [flipHeatmaps(heatmaps, { flipIndices: meta.flipIndices, flipMode, shiftHeatmap })];
  }

  protected override denseFields([heatmaps]: readonly NdArray[]): DenseFields {
    return { heatmaps: { data: heatmaps.data.slice(), shape: heatmaps.shape } };
  }
}

type LayerSize = readonly [channels: number, kernel: number];

/** Channels and kernels of a stack of layers; empty when there are none. */
function pairUp(channels: readonly number[] | null, kernels: readonly number[] | null, where: string): LayerSize[] {
  if (!channels || channels.length === 0) return [];
  if (!kernels || kernels.length !== channels.length) {
    throw new ConfigError(
      `${where}_kernel_sizes: found ${JSON.stringify(kernels)}; expected as many as ${where}_out_channels, ${channels.length}.`,
    );
  }
  return channels.map((count, i) => {
    checkCount(count, `${where}_out_channels.${i}`);
    checkCount(kernels[i], `${where}_kernel_sizes.${i}`);
    return [count, kernels[i]];
  });
}

function deconvLayers(inChannels: number, sizes: readonly LayerSize[], where: string): Layers {
  let from = inChannels;
  return sizes.flatMap(([to, kernel]) => {
    const paddings = DECONV_PADDING[kernel];
    if (!paddings) throw new ConfigError(`${where}.deconv_kernel_sizes: found ${kernel}; expected 4, 3 or 2.`);
    const [padding, outputPadding] = paddings;
    const deconv = new ConvTranspose2d(from, to, kernel, { stride: 2, padding, outputPadding, bias: false });
    from = to;
    return [deconv, new BatchNorm2d(to), new Act({ type: 'ReLU' })];
  });
}

function convLayers(inChannels: number, sizes: readonly LayerSize[]): Layers {
  let from = inChannels;
  return sizes.flatMap(([to, kernel]) => {
    const conv = new Conv2d(from, to, kernel, { padding: Math.floor((kernel - 1) / 2) });
    from = to;
    return [conv, new BatchNorm2d(to), new Act({ type: 'ReLU' })];
  });
}
