/** ShuffleNetV2, from MMPose's `backbones/shufflenet_v2.py` (https://arxiv.org/abs/1807.11164). */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chain, chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import { MaxPool2d } from '../../nn/pool.js';
import type { Tensor4D } from '../../tf.js';
import { halves, shufflePair } from './utils/channel_shuffle.js';
import { readOutIndices } from './utils/read_out_indices.js';

/** Widths of the three stages and of the last convolution, by `widen_factor`. */
const WIDTHS: ReadonlyMap<number, readonly number[]> = new Map([
  [0.5, [48, 96, 192, 1024]],
  [1, [116, 232, 464, 1024]],
  [1.5, [176, 352, 704, 1024]],
  [2, [244, 488, 976, 2048]],
]);
const STAGE_BLOCKS = [4, 8, 4];

interface ShuffleNetV2Config {
  readonly widen_factor: number;
  readonly out_indices: readonly number[];
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

/** Stride 1: half of the channels pass. Stride 2: both branches read all channels. */
class InvertedResidual extends Module {
  readonly branch1: readonly ConvModule[] | null;
  readonly branch2: readonly ConvModule[];

  constructor(inChannels: number, outChannels: number, stride: number, cfg: ShuffleNetV2Config) {
    super();
    const { norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    const half = outChannels / 2;
    const depthwise = (channels: number) =>
      new ConvModule(channels, channels, 3, { stride, padding: 1, groups: channels, normCfg, actCfg: null });
    const pointwise = (channels: number) => new ConvModule(channels, half, 1, { normCfg, actCfg });
    this.branch1 = stride > 1 ? [depthwise(inChannels), pointwise(inChannels)] : null;
    this.branch2 = [pointwise(stride > 1 ? inChannels : half), depthwise(half), pointwise(half)];
  }

  override forward(x: Tensor4D): Tensor4D {
    const [first, second] = this.branch1 ? [chain(this.branch1, x), x] : halves(x);
    return shufflePair(first, chain(this.branch2, second));
  }
}

/** Input [N, H, W, 3], output one map per entry of `out_indices` (3 is the last convolution). */
export class ShuffleNetV2 extends Module<Tensor4D, Feats> {
  readonly conv1: ConvModule;
  readonly layers: readonly (readonly Module[] | ConvModule)[];
  readonly #maxpool = new MaxPool2d(3, { stride: 2, padding: 1 });
  readonly #outIndices: readonly number[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<ShuffleNetV2Config>(config, where, {
      widen_factor: 1,
      out_indices: [3],
      conv_cfg: null,
      norm_cfg: { type: 'BN' },
      act_cfg: { type: 'ReLU' },
    });
    checkConvCfg(cfg.conv_cfg, where);
    this.#outIndices = readOutIndices(cfg.out_indices, 4, where);
    const widths = WIDTHS.get(cfg.widen_factor);
    if (!widths) {
      throw new ConfigError(`${where}.widen_factor: found ${cfg.widen_factor}; expected 0.5, 1, 1.5 or 2.`);
    }
    const { norm_cfg: normCfg, act_cfg: actCfg } = cfg;
    this.conv1 = new ConvModule(3, 24, 3, { stride: 2, padding: 1, normCfg, actCfg });
    const stages = STAGE_BLOCKS.map((blocks, i) =>
      Array.from({ length: blocks }, (_, j) => {
        const inChannels = j > 0 ? widths[i] : i > 0 ? widths[i - 1] : 24;
        return new InvertedResidual(inChannels, widths[i], j === 0 ? 2 : 1, cfg);
      }),
    );
    this.layers = [...stages, new ConvModule(widths[2], widths[3], 1, { normCfg, actCfg })];
  }

  override forward(x: Tensor4D): Feats {
    const [first, ...rest] = this.layers;
    const stages: Layers[] = [[this.conv1, this.#maxpool, first], ...rest.map((layer) => [layer])];
    return chainStages(stages, x, this.#outIndices);
  }
}
