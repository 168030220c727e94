/**
 * RSN, from MMPose's `backbones/rsn.py` (https://arxiv.org/abs/2003.04030): MSPN's stages with residual steps blocks, whose branches
 * pass on what they found to each other.
 */
import type { ConfigSpec } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats } from '../../nn/module.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import {
  makeStages,
  MSPN_SPEC,
  readMultiStageConfig,
  ResNetTop,
  runStages,
  type MultiStageConfig,
  type Stages,
  type UnitBlockOptions,
} from './mspn.js';
import { splitChannels } from './utils/channel_shuffle.js';

interface RSNConfig extends MultiStageConfig {
  readonly num_steps: number;
  readonly expand_times: number;
}

const SPEC: ConfigSpec = { ...MSPN_SPEC, num_steps: 4, expand_times: 26 };

/** Residual steps block: branch i runs i convolutions, and each but the last also reads the branch before. */
class RSB extends Module {
  readonly conv_bn_relu1: ConvModule;
  readonly conv_bn3: ConvModule;
  readonly downsample: ConvModule | null;
  /** `conv_bn_relu2_1_1`, `conv_bn_relu2_2_1`, ...: row i holds the i + 1 convolutions of a branch. */
  readonly #steps: readonly (readonly ConvModule[])[];
  readonly #widths: readonly number[];

  constructor(inChannels: number, channels: number, cfg: RSNConfig, options: UnitBlockOptions) {
    super();
    const { stride, normCfg, downsample } = options;
    const { num_steps: count } = cfg;
    const branch = Math.floor((inChannels * cfg.expand_times) / cfg.res_top_channels);
    this.#widths = Array.from({ length: count }, () => branch);
    this.conv_bn_relu1 = new ConvModule(inChannels, count * branch, 1, { stride, normCfg });
    this.#steps = Array.from({ length: count }, (_, i) =>
      Array.from({ length: i + 1 }, () => new ConvModule(branch, branch, 3, { padding: 1, normCfg })),
    );
    for (const [i, row] of this.#steps.entries()) {
      for (const [j, conv] of row.entries()) {
        (this as Record<string, unknown>)[`conv_bn_relu2_${i + 1}_${j + 1}`] = conv;
      }
    }
    this.conv_bn3 = new ConvModule(count * branch, channels, 1, { normCfg, actCfg: null });
    this.downsample = downsample;
  }

  override forward(x: Tensor4D): Tensor4D {
    const out = this.conv_bn3.forward(this.#branches(this.conv_bn_relu1.forward(x)));
    return tf.relu(tf.add(out, chain([this.downsample], x)));
  }

  /** The last output of every branch, behind each other. */
  #branches(x: Tensor4D): Tensor4D {
    const parts = splitChannels(x, this.#widths);
    let previous: Feats = [];
    const ends = this.#steps.map((row, i) => {
      const found: Tensor4D[] = [];
      for (const [j, conv] of row.entries()) {
        const own = found.at(-1) ?? parts[i];
        found.push(conv.forward(j < i ? tf.add(own, previous[j]) : own));
      }
      previous = found;
      return found[i];
    });
    return tf.concat(ends, 3);
  }
}

/** Input [N, H, W, 3], output per stage one map [N, h, w, unit_channels] per unit, from stride 4 * 2^(num_units - 1) to stride 4. */
export class RSN extends Module<Tensor4D, readonly Feats[]> {
  readonly top: ResNetTop;
  readonly multi_stage_rsn: Stages;
  readonly #numUnits: number;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readMultiStageConfig<RSNConfig>(config, where, SPEC);
    if (!(Number.isInteger(cfg.num_steps) && cfg.num_steps >= 2)) {
      throw new ConfigError(
        `${where}.num_steps: found ${JSON.stringify(cfg.num_steps)}; expected a whole number from 2.`,
      );
    }
    this.#numUnits = cfg.num_units;
    this.top = new ResNetTop(cfg.norm_cfg);
    this.multi_stage_rsn = makeStages(cfg, {
      expansion: 1,
      block: (inChannels, channels, options) => new RSB(inChannels, channels, cfg, options),
    });
  }

  override forward(x: Tensor4D): readonly Feats[] {
    return runStages(this.top, this.multi_stage_rsn, this.#numUnits, x);
  }
}
