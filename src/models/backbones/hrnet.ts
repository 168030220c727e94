/**
 * HRNet, from MMPose's `backbones/hrnet.py` (https://arxiv.org/abs/1904.04514): parallel branches of several resolutions that
 * exchange their features after every module.
 */
import { readConfig, REQUIRED, type ConfigSpec } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Act } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chain, chainFeats, Module, type Feats, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { addChain, readResizeMode, Upsample, type ResizeMode } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { BasicBlock, Bottleneck, resLayer, type BlockFactory } from './resnet.js';

const BLOCKS = {
  BASIC: (...args) => new BasicBlock(...args),
  BOTTLENECK: (...args) => new Bottleneck(...args),
} satisfies Record<string, BlockFactory>;

/** `extra.stage1` to `extra.stage4`. */
export interface StageConfig {
  readonly num_modules: number;
  readonly num_branches: number;
  readonly block: string;
  readonly num_blocks: readonly number[];
  readonly num_channels: readonly number[];
  readonly multiscale_output: boolean;
}

export const STAGE_SPEC = {
  num_modules: REQUIRED,
  num_branches: REQUIRED,
  block: REQUIRED,
  num_blocks: REQUIRED,
  num_channels: REQUIRED,
  multiscale_output: false,
};

export interface UpsampleConfig {
  readonly mode: ResizeMode;
  readonly alignCorners: boolean;
}

/** A network of parallel branches, read from a config: what HRNet and its relatives have in common, and how they differ. */
export interface HRPlan<S extends StageConfig = StageConfig> {
  readonly inChannels: number;
  readonly normCfg: NormCfg;
  readonly stages: readonly [S, S, S, S];
  readonly upsample: UpsampleConfig;
  /** The blocks of branch i. */
  branch(stage: S, i: number, inChannels: number): Layers;
  /** A step of the exchange, to half the resolution. */
  down(inChannels: number, outChannels: number, relu: boolean): Layers;
}

/** Width of each branch's output. */
function widthsOf({ num_channels: widths, block }: StageConfig): readonly number[] {
  return widths.map((width) => (block === 'BOTTLENECK' ? 4 * width : width));
}

/** conv (no bias) + batch norm, as sequences of HRNet hold them; `relu` appends the activation. */
function convBn(
  inChannels: number,
  outChannels: number,
  kernel: 1 | 3,
  stride: number,
  normCfg: NormCfg,
  relu: boolean,
) {
  const conv = new Conv2d(inChannels, outChannels, kernel, { stride, padding: kernel >> 1, bias: false });
  const layers = [conv, buildBatchNorm(normCfg, outChannels)];
  return relu ? [...layers, new Act({ type: 'ReLU' })] : layers;
}

/** The branches' own blocks, then every output as the sum over all branches, resized to it. */
class HRModule extends Module<Feats, Feats> {
  readonly branches: readonly Layers[];
  /** [output][input]; `null` where the branch passes through. */
  readonly fuse_layers: readonly (readonly (Layers | null)[])[] | null;

  constructor(plan: HRPlan, stage: StageConfig, multiscaleOutput: boolean) {
    super();
    const widths = widthsOf(stage);
    this.branches = widths.map((width, i) => plan.branch(stage, i, width));
    const outputs = widths.slice(0, multiscaleOutput ? undefined : 1);
    this.fuse_layers = widths.length === 1 ? null : outputs.map((_, i) => fuseLayer(plan, widths, i));
  }

  override forward(feats: Feats): Feats {
    return tf.tidy(() => {
      const maps = feats.map((map, i) => chain(this.branches[i], map));
      return this.fuse_layers ? this.fuse_layers.map((layers, i) => fuse(layers, maps, i)) : maps;
    });
  }
}

/** What brings every branch to output i. */
function fuseLayer(plan: HRPlan, widths: readonly number[], i: number): (Layers | null)[] {
  const { normCfg, upsample } = plan;
  const to = widths[i];
  return widths.map((from, j) => {
    if (j === i) return null;
    if (j > i) return [...convBn(from, to, 1, 1, normCfg, false), new Upsample(2 ** (j - i), upsample)];
    const steps = Array.from({ length: i - j - 1 }, () => plan.down(from, from, true));
    return [...steps, plan.down(from, to, false)];
  });
}

/** Sum in order of the branches, then ReLU. */
function fuse(layers: readonly (Layers | null)[], maps: Feats, i: number): Tensor4D {
  let sum = layers[0] ? chain(layers[0], maps[0]) : maps[0];
  for (let j = 1; j < maps.length; j++) {
    const next = tf.tidy(() => addChain(sum, layers[j] ?? [], maps[j]));
    if (sum !== maps[i]) sum.dispose();
    sum = next;
  }
  return tf.relu(sum);
}

/** Input [N, H, W, 3]; output the first branch [N, H/4, W/4, C], or all four with `stage4.multiscale_output`. */
export class HRBackbone extends Module<Tensor4D, Feats> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly layer1: Layers;
  readonly transition1: Transition;
  readonly stage2: readonly HRModule[];
  readonly transition2: Transition;
  readonly stage3: readonly HRModule[];
  readonly transition3: Transition;
  readonly stage4: readonly HRModule[];

  constructor(plan: HRPlan) {
    super();
    const { stages, normCfg } = plan;
    this.conv1 = new Conv2d(plan.inChannels, 64, 3, { stride: 2, padding: 1, bias: false });
    this.bn1 = buildBatchNorm(normCfg, 64);
    this.conv2 = new Conv2d(64, 64, 3, { stride: 2, padding: 1, bias: false });
    this.bn2 = buildBatchNorm(normCfg, 64);
    const widths = stages.map(widthsOf);
    this.layer1 = plan.branch(stages[0], 0, 64);
    this.transition1 = makeTransition(widths[0].slice(0, 1), widths[1], normCfg);
    this.stage2 = makeStage(plan, stages[1], true);
    this.transition2 = makeTransition(widths[1], widths[2], normCfg);
    this.stage3 = makeStage(plan, stages[2], true);
    this.transition3 = makeTransition(widths[2], widths[3], normCfg);
    this.stage4 = makeStage(plan, stages[3], stages[3].multiscale_output);
  }

  override prepare(): void {
    foldBatchNorm(this.conv1, this.bn1);
    foldBatchNorm(this.conv2, this.bn2);
  }

  override forward(x: Tensor4D): Feats {
    const stem: Layers = [(y) => this.conv1.forward(y, 'relu'), (y) => this.conv2.forward(y, 'relu'), this.layer1];
    return chainFeats(
      [
        ([image]) => [chain(stem, image)],
        (feats) => runTransition(this.transition1, feats),
        ...this.stage2,
        (feats) => runTransition(this.transition2, feats),
        ...this.stage3,
        (feats) => runTransition(this.transition3, feats),
        ...this.stage4,
      ],
      [x],
    );
  }
}

/** Per branch of the next stage: `null` for a branch that goes on as it is. */
type Transition = readonly (Layers | null)[];

/** New branches, and branches that change their width, read the last (coarsest) map of the stage before. */
function runTransition(transition: Transition, feats: Feats): Feats {
  return transition.map((layers, i) => (layers ? chain(layers, feats[feats.length - 1]) : feats[i]));
}

function makeTransition(before: readonly number[], after: readonly number[], normCfg: NormCfg): Transition {
  const last = before[before.length - 1];
  return after.map((width, i) => {
    if (i < before.length) return width === before[i] ? null : convBn(before[i], width, 3, 1, normCfg, true);
    const steps = i - before.length;
    return Array.from({ length: steps + 1 }, (_, j) => convBn(last, j === steps ? width : last, 3, 2, normCfg, true));
  });
}

function makeStage(plan: HRPlan, stage: StageConfig, multiscaleOutput: boolean): HRModule[] {
  return Array.from({ length: stage.num_modules }, (_, i) => {
    const isLast = i === stage.num_modules - 1;
    return new HRModule(plan, stage, multiscaleOutput || !isLast);
  });
}

export class HRNet extends HRBackbone {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(readHRNet(config, where));
  }
}

interface HRNetConfig {
  readonly extra: Readonly<Record<string, unknown>>;
  readonly in_channels: number;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
}

/** Keys of a backbone with branches. */
export const HRNET_SPEC = { extra: REQUIRED, in_channels: 3, conv_cfg: null, norm_cfg: { type: 'BN' } };

/** Keys of `extra`. */
export const EXTRA_SPEC = { stage1: REQUIRED, stage2: REQUIRED, stage3: REQUIRED, stage4: REQUIRED };

function readHRNet(config: Readonly<Record<string, unknown>>, where: string): HRPlan {
  const { in_channels, norm_cfg: normCfg, extra, conv_cfg } = readConfig<HRNetConfig>(config, where, HRNET_SPEC);
  checkConvCfg(conv_cfg, where);
  const read = readConfig<ExtraConfig>(extra, `${where}.extra`, { ...EXTRA_SPEC, upsample: { mode: 'nearest' } });
  return {
    inChannels: in_channels,
    normCfg,
    stages: readStages(read, `${where}.extra`, () => ({ spec: STAGE_SPEC, blocks: Object.keys(BLOCKS) })),
    upsample: readUpsample(read.upsample, `${where}.extra.upsample`),
    branch: (stage, i, inChannels) => residualBranch(stage, i, inChannels, normCfg),
    down: (from, to, relu) => convBn(from, to, 3, 2, normCfg, relu),
  };
}

/** Residual blocks, as all branches of HRNet have them. */
export function residualBranch(stage: StageConfig, i: number, inChannels: number, normCfg: NormCfg): Layers {
  const outChannels = widthsOf(stage)[i];
  const expansion = outChannels / stage.num_channels[i];
  const numBlocks = stage.num_blocks[i];
  return resLayer(BLOCKS[stage.block as keyof typeof BLOCKS], {
    ...{ numBlocks, inChannels, outChannels, expansion, normCfg },
  });
}

/** `extra`, its stages unread. */
export type ExtraConfig = Readonly<Record<`stage${1 | 2 | 3 | 4}` | 'upsample', Readonly<Record<string, unknown>>>>;

export function readUpsample(config: Readonly<Record<string, unknown>>, where: string): UpsampleConfig {
  const { mode, align_corners: alignCorners } = readConfig<{ mode: unknown; align_corners: boolean | null }>(
    config,
    where,
    { mode: REQUIRED, align_corners: null },
  );
  return { mode: readResizeMode(mode, `${where}.mode`), alignCorners: alignCorners ?? false };
}

/** What a stage's config may hold: its keys, and the names of blocks. */
interface StageKind {
  readonly spec: ConfigSpec;
  readonly blocks: readonly string[];
}

/** The four stages of `extra`, the first of which may be of another kind than the rest. */
export function readStages<S extends StageConfig>(
  extra: ExtraConfig,
  where: string,
  kindOf: (number: number) => StageKind,
): [S, S, S, S] {
  return ([1, 2, 3, 4] as const).map((number) =>
    readStage<S>(extra[`stage${number}`], `${where}.stage${number}`, kindOf(number)),
  ) as [S, S, S, S];
}

function readStage<S extends StageConfig>(
  config: Readonly<Record<string, unknown>>,
  where: string,
  { spec, blocks: names }: StageKind,
): S {
  const stage = readConfig<S>(config, where, spec);
  if (!names.includes(stage.block)) {
    const expected = names.map((name) => `"${name}"`).join(' or ');
    throw new ConfigError(`${where}.block: found ${JSON.stringify(stage.block)}; expected ${expected}.`);
  }
  const { num_branches: branches, num_blocks: blocks, num_channels: channels } = stage;
  if (blocks.length !== branches || channels.length !== branches) {
    throw new ConfigError(
      `${where}: found ${branches} branches, num_blocks [${blocks.join(', ')}], num_channels [${channels.join(', ')}]; ` +
        'expected one number of blocks and of channels per branch.',
    );
  }
  return stage;
}
