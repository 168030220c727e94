/**
 * LiteHRNet, from MMPose's `backbones/litehrnet.py` (https://arxiv.org/abs/2104.06403): HRNet's branches with shuffle units (NAIVE)
 * or conditional channel weighting (LITE) in place of residual blocks.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Act, type ActCfg } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg, ConvModule, DepthwiseSeparableConvModule } from '../../nn/conv_module.js';
import { chain, chainFeats, Module, type Feats, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type NormCfg } from '../../nn/norm.js';
import { adaptiveAvgPool2d, globalAvgPool } from '../../nn/pool.js';
import { addChain, gate, resize, Upsample } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { roundHalfEven } from '../utils/misc.js';
import { halves, shufflePair, splitChannels } from './utils/channel_shuffle.js';

const RELU: ActCfg = { type: 'ReLU' };
const SIGMOID: ActCfg = { type: 'Sigmoid' };

/** A channel gate from the map's mean. */
class SpatialWeighting extends Module {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule;

  constructor(channels: number, ratio: number) {
    super();
    const hidden = Math.trunc(channels / ratio);
    this.conv1 = new ConvModule(channels, hidden, 1, { actCfg: RELU });
    this.conv2 = new ConvModule(hidden, channels, 1, { actCfg: SIGMOID });
  }

  override forward(x: Tensor4D): Tensor4D {
    return gate(x, this.conv2.forward(this.conv1.forward(globalAvgPool(x))));
  }
}

/** Channel gates of all resolutions from all resolutions, computed at the coarsest. */
class CrossResolutionWeighting extends Module<Feats, Feats> {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule;
  readonly #channels: readonly number[];

  constructor(channels: readonly number[], ratio: number, normCfg: NormCfg) {
    super();
    this.#channels = channels;
    const total = channels.reduce((sum, c) => sum + c, 0);
    const hidden = Math.trunc(total / ratio);
    this.conv1 = new ConvModule(total, hidden, 1, { normCfg, actCfg: RELU });
    this.conv2 = new ConvModule(hidden, total, 1, { normCfg, actCfg: SIGMOID });
  }

  override forward(maps: Feats): Feats {
    const [, h, w] = maps[maps.length - 1].shape;
    const pooled = tf.concat(
      maps.map((map) => adaptiveAvgPool2d(map, [h, w])),
      3,
    );
    const weights = this.conv2.forward(this.conv1.forward(pooled));
    const parts = splitChannels(weights, this.#channels);
    return maps.map((map, i) => gate(map, parts[i]));
  }
}

/** One LITE block: half of each map passes, the other half is weighted and filtered. */
class ConditionalChannelWeighting extends Module<Feats, Feats> {
  readonly cross_resolution_weighting: CrossResolutionWeighting;
  readonly depthwise_convs: readonly ConvModule[];
  readonly spatial_weighting: readonly SpatialWeighting[];

  constructor(inChannels: readonly number[], reduceRatio: number, normCfg: NormCfg) {
    super();
    const widths = inChannels.map((c) => Math.floor(c / 2));
    this.cross_resolution_weighting = new CrossResolutionWeighting(widths, reduceRatio, normCfg);
    this.depthwise_convs = widths.map((c) => new ConvModule(c, c, 3, { padding: 1, groups: c, normCfg, actCfg: null }));
    this.spatial_weighting = widths.map((c) => new SpatialWeighting(c, 4));
  }

  override forward(maps: Feats): Feats {
    return tf.tidy(() => {
      const split = maps.map((map) => halves(map));
      const weighted = this.cross_resolution_weighting.forward(split.map(([, second]) => second));
      return split.map(([first], i) => {
        const filtered = chain([this.depthwise_convs[i], this.spatial_weighting[i]], weighted[i]);
        return shufflePair(first, filtered);
      });
    });
  }
}

interface StemConfig {
  readonly stem_channels: number;
  readonly out_channels: number;
  readonly expand_ratio: number;
}

/** [N, H, W, C] -> [N, H/4, W/4, out_channels]. */
class Stem extends Module {
  readonly conv1: ConvModule;
  readonly branch1: readonly ConvModule[];
  readonly expand_conv: ConvModule;
  readonly depthwise_conv: ConvModule;
  readonly linear_conv: ConvModule;

  constructor(inChannels: number, config: StemConfig, normCfg: NormCfg) {
    super();
    const { stem_channels: stem, out_channels: out } = config;
    const mid = roundHalfEven(stem * config.expand_ratio);
    const branch = Math.floor(stem / 2);
    const same = stem === out;
    const down = { stride: 2, padding: 1, normCfg };
    this.conv1 = new ConvModule(inChannels, stem, 3, down);
    this.branch1 = [
      new ConvModule(branch, branch, 3, { ...down, groups: branch, actCfg: null }),
      new ConvModule(branch, same ? out - branch : out - stem, 1, { normCfg }),
    ];
    this.expand_conv = new ConvModule(branch, mid, 1, { normCfg });
    this.depthwise_conv = new ConvModule(mid, mid, 3, { ...down, groups: mid, actCfg: null });
    this.linear_conv = new ConvModule(mid, same ? branch : stem, 1, { normCfg });
  }

  override forward(x: Tensor4D): Tensor4D {
    const [first, second] = halves(this.conv1.forward(x));
    const a = chain(this.branch1, first);
    const b = chain([this.expand_conv, this.depthwise_conv, this.linear_conv], second);
    return shufflePair(a, b);
  }
}

/** Refines from coarse to fine: each map is added to the next finer one, bilinearly resized with aligned corners. */
class IterativeHead extends Module<Feats, Feats> {
  readonly projects: readonly DepthwiseSeparableConvModule[];

  constructor(inChannels: readonly number[], normCfg: NormCfg) {
    super();
    const widths = inChannels.toReversed();
    this.projects = widths.map((width, i) => {
      const options = { padding: 1, normCfg, actCfg: RELU, dwActCfg: null };
      return new DepthwiseSeparableConvModule(width, widths[i + 1] ?? width, 3, options);
    });
  }

  override forward(maps: Feats): Feats {
    return tf.tidy(() => {
      const outs: Tensor4D[] = [];
      for (const [i, map] of maps.toReversed().entries()) {
        const coarser = outs.at(-1);
        const out = tf.tidy(() => {
          const [, h, w] = map.shape;
          const sum = coarser ? tf.add(map, resize(coarser, [h, w], { mode: 'bilinear', alignCorners: true })) : map;
          return this.projects[i].forward(sum as Tensor4D);
        });
        outs.push(out);
      }
      return outs.toReversed();
    });
  }
}

/** ShuffleNetV2's unit with stride 1: half of the channels pass, the other half goes through 1x1, depthwise 3x3, 1x1. */
class ShuffleUnit extends Module {
  readonly branch2: readonly ConvModule[];

  constructor(channels: number, normCfg: NormCfg) {
    super();
    const half = channels / 2;
    if (!Number.isInteger(half)) {
      throw new ConfigError(`ShuffleUnit: found ${channels} channels; expected an even number.`);
    }
    this.branch2 = [
      new ConvModule(half, half, 1, { normCfg }),
      new ConvModule(half, half, 3, { padding: 1, groups: half, normCfg, actCfg: null }),
      new ConvModule(half, half, 1, { normCfg }),
    ];
  }

  override forward(x: Tensor4D): Tensor4D {
    const [first, second] = halves(x);
    return shufflePair(first, chain(this.branch2, second));
  }
}

/** depthwise k x k + batch norm + 1 x 1 + batch norm, as sequences of LiteHRNet hold them. */
function separable(inChannels: number, outChannels: number, stride: number, normCfg: NormCfg, relu: boolean) {
  const depthwise = { stride, padding: 1, groups: inChannels, bias: false };
  const layers = [
    new Conv2d(inChannels, inChannels, 3, depthwise),
    buildBatchNorm(normCfg, inChannels),
    new Conv2d(inChannels, outChannels, 1, { bias: false }),
    buildBatchNorm(normCfg, outChannels),
  ];
  return relu ? [...layers, new Act(RELU)] : layers;
}

type ModuleType = 'LITE' | 'NAIVE';

interface ModuleOptions {
  readonly numBlocks: number;
  readonly inChannels: readonly number[];
  readonly reduceRatio: number;
  readonly moduleType: ModuleType;
  readonly withFuse: boolean;
  readonly normCfg: NormCfg;
}

/** Blocks on every branch, then (with `with_fuse`) the exchange between them. */
class LiteHRModule extends Module<Feats, Feats> {
  /** LITE: blocks over all branches. NAIVE: per branch its units. */
  readonly layers: readonly ConditionalChannelWeighting[] | readonly Layers[];
  /** [output][input]; `null` where the branch passes through. */
  readonly fuse_layers: readonly (readonly (Layers | null)[])[] | null;

  constructor(options: ModuleOptions) {
    super();
    const { numBlocks, inChannels, reduceRatio, moduleType, withFuse, normCfg } = options;
    const blocks = <T>(make: () => T) => Array.from({ length: numBlocks }, make);
    this.layers =
      moduleType === 'LITE'
        ? blocks(() => new ConditionalChannelWeighting(inChannels, reduceRatio, normCfg))
        : inChannels.map((channels) => blocks(() => new ShuffleUnit(channels, normCfg)));
    const fuses = withFuse && inChannels.length > 1;
    this.fuse_layers = fuses ? inChannels.map((_, i) => fuseLayer(inChannels, i, normCfg)) : null;
  }

  override forward(feats: Feats): Feats {
    return tf.tidy(() => {
      const maps = this.#runBlocks(feats);
      return this.fuse_layers ? fuse(this.fuse_layers, maps) : [...maps];
    });
  }

  #runBlocks(feats: Feats): Feats {
    const [first] = this.layers;
    if (first instanceof ConditionalChannelWeighting) {
      return chainFeats(this.layers as readonly ConditionalChannelWeighting[], feats);
    }
    return feats.map((map, i) => chain(this.layers[i] as Layers, map));
  }
}

function fuseLayer(widths: readonly number[], i: number, normCfg: NormCfg): (Layers | null)[] {
  return widths.map((from, j) => {
    if (j === i) return null;
    if (j > i) {
      const conv = new Conv2d(from, widths[i], 1, { bias: false });
      return [conv, buildBatchNorm(normCfg, widths[i]), new Upsample(2 ** (j - i))];
    }
    const steps = Array.from({ length: i - j - 1 }, () => separable(from, from, 2, normCfg, true));
    return [...steps, separable(from, widths[i], 2, normCfg, false)];
  });
}

/**
 * The exchange, with what PyTorch's in-place additions make of it, since published weights were trained so: the first map counts
 * twice in the first output, that sum (before ReLU) replaces the first map for all further outputs, and its contribution to each
 * of them counts twice again.
 */
function fuse(fuseLayers: readonly (readonly (Layers | null)[])[], maps: Feats): Tensor4D[] {
  const seen = [...maps];
  return fuseLayers.map((layers, i) => {
    const sum = tf.tidy(() => {
      const start = layers[0] ? chain(layers[0], seen[0]) : seen[0];
      let total: Tensor4D = tf.add(start, start);
      for (let j = 1; j < seen.length; j++) total = addChain(total, layers[j] ?? [], seen[j]);
      return total;
    });
    if (i === 0) seen[0] = sum;
    return tf.relu(sum);
  });
}

interface StagesSpec {
  readonly num_modules: readonly number[];
  readonly num_branches: readonly number[];
  readonly num_blocks: readonly number[];
  readonly module_type: readonly string[];
  readonly with_fuse: readonly boolean[];
  readonly reduce_ratios: readonly number[];
  readonly num_channels: readonly (readonly number[])[];
}

interface LiteHRNetConfig {
  readonly extra: Readonly<Record<string, unknown>>;
  readonly in_channels: number;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
}

/** Per branch of the next stage: `null` for a branch that goes on as it is. */
type Transition = readonly (Layers | null)[];

/** Input [N, H, W, 3]; output one map [N, H/4, W/4, C]. */
export class LiteHRNet extends Module<Tensor4D, Feats> {
  readonly stem: Stem;
  readonly head_layer: IterativeHead | null;
  readonly #steps: (Module<Feats, Feats> | ((feats: Feats) => Feats))[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<LiteHRNetConfig>(config, where, {
      ...{ extra: REQUIRED, in_channels: 3, conv_cfg: null, norm_cfg: { type: 'BN' } },
    });
    checkConvCfg(cfg.conv_cfg, where);
    const { stem, stages, withHead } = readExtra(cfg.extra, `${where}.extra`);
    this.stem = new Stem(cfg.in_channels, stem, cfg.norm_cfg);
    let widths: readonly number[] = [stem.out_channels];
    for (const [i, stage] of stages.entries()) {
      this.#addStage(i, stage, widths, cfg.norm_cfg);
      widths = stage.inChannels;
    }
    this.head_layer = withHead ? new IterativeHead(widths, cfg.norm_cfg) : null;
  }

  /** `transition0`, `stage0`, ...: as many fields as the config has stages. */
  #addStage(i: number, spec: Stage, before: readonly number[], normCfg: NormCfg): void {
    const transition = makeTransition(before, spec.inChannels, normCfg);
    const stage = Array.from({ length: spec.numModules }, () => new LiteHRModule({ ...spec, normCfg }));
    Object.assign(this, { [`transition${i}`]: transition, [`stage${i}`]: stage });
    this.#steps.push((feats) => runTransition(transition, feats), ...stage);
  }

  override forward(x: Tensor4D): Feats {
    const head = this.head_layer ? [this.head_layer] : [];
    return chainFeats([([image]) => [this.stem.forward(image)], ...this.#steps, ...head, ([finest]) => [finest]], [x]);
  }
}

/** New branches read the coarsest map of the stage before, the others their own. */
function runTransition(transition: Transition, feats: Feats): Feats {
  return transition.map((layers, i) => {
    const map = feats[i] ?? feats[feats.length - 1];
    return layers ? chain(layers, map) : map;
  });
}

function makeTransition(before: readonly number[], after: readonly number[], normCfg: NormCfg): Transition {
  const last = before[before.length - 1];
  return after.map((width, i) => {
    if (i < before.length) return width === before[i] ? null : separable(before[i], width, 1, normCfg, true);
    const steps = i - before.length;
    return Array.from({ length: steps + 1 }, (_, j) => separable(last, j === steps ? width : last, 2, normCfg, true));
  });
}

interface Stage extends Omit<ModuleOptions, 'normCfg'> {
  readonly numModules: number;
}

function readExtra(config: Readonly<Record<string, unknown>>, where: string) {
  const extra = readConfig<{ stem: StemConfig; num_stages: number; stages_spec: StagesSpec; with_head: boolean }>(
    config,
    where,
    { stem: REQUIRED, num_stages: REQUIRED, stages_spec: REQUIRED, with_head: REQUIRED },
  );
  const stem = readConfig<StemConfig>({ ...extra.stem }, `${where}.stem`, {
    ...{ stem_channels: REQUIRED, out_channels: REQUIRED, expand_ratio: REQUIRED },
  });
  const spec = readConfig<StagesSpec>({ ...extra.stages_spec }, `${where}.stages_spec`, {
    ...{ num_modules: REQUIRED, num_branches: REQUIRED, num_blocks: REQUIRED, module_type: REQUIRED },
    ...{ with_fuse: REQUIRED, reduce_ratios: REQUIRED, num_channels: REQUIRED },
  });
  const stages = Array.from({ length: extra.num_stages }, (_, i) => readStage(spec, i, `${where}.stages_spec`));
  return { stem, stages, withHead: extra.with_head };
}

function readStage(spec: StagesSpec, i: number, where: string): Stage {
  const moduleType = spec.module_type[i]?.toUpperCase();
  if (moduleType !== 'LITE' && moduleType !== 'NAIVE') {
    throw new ConfigError(
      `${where}.module_type[${i}]: found ${JSON.stringify(spec.module_type[i])}; expected "LITE" or "NAIVE".`,
    );
  }
  const inChannels = spec.num_channels[i];
  if (inChannels?.length !== spec.num_branches[i]) {
    throw new ConfigError(
      `${where}.num_channels[${i}]: found ${JSON.stringify(inChannels)}; expected ${spec.num_branches[i]} numbers, one per branch.`,
    );
  }
  const { num_modules: modules, num_blocks: blocks, reduce_ratios: ratios, with_fuse: fuses } = spec;
  return {
    ...{ numModules: modules[i], numBlocks: blocks[i], inChannels, moduleType },
    ...{ reduceRatio: ratios[i], withFuse: fuses[i] },
  };
}
