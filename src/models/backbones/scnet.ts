/**
 * SCNet, from MMPose's `backbones/scnet.py` (Liu et al., CVPR 2020): ResNet whose bottlenecks have two halves, an ordinary
 * convolution and a self-calibrated one.
 */
import { InputError } from '../../errors.js';
import { Act } from '../../nn/act.js';
import { Conv2d } from '../../nn/conv.js';
import { foldBatchNorm } from '../../nn/fold.js';
import { chain, Module, type Layers } from '../../nn/module.js';
import { buildBatchNorm, type BatchNorm2d, type NormCfg } from '../../nn/norm.js';
import { AvgPool2d } from '../../nn/pool.js';
import { resize } from '../../nn/resize.js';
import * as tf from '../../tf.js';
import type { Tensor4D } from '../../tf.js';
import { ResNet, RESNET_SPEC, STAGE_BLOCKS, type BlockOptions, type ResNetFamily } from './resnet.js';

/** Side of the windows whose means calibrate, in pixels of the map. */
const POOLING = 4;

/** A 3 x 3 convolution, as every one of these is, and its norm. */
function convAndNorm(channels: number, stride: number, normCfg: NormCfg): [Conv2d, BatchNorm2d] {
  return [new Conv2d(channels, channels, 3, { stride, padding: 1, bias: false }), buildBatchNorm(normCfg, channels)];
}

/** A convolution gated by what the same map looks like four times as coarse. */
class SCConv extends Module {
  readonly k2: Layers;
  readonly k3: Layers;
  readonly k4: Layers;

  constructor(channels: number, stride: number, normCfg: NormCfg) {
    super();
    this.k2 = [new AvgPool2d(POOLING), ...convAndNorm(channels, 1, normCfg)];
    this.k3 = convAndNorm(channels, 1, normCfg);
    this.k4 = [...convAndNorm(channels, stride, normCfg), new Act({ type: 'ReLU' })];
  }

  /** [N, H, W, C] -> [N, H / stride, W / stride, C]. */
  override forward(x: Tensor4D): Tensor4D {
    const [, h, w] = x.shape;
    checkSize(h, w);
    const gate = tf.sigmoid(tf.add(x, resize(chain(this.k2, x), [h, w])));
    return chain(this.k4, tf.mul(chain(this.k3, x), gate));
  }
}

function checkSize(h: number, w: number): void {
  if (h >= POOLING && w >= POOLING) return;
  throw new InputError(
    `SCNet: found a map of ${w} x ${h}; expected at least ${POOLING} x ${POOLING}: give larger pictures (from 128 x 128 with all stages).`,
  );
}

/** A bottleneck of two halves, joined by its last convolution. MMPose does not dilate it. */
class SCBottleneck extends Module {
  readonly conv1: Conv2d;
  readonly bn1: BatchNorm2d;
  readonly k1: Layers;
  readonly conv2: Conv2d;
  readonly bn2: BatchNorm2d;
  readonly scconv: SCConv;
  readonly conv3: Conv2d;
  readonly bn3: BatchNorm2d;
  readonly downsample: Layers | null;

  constructor(inChannels: number, outChannels: number, { expansion, stride, normCfg, downsample }: BlockOptions) {
    super();
    const half = Math.floor(outChannels / expansion / 2);
    this.conv1 = new Conv2d(inChannels, half, 1, { bias: false });
    this.bn1 = buildBatchNorm(normCfg, half);
    this.k1 = [...convAndNorm(half, stride, normCfg), new Act({ type: 'ReLU' })];
    this.conv2 = new Conv2d(inChannels, half, 1, { bias: false });
    this.bn2 = buildBatchNorm(normCfg, half);
    this.scconv = new SCConv(half, stride, normCfg);
    this.conv3 = new Conv2d(2 * half, outChannels, 1, { bias: false });
    this.bn3 = buildBatchNorm(normCfg, outChannels);
    this.downsample = downsample;
  }

  override prepare(): void {
    foldBatchNorm(this.conv1, this.bn1);
    foldBatchNorm(this.conv2, this.bn2);
    foldBatchNorm(this.conv3, this.bn3);
  }

  override forward(x: Tensor4D): Tensor4D {
    const plain = chain(this.k1, this.conv1.forward(x, 'relu'));
    const calibrated = this.scconv.forward(this.conv2.forward(x, 'relu'));
    const out = this.conv3.forward(tf.concat([plain, calibrated], 3));
    const identity = this.downsample ? chain(this.downsample, x) : x;
    return tf.relu(tf.add(out, identity));
  }
}

const SCNET: ResNetFamily = {
  spec: RESNET_SPEC,
  depths: [50, 101],
  arch: ({ depth }) => ({
    stageBlocks: STAGE_BLOCKS[depth],
    expansion: 4,
    block: (...args) => new SCBottleneck(...args),
  }),
};

/** Input [N, H, W, 3], output one map per entry of `out_indices`, as ResNet. */
export class SCNet extends ResNet {
  constructor(config: Readonly<Record<string, unknown>>, where = 'backbone') {
    super(config, where, SCNET);
  }
}
