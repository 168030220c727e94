/**
 * ResNet and ResNetV1d, from MMPose's `backbones/resnet.py` (https://arxiv.org/abs/1512.03385). The residual blocks also serve
 * HRNet; ResNeXt, SEResNet and their like are the same network with other blocks, given as a `ResNetFamily`.
 */
import { readConfig, REQUIRED, type ConfigSpec } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chain, chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { AvgPool2d, MaxPool2d } from '../../nn/pool.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';

export type ResNetStyle = 'pytorch' | 'caffe';

/** What `resLayer` tells a block. */
export interface BlockOptions {
  /** out_channels / mid_channels. */
  readonly expansion: number;
  readonly stride: number;
  readonly dilation: number;
  readonly style: ResNetStyle;
  readonly normCfg: NormCfg;
  readonly downsample: Layers | null;
}

/** Makes one residual block. */
export type BlockFactory = (inChannels: number, outChannels: number, options: BlockOptions) => Module;

/** Two 3 x 3 convolutions and a shortcut. Only the first is dilated, as in MMPose. */
export class BasicBlock extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly downsample: Layers | null;

  constructor(inChannels: number, outChannels: number, options: BlockOptions) {
    super();
    const { stride, dilation, normCfg, expansion } = options;
    if (expansion !== 1) throw new ConfigError(`BasicBlock.expansion: found ${expansion}; expected 1.`);
    const first = { stride, padding: dilation, dilation, bias: false };
    this.conv1 = new Conv2d(inChannels, outChannels, 3, first);
    this.bn1 = buildBatchNorm(normCfg, outChannels);
    this.conv2 = new Conv2d(outChannels, outChannels, 3, { padding: 1, bias: false });
    this.bn2 = buildBatchNorm(normCfg, outChannels);
    this.downsample = options.downsample;
  }

  override prepare(): void {
    foldBatchNorm(this.conv1, this.bn1);
    foldBatchNorm(this.conv2, this.bn2);
  }

  override forward(x: Tensor4D): Tensor4D {
    const identity = this.downsample ? chain(this.downsample, x) : x;
    return this.conv2.forwardAdd(this.conv1.forward(x, 'relu'), identity, 'relu');
  }
}

export interface BottleneckOptions extends Omit<BlockOptions, 'downsample'> {
  /** Also a module: MSPN's shortcuts carry other names in checkpoints. */
  readonly downsample: Layers | Module | null;
  /** Channels of the middle convolution; default out_channels / expansion. */
  readonly midChannels?: number;
  /** Groups of the middle convolution (ResNeXt); default 1. */
  readonly groups?: number;
  /** Of the middle convolution (ViPNAS); default 3. */
  readonly kernelSize?: number;
  /** Of the middle convolution; default the dilation. */
  readonly padding?: number;
}

/** 1 x 1, 3 x 3, 1 x 1 convolutions and a shortcut. `style` says which of the first two has the stride. */
export class Bottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Layers | Module | null;

  constructor(inChannels: number, outChannels: number, options: BottleneckOptions) {
    super();
    const { stride, dilation, normCfg, expansion, style, groups = 1 } = options;
    const { kernelSize = 3, padding = dilation } = options;
    const mid = options.midChannels ?? outChannels / expansion;
    const [stride1, stride2] = style === 'pytorch' ? [1, stride] : [stride, 1];
    const middle = { stride: stride2, padding, dilation, groups, bias: false };
    this.conv1 = new Conv2d(inChannels, mid, 1, { stride: stride1, bias: false });
    this.bn1 = buildBatchNorm(normCfg, mid);
    this.conv2 = new Conv2d(mid, mid, kernelSize, middle);
    this.bn2 = buildBatchNorm(normCfg, mid);
    this.conv3 = new Conv2d(mid, outChannels, 1, { bias: false });
    this.bn3 = buildBatchNorm(normCfg, outChannels);
    this.downsample = options.downsample;
  }

  override prepare(): void {
    foldBatchNorm(this.conv1, this.bn1);
    foldBatchNorm(this.conv2, this.bn2);
    foldBatchNorm(this.conv3, this.bn3);
  }

  override forward(x: Tensor4D): Tensor4D {
    const hidden = this.conv2.forward(this.conv1.forward(x, 'relu'), 'relu');
    const identity = chain([this.downsample], x);
    if (!this.afterConvs) return this.conv3.forwardAdd(hidden, identity, 'relu');
    return tf.relu(tf.add(chain([this.conv3, this.afterConvs], hidden), identity));
  }

  /** What a variant does before the shortcut is added (squeeze and excitation). */
  protected get afterConvs(): Module | null {
    return null;
  }
}

export interface ResLayerOptions {
  readonly numBlocks: number;
  readonly inChannels: number;
  readonly outChannels: number;
  readonly expansion: number;
  readonly stride?: number;
  readonly dilation?: number;
  readonly style?: ResNetStyle;
  /** Average pooling instead of a strided convolution in the shortcut. */
  readonly avgDown?: boolean;
  readonly normCfg: NormCfg;
  /** False puts stride and new width into the last block (Hourglass). */
  readonly downsampleFirst?: boolean;
}

/** MMPose's `ResLayer`: the blocks of one stage. */
export function resLayer(block: BlockFactory, options: ResLayerOptions): Module[] {
  const { numBlocks, inChannels, outChannels, stride = 1, downsampleFirst = true } = options;
  const { expansion, dilation = 1, style = 'pytorch', normCfg } = options;
  const common = { expansion, dilation, style, normCfg };
  const changing = () => block(inChannels, outChannels, { ...common, stride, downsample: shortcut(options) });
  const steady = (channels: number) => block(channels, channels, { ...common, stride: 1, downsample: null });
  const rest = numBlocks - 1;
  if (downsampleFirst) return [changing(), ...Array.from({ length: rest }, () => steady(outChannels))];
  return [...Array.from({ length: rest }, () => steady(inChannels)), changing()];
}

function shortcut(options: ResLayerOptions): Layers | null {
  const { inChannels, outChannels, stride = 1, avgDown = false, normCfg } = options;
  if (stride === 1 && inChannels === outChannels) return null;
  const pooled = avgDown && stride !== 1;
  const conv = new Conv2d(inChannels, outChannels, 1, { stride: pooled ? 1 : stride, bias: false });
  const norm = buildBatchNorm(normCfg, outChannels);
  if (!pooled) return [conv, norm];
  return [new AvgPool2d(stride, { stride, ceilMode: true, countIncludePad: false }), conv, norm];
}

/** Keys that every network of this kind takes, with MMPose's defaults. */
const COMMON_SPEC: ConfigSpec = {
  depth: REQUIRED,
  in_channels: 3,
  stem_channels: 64,
  base_channels: 64,
  expansion: null,
  num_stages: 4,
  strides: [1, 2, 2, 2],
  dilations: [1, 1, 1, 1],
  out_indices: [3],
  style: 'pytorch',
  conv_cfg: null,
  norm_cfg: { type: 'BN' },
};

/** ResNet's own keys; its relatives add theirs. */
export const RESNET_SPEC: ConfigSpec = { ...COMMON_SPEC, deep_stem: false, avg_down: false };

/** A read config. */
export interface ResNetConfig {
  readonly depth: number;
  readonly in_channels: number;
  readonly stem_channels: number;
  readonly base_channels: number;
  readonly expansion: number | null;
  readonly num_stages: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly out_indices: readonly number[];
  readonly style: ResNetStyle;
  readonly deep_stem: boolean;
  readonly avg_down: boolean;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly [key: string]: unknown;
}

/** One depth: blocks per stage, and the block's default expansion. */
export interface ResNetArch {
  readonly stageBlocks: readonly number[];
  readonly expansion: number;
  readonly block: BlockFactory;
}

/** What distinguishes ResNet, ResNeXt, SEResNet, ... */
export interface ResNetFamily {
  readonly spec: ConfigSpec;
  /** Values that are no keys of the config, because they make the family. */
  readonly fixed?: { readonly deep_stem: boolean; readonly avg_down: boolean };
  readonly depths: readonly number[];
  arch(config: ResNetConfig, where: string): ResNetArch;
}

/** Blocks per stage of the usual depths. */
export const STAGE_BLOCKS: Readonly<Record<number, readonly number[]>> = {
  18: [2, 2, 2, 2],
  34: [3, 4, 6, 3],
  50: [3, 4, 6, 3],
  101: [3, 4, 23, 3],
  152: [3, 8, 36, 3],
};

const RESNET: ResNetFamily = {
  spec: RESNET_SPEC,
  depths: [18, 34, 50, 101, 152],
  arch: ({ depth }) => ({
    stageBlocks: STAGE_BLOCKS[depth],
    expansion: depth < 50 ? 1 : 4,
    block: (...args) => (depth < 50 ? new BasicBlock(...args) : new Bottleneck(...args)),
  }),
};

/** Input [N, H, W, 3], output one map [N, H/stride, W/stride, C] per entry of `out_indices`. */
export class ResNet extends Module<Tensor4D, Feats> {
  /** The stem is `conv1` + `bn1`, or `stem` when the config says `deep_stem`. */
  readonly conv1: Conv2d | null;
  readonly bn1: BatchNorm2d | null;
  readonly stem: Layers | null;
  readonly #maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly #outIndices: readonly number[];
  readonly #stages: Layers[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone', family: ResNetFamily = RESNET) {
    super();
    const cfg = readResNetConfig(config, where, family);
    const { in_channels: inChannels, stem_channels: stemChannels, norm_cfg: normCfg } = cfg;
    this.conv1 = cfg.deep_stem ? null : new Conv2d(inChannels, stemChannels, 7, { stride: 2, padding: 3, bias: false });
    this.bn1 = cfg.deep_stem ? null : buildBatchNorm(normCfg, stemChannels);
    this.stem = cfg.deep_stem ? deepStem(inChannels, stemChannels, normCfg) : null;
    this.#outIndices = cfg.out_indices;
    this.#makeStages(cfg, family.arch(cfg, where));
  }

  /** `layer1`, `layer2`, ...: as many fields as the config has stages. */
  #makeStages(cfg: ResNetConfig, arch: ResNetArch): void {
    const expansion = cfg.expansion ?? arch.expansion;
    let inChannels = cfg.stem_channels;
    let outChannels = cfg.base_channels * expansion;
    for (let i = 0; i < cfg.num_stages; i++) {
      const layer = resLayer(arch.block, {
        ...{ numBlocks: arch.stageBlocks[i], inChannels, outChannels, expansion },
        ...{ stride: cfg.strides[i], dilation: cfg.dilations[i], style: cfg.style },
        ...{ avgDown: cfg.avg_down, normCfg: cfg.norm_cfg },
      });
      (this as Record<string, unknown>)[`layer${i + 1}`] = layer;
      this.#stages.push(layer);
      [inChannels, outChannels] = [outChannels, outChannels * 2];
    }
  }

  override prepare(): void {
    if (this.conv1 && this.bn1) foldBatchNorm(this.conv1, this.bn1);
  }

  override forward(x: Tensor4D): Feats {
    const stem: Layers = this.stem ?? [(image) => this.conv1!.forward(image, 'relu')];
    const [first, ...rest] = this.#stages;
    return chainStages([[stem, this.#maxpool, first], ...rest], x, this.#outIndices);
  }
}

/** Three 3 x 3 convolutions instead of one of 7 x 7. */
export function deepStem(inChannels: number, stemChannels: number, normCfg: NormCfg): Layers {
  const half = Math.floor(stemChannels / 2);
  return [
    new ConvModule(inChannels, half, 3, { stride: 2, padding: 1, normCfg }),
    new ConvModule(half, half, 3, { padding: 1, normCfg }),
    new ConvModule(half, stemChannels, 3, { padding: 1, normCfg }),
  ];
}

function readResNetConfig(
  config: Readonly<Record<string, unknown>>,
  where: string,
  family: ResNetFamily,
): ResNetConfig {
  const cfg: ResNetConfig = { ...readConfig<ResNetConfig>(config, where, family.spec), ...family.fixed };
  const { depth } = cfg;
  if (!family.depths.includes(depth)) {
    throw new ConfigError(`${where}.depth: found ${depth}; expected one of ${family.depths.join(', ')}.`);
  }
  checkStages(cfg, where);
  checkConvCfg(cfg.conv_cfg, where);
  return cfg;
}

type StageConfig = Pick<ResNetConfig, 'num_stages' | 'strides' | 'dilations' | 'out_indices' | 'style'>;

/** @throws ConfigError unless there are 1 to 4 stages, with a stride and a dilation each, a known style, and outputs among them */
export function checkStages(cfg: StageConfig, where: string): void {
  const { num_stages: stages, strides, dilations, out_indices: outIndices, style } = cfg;
  if (!(stages >= 1 && stages <= 4) || strides.length !== stages || dilations.length !== stages) {
    throw new ConfigError(
      `${where}: found num_stages ${stages}, strides [${strides.join(', ')}], dilations [${dilations.join(', ')}]; ` +
        'expected 1 to 4 stages with one stride and one dilation each.',
    );
  }
  if (!outIndices.every((i) => Number.isInteger(i) && i >= 0 && i < stages)) {
    throw new ConfigError(`${where}.out_indices: found [${outIndices.join(', ')}]; expected 0 to ${stages - 1}.`);
  }
  if (style !== 'pytorch' && style !== 'caffe') {
    throw new ConfigError(`${where}.style: found ${JSON.stringify(style)}; expected "pytorch" or "caffe".`);
  }
}

/** For relatives of ResNetV1d. */
export const RESNET_V1D: ResNetFamily = { ...RESNET, spec: COMMON_SPEC, fixed: { deep_stem: true, avg_down: true } };

/** ResNet with a stem of three 3 x 3 convolutions and pooled shortcuts (https://arxiv.org/abs/1812.01187). */
export class ResNetV1d extends ResNet {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(config, where, RESNET_V1D);
  }
}
