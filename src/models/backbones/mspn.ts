/**
 * MSPN, from MMPose's `backbones/mspn.py` (https://arxiv.org/abs/1901.00148): U-shaped residual networks one after the other, each with
 * shortcuts into the next. RSN is the same network with other blocks, given as a `UnitFamily`.
 */
import { readConfig, type ConfigSpec } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import { resize } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { Bottleneck } from './resnet.js';

/** A read config. */
export interface MultiStageConfig {
  readonly unit_channels: number;
  readonly num_stages: number;
  readonly num_units: number;
  readonly num_blocks: readonly number[];
  readonly norm_cfg: NormCfg;
  readonly res_top_channels: number;
}

export const MSPN_SPEC: ConfigSpec = {
  unit_channels: 256,
  num_stages: 4,
  num_units: 4,
  num_blocks: [2, 2, 2, 2],
  norm_cfg: { type: 'BN' },
  res_top_channels: 64,
};

/** Width of the first unit, which MMPose's own modules fix. */
const TOP_CHANNELS = 64;

export interface UnitBlockOptions {
  readonly stride: number;
  readonly downsample: ConvModule | null;
  readonly normCfg: NormCfg;
}

/** What distinguishes MSPN and RSN: the block of the downsampling units. */
export interface UnitFamily {
  /** Output channels of a block per channel of its unit. */
  readonly expansion: number;
  /** A block from `inChannels` to `channels * expansion`. */
  block(inChannels: number, channels: number, options: UnitBlockOptions): Module;
}

const MSPN_FAMILY: UnitFamily = {
  expansion: 4,
  block: (inChannels, channels, options) =>
    new Bottleneck(inChannels, channels * 4, { expansion: 4, dilation: 1, style: 'pytorch', ...options }),
};

/** [N, H, W, 3] -> [N, H/4, W/4, 64]. */
export class ResNetTop extends Module {
  readonly top: Layers;

  constructor(normCfg: NormCfg) {
    super();
    this.top = [
      new ConvModule(3, TOP_CHANNELS, 7, { stride: 2, padding: 3, normCfg }),
      new MaxPool2d(3, { stride: 2, padding: 1 }),
    ];
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain(this.top, x);
  }
}

/** From fine to coarse. Input: the map and, from an earlier stage, two shortcuts per unit. Output: a map per unit, coarsest first. */
class DownsampleModule extends Module<Feats, Feats> {
  readonly #layers: readonly Layers[];

  constructor(cfg: MultiStageConfig, family: UnitFamily) {
    super();
    let inChannels = TOP_CHANNELS;
    this.#layers = cfg.num_blocks.map((numBlocks, i) => {
      const layer = makeUnit(family, {
        ...cfg,
        inChannels,
        channels: TOP_CHANNELS * 2 ** i,
        numBlocks,
        first: i === 0,
      });
      inChannels = TOP_CHANNELS * 2 ** i * family.expansion;
      return layer;
    });
    for (const [i, layer] of this.#layers.entries()) (this as Record<string, unknown>)[`layer${i + 1}`] = layer;
  }

  override forward([x, ...skips]: Feats): Feats {
    const outs: Tensor4D[] = [];
    for (const [i, layer] of this.#layers.entries()) {
      const out = tf.tidy(() => {
        const y = chain(layer, outs.at(-1) ?? x);
        return skips.length === 0 ? y : tf.add(tf.add(y, skips[i]), skips[this.#layers.length + i]);
      });
      outs.push(out as Tensor4D);
    }
    return outs.toReversed();
  }
}

interface UnitOptions {
  readonly inChannels: number;
  readonly channels: number;
  readonly numBlocks: number;
  /** The first unit keeps the resolution, the others halve it. */
  readonly first: boolean;
  readonly norm_cfg: NormCfg;
}

function makeUnit(
  family: UnitFamily,
  { inChannels, channels, numBlocks, first, norm_cfg: normCfg }: UnitOptions,
): Module[] {
  const out = channels * family.expansion;
  const stride = first ? 1 : 2;
  const changes = stride !== 1 || inChannels !== out;
  const downsample = changes ? new ConvModule(inChannels, out, 1, { stride, normCfg, actCfg: null }) : null;
  // MMPose hands its norm_cfg to the first block alone.
  const steady = { stride: 1, downsample: null, normCfg: { type: 'BN' } };
  return Array.from({ length: numBlocks }, (_, i) =>
    i === 0 ? family.block(inChannels, channels, { stride, downsample, normCfg }) : family.block(out, channels, steady),
  );
}

interface UpsampleOptions {
  readonly inChannels: number;
  readonly unitChannels: number;
  readonly normCfg: NormCfg;
  readonly isFirst: boolean;
  /** Shortcuts to the next stage. */
  readonly genSkip: boolean;
  /** The next stage's input. */
  readonly genCrossConv: boolean;
}

/** Input: the map from below and, but for the first unit, the coarser unit's. Output: the map, two shortcuts, the next stage's input. */
class UpsampleUnit extends Module<Feats, Feats> {
  readonly in_skip: ConvModule;
  readonly up_conv: ConvModule | null;
  readonly out_skip1: ConvModule | null;
  readonly out_skip2: ConvModule | null;
  readonly cross_conv: ConvModule | null;

  constructor({ inChannels, unitChannels, normCfg, isFirst, genSkip, genCrossConv }: UpsampleOptions) {
    super();
    const linear = { normCfg, actCfg: null };
    this.in_skip = new ConvModule(inChannels, unitChannels, 1, linear);
    this.up_conv = isFirst ? null : new ConvModule(unitChannels, unitChannels, 1, linear);
    this.out_skip1 = genSkip ? new ConvModule(inChannels, inChannels, 1, { normCfg }) : null;
    this.out_skip2 = genSkip ? new ConvModule(unitChannels, inChannels, 1, { normCfg }) : null;
    this.cross_conv = genCrossConv ? new ConvModule(unitChannels, TOP_CHANNELS, 1, { normCfg }) : null;
  }

  override forward([x, coarser]: Feats): Feats {
    const out = tf.relu(this.#sum(x, coarser)) as Tensor4D;
    const skips = this.out_skip1 && this.out_skip2 ? [this.out_skip1.forward(x), this.out_skip2.forward(out)] : [];
    return [out, ...skips, ...(this.cross_conv ? [this.cross_conv.forward(out)] : [])];
  }

  #sum(x: Tensor4D, coarser: Tensor4D): Tensor4D {
    const own = this.in_skip.forward(x);
    if (!this.up_conv) return own;
    const [, h, w] = x.shape;
    return tf.add(own, this.up_conv.forward(resize(coarser, [h, w], { mode: 'bilinear', alignCorners: true })));
  }
}

/** From coarse to fine. Output: a map per unit, coarsest first; for a next stage its shortcuts, finest first, and its input. */
class UpsampleModule extends Module<Feats, Feats> {
  readonly #units: readonly UpsampleUnit[];

  constructor(cfg: MultiStageConfig, family: UnitFamily, isLastStage: boolean) {
    super();
    const { num_units: count, unit_channels: unitChannels, norm_cfg: normCfg } = cfg;
    this.#units = Array.from({ length: count }, (_, i) => {
      const inChannels = family.expansion * TOP_CHANNELS * 2 ** (count - 1 - i);
      const genCrossConv = !isLastStage && i === count - 1;
      return new UpsampleUnit({
        ...{ inChannels, unitChannels, normCfg },
        ...{ isFirst: i === 0, genSkip: !isLastStage, genCrossConv },
      });
    });
    for (const [i, unit] of this.#units.entries()) (this as Record<string, unknown>)[`up${i + 1}`] = unit;
  }

  override forward(maps: Feats): Feats {
    const [outs, skips1, skips2]: [Tensor4D[], Tensor4D[], Tensor4D[]] = [[], [], []];
    let cross: Feats = [];
    for (const [i, unit] of this.#units.entries()) {
      const [out, ...rest] = tf.tidy(() => [...unit.forward([maps[i], ...outs.slice(-1)])]);
      outs.push(out);
      skips1.unshift(...rest.slice(0, 1));
      skips2.unshift(...rest.slice(1, 2));
      cross = rest.slice(2);
    }
    return [...outs, ...skips1, ...skips2, ...cross];
  }
}

/** One stage. Input as `DownsampleModule`, output as `UpsampleModule`. */
class SingleStageNetwork extends Module<Feats, Feats> {
  readonly downsample: DownsampleModule;
  readonly upsample: UpsampleModule;

  constructor(cfg: MultiStageConfig, family: UnitFamily, isLastStage: boolean) {
    super();
    this.downsample = new DownsampleModule(cfg, family);
    this.upsample = new UpsampleModule(cfg, family, isLastStage);
  }

  override forward(input: Feats): Feats {
    return tf.tidy(() => [...this.upsample.forward(this.downsample.forward(input))]);
  }
}

/** The stages of a network, in MMPose's `multi_stage_...`. */
export type Stages = readonly Module<Feats, Feats>[];

export function makeStages(cfg: MultiStageConfig, family: UnitFamily): Stages {
  const { num_stages: count } = cfg;
  return Array.from({ length: count }, (_, i) => new SingleStageNetwork(cfg, family, i === count - 1));
}

/** The maps of every unit of every stage. */
export function runStages(top: ResNetTop, stages: Stages, numUnits: number, x: Tensor4D): Tensor4D[][] {
  return tf.tidy(() => {
    const outs: Tensor4D[][] = [];
    let input: Feats = [top.forward(x)];
    for (const stage of stages) {
      const found = stage.forward(input);
      outs.push(found.slice(0, numUnits));
      // After the maps come the shortcuts and, last, the next stage's input.
      input = [...found.slice(-1), ...found.slice(numUnits, -1)];
    }
    return outs;
  });
}

/** Input [N, H, W, 3], output per stage one map [N, h, w, unit_channels] per unit, from stride 4 * 2^(num_units - 1) to stride 4. */
export class MSPN extends Module<Tensor4D, readonly Feats[]> {
  readonly top: ResNetTop;
  readonly multi_stage_mspn: Stages;
  readonly #numUnits: number;

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readMultiStageConfig<MultiStageConfig>(config, where, MSPN_SPEC);
    this.#numUnits = cfg.num_units;
    this.top = new ResNetTop(cfg.norm_cfg);
    this.multi_stage_mspn = makeStages(cfg, MSPN_FAMILY);
  }

  override forward(x: Tensor4D): readonly Feats[] {
    return runStages(this.top, this.multi_stage_mspn, this.#numUnits, x);
  }
}

/** @throws ConfigError for numbers of stages, units and blocks that make no network */
export function readMultiStageConfig<T extends MultiStageConfig>(
  config: Readonly<Record<string, unknown>>,
  where: string,
  spec: ConfigSpec,
): T {
  const cfg = readConfig<T>(config, where, spec);
  const { num_stages: stages, num_units: units, num_blocks: blocks, res_top_channels: top } = cfg;
  if (!(Number.isInteger(stages) && stages >= 1)) {
    throw new ConfigError(`${where}.num_stages: found ${JSON.stringify(stages)}; expected a whole number from 1.`);
  }
  if (!(Number.isInteger(units) && units >= 2) || blocks.length !== units || !blocks.every((count) => count >= 1)) {
    throw new ConfigError(
      `${where}: found num_units ${units}, num_blocks [${blocks.join(', ')}]; expected 2 units or more with one number of blocks each.`,
    );
  }
  if (top !== TOP_CHANNELS) {
    throw new ConfigError(
      `${where}.res_top_channels: found ${JSON.stringify(top)}; expected ${TOP_CHANNELS}, the width of MMPose's first layers.`,
    );
  }
  return cfg;
}
