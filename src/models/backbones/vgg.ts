/** VGG as a feature extractor, from MMPose's `backbones/vgg.py` (https://arxiv.org/abs/1409.1556). Not here: its classifier. */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chainStages, Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import type { Tensor4D } from '../../tf.js';
import { readOutIndices } from './utils/read_out_indices.js';

/** Convolutions per stage. */
const ARCH_SETTINGS: Readonly<Record<number, readonly number[]>> = {
  11: [1, 1, 2, 2, 2],
  13: [2, 2, 2, 2, 2],
  16: [2, 2, 3, 3, 3],
  19: [2, 2, 4, 4, 4],
};

interface VGGConfig {
  readonly depth: number;
  readonly num_classes: number;
  readonly num_stages: number;
  readonly dilations: readonly number[];
  readonly out_indices: readonly number[] | null;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg | null;
  readonly act_cfg: ActCfg;
  readonly ceil_mode: boolean;
  readonly with_last_pool: boolean;
}

/** Input [N, H, W, 3], output one map per entry of `out_indices`. */
export class VGG extends Module<Tensor4D, Feats> {
  readonly features: readonly Module[];
  readonly #stages: readonly (readonly Module[])[];
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readVGGConfig(config, where);
    this.#outIndices = readOutIndices(cfg.out_indices ?? [4], cfg.num_stages, where);
    this.#stages = Array.from({ length: cfg.num_stages }, (_, i) => makeStage(cfg, i));
    this.features = this.#stages.flat();
  }

  override forward(x: Tensor4D): Feats {
    return chainStages(this.#stages, x, this.#outIndices);
  }
}

function widthOf(stage: number): number {
  return stage < 0 ? 3 : 64 * 2 ** Math.min(stage, 3);
}

function makeStage(cfg: VGGConfig, i: number): Module[] {
  const { dilations, norm_cfg: normCfg, act_cfg: actCfg, ceil_mode: ceilMode, num_stages: stages } = cfg;
  const options = { dilation: dilations[i], padding: dilations[i], bias: true, normCfg, actCfg };
  const convs = Array.from(
    { length: ARCH_SETTINGS[cfg.depth][i] },
    (_, j) => new ConvModule(widthOf(j === 0 ? i - 1 : i), widthOf(i), 3, options),
  );
  if (i === stages - 1 && !cfg.with_last_pool) return convs;
  return [...convs, new MaxPool2d(2, { stride: 2, ceilMode })];
}

function readVGGConfig(config: Readonly<Record<string, unknown>>, where: string): VGGConfig {
  const cfg = readConfig<VGGConfig>(config, where, {
    ...{ depth: REQUIRED, num_classes: -1, num_stages: 5, dilations: [1, 1, 1, 1, 1], out_indices: null },
    ...{ conv_cfg: null, norm_cfg: null, act_cfg: { type: 'ReLU' }, ceil_mode: false, with_last_pool: true },
  });
  checkConvCfg(cfg.conv_cfg, where);
  if (!ARCH_SETTINGS[cfg.depth]) {
    throw new ConfigError(`${where}.depth: found ${cfg.depth}; expected 11, 13, 16 or 19.`);
  }
  if (cfg.num_classes > 0) {
    throw new ConfigError(
      `${where}.num_classes: found ${cfg.num_classes}; a pose network has no classifier: leave the key out.`,
    );
  }
  if (!(cfg.num_stages >= 1 && cfg.num_stages <= 5) || cfg.dilations.length !== cfg.num_stages) {
    throw new ConfigError(
      `${where}: found num_stages ${cfg.num_stages}, dilations [${cfg.dilations.join(', ')}]; expected 1 to 5 stages with one dilation each.`,
    );
  }
  return cfg;
}
