/** MobileNetV2, from MMPose's `backbones/mobilenet_v2.py` (https://arxiv.org/abs/1801.04381). */
import { readConfig } from '../../config.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chain, chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { roundHalfEven } from '../utils/misc.js';
import { makeDivisible } from './utils/make_divisible.js';
import { readOutIndices } from './utils/read_out_indices.js';

/** Per layer: expansion, width, blocks, stride of the first. */
const ARCH_SETTINGS: readonly (readonly [expand: number, width: number, blocks: number, stride: number])[] = [
  [1, 16, 1, 1],
  [6, 24, 2, 2],
  [6, 32, 3, 2],
  [6, 64, 4, 2],
  [6, 96, 3, 1],
  [6, 160, 3, 2],
  [6, 320, 1, 1],
];

interface MobileNetV2Config {
  readonly widen_factor: number;
  readonly out_indices: readonly number[];
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

/** 1 x 1 to the hidden width, depthwise 3 x 3, 1 x 1 to the output, and a shortcut where the shapes allow. */
class InvertedResidual extends Module {
  readonly conv: readonly ConvModule[];
  readonly #shortcut: boolean;

  constructor(inChannels: number, outChannels: number, stride: number, expand: number, cfg: MobileNetV2Config) {
    super();
    const { norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const hidden = roundHalfEven(inChannels * expand);
    this.conv = [
      ...(expand === 1 ? [] : [new ConvModule(inChannels, hidden, 1, { normCfg, actCfg })]),
      new ConvModule(hidden, hidden, 3, { stride, padding: 1, groups: hidden, normCfg, actCfg }),
      new ConvModule(hidden, outChannels, 1, { normCfg, actCfg: null }),
    ];
    this.#shortcut = stride === 1 && inChannels === outChannels;
  }

  override forward(x: Tensor4D): Tensor4D {
    const out = chain(this.conv, x);
    return this.#shortcut ? tf.add(x, out) : out;
  }
}

/** Input [N, H, W, 3], output one map per entry of `out_indices` (0 to 6: `layer1` to `layer7`, 7: `conv2`). */
export class MobileNetV2 extends Module<Tensor4D, Feats> {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule;
  readonly #outIndices: readonly number[];
  readonly #layers: Layers[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<MobileNetV2Config>(config, where, {
      widen_factor: 1,
      out_indices: [7],
      conv_cfg: null,
      norm_cfg: { type: 'BN' },
      act_cfg: { type: 'ReLU6' },
    });
    checkConvCfg(cfg.conv_cfg, where);
    this.#outIndices = readOutIndices(cfg.out_indices, 8, where);
    const { widen_factor: factor, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    let inChannels = makeDivisible(32 * factor, 8);
    this.conv1 = new ConvModule(3, inChannels, 3, { stride: 2, padding: 1, normCfg, actCfg });
    this.#layers = ARCH_SETTINGS.map(([expand, width, blocks, stride]) => {
      const outChannels = makeDivisible(width * factor, 8);
      return Array.from({ length: blocks }, (_, i) => {
        const block = new InvertedResidual(inChannels, outChannels, i === 0 ? stride : 1, expand, cfg);
        inChannels = outChannels;
        return block;
      });
    });
    for (const [i, layer] of this.#layers.entries()) (this as Record<string, unknown>)[`layer${i + 1}`] = layer;
    this.conv2 = new ConvModule(inChannels, factor > 1 ? Math.trunc(1280 * factor) : 1280, 1, { normCfg, actCfg });
  }

  override forward(x: Tensor4D): Feats {
    const [first, ...rest] = this.#layers;
    return chainStages([[this.conv1, first], ...rest, [this.conv2]], x, this.#outIndices);
  }
}
