/** Squeeze and excitation, from MMPose's `backbones/utils/se_layer.py`. */
import type { ActCfg } from '../../../nn/act.js';
import { ConvModule } from '../../../nn/conv_module.js';
import { chain, Module } from '../../../nn/module.js';
import { globalAvgPool } from '../../../nn/pool.js';
import { gate } from '../../../nn/resize.js';
import * as tf from '../../../tf.js';
import type { Tensor4D } from '../../../tf.js';

export interface SELayerOptions {
  /** channels / hidden channels; default 16. */
  readonly ratio?: number;
  /** Of the two convolutions; default ReLU and Sigmoid. */
  readonly actCfg?: readonly [ActCfg, ActCfg];
}

/** A channel gate from the map's mean. */
export class SELayer extends Module {
  readonly conv1: ConvModule;
  readonly conv2: ConvModule;

  constructor(channels: number, options: SELayerOptions = {}) {
    super();
    const { ratio = 16, actCfg = [{ type: 'ReLU' }, { type: 'Sigmoid' }] } = options;
    const hidden = Math.trunc(channels / ratio);
    this.conv1 = new ConvModule(channels, hidden, 1, { actCfg: actCfg[0] });
    this.conv2 = new ConvModule(hidden, channels, 1, { actCfg: actCfg[1] });
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => gate(x, chain([globalAvgPool, this.conv1, this.conv2], x)));
  }
}
