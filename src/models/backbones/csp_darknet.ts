/** CSPDarknet, the backbone of YOLOX, YOLOX-Pose and RTMO, from MMPose's `backbones/csp_darknet.py`. */
import { readConfig } from '../../config.js';
import { InputError } from '../../errors.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chain, chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { convOf, CSPLayer, SPPBottleneck, type CspCfg } from '../utils/csp_layer.js';
import { roundHalfEven } from '../utils/misc.js';
import { readCspArch, type StageSetting } from './utils/csp_arch.js';

/** Of the second and third stage. */
const BLOCKS = 9;

interface CSPDarknetConfig {
  readonly arch: string;
  readonly deepen_factor: number;
  readonly widen_factor: number;
  readonly out_indices: readonly number[];
  readonly use_depthwise: boolean;
  /** MMPose's spelling, here and below. */
  readonly arch_ovewrite: readonly StageSetting[] | null;
  readonly spp_kernal_sizes: readonly number[];
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

const SPEC = {
  arch: 'P5',
  deepen_factor: 1,
  widen_factor: 1,
  out_indices: [2, 3, 4],
  use_depthwise: false,
  arch_ovewrite: null,
  spp_kernal_sizes: [5, 9, 13],
  conv_cfg: null,
  // Only this default has eps 1e-3: a config's own norm_cfg without eps means PyTorch's 1e-5.
  norm_cfg: { type: 'BN', eps: 1e-3 },
  act_cfg: { type: 'Swish' },
};

/** Squares of 2 x 2 pixels side by side in the channels, then a convolution: half the size at the first layer. */
class Focus extends Module {
  readonly conv: ConvModule;

  constructor(outChannels: number, cfg: CspCfg) {
    super();
    this.conv = new ConvModule(12, outChannels, 3, { padding: 1, ...cfg });
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain([squaresToChannels, this.conv], x);
  }
}

/** [N, H, W, C] -> [N, H / 2, W / 2, 4 C]: upper left, lower left, upper right, lower right pixels. */
function squaresToChannels(x: Tensor4D): Tensor4D {
  const [n, height, width, channels] = x.shape;
  if (height % 2 !== 0 || width % 2 !== 0) {
    throw new InputError(`CSPDarknet: found an input of ${width} x ${height} px; expected even sizes.`);
  }
  const [h, w] = [height / 2, width / 2];
  const squares = tf.reshape(x, [n * h, 2, w, 2, channels]);
  return tf.reshape(tf.transpose(squares, [0, 2, 3, 1, 4]), [n, h, w, 4 * channels]);
}

/** Input [N, H, W, 3]; output one map [N, H/stride, W/stride, C] per entry of `out_indices` (0 is the stem, stride 2). */
export class CSPDarknet extends Module<Tensor4D, Feats> {
  readonly stem: Focus;
  readonly #outIndices: readonly number[];
  readonly #stages: Layers[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readConfig<CSPDarknetConfig>(config, where, SPEC);
    checkConvCfg(cfg.conv_cfg, where);
    const setting = readCspArch(cfg, BLOCKS, where);
    this.#outIndices = cfg.out_indices;
    const common = { normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg };
    this.stem = new Focus(Math.trunc(setting[0][0] * cfg.widen_factor), common);
    for (const [i, stage] of setting.entries()) {
      const layers = makeStage(stage, cfg, common);
      (this as Record<string, unknown>)[`stage${i + 1}`] = layers;
      this.#stages.push(layers);
    }
  }

  override forward(x: Tensor4D): Feats {
    return chainStages([[this.stem], ...this.#stages], x, this.#outIndices);
  }
}

function makeStage([inC, outC, blocks, addIdentity, useSpp]: StageSetting, cfg: CSPDarknetConfig, common: CspCfg) {
  const [inChannels, outChannels] = [Math.trunc(inC * cfg.widen_factor), Math.trunc(outC * cfg.widen_factor)];
  const kernelSizes = cfg.spp_kernal_sizes;
  return [
    convOf(cfg.use_depthwise, inChannels, outChannels, { stride: 2, padding: 1, ...common }),
    ...(useSpp ? [new SPPBottleneck(outChannels, outChannels, { ...common, kernelSizes })] : []),
    new CSPLayer(outChannels, outChannels, {
      ...common,
      numBlocks: Math.max(roundHalfEven(blocks * cfg.deepen_factor), 1),
      addIdentity,
      useDepthwise: cfg.use_depthwise,
    }),
  ];
}
