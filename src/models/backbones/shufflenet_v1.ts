/** ShuffleNetV1, from MMPose's `backbones/shufflenet_v1.py` (https://arxiv.org/abs/1707.01083). */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { buildActivation, type ActCfg, type Activation } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chain, chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { AvgPool2d, MaxPool2d } from '../../nn/pool.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { channelShuffle } from './utils/channel_shuffle.js';
import { makeDivisible } from './utils/make_divisible.js';
import { readOutIndices } from './utils/read_out_indices.js';

/** Widths of the stages, by `groups`. */
const WIDTHS: Readonly<Record<number, readonly number[]>> = {
  1: [144, 288, 576],
  2: [200, 400, 800],
  3: [240, 480, 960],
  4: [272, 544, 1088],
  8: [384, 768, 1536],
};
const STAGE_BLOCKS = [4, 8, 4];

interface ShuffleNetV1Config {
  readonly groups: number;
  readonly widen_factor: number;
  readonly out_indices: readonly number[];
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

interface UnitOptions {
  /** The first unit of the network has no groups in its first convolution. */
  readonly first: boolean;
  /** The first unit of a stage halves the size and joins its input along the channels instead of adding it. */
  readonly concat: boolean;
}

class ShuffleUnit extends Module {
  readonly g_conv_1x1_compress: ConvModule;
  readonly depthwise_conv3x3_bn: ConvModule;
  readonly g_conv_1x1_expand: ConvModule;
  readonly #groups: number;
  readonly #act: Activation;
  readonly #avgpool: AvgPool2d | null;

  constructor(inChannels: number, outChannels: number, { first, concat }: UnitOptions, cfg: ShuffleNetV1Config) {
    super();
    const { groups, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const mid = Math.floor(outChannels / 4);
    const added = concat ? outChannels - inChannels : outChannels;
    const middle = { stride: concat ? 2 : 1, padding: 1, groups: mid, normCfg, actCfg: null };
    this.g_conv_1x1_compress = new ConvModule(inChannels, mid, 1, { groups: first ? 1 : groups, normCfg, actCfg });
    this.depthwise_conv3x3_bn = new ConvModule(mid, mid, 3, middle);
    this.g_conv_1x1_expand = new ConvModule(mid, added, 1, { groups, normCfg, actCfg: null });
    this.#groups = groups;
    this.#act = buildActivation(actCfg);
    this.#avgpool = concat ? new AvgPool2d(3, { stride: 2, padding: 1 }) : null;
  }

  override forward(x: Tensor4D): Tensor4D {
    const shuffle = (y: Tensor4D) => (this.#groups > 1 ? channelShuffle(y, this.#groups) : y);
    const out = chain([this.g_conv_1x1_compress, this.depthwise_conv3x3_bn, shuffle, this.g_conv_1x1_expand], x);
    if (this.#avgpool) return tf.concat([this.#avgpool.forward(x), this.#act(out)], 3);
    return this.#act(tf.add<Tensor4D>(x, out));
  }
}

/** Input [N, H, W, 3], output one map per entry of `out_indices`. */
export class ShuffleNetV1 extends Module<Tensor4D, Feats> {
  readonly conv1: ConvModule;
  readonly layers: readonly (readonly ShuffleUnit[])[];
  readonly #maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<ShuffleNetV1Config>(config, where, {
      ...{ groups: 3, widen_factor: 1, out_indices: [2] },
      ...{ conv_cfg: null, norm_cfg: { type: 'BN' }, act_cfg: { type: 'ReLU' } },
    });
    checkConvCfg(cfg.conv_cfg, where);
    this.#outIndices = readOutIndices(cfg.out_indices, 3, where);
    const { widen_factor: factor, norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const widths = WIDTHS[cfg.groups]?.map((width) => makeDivisible(width * factor, 8));
    if (!widths) throw new ConfigError(`${where}.groups: found ${cfg.groups}; expected 1, 2, 3, 4 or 8.`);
    const stem = Math.trunc(24 * factor);
    this.conv1 = new ConvModule(3, stem, 3, { stride: 2, padding: 1, normCfg, actCfg });
    this.layers = STAGE_BLOCKS.map((blocks, i) =>
      Array.from({ length: blocks }, (_, j) => {
        const inChannels = j > 0 ? widths[i] : (widths[i - 1] ?? stem);
        return new ShuffleUnit(inChannels, widths[i], { first: i === 0 && j === 0, concat: j === 0 }, cfg);
      }),
    );
  }

  override forward(x: Tensor4D): Feats {
    const [first, ...rest] = this.layers;
    const stages: Layers[] = [[this.conv1, this.#maxpool, first], ...rest];
    return chainStages(stages, x, this.#outIndices);
  }
}
