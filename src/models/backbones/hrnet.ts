/**
 * HRNet, from MMPose's `backbones/hrnet.py` (https://arxiv.org/abs/1904.04514): parallel branches of several resolutions that
 * exchange their features after every module.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Act } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chain, chainFeats, Module, type Feats, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { readResizeMode, Upsample, type ResizeMode } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { BasicBlock, Bottleneck, resLayer, type BlockFactory } from './resnet.js';

const BLOCKS = {
  BASIC: { expansion: 1, make: (...args) => new BasicBlock(...args) },
  BOTTLENECK: { expansion: 4, make: (...args) => new Bottleneck(...args) },
} satisfies Record<string, { expansion: number; make: BlockFactory }>;

type BlockName = keyof typeof BLOCKS;

/** `extra.stage1` to `extra.stage4`. */
interface StageConfig {
  readonly num_modules: number;
  readonly num_branches: number;
  readonly block: BlockName;
  readonly num_blocks: readonly number[];
  readonly num_channels: readonly number[];
  readonly multiscale_output: boolean;
}

const STAGE_SPEC = {
  num_modules: REQUIRED,
  num_branches: REQUIRED,
  block: REQUIRED,
  num_blocks: REQUIRED,
  num_channels: REQUIRED,
  multiscale_output: false,
};

interface UpsampleConfig {
  readonly mode: ResizeMode;
  readonly alignCorners: boolean;
}

interface ExtraConfig {
  readonly stages: readonly [StageConfig, StageConfig, StageConfig, StageConfig];
  readonly upsample: UpsampleConfig;
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

interface HRModuleOptions {
  readonly stage: StageConfig;
  /** Width of each branch's input. */
  readonly inChannels: readonly number[];
  readonly multiscaleOutput: boolean;
  readonly normCfg: NormCfg;
  readonly upsample: UpsampleConfig;
}

/** The branches' own blocks, then every output as the sum over all branches, resized to it. */
export class HRModule extends Module<Feats, Feats> {
  readonly branches: readonly Layers[];
  /** [output][input]; `null` where the branch passes through. */
  readonly fuse_layers: readonly (readonly (Layers | null)[])[] | null;
  /** Width of each branch's output. */
  readonly outChannels: readonly number[];

  constructor(options: HRModuleOptions) {
    super();
    const { stage, inChannels, normCfg, multiscaleOutput } = options;
    const { expansion, make } = BLOCKS[stage.block];
    this.outChannels = stage.num_channels.map((width) => width * expansion);
    this.branches = this.outChannels.map((outChannels, i) =>
      resLayer(make, { numBlocks: stage.num_blocks[i], inChannels: inChannels[i], outChannels, expansion, normCfg }),
    );
    const outputs = multiscaleOutput ? this.outChannels.length : 1;
    this.fuse_layers =
      this.outChannels.length === 1 ? null : Array.from({ length: outputs }, (_, i) => this.#fuseLayer(i, options));
  }

  #fuseLayer(i: number, { normCfg, upsample }: HRModuleOptions): (Layers | null)[] {
    const to = this.outChannels[i];
    return this.outChannels.map((from, j) => {
      if (j === i) return null;
      if (j > i) return [...convBn(from, to, 1, 1, normCfg, false), new Upsample(2 ** (j - i), upsample)];
      const steps = Array.from({ length: i - j - 1 }, () => convBn(from, from, 3, 2, normCfg, true));
      return [...steps, convBn(from, to, 3, 2, normCfg, false)];
    });
  }

  override forward(feats: Feats): Feats {
    return tf.tidy(() => {
      const maps = feats.map((map, i) => chain(this.branches[i], map));
      return this.fuse_layers ? this.fuse_layers.map((layers, i) => fuse(layers, maps, i)) : maps;
    });
  }
}

/** Sum in order of the branches, then ReLU. */
function fuse(layers: readonly (Layers | null)[], maps: Feats, i: number): Tensor4D {
  const term = (j: number) => (layers[j] ? chain(layers[j], maps[j]) : maps[j]);
  let sum = term(0);
  for (let j = 1; j < maps.length; j++) {
    const next = tf.tidy(() => tf.add(sum, term(j)));
    if (sum !== maps[i]) sum.dispose();
    sum = next as Tensor4D;
  }
  return tf.relu(sum);
}

/** Input [N, H, W, 3]; output the first branch [N, H/4, W/4, C], or all four with `stage4.multiscale_output`. */
export class HRNet extends Module<Tensor4D, Feats> {
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

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const {
      in_channels: inChannels,
      norm_cfg: normCfg,
      extra,
      conv_cfg: convCfg,
    } = readConfig<HRNetConfig>(config, where, {
      extra: REQUIRED,
      in_channels: 3,
      conv_cfg: null,
      norm_cfg: { type: 'BN' },
    });
    checkConvCfg(convCfg, where);
    const { stages, upsample } = readExtra(extra, `${where}.extra`);
    this.conv1 = new Conv2d(inChannels, 64, 3, { stride: 2, padding: 1, bias: false });
    this.bn1 = buildBatchNorm(normCfg, 64);
    this.conv2 = new Conv2d(64, 64, 3, { stride: 2, padding: 1, bias: false });
    this.bn2 = buildBatchNorm(normCfg, 64);

    const { expansion, make } = BLOCKS[stages[0].block];
    const width1 = stages[0].num_channels[0] * expansion;
    const numBlocks = stages[0].num_blocks[0];
    this.layer1 = resLayer(make, { numBlocks, inChannels: 64, outChannels: width1, expansion, normCfg });
    const widths = stages.map((stage) => stage.num_channels.map((c) => c * BLOCKS[stage.block].expansion));
    this.transition1 = makeTransition([width1], widths[1], normCfg);
    this.stage2 = makeStage(stages[1], widths[1], true, normCfg, upsample);
    this.transition2 = makeTransition(widths[1], widths[2], normCfg);
    this.stage3 = makeStage(stages[2], widths[2], true, normCfg, upsample);
    this.transition3 = makeTransition(widths[2], widths[3], normCfg);
    this.stage4 = makeStage(stages[3], widths[3], stages[3].multiscale_output, normCfg, upsample);
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

function makeStage(
  stage: StageConfig,
  inChannels: readonly number[],
  multiscaleOutput: boolean,
  normCfg: NormCfg,
  upsample: UpsampleConfig,
): HRModule[] {
  return Array.from({ length: stage.num_modules }, (_, i) => {
    const last = i === stage.num_modules - 1;
    return new HRModule({ stage, inChannels, normCfg, upsample, multiscaleOutput: multiscaleOutput || !last });
  });
}

interface HRNetConfig {
  readonly extra: Readonly<Record<string, unknown>>;
  readonly in_channels: number;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
}

function readExtra(extra: Readonly<Record<string, unknown>>, where: string): ExtraConfig {
  const read = readConfig<Record<string, Readonly<Record<string, unknown>>>>(extra, where, {
    ...{ stage1: REQUIRED, stage2: REQUIRED, stage3: REQUIRED, stage4: REQUIRED },
    upsample: { mode: 'nearest' },
  });
  const stage = (i: number) => readStage(read[`stage${i}`], `${where}.stage${i}`);
  const upsample = readConfig<{ mode: unknown; align_corners: boolean | null }>(read.upsample, `${where}.upsample`, {
    mode: REQUIRED,
    align_corners: null,
  });
  return {
    stages: [stage(1), stage(2), stage(3), stage(4)],
    upsample: {
      mode: readResizeMode(upsample.mode, `${where}.upsample.mode`),
      alignCorners: upsample.align_corners ?? false,
    },
  };
}

function readStage(config: Readonly<Record<string, unknown>>, where: string): StageConfig {
  const stage = readConfig<StageConfig>(config, where, STAGE_SPEC);
  if (!Object.hasOwn(BLOCKS, stage.block)) {
    throw new ConfigError(`${where}.block: found ${JSON.stringify(stage.block)}; expected "BASIC" or "BOTTLENECK".`);
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
