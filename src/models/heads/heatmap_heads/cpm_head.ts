/**
 * Heatmap head of networks whose stages refine each other's maps, Convolutional Pose Machines and Stacked Hourglass (MMPose:
 * `mmpose/models/heads/heatmap_heads/cpm_head.py`): the same small head once per stage.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import type { Conv2d } from '../../../nn/conv.js';
import { chain, type Layers } from '../../../nn/module.js';
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { BaseHeatmapHead } from './base_heatmap_head.js';
import { deconvLayers, pairUp } from './deconv_layers.js';

interface CPMHeadConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly num_stages: number;
  readonly deconv_out_channels: readonly number[] | null;
  readonly deconv_kernel_sizes: readonly number[] | null;
  readonly final_layer: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  num_stages: REQUIRED,
  deconv_out_channels: null,
  deconv_kernel_sizes: null,
  final_layer: { kernel_size: 1 },
  decoder: null,
};

/** Features [N, h, w, C] per stage -> heatmaps [N, h', w', out_channels] per stage. Poses come from the last stage alone. */
export class CPMHead extends BaseHeatmapHead {
  readonly multi_deconv_layers: readonly Layers[];
  readonly multi_final_layers: readonly (Conv2d | null)[];
  readonly #where: string;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    this.#where = where;
    const cfg = readConfig<CPMHeadConfig>(config, where, SPEC);
    const { in_channels: inChannels, out_channels: outChannels, deconv_out_channels: deconvs } = cfg;
    checkCount(inChannels, `${where}.in_channels`);
    checkCount(cfg.num_stages, `${where}.num_stages`);
    const perStage = <T>(make: () => T): T[] => Array.from({ length: cfg.num_stages }, make);
    const sizes = pairUp(deconvs, cfg.deconv_kernel_sizes, `${where}.deconv`);
    this.multi_deconv_layers = perStage(() => deconvLayers(inChannels, sizes, where));
    const afterDeconv = deconvs?.at(-1) ?? inChannels;
    this.multi_final_layers = perStage(() =>
      buildFinalLayer(cfg.final_layer, afterDeconv, outChannels, `${where}.final_layer`),
    );
  }

  override forward(feats: HeadFeats): Tensor4D[] {
    this.#checkStages(feats);
    return feats.map((_, stage) => this.#heatmaps(feats, stage));
  }

  protected override predictOutputs(feats: HeadFeats): [heatmaps: Tensor4D] {
    this.#checkStages(feats);
    return [this.#heatmaps(feats, feats.length - 1)];
  }

  #heatmaps(feats: HeadFeats, stage: number): Tensor4D {
    const x = feats[stage] as Tensor4D;
    const y = chain([this.multi_deconv_layers[stage], this.multi_final_layers[stage]], x);
    return y === x ? tf.clone(y) : y;
  }

  #checkStages({ length }: HeadFeats): void {
    const stages = this.multi_final_layers.length;
    if (length === stages) return;
    throw new ConfigError(
      `${this.#where}.num_stages: found ${stages}, and ${length} from the backbone; expected the same number.`,
    );
  }
}
