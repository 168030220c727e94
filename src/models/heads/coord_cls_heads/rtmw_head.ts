/**
 * RTMW's head (MMPose: `mmpose/models/heads/coord_cls_heads/rtmw_head.py`): RTMPose's, on two resolutions. The finer map is joined with
 * the coarser one, whose channels become pixels; each gives half of a keypoint's token.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import type { ConfigDict } from '../../../config.js';
import { ConfigError, InputError } from '../../../errors.js';
import { ConvModule } from '../../../nn/conv_module.js';
import { Linear } from '../../../nn/linear.js';
import { chain } from '../../../nn/module.js';
import * as tf from '../../../tf.js';
import type { Tensor3D, Tensor4D } from '../../../tf.js';
import { ScaleNorm, type RTMCCBlock } from '../../utils/rtmcc_block.js';
import type { HeadFeats } from '../base_head.js';
import { buildGau, readRTMCCHead } from './rtmcc_head.js';
import { binCounts, flattenMaps, SimCCBaseHead } from './simcc_base.js';

/** Pixels of the finer map per pixel of the coarser one, in each direction. */
const FINER = 2;

/** Features [N, 2 h, 2 w, C / 2] and [N, h, w, C] -> x [N, K, Wx] and y [N, K, Wy]. */
export class RTMWHead extends SimCCBaseHead {
  readonly conv_dec: ConvModule;
  readonly final_layer: ConvModule;
  readonly final_layer2: ConvModule;
  readonly mlp: readonly [ScaleNorm, Linear];
  readonly mlp2: readonly [ScaleNorm, Linear];
  readonly gau: RTMCCBlock;
  readonly cls_x: Linear;
  readonly cls_y: Linear;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const { cfg, gau } = readRTMCCHead(config, where);
    const width = cfg.in_channels;
    checkDivisible(width, FINER ** 2, `${where}.in_channels`);
    checkDivisible(gau.hidden_dims, 2, `${where}.gau_cfg.hidden_dims`);
    const kernel = cfg.final_layer_kernel_size;
    const convTo = (inChannels: number, outChannels: number) =>
      new ConvModule(inChannels, outChannels, kernel, { padding: Math.floor(kernel / 2), normCfg: { type: 'BN' } });
    const flat = cfg.in_featuremap_size[0] * cfg.in_featuremap_size[1];
    const [wx, wy] = binCounts(cfg.input_size, cfg.simcc_split_ratio);
    this.conv_dec = convTo(width / FINER ** 2, width / 4);
    this.final_layer = convTo(width, cfg.out_channels);
    this.final_layer2 = convTo(width / FINER + width / 4, cfg.out_channels);
    this.mlp = toTokens(flat, gau.hidden_dims / 2);
    this.mlp2 = toTokens(flat * FINER ** 2, gau.hidden_dims / 2);
    this.gau = buildGau(cfg.out_channels, gau);
    this.cls_x = new Linear(gau.hidden_dims, wx, { bias: false });
    this.cls_y = new Linear(gau.hidden_dims, wy, { bias: false });
  }

  override forward(feats: HeadFeats): [x: Tensor3D, y: Tensor3D] {
    if (feats.length !== 2) {
      throw new InputError(`RTMWHead: found ${feats.length} feature maps; expected two, the finer one first.`);
    }
    const [fine, coarse] = feats as readonly Tensor4D[];
    const fromCoarse = chain<Tensor3D>(this.mlp, flattenMaps(this.final_layer.forward(coarse)));
    const both = tf.concat([this.conv_dec.forward(pixelShuffle(coarse, FINER)), fine], 3);
    const fromFine = chain<Tensor3D>(this.mlp2, flattenMaps(this.final_layer2.forward(both)));
    const tokens = this.gau.forward(tf.concat([fromCoarse, fromFine], 2));
    return [this.cls_x.forward(tokens) as Tensor3D, this.cls_y.forward(tokens) as Tensor3D];
  }
}

/** A keypoint's map of `flat` pixels as a part of its token. */
function toTokens(flat: number, width: number): readonly [ScaleNorm, Linear] {
  return [new ScaleNorm(flat), new Linear(flat, width, { bias: false })];
}

function checkDivisible(value: number, by: number, where: string): void {
  if (value % by === 0) return;
  throw new ConfigError(`${where}: found ${value}; expected a multiple of ${by}.`);
}

/**
 * PyTorch's `PixelShuffle`: [N, h, w, C r r] -> [N, h r, w r, C]. Channel (c r + i) r + j is pixel (i, j) of channel c, where tfjs's
 * `depthToSpace` has c last.
 */
function pixelShuffle(x: Tensor4D, r: number): Tensor4D {
  const [n, h, w, channels] = x.shape;
  const depth = channels / r ** 2;
  const apart = tf.transpose(tf.reshape(x, [n * h, w, depth, r, r]), [0, 3, 1, 4, 2]);
  return tf.reshape(apart, [n, h * r, w * r, depth]);
}
