/**
 * HRFormer, from MMPose's `backbones/hrformer.py` (https://arxiv.org/abs/2110.09408): HRNet whose branches are transformers with
 * attention within windows. Not here: masks for the zeros around a map (`with_pad_mask`), which no pose config asks for.
 */
import { readConfig, REQUIRED } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Act } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { checkConvCfg } from '../../nn/conv_module.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chain, Module, type Layers } from '../../nn/module.js';
import { buildBatchNorm, buildLayerNorm, type BatchNorm2d, type LayerNorm, type NormCfg } from '../../nn/norm.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { toMap, toTokens, type Size } from '../utils/tokens.js';
import { WindowMSA } from '../utils/window_msa.js';
import { merge, partition, windowsOf } from '../utils/windows.js';
import {
  EXTRA_SPEC,
  HRBackbone,
  HRNET_SPEC,
  readStages,
  readUpsample,
  residualBranch,
  STAGE_SPEC,
  type ExtraConfig,
  type HRPlan,
  type StageConfig,
} from './hrnet.js';

interface HRFormerConfig {
  readonly extra: Readonly<Record<string, unknown>>;
  readonly in_channels: number;
  readonly conv_cfg: { readonly type: string } | null;
  readonly norm_cfg: NormCfg;
  readonly transformer_norm_cfg: NormCfg;
}

interface HRFormerExtra extends ExtraConfig {
  readonly with_rpe: unknown;
  readonly with_pad_mask: unknown;
}

interface HRFormerStage extends StageConfig {
  readonly num_heads: readonly number[];
  readonly window_sizes: readonly number[];
  readonly mlp_ratios: readonly number[];
}

/** Stage 1 is residual; configs still give it these keys, under either name. */
const STAGE1_SPEC = { ...STAGE_SPEC, num_heads: null, mlp_ratios: null, num_mlp_ratios: null, window_sizes: null };
const TRANSFORMER_SPEC = { ...STAGE_SPEC, num_heads: REQUIRED, window_sizes: REQUIRED, mlp_ratios: REQUIRED };

/** Input [N, H, W, 3]; output the first branch [N, H/4, W/4, C], or all four with `stage4.multiscale_output`. */
export class HRFormer extends HRBackbone {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(readHRFormer(config, where));
  }
}

function readHRFormer(config: Readonly<Record<string, unknown>>, where: string): HRPlan<HRFormerStage> {
  const spec = { ...HRNET_SPEC, transformer_norm_cfg: { type: 'LN', eps: 1e-6 } };
  const cfg = readConfig<HRFormerConfig>(config, where, spec);
  checkConvCfg(cfg.conv_cfg, where);
  const extra = readConfig<HRFormerExtra>(cfg.extra, `${where}.extra`, {
    ...EXTRA_SPEC,
    ...{ upsample: { mode: 'bilinear', align_corners: false }, with_rpe: true, with_pad_mask: false },
  });
  if (extra.with_pad_mask !== false) {
    throw new ConfigError(`${where}.extra.with_pad_mask: found true; only false is supported.`);
  }
  const stages = readStages<HRFormerStage>(extra, `${where}.extra`, (number) => {
    if (number === 1) return { spec: STAGE1_SPEC, blocks: ['BOTTLENECK'] };
    return { spec: TRANSFORMER_SPEC, blocks: ['HRFORMERBLOCK'] };
  });
  for (const [i, stage] of stages.slice(1).entries()) checkStage(stage, `${where}.extra.stage${i + 2}`);
  const { norm_cfg: normCfg, transformer_norm_cfg: layerNormCfg } = cfg;
  const withRpe = extra.with_rpe === true;
  return {
    inChannels: cfg.in_channels,
    normCfg,
    stages,
    upsample: readUpsample(extra.upsample, `${where}.extra.upsample`),
    branch: (stage, i, inChannels) => {
      if (stage.block === 'BOTTLENECK') return residualBranch(stage, i, inChannels, normCfg);
      const options = { stage, branch: i, withRpe, normCfg, layerNormCfg, where: `${where}.extra` };
      return Array.from({ length: stage.num_blocks[i] }, () => new HRFormerBlock(options));
    },
    down: (from, to, relu) => separableDown(from, to, relu, normCfg),
  };
}

/** @throws ConfigError unless every branch has its heads, window and ratio */
function checkStage(stage: HRFormerStage, where: string): void {
  for (const key of ['num_heads', 'window_sizes', 'mlp_ratios'] as const) {
    const list: unknown = stage[key];
    const isFine = Array.isArray(list) && list.length === stage.num_branches && list.every((value) => value > 0);
    if (isFine) continue;
    throw new ConfigError(
      `${where}.${key}: found ${JSON.stringify(list)}; expected a positive number for each of ${stage.num_branches} branches.`,
    );
  }
}

/** To half the resolution by a depthwise convolution, then to other channels. */
function separableDown(from: number, to: number, relu: boolean, normCfg: NormCfg): Layers {
  const layers = [
    new Conv2d(from, from, 3, { stride: 2, padding: 1, groups: from, bias: false }),
    buildBatchNorm(normCfg, from),
    new Conv2d(from, to, 1, { bias: false }),
    buildBatchNorm(normCfg, to),
  ];
  return relu ? [...layers, new Act({ type: 'ReLU' })] : layers;
}

interface BlockOptions {
  readonly stage: HRFormerStage;
  readonly branch: number;
  readonly withRpe: boolean;
  readonly normCfg: NormCfg;
  readonly layerNormCfg: NormCfg;
  readonly where: string;
}

/** Attention within windows and a feed-forward of convolutions, each behind a norm and beside a shortcut. */
class HRFormerBlock extends Module {
  readonly norm1: LayerNorm;
  readonly attn: LocalWindowSelfAttention;
  readonly norm2: LayerNorm;
  readonly ffn: CrossFFN;

  constructor(options: BlockOptions) {
    super();
    const { stage, branch, layerNormCfg, normCfg, where } = options;
    const width = stage.num_channels[branch];
    const norm = () => buildLayerNorm(layerNormCfg, width, `${where}.transformer_norm_cfg`);
    this.norm1 = norm();
    this.attn = new LocalWindowSelfAttention(width, options);
    this.norm2 = norm();
    this.ffn = new CrossFFN(width, Math.trunc(width * stage.mlp_ratios[branch]), normCfg);
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => {
      const y = tf.add(x, this.attn.forward(this.norm1.forward(x) as Tensor4D));
      return tf.add(y, this.ffn.forward(this.norm2.forward(y) as Tensor4D));
    });
  }
}

class LocalWindowSelfAttention extends Module {
  readonly attn: WindowMSA;
  readonly #window: Size;

  constructor(width: number, { stage, branch, withRpe, where }: BlockOptions) {
    super();
    const length = stage.window_sizes[branch];
    this.#window = [length, length];
    const heads = stage.num_heads[branch];
    this.attn = new WindowMSA(width, heads, this.#window, { bias: true, withRpe }, `${where}.num_heads`);
  }

  override forward(x: Tensor4D): Tensor4D {
    const [, h, w] = x.shape;
    const windows = windowsOf([h, w], this.#window, { centred: true });
    return toMap(merge(this.attn.forward(partition(toTokens(x), windows)), windows), [h, w]);
  }
}

/** Two 1 x 1 convolutions with a depthwise one between them, each with its norm and GELU. */
class CrossFFN extends Module {
  readonly fc1: Conv2d;
  readonly norm1: BatchNorm2d;
  readonly dw3x3: Conv2d;
  readonly norm2: BatchNorm2d;
  readonly fc2: Conv2d;
  readonly norm3: BatchNorm2d;
  readonly #act = new Act({ type: 'GELU' });

  constructor(width: number, hidden: number, normCfg: NormCfg) {
    super();
    this.fc1 = new Conv2d(width, hidden, 1);
    this.norm1 = buildBatchNorm(normCfg, hidden);
    this.dw3x3 = new Conv2d(hidden, hidden, 3, { padding: 1, groups: hidden });
    this.norm2 = buildBatchNorm(normCfg, hidden);
    this.fc2 = new Conv2d(hidden, width, 1);
    this.norm3 = buildBatchNorm(normCfg, width);
  }

  override prepare(): void {
    foldBatchNorm(this.fc1, this.norm1);
    foldBatchNorm(this.dw3x3, this.norm2);
    foldBatchNorm(this.fc2, this.norm3);
  }

  override forward(x: Tensor4D): Tensor4D {
    return chain([this.fc1, this.#act, this.dw3x3, this.#act, this.fc2, this.#act], x);
  }
}
