/** MobileNetV3, from MMPose's `backbones/mobilenet_v3.py` (https://arxiv.org/abs/1905.02244). */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chainStages, Module, type Feats } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import type { Tensor4D } from '../../tf.js';
import { InvertedResidual, MOBILE_SE } from './utils/inverted_residual.js';
import { readOutIndices } from './utils/read_out_indices.js';

type Block = readonly [kernel: number, mid: number, out: number, se: boolean, act: string, stride: number];

const ARCH_SETTINGS: Readonly<Record<string, readonly Block[]>> = {
  small: [
    [3, 16, 16, true, 'ReLU', 2],
    [3, 72, 24, false, 'ReLU', 2],
    [3, 88, 24, false, 'ReLU', 1],
    [5, 96, 40, true, 'HSwish', 2],
    [5, 240, 40, true, 'HSwish', 1],
    [5, 240, 40, true, 'HSwish', 1],
    [5, 120, 48, true, 'HSwish', 1],
    [5, 144, 48, true, 'HSwish', 1],
    [5, 288, 96, true, 'HSwish', 2],
    [5, 576, 96, true, 'HSwish', 1],
    [5, 576, 96, true, 'HSwish', 1],
  ],
  big: [
    [3, 16, 16, false, 'ReLU', 1],
    [3, 64, 24, false, 'ReLU', 2],
    [3, 72, 24, false, 'ReLU', 1],
    [5, 72, 40, true, 'ReLU', 2],
    [5, 120, 40, true, 'ReLU', 1],
    [5, 120, 40, true, 'ReLU', 1],
    [3, 240, 80, false, 'HSwish', 2],
    [3, 200, 80, false, 'HSwish', 1],
    [3, 184, 80, false, 'HSwish', 1],
    [3, 184, 80, false, 'HSwish', 1],
    [3, 480, 112, true, 'HSwish', 1],
    [3, 672, 112, true, 'HSwish', 1],
    [5, 672, 160, true, 'HSwish', 1],
    [5, 672, 160, true, 'HSwish', 2],
    [5, 960, 160, true, 'HSwish', 1],
  ],
};

interface MobileNetV3Config {
  readonly arch: string;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly out_indices: readonly number[];
}

/** Input [N, H, W, 3], output one map per entry of `out_indices` (0 is `layer1`; negative ones count from the end). */
export class MobileNetV3 extends Module<Tensor4D, Feats> {
  readonly conv1: ConvModule;
  readonly #outIndices: readonly number[];
  readonly #layers: InvertedResidual[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<MobileNetV3Config>(config, where, {
      ...{ arch: 'small', conv_cfg: null, norm_cfg: { type: 'BN' }, out_indices: [-1] },
    });
    checkConvCfg(cfg.conv_cfg, where);
    const setting = ARCH_SETTINGS[cfg.arch];
    if (!setting) throw new ConfigError(`${where}.arch: found ${JSON.stringify(cfg.arch)}; expected "small" or "big".`);
    this.#outIndices = readOutIndices(cfg.out_indices, setting.length, where, true);
    const normCfg = cfg.norm_cfg;
    let inChannels = 16;
    this.conv1 = new ConvModule(3, inChannels, 3, { stride: 2, padding: 1, normCfg, actCfg: { type: 'HSwish' } });
    for (const [i, [kernelSize, midChannels, outChannels, withSe, act, stride]] of setting.entries()) {
      const se = withSe ? MOBILE_SE : null;
      const options = { midChannels, kernelSize, stride, se, normCfg, actCfg: { type: act } };
      const layer = new InvertedResidual(inChannels, outChannels, options);
      (this as Record<string, unknown>)[`layer${i + 1}`] = layer;
      this.#layers.push(layer);
      inChannels = outChannels;
    }
  }

  override forward(x: Tensor4D): Feats {
    const [first, ...rest] = this.#layers;
    return chainStages([[this.conv1, first], ...rest.map((layer) => [layer])], x, this.#outIndices);
  }
}
