/**
 * Heatmap head of networks with several stages of several units, MSPN and RSN (MMPose:
 * `mmpose/models/heads/heatmap_heads/mspn_head.py`): two convolutions per unit, resized to one shape. Not here: the pose refine machine.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { ConvModule } from '../../../nn/conv_module.js';
import { chain, Module, type Feats, type Layers } from '../../../nn/module.js';
import type { NormCfg } from '../../../nn/norm.js';
import { resize } from '../../../nn/resize.js';
import type { Tensor4D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import type { HeadFeats } from '../base_head.js';
import { BaseHeatmapHead } from './base_heatmap_head.js';

interface MSPNHeadConfig {
  readonly num_stages: number;
  readonly num_units: number;
  readonly out_shape: readonly [h: number, w: number];
  readonly unit_channels: number;
  readonly out_channels: number;
  readonly use_prm: boolean;
  readonly norm_cfg: NormCfg;
  readonly level_indices: readonly number[];
}

const SPEC = {
  num_stages: 4,
  num_units: 4,
  out_shape: [64, 48],
  unit_channels: 256,
  out_channels: 17,
  use_prm: false,
  norm_cfg: { type: 'BN' },
  level_indices: [],
  decoder: null,
};

/** A unit's map [N, h, w, unit_channels] -> heatmaps [N, ...out_shape, out_channels]. */
class PredictHeatmap extends Module {
  readonly conv_layers: Layers;
  readonly #shape: readonly [h: number, w: number];

  constructor({ unit_channels: unit, out_channels: out, norm_cfg: normCfg, out_shape: shape }: MSPNHeadConfig) {
    super();
    this.#shape = shape;
    this.conv_layers = [
      new ConvModule(unit, unit, 1, { normCfg }),
      new ConvModule(unit, out, 3, { padding: 1, normCfg, actCfg: null }),
    ];
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain([this.conv_layers, (y) => resize(y, this.#shape, { mode: 'bilinear', alignCorners: true })], x);
  }
}

/** Maps per stage and unit -> heatmaps [N, h, w, out_channels] per stage and unit. Poses come from the very last alone. */
export class MSPNHead extends BaseHeatmapHead {
  readonly predict_layers: readonly PredictHeatmap[];
  readonly #stages: number;
  readonly #units: number;
  readonly #where: string;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readMSPNHeadConfig(config, where);
    [this.#stages, this.#units, this.#where] = [cfg.num_stages, cfg.num_units, where];
    this.predict_layers = Array.from({ length: cfg.num_stages * cfg.num_units }, () => new PredictHeatmap(cfg));
  }

  override forward(feats: HeadFeats): Tensor4D[] {
    return this.#unitMaps(feats).map((map, i) => this.predict_layers[i].forward(map));
  }

  protected override predictOutputs(feats: HeadFeats): [heatmaps: Tensor4D] {
    const last = this.predict_layers.length - 1;
    return [this.predict_layers[last].forward(this.#unitMaps(feats)[last])];
  }

  /** The maps of all units, stage by stage. */
  #unitMaps(feats: HeadFeats): Feats {
    // Backbones with stages give a list per stage, which the common type of features does not tell.
    const stages = feats as unknown as readonly Feats[];
    const units = stages.map((maps) => (Array.isArray(maps) ? maps.length : 1));
    if (stages.length === this.#stages && units.every((count) => count === this.#units)) return stages.flat();
    throw new ConfigError(
      `${this.#where}: found num_stages ${this.#stages}, num_units ${this.#units}, and stages of [${units.join(', ')}] maps from the ` +
        'backbone; expected as many of both.',
    );
  }
}

function readMSPNHeadConfig(config: ConfigDict, where: string): MSPNHeadConfig {
  const cfg = readConfig<MSPNHeadConfig>(config, where, SPEC);
  for (const key of ['num_stages', 'num_units', 'unit_channels', 'out_channels'] as const) {
    checkCount(cfg[key], `${where}.${key}`);
  }
  const [h, w] = cfg.out_shape;
  checkCount(h, `${where}.out_shape.0`);
  checkCount(w, `${where}.out_shape.1`);
  const count = cfg.num_stages * cfg.num_units;
  if (cfg.level_indices.length !== count) {
    throw new ConfigError(
      `${where}.level_indices: found ${cfg.level_indices.length} entries; expected num_stages * num_units, ${count}.`,
    );
  }
  if (cfg.use_prm) {
    throw new ConfigError(`${where}.use_prm: found true; expected false: the pose refine machine is not there yet.`);
  }
  return cfg;
}
