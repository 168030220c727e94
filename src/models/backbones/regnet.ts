/** RegNet, from MMPose's `backbones/regnet.py` (https://arxiv.org/abs/2003.13678): widths and depths from a few numbers. */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import type { Tensor4D } from '../../tf.js';
import { roundHalfEven } from '../utils/misc.js';
import { Bottleneck, resLayer, type ResNetStyle } from './resnet.js';
import { groupedMidChannels } from './resnext.js';
import { readOutIndices } from './utils/read_out_indices.js';

/** The numbers that make a RegNet. */
interface Arch {
  /** Initial width. */
  readonly w0: number;
  /** Slope of the width over the blocks. */
  readonly wa: number;
  /** Ratio of neighbouring stages' widths. */
  readonly wm: number;
  readonly group_w: number;
  readonly depth: number;
  /** Hidden width / width of a block. */
  readonly bot_mul: number;
}

const ARCH_SETTINGS: Readonly<Record<string, Arch>> = {
  regnetx_400mf: { w0: 24, wa: 24.48, wm: 2.54, group_w: 16, depth: 22, bot_mul: 1 },
  regnetx_800mf: { w0: 56, wa: 35.73, wm: 2.28, group_w: 16, depth: 16, bot_mul: 1 },
  'regnetx_1.6gf': { w0: 80, wa: 34.01, wm: 2.25, group_w: 24, depth: 18, bot_mul: 1 },
  'regnetx_3.2gf': { w0: 88, wa: 26.31, wm: 2.25, group_w: 48, depth: 25, bot_mul: 1 },
  'regnetx_4.0gf': { w0: 96, wa: 38.65, wm: 2.43, group_w: 40, depth: 23, bot_mul: 1 },
  'regnetx_6.4gf': { w0: 184, wa: 60.83, wm: 2.07, group_w: 56, depth: 17, bot_mul: 1 },
  'regnetx_8.0gf': { w0: 80, wa: 49.56, wm: 2.88, group_w: 120, depth: 23, bot_mul: 1 },
  regnetx_12gf: { w0: 168, wa: 73.36, wm: 2.37, group_w: 112, depth: 19, bot_mul: 1 },
};

interface RegNetConfig {
  readonly arch: string | Readonly<Record<string, unknown>>;
  readonly in_channels: number;
  readonly stem_channels: number;
  readonly strides: readonly number[];
  readonly dilations: readonly number[];
  readonly out_indices: readonly number[];
  readonly style: ResNetStyle;
  readonly deep_stem: boolean;
  readonly avg_down: boolean;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
}

/** One stage of the network. */
interface Stage {
  readonly width: number;
  readonly blocks: number;
  readonly groupWidth: number;
}

/** Input [N, H, W, 3], output one map per entry of `out_indices`. */
export class RegNet extends Module<Tensor4D, Feats> {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly #outIndices: readonly number[];
  readonly #stages: Layers[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readRegNetConfig(config, where);
    const arch = readArch(cfg.arch, `${where}.arch`);
    const stages = stagesOf(arch);
    checkStages(cfg, stages.length, where);
    this.#outIndices = readOutIndices(cfg.out_indices, stages.length, where);
    this.conv1 = new Conv2d(cfg.in_channels, cfg.stem_channels, 3, { stride: 2, padding: 1, bias: false });
    this.bn1 = buildBatchNorm(cfg.norm_cfg, cfg.stem_channels);
    for (const [i, stage] of stages.entries()) {
      const layer = makeStage(cfg, arch, stage, i, i === 0 ? cfg.stem_channels : stages[i - 1].width);
      (this as Record<string, unknown>)[`layer${i + 1}`] = layer;
      this.#stages.push(layer);
    }
  }

  override prepare(): void {
    foldBatchNorm(this.conv1, this.bn1);
  }

  override forward(x: Tensor4D): Feats {
    const [first, ...rest] = this.#stages;
    return chainStages([[(image) => this.conv1.forward(image, 'relu'), first], ...rest], x, this.#outIndices);
  }
}

function makeStage(cfg: RegNetConfig, arch: Arch, stage: Stage, i: number, inChannels: number): Module[] {
  const { width, blocks, groupWidth } = stage;
  const groups = Math.floor(roundHalfEven(width * arch.bot_mul) / groupWidth);
  const midChannels = groupedMidChannels(width, { groups, widthPerGroup: groupWidth, baseChannels: width });
  return resLayer((inC, outC, options) => new Bottleneck(inC, outC, { ...options, midChannels, groups }), {
    ...{ numBlocks: blocks, inChannels, outChannels: width, expansion: 1, stride: cfg.strides[i] },
    ...{ dilation: cfg.dilations[i], style: cfg.style, avgDown: cfg.avg_down, normCfg: cfg.norm_cfg },
  });
}

/** Blocks of equal quantised width form a stage; the width is then made divisible by the group's. */
function stagesOf({ w0, wa, wm, depth, group_w: groupWidth, bot_mul: ratio }: Arch): Stage[] {
  const stages: { width: number; blocks: number }[] = [];
  for (let i = 0; i < depth; i++) {
    const power = roundHalfEven(Math.log((i * wa + w0) / w0) / Math.log(wm));
    const width = roundHalfEven((w0 * wm ** power) / 8) * 8;
    const last = stages.at(-1);
    if (last?.width === width) last.blocks++;
    else stages.push({ width, blocks: 1 });
  }
  return stages.map(({ width, blocks }) => {
    const hidden = Math.trunc(width * ratio);
    const group = Math.min(groupWidth, hidden);
    return { width: Math.trunc((roundHalfEven(hidden / group) * group) / ratio), blocks, groupWidth: group };
  });
}

function readRegNetConfig(config: Readonly<Record<string, unknown>>, where: string): RegNetConfig {
  const cfg = readConfig<RegNetConfig>(config, where, {
    // `base_channels` is accepted and unused, as in MMPose.
    ...{ arch: REQUIRED, in_channels: 3, stem_channels: 32, base_channels: 32, strides: [2, 2, 2, 2] },
    ...{ dilations: [1, 1, 1, 1], out_indices: [3], style: 'pytorch', deep_stem: false, avg_down: false },
    ...{ conv_cfg: null, norm_cfg: { type: 'BN' } },
  });
  checkConvCfg(cfg.conv_cfg, where);
  if (cfg.deep_stem) throw new ConfigError(`${where}.deep_stem: found true; expected false: RegNet has no deep stem.`);
  if (cfg.style !== 'pytorch' && cfg.style !== 'caffe') {
    throw new ConfigError(`${where}.style: found ${JSON.stringify(cfg.style)}; expected "pytorch" or "caffe".`);
  }
  return cfg;
}

function checkStages({ strides, dilations }: RegNetConfig, count: number, where: string): void {
  if (count <= 4 && strides.length === count && dilations.length === count) return;
  throw new ConfigError(
    `${where}: found strides [${strides.join(', ')}], dilations [${dilations.join(', ')}]; the arch gives ${count} stages, ` +
      'expected at most 4 with one stride and one dilation each.',
  );
}

function readArch(arch: RegNetConfig['arch'], where: string): Arch {
  if (typeof arch === 'object' && arch !== null) {
    const numbers = { w0: REQUIRED, wa: REQUIRED, wm: REQUIRED, group_w: REQUIRED, depth: REQUIRED, bot_mul: REQUIRED };
    return readConfig<Arch>(arch, where, numbers);
  }
  const setting = ARCH_SETTINGS[arch];
  if (setting) return setting;
  throw new ConfigError(
    `${where}: found ${JSON.stringify(arch)}; expected one of ${Object.keys(ARCH_SETTINGS).join(', ')}, or an object.`,
  );
}
