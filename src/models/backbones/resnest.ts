/**
 * ResNeSt, from MMPose's `backbones/resnest.py` (https://arxiv.org/abs/2004.08955): ResNetV1d whose middle convolutions compute
 * several candidates per channel and choose among them by attention.
 */
import { Conv2d } from '../../nn/conv.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chain, Module, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { AvgPool2d, globalAvgPool } from '../../nn/pool.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { checkCount } from '../utils/conv_layer.js';
import { ResNet, RESNET_V1D, STAGE_BLOCKS, type BlockOptions, type ResNetConfig, type ResNetFamily } from './resnet.js';
import { groupConfig, groupedMidChannels } from './resnext.js';

interface SplitOptions {
  /** Candidates per channel. */
  readonly radix: number;
  /** Input channels x radix / hidden channels of the attention, which are at least 32. */
  readonly reduction: number;
  readonly groups: number;
}

interface SplitAttentionOptions extends SplitOptions {
  readonly stride: number;
  readonly dilation: number;
  readonly normCfg: NormCfg;
}

/** A 3 x 3 convolution that gives `radix` maps, and their sum weighted per channel. */
class SplitAttentionConv2d extends Module {
  readonly conv: Conv2d;
  readonly bn0: BatchNorm2d;
  readonly fc1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly fc2: Conv2d;
  readonly #radix: number;
  readonly #groups: number;

  constructor(channels: number, { radix, reduction, groups, stride, dilation, normCfg }: SplitAttentionOptions) {
    super();
    const hidden = Math.max(Math.floor((channels * radix) / reduction), 32);
    const middle = { stride, padding: dilation, dilation, groups: groups * radix, bias: false };
    this.conv = new Conv2d(channels, channels * radix, 3, middle);
    this.bn0 = buildBatchNorm(normCfg, channels * radix);
    this.fc1 = new Conv2d(channels, hidden, 1, { groups });
    this.bn1 = buildBatchNorm(normCfg, hidden);
    this.fc2 = new Conv2d(hidden, channels * radix, 1, { groups });
    this.#radix = radix;
    this.#groups = groups;
  }

  override prepare(): void {
    foldBatchNorm(this.conv, this.bn0);
    foldBatchNorm(this.fc1, this.bn1);
  }

  /** [N, H, W, C] -> [N, H / stride, W / stride, C]. */
  override forward(x: Tensor4D): Tensor4D {
    const maps = this.conv.forward(x, 'relu');
    // The mean of a sum is the sum of means: added up where only one pixel is left.
    const mean = total(tf.split(globalAvgPool(maps), this.#radix, 3));
    const logits = this.fc2.forward(this.fc1.forward(mean, 'relu'));
    if (this.#radix === 1) return tf.mul(maps, tf.sigmoid(logits));
    const weights = softmaxOf(this.#perCandidate(logits));
    return total(tf.split(maps, this.#radix, 3).map((map, r) => tf.mul(map, weights[r])));
  }

  /** [N, 1, 1, group x radix x C / group] -> radix times [N, 1, 1, C]. */
  #perCandidate(logits: Tensor4D): Tensor4D[] {
    const [n, , , all] = logits.shape;
    const [radix, groups] = [this.#radix, this.#groups];
    const grouped: Tensor4D = tf.reshape(logits, [n, groups, radix, all / (groups * radix)]);
    return tf.split(grouped, radix, 2).map((part) => tf.reshape(part, [n, 1, 1, all / radix]));
  }
}

function total(maps: readonly Tensor4D[]): Tensor4D {
  return maps.reduce((sum, map) => tf.add(sum, map));
}

/** Softmax across tensors, element by element. */
function softmaxOf(logits: readonly Tensor4D[]): Tensor4D[] {
  const largest = logits.reduce((most, each) => tf.maximum(most, each));
  const powers = logits.map((each) => tf.exp<Tensor4D>(tf.sub(each, largest)));
  const sum = total(powers);
  return powers.map((power) => tf.div(power, sum));
}

interface ResNeStOptions extends BlockOptions, SplitOptions {
  /** Channels of the middle convolution. */
  readonly midChannels: number;
  /** Whether a mean of 3 x 3 pixels does the middle convolution's stride. */
  readonly avgDownStride: boolean;
}

/** A bottleneck around a `SplitAttentionConv2d`. */
class ResNeStBottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly conv2: SplitAttentionConv2d;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Layers | null;
  readonly #pool: AvgPool2d | null;

  constructor(inChannels: number, outChannels: number, options: ResNeStOptions) {
    super();
    const { midChannels: mid, stride, style, normCfg } = options;
    const [stride1, stride2] = style === 'pytorch' ? [1, stride] : [stride, 1];
    const pooled = options.avgDownStride && stride2 > 1;
    this.conv1 = new Conv2d(inChannels, mid, 1, { stride: stride1, bias: false });
    this.bn1 = buildBatchNorm(normCfg, mid);
    this.conv2 = new SplitAttentionConv2d(mid, { ...options, stride: pooled ? 1 : stride2 });
    this.#pool = pooled ? new AvgPool2d(3, { stride: stride2, padding: 1 }) : null;
    this.conv3 = new Conv2d(mid, outChannels, 1, { bias: false });
    this.bn3 = buildBatchNorm(normCfg, outChannels);
    this.downsample = options.downsample;
  }

  override prepare(): void {
    foldBatchNorm(this.conv1, this.bn1);
    foldBatchNorm(this.conv3, this.bn3);
  }

  override forward(x: Tensor4D): Tensor4D {
    const middle = this.conv2.forward(this.conv1.forward(x, 'relu'));
    const out = this.conv3.forward(this.#pool ? this.#pool.forward(middle) : middle);
    const identity = this.downsample ? chain(this.downsample, x) : x;
    return tf.relu(tf.add(out, identity));
  }
}

/** Blocks per stage. */
const RESNEST_BLOCKS: Readonly<Record<number, readonly number[]>> = {
  50: STAGE_BLOCKS[50],
  101: STAGE_BLOCKS[101],
  152: STAGE_BLOCKS[152],
  200: [3, 24, 36, 3],
  269: [3, 30, 48, 8],
};

const SPEC = {
  ...RESNET_V1D.spec,
  groups: 1,
  width_per_group: 4,
  radix: 2,
  reduction_factor: 4,
  avg_down_stride: true,
};

const RESNEST: ResNetFamily = {
  ...RESNET_V1D,
  spec: SPEC,
  depths: Object.keys(RESNEST_BLOCKS).map(Number),
  arch: (config, where) => {
    const variant = readVariant(config, where);
    const group = groupConfig(config);
    return {
      stageBlocks: RESNEST_BLOCKS[config.depth],
      expansion: 4,
      block: (inChannels, outChannels, options) => {
        const midChannels = groupedMidChannels(outChannels / options.expansion, group);
        return new ResNeStBottleneck(inChannels, outChannels, { ...options, ...variant, midChannels });
      },
    };
  },
};

/** The keys that ResNeSt adds, but the width of groups. */
function readVariant(config: ResNetConfig, where: string): SplitOptions & { readonly avgDownStride: boolean } {
  const { groups, radix, reduction_factor: reduction, avg_down_stride: avgDownStride } = config;
  checkCount(groups, `${where}.groups`);
  checkCount(radix, `${where}.radix`);
  checkCount(reduction, `${where}.reduction_factor`);
  return { groups, radix, reduction, avgDownStride: Boolean(avgDownStride) };
}

/** Input [N, H, W, 3], output one map per entry of `out_indices`, as ResNet. */
export class ResNeSt extends ResNet {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(config, where, RESNEST);
  }
}
