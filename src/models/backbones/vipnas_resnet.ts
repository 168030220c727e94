/**
 * ViPNAS's residual network, from MMPose's `backbones/vipnas_resnet.py` (https://arxiv.org/abs/2105.10154): width, depth, kernel,
 * groups and attention of every stage were found by search.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import type { Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { Bottleneck, checkStages, deepStem, resLayer, type BottleneckOptions, type ResNetStyle } from './resnet.js';
import { ContextBlock } from './utils/context_block.js';

/** Lists hold searched values; entry 0 is the stem, entry i stage i. */
interface ViPNASConfig {
  readonly depth: number;
  readonly in_channels: number;
  readonly num_stages: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly out_indices: readonly number[];
  readonly style: ResNetStyle;
  readonly deep_stem: boolean;
  readonly avg_down: boolean;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  /** Width. */
  readonly wid: readonly number[];
  /** Output channels / width. */
  readonly expan: readonly (number | null)[];
  /** Depth. */
  readonly dep: readonly (number | null)[];
  /** Kernel size. */
  readonly ks: readonly number[];
  readonly group: readonly (number | null)[];
  /** Whether the blocks end with a `ContextBlock`. */
  readonly att: readonly (boolean | null)[];
}

const SPEC = {
  depth: REQUIRED,
  in_channels: 3,
  num_stages: 4,
  strides: [1, 2, 2, 2],
  dilations: [1, 1, 1, 1],
  out_indices: [3],
  style: 'pytorch',
  deep_stem: false,
  avg_down: false,
  conv_cfg: null,
  norm_cfg: { type: 'BN' },
  wid: [48, 80, 160, 304, 608],
  expan: [null, 1, 1, 1, 1],
  dep: [null, 4, 6, 7, 3],
  ks: [7, 3, 5, 5, 5],
  group: [null, 16, 16, 16, 16],
  att: [null, true, false, true, true],
};

/** A bottleneck that may end with global context, before the shortcut is added. */
class ViPNAS_Bottleneck extends Bottleneck {
  readonly attention: ContextBlock | null;

  constructor(inChannels: number, outChannels: number, options: BottleneckOptions & { readonly attention: boolean }) {
    super(inChannels, outChannels, options);
    this.attention = options.attention ? new ContextBlock(outChannels, Math.max(1 / 16, 16 / outChannels)) : null;
  }

  protected override get afterConvs(): ContextBlock | null {
    return this.attention;
  }
}

/** Input [N, H, W, 3], output one map [N, H/stride, W/stride, C] per entry of `out_indices`. */
export class ViPNAS_ResNet extends Module<Tensor4D, Feats> {
  /** The stem is `conv1` + `bn1`, or `stem` when the config says `deep_stem`. */
  readonly conv1: Conv2d | null;
  readonly bn1: BatchNorm2d | null;
  readonly stem: Layers | null;
  readonly #maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly #outIndices: readonly number[];
  readonly #stages: Layers[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readViPNASConfig(config, where);
    const { in_channels: inChannels, norm_cfg: normCfg, deep_stem: deep } = cfg;
    const [width, kernel] = [cfg.wid[0], cfg.ks[0]];
    const options = { stride: 2, padding: Math.floor(kernel / 2), bias: false };
    this.conv1 = deep ? null : new Conv2d(inChannels, width, kernel, options);
    this.bn1 = deep ? null : buildBatchNorm(normCfg, width);
    this.stem = deep ? deepStem(inChannels, width, normCfg) : null;
    this.#outIndices = cfg.out_indices;
    this.#makeStages(cfg);
  }

  /** `layer1`, `layer2`, ...: as many fields as the config has stages. */
  #makeStages(cfg: ViPNASConfig): void {
    let inChannels = cfg.wid[0];
    for (let i = 1; i <= cfg.num_stages; i++) {
      const stage = makeStage(cfg, i, inChannels);
      (this as Record<string, unknown>)[`layer${i}`] = stage;
      this.#stages.push(stage);
      inChannels = outChannelsOf(cfg, i);
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

function outChannelsOf({ wid, expan }: ViPNASConfig, i: number): number {
  return wid[i] * (expan[i] ?? 1);
}

function makeStage(cfg: ViPNASConfig, i: number, inChannels: number): Layers {
  const variant = {
    kernelSize: cfg.ks[i],
    // MMPose dilates without padding for it.
    padding: Math.floor(cfg.ks[i] / 2),
    groups: cfg.group[i] ?? 1,
    attention: cfg.att[i] ?? false,
  };
  return resLayer((from, to, options) => new ViPNAS_Bottleneck(from, to, { ...options, ...variant }), {
    ...{ numBlocks: cfg.dep[i]!, inChannels, outChannels: outChannelsOf(cfg, i), expansion: cfg.expan[i] ?? 1 },
    ...{ stride: cfg.strides[i - 1], dilation: cfg.dilations[i - 1], style: cfg.style },
    ...{ avgDown: cfg.avg_down, normCfg: cfg.norm_cfg },
  });
}

function readViPNASConfig(config: Readonly<Record<string, unknown>>, where: string): ViPNASConfig {
  const cfg = readConfig<ViPNASConfig>(config, where, SPEC);
  if (cfg.depth !== 50) throw new ConfigError(`${where}.depth: found ${cfg.depth}; expected 50.`);
  checkStages(cfg, where);
  for (const key of ['wid', 'expan', 'dep', 'ks', 'group', 'att'] as const) {
    if (cfg[key].length > cfg.num_stages) continue;
    throw new ConfigError(
      `${where}.${key}: found ${cfg[key].length} values; expected ${cfg.num_stages + 1}, one for the stem and one per stage.`,
    );
  }
  for (let i = 1; i <= cfg.num_stages; i++) checkCount(cfg.dep[i], `${where}.dep.${i}`);
  checkConvCfg(cfg.conv_cfg, where);
  return cfg;
}
