/**
 * Feature pyramid network (Lin et al. 2017, https://arxiv.org/abs/1612.03144), from MMPose's `necks/fpn.py`: every map to one width,
 * the coarse ones added to the finer, and further, coarser maps after the last.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import { readResizeMode, resize, resizeBy, type ResizeMode } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { checkChannels } from './check_channels.js';

interface FPNConfig {
  readonly in_channels: readonly number[];
  readonly out_channels: number;
  readonly num_outs: number;
  readonly start_level: number;
  readonly end_level: number;
  readonly add_extra_convs: boolean | string;
  readonly relu_before_extra_convs: boolean;
  readonly no_norm_on_lateral: boolean;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg | null;
  readonly act_cfg: ActCfg | null;
  readonly upsample_cfg: Readonly<Record<string, unknown>>;
}

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  num_outs: REQUIRED,
  start_level: 0,
  end_level: -1,
  add_extra_convs: false,
  relu_before_extra_convs: false,
  no_norm_on_lateral: false,
  conv_cfg: null,
  norm_cfg: null,
  act_cfg: null,
  upsample_cfg: { mode: 'nearest' },
};

/** What the first extra convolution reads: the last input, the last map before the output convolutions, or the last output. */
const EXTRA_SOURCES = ['on_input', 'on_lateral', 'on_output'] as const;
type ExtraSource = (typeof EXTRA_SOURCES)[number];

/** Maps of `in_channels`, finest first, to `num_outs` maps of `out_channels`, from the size of `start_level` on. */
export class FPN extends Module<Feats, Feats> {
  readonly lateral_convs: readonly ConvModule[];
  /** One per level, then those of the extra levels. */
  readonly fpn_convs: readonly ConvModule[];
  readonly #numInputs: number;
  readonly #startLevel: number;
  readonly #numOuts: number;
  /** Null: the extra levels are every second pixel of the level before. */
  readonly #extraSource: ExtraSource | null;
  readonly #reluBeforeExtra: boolean;
  readonly #upsample: Resizing;
  readonly #halve = new MaxPool2d(1, { stride: 2 });

  constructor(config: Readonly<Record<string, unknown>>, where = 'neck') {
    super();
    const cfg = readFPNConfig(config, where);
    const { out_channels: width, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const end = endLevel(cfg, where);
    const levels = cfg.in_channels.slice(cfg.start_level, end);
    const lateralNorm = cfg.no_norm_on_lateral ? null : normCfg;
    this.#numInputs = cfg.in_channels.length;
    this.#startLevel = cfg.start_level;
    this.#numOuts = cfg.num_outs;
    this.#extraSource = readExtraSource(cfg.add_extra_convs, `${where}.add_extra_convs`);
    this.#reluBeforeExtra = cfg.relu_before_extra_convs;
    this.#upsample = readResizing(cfg.upsample_cfg, `${where}.upsample_cfg`);
    this.lateral_convs = levels.map((from) => new ConvModule(from, width, 1, { normCfg: lateralNorm, actCfg }));
    const numExtra = this.#extraSource ? cfg.num_outs - levels.length : 0;
    const extraWidths = Array.from({ length: numExtra }, (_, i) =>
      i === 0 && this.#extraSource === 'on_input' ? levels[levels.length - 1] : width,
    );
    this.fpn_convs = [
      ...levels.map(() => new ConvModule(width, width, 3, { padding: 1, normCfg, actCfg })),
      ...extraWidths.map((from) => new ConvModule(from, width, 3, { stride: 2, padding: 1, normCfg, actCfg })),
    ];
  }

  override forward(feats: Feats): Feats {
    if (feats.length !== this.#numInputs) {
      throw new InputError(
        `FPN: found ${feats.length} feature maps; expected ${this.#numInputs}, one per entry of in_channels.`,
      );
    }
    return tf.tidy(() => {
      const laterals = this.#topDown(feats);
      const outs = laterals.map((map, i) => this.fpn_convs[i].forward(map));
      while (outs.length < this.#numOuts) outs.push(this.#extraLevel(feats, laterals, outs));
      return outs;
    });
  }

  /** Laterals, finest first, each with the resized sum of the coarser ones. */
  #topDown(feats: Feats): Tensor4D[] {
    const maps = this.lateral_convs.map((conv, i) => conv.forward(feats[i + this.#startLevel]));
    for (let i = maps.length - 1; i > 0; i--) maps[i - 1] = tf.add(maps[i - 1], this.#upsample(maps[i], maps[i - 1]));
    return maps;
  }

  /** The next level beyond those of the inputs. */
  #extraLevel(feats: Feats, laterals: Feats, outs: Feats): Tensor4D {
    const last = outs[outs.length - 1];
    if (!this.#extraSource) return this.#halve.forward(last);
    const conv = this.fpn_convs[outs.length];
    if (outs.length > laterals.length) return conv.forward(this.#reluBeforeExtra ? tf.relu(last) : last);
    const sources: Readonly<Record<ExtraSource, Tensor4D>> = {
      on_input: feats[this.#startLevel + laterals.length - 1],
      on_lateral: laterals[laterals.length - 1],
      on_output: last,
    };
    return conv.forward(sources[this.#extraSource]);
  }
}

function readFPNConfig(config: Readonly<Record<string, unknown>>, where: string): FPNConfig {
  const cfg = readConfig<FPNConfig>(config, where, SPEC);
  checkChannels(cfg.in_channels, `${where}.in_channels`);
  checkCount(cfg.out_channels, `${where}.out_channels`);
  checkCount(cfg.num_outs, `${where}.num_outs`);
  checkConvCfg(cfg.conv_cfg, where);
  return cfg;
}

/** The level after the last one that is read; extra levels only exist when that is the last of all. */
function endLevel(cfg: FPNConfig, where: string): number {
  const { in_channels: inputs, start_level: start, end_level: end, num_outs: numOuts } = cfg;
  const last = end === -1 ? inputs.length - 1 : end;
  if (![start, last].every(Number.isInteger) || start < 0 || last < start || last >= inputs.length) {
    throw new ConfigError(
      `${where}: found start_level ${start} and end_level ${end}; expected levels from 0 to ${inputs.length - 1}, in order.`,
    );
  }
  const numLevels = last + 1 - start;
  const allowsExtra = last === inputs.length - 1;
  if (numOuts < numLevels || (numOuts > numLevels && !allowsExtra)) {
    throw new ConfigError(
      `${where}.num_outs: found ${numOuts}; expected ${numLevels}${allowsExtra ? ' or more' : ', as many as levels'}.`,
    );
  }
  return last + 1;
}

/** `true` is `on_input`. */
function readExtraSource(value: unknown, where: string): ExtraSource | null {
  if (value === false) return null;
  if (value === true) return 'on_input';
  const source = EXTRA_SOURCES.find((name) => name === value);
  if (source) return source;
  throw new ConfigError(
    `${where}: found ${JSON.stringify(value)}; expected true, false, ${EXTRA_SOURCES.map((name) => `"${name}"`).join(', ')}.`,
  );
}

/** The coarse map, made as large as the fine one or larger by a factor. */
type Resizing = (coarse: Tensor4D, fine: Tensor4D) => Tensor4D;

function readResizing(config: Readonly<Record<string, unknown>>, where: string): Resizing {
  const cfg = readConfig<{ mode: unknown; scale_factor: number | null; align_corners: boolean | null }>(config, where, {
    ...{ mode: 'nearest', scale_factor: null, align_corners: null },
  });
  const mode: ResizeMode = readResizeMode(cfg.mode, `${where}.mode`);
  const options = { mode, alignCorners: cfg.align_corners ?? false };
  const { scale_factor: factor } = cfg;
  if (factor !== null) return (coarse) => resizeBy(coarse, factor, options);
  return (coarse, fine) => resize(coarse, [fine.shape[1], fine.shape[2]], options);
}
