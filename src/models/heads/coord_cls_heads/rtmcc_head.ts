/**
 * RTMPose's head (Jiang et al. 2023; MMPose: `mmpose/models/heads/coord_cls_heads/rtmcc_head.py`): a large-kernel convolution, a
 * linear layer and a gated attention unit over keypoints, then SimCC vectors.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { Conv2d } from '../../../nn/conv.js';
import { Linear } from '../../../nn/linear.js';
import { chain } from '../../../nn/module.js';
import type { Tensor3D, Tensor4D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import { RTMCCBlock, ScaleNorm } from '../../utils/rtmcc_block.js';
import type { HeadFeats } from '../base_head.js';
import { binCounts, checkSize, flattenMaps, SimCCBaseHead } from './simcc_base.js';

export interface RTMCCHeadConfig {
  readonly in_channels: number;
  readonly out_channels: number;
  readonly input_size: readonly [w: number, h: number];
  readonly in_featuremap_size: readonly [w: number, h: number];
  readonly simcc_split_ratio: number;
  readonly final_layer_kernel_size: number;
  readonly gau_cfg: Readonly<Record<string, unknown>>;
}

export interface GauConfig {
  readonly hidden_dims: number;
  readonly s: number;
  readonly expansion_factor: number;
  readonly act_fn: string;
  readonly use_rel_bias: boolean;
  readonly pos_enc: boolean;
}

const GAU_SPEC = {
  hidden_dims: REQUIRED,
  s: REQUIRED,
  expansion_factor: REQUIRED,
  act_fn: REQUIRED,
  use_rel_bias: REQUIRED,
  pos_enc: REQUIRED,
};

const SPEC = {
  in_channels: REQUIRED,
  out_channels: REQUIRED,
  input_size: REQUIRED,
  in_featuremap_size: REQUIRED,
  simcc_split_ratio: 2,
  final_layer_kernel_size: 1,
  gau_cfg: { hidden_dims: 256, s: 128, expansion_factor: 2, act_fn: 'ReLU', use_rel_bias: false, pos_enc: false },
  decoder: null,
};

/** Features [N, h, w, C] (the last of the list) -> x [N, K, Wx] and y [N, K, Wy]. */
export class RTMCCHead extends SimCCBaseHead {
  readonly final_layer: Conv2d;
  readonly mlp: readonly [ScaleNorm, Linear];
  readonly gau: RTMCCBlock;
  readonly cls_x: Linear;
  readonly cls_y: Linear;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const { cfg, gau } = readRTMCCHead(config, where);
    const kernel = cfg.final_layer_kernel_size;
    const flat = cfg.in_featuremap_size[0] * cfg.in_featuremap_size[1];
    const [wx, wy] = binCounts(cfg.input_size, cfg.simcc_split_ratio);
    this.final_layer = new Conv2d(cfg.in_channels, cfg.out_channels, kernel, { padding: Math.floor(kernel / 2) });
    this.mlp = [new ScaleNorm(flat), new Linear(flat, gau.hidden_dims, { bias: false })];
    this.gau = buildGau(cfg.out_channels, gau);
    this.cls_x = new Linear(gau.hidden_dims, wx, { bias: false });
    this.cls_y = new Linear(gau.hidden_dims, wy, { bias: false });
  }

  override forward(feats: HeadFeats): [x: Tensor3D, y: Tensor3D] {
    const maps = this.final_layer.forward(feats[feats.length - 1] as Tensor4D);
    const tokens = this.gau.forward(chain<Tensor3D>(this.mlp, flattenMaps(maps)));
    return [this.cls_x.forward(tokens) as Tensor3D, this.cls_y.forward(tokens) as Tensor3D];
  }
}

/** The config that RTMPose's and RTMW's heads have in common. */
export function readRTMCCHead(config: ConfigDict, where: string): { cfg: RTMCCHeadConfig; gau: GauConfig } {
  const cfg = readConfig<RTMCCHeadConfig>(config, where, SPEC);
  const gau = readConfig<GauConfig>(cfg.gau_cfg, `${where}.gau_cfg`, GAU_SPEC);
  checkCount(cfg.in_channels, `${where}.in_channels`);
  checkCount(cfg.out_channels, `${where}.out_channels`);
  checkSize(cfg.input_size, `${where}.input_size`);
  checkSize(cfg.in_featuremap_size, `${where}.in_featuremap_size`);
  return { cfg, gau };
}

/** The attention unit as `gau_cfg` describes it, for `numToken` keypoints. */
export function buildGau(numToken: number, gau: GauConfig): RTMCCBlock {
  return new RTMCCBlock(numToken, gau.hidden_dims, gau.hidden_dims, {
    ...{ s: gau.s, expansionFactor: gau.expansion_factor, actFn: gau.act_fn },
    ...{ useRelBias: gau.use_rel_bias, posEnc: gau.pos_enc },
  });
}
