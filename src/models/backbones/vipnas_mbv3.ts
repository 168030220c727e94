/** ViPNAS's mobile network, from MMPose's `backbones/vipnas_mbv3.py` (https://arxiv.org/abs/2105.10154). */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chain, Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import type { Tensor4D } from '../../tf.js';
import { InvertedResidual, MOBILE_SE } from './utils/inverted_residual.js';

/** Searched values per stage; entry 0 is the stem. */
interface ViPNASConfig {
  /** Width. */
  readonly wid: readonly number[];
  /** Expansion of the hidden width. */
  readonly expan: readonly (number | null)[];
  /** Depth. */
  readonly dep: readonly (number | null)[];
  /** Kernel size. */
  readonly ks: readonly number[];
  readonly group: readonly (number | null)[];
  /** Whether the blocks have a channel gate. */
  readonly att: readonly (boolean | null)[];
  readonly stride: readonly number[];
  readonly act: readonly string[];
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
}

const SPEC = {
  wid: [16, 16, 24, 40, 80, 112, 160],
  expan: [null, 1, 5, 4, 5, 5, 6],
  dep: [null, 1, 4, 4, 4, 4, 4],
  ks: [3, 3, 7, 7, 5, 7, 5],
  group: [null, 8, 120, 20, 100, 280, 240],
  att: [null, true, true, false, true, true, true],
  stride: [2, 1, 2, 2, 2, 1, 2],
  act: ['HSwish', 'ReLU', 'ReLU', 'ReLU', 'HSwish', 'HSwish', 'HSwish'],
  conv_cfg: null,
  norm_cfg: { type: 'BN' },
};

/** Input [N, H, W, 3], output one map. */
export class ViPNAS_MobileNetV3 extends Module<Tensor4D, Feats> {
  readonly conv1: ConvModule;
  readonly #layers: InvertedResidual[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<ViPNASConfig>(config, where, SPEC);
    checkConvCfg(cfg.conv_cfg, where);
    checkLengths(cfg, where);
    const { wid, ks, stride, act, norm_cfg: normCfg } = cfg;
    const stem = { stride: stride[0], padding: Math.floor(ks[0] / 2), normCfg, actCfg: { type: act[0] } };
    this.conv1 = new ConvModule(3, wid[0], ks[0], stem);
    for (let i = 1; i < wid.length; i++) this.#layers.push(...makeStage(cfg, i));
    for (const [i, layer] of this.#layers.entries()) (this as Record<string, unknown>)[`layer${i + 1}`] = layer;
  }

  override forward(x: Tensor4D): Feats {
    return [chain([this.conv1, ...this.#layers], x)];
  }
}

function makeStage(cfg: ViPNASConfig, i: number): InvertedResidual[] {
  const expand = cfg.expan[i]!;
  return Array.from({ length: cfg.dep[i]! }, (_, j) => {
    return new InvertedResidual(j === 0 ? cfg.wid[i - 1] : cfg.wid[i], cfg.wid[i], {
      midChannels: cfg.wid[i] * expand,
      kernelSize: cfg.ks[i],
      groups: cfg.group[i],
      stride: j === 0 ? cfg.stride[i] : 1,
      se: cfg.att[i] ? MOBILE_SE : null,
      withExpandConv: expand !== 1,
      normCfg: cfg.norm_cfg,
      actCfg: { type: cfg.act[i] },
    });
  });
}

function checkLengths(cfg: ViPNASConfig, where: string): void {
  for (const key of ['expan', 'dep', 'ks', 'group', 'att', 'stride', 'act'] as const) {
    if (cfg[key].length === cfg.wid.length) continue;
    throw new ConfigError(
      `${where}.${key}: found ${cfg[key].length} values; expected ${cfg.wid.length}, one per entry of wid.`,
    );
  }
}
