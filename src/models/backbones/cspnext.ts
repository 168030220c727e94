/** CSPNeXt, RTMPose's backbone, from MMPose's `backbones/cspnext.py` (https://arxiv.org/abs/2212.07784). */
import { readConfig } from '../../config.js';
import type { ActCfg } from '../../nn/act.js';
import { checkConvCfg, ConvModule } from '../../nn/conv_module.js';
import { chainStages, Module, type Feats, type Layers } from '../../nn/module.js';
import type { NormCfg } from '../../nn/norm.js';
import type { Tensor4D } from '../../tf.js';
import { convOf, CSPLayer, SPPBottleneck, type CspCfg } from '../utils/csp_layer.js';
import { roundHalfEven } from '../utils/misc.js';
import { readCspArch, type StageSetting } from './utils/csp_arch.js';

/** Of the second and third stage. */
const BLOCKS = 6;

interface CSPNeXtConfig {
  readonly arch: string;
  readonly deepen_factor: number;
  readonly widen_factor: number;
  readonly out_indices: readonly number[];
  readonly use_depthwise: boolean;
  readonly expand_ratio: number;
  /** MMPose's spelling. */
  readonly arch_ovewrite: readonly StageSetting[] | null;
  readonly spp_kernel_sizes: readonly number[];
  readonly channel_attention: boolean;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly act_cfg: ActCfg;
}

/** Input [N, H, W, 3]; output one map [N, H/stride, W/stride, C] per entry of `out_indices` (0 is the stem, stride 2). */
export class CSPNeXt extends Module<Tensor4D, Feats> {
  readonly stem: readonly ConvModule[];
  readonly #outIndices: readonly number[];
  readonly #stages: Layers[] = [];

  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super();
    const cfg = readCSPNeXtConfig(config, where);
    const setting = readCspArch(cfg, BLOCKS, where);
    this.#outIndices = cfg.out_indices;
    const width = setting[0][0] * cfg.widen_factor;
    this.stem = makeStem(Math.floor(width / 2), Math.trunc(width), { normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg });
    for (const [i, stage] of setting.entries()) {
      const layers = makeStage(stage, cfg);
      (this as Record<string, unknown>)[`stage${i + 1}`] = layers;
      this.#stages.push(layers);
    }
  }

  override forward(x: Tensor4D): Feats {
    return chainStages([this.stem, ...this.#stages], x, this.#outIndices);
  }
}

function makeStem(half: number, full: number, cfg: CspCfg): ConvModule[] {
  return [
    new ConvModule(3, half, 3, { stride: 2, padding: 1, ...cfg }),
    new ConvModule(half, half, 3, { padding: 1, ...cfg }),
    new ConvModule(half, full, 3, { padding: 1, ...cfg }),
  ];
}

function makeStage([inC, outC, blocks, addIdentity, useSpp]: StageSetting, cfg: CSPNeXtConfig): Module[] {
  const [inChannels, outChannels] = [Math.trunc(inC * cfg.widen_factor), Math.trunc(outC * cfg.widen_factor)];
  const common = { normCfg: cfg.norm_cfg, actCfg: cfg.act_cfg };
  const down = convOf(cfg.use_depthwise, inChannels, outChannels, { stride: 2, padding: 1, ...common });
  const layer = new CSPLayer(outChannels, outChannels, {
    ...common,
    numBlocks: Math.max(roundHalfEven(blocks * cfg.deepen_factor), 1),
    useCspnextBlock: true,
    addIdentity,
    useDepthwise: cfg.use_depthwise,
    expandRatio: cfg.expand_ratio,
    channelAttention: cfg.channel_attention,
  });
  if (!useSpp) return [down, layer];
  return [down, new SPPBottleneck(outChannels, outChannels, { ...common, kernelSizes: cfg.spp_kernel_sizes }), layer];
}

function readCSPNeXtConfig(config: Readonly<Record<string, unknown>>, where: string): CSPNeXtConfig {
  const cfg = readConfig<CSPNeXtConfig>(config, where, {
    arch: 'P5',
    deepen_factor: 1,
    widen_factor: 1,
    out_indices: [2, 3, 4],
    use_depthwise: false,
    expand_ratio: 0.5,
    arch_ovewrite: null,
    spp_kernel_sizes: [5, 9, 13],
    channel_attention: true,
    conv_cfg: null,
    // Only this default has eps 1e-3: a config's own norm_cfg without eps means PyTorch's 1e-5.
    norm_cfg: { type: 'BN', eps: 1e-3 },
    act_cfg: { type: 'SiLU' },
  });
  checkConvCfg(cfg.conv_cfg, where);
  return cfg;
}
