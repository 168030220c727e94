/** Global context, mmcv's `ContextBlock` with its defaults (https://arxiv.org/abs/1904.11492): attention pooling, added to the map. */
import { Act } from '../../../nn/act.js';
import { Conv2d } from '../../../nn/conv.js';
import { chain, Module, type Layers } from '../../../nn/module.js';
import { LayerNorm } from '../../../nn/norm.js';
import * as tf from '../../../tf.js';
import type { Tensor3D, Tensor4D } from '../../../tf.js';

/** Adds to every pixel one vector, computed from the map's mean as weighted by a learned mask. */
export class ContextBlock extends Module {
  readonly conv_mask: Conv2d;
  readonly channel_add_conv: Layers;

  /** @param ratio - hidden channels / channels */
  constructor(channels: number, ratio: number) {
    super();
    const hidden = Math.trunc(channels * ratio);
    this.conv_mask = new Conv2d(channels, 1, 1);
    this.channel_add_conv = [
      new Conv2d(channels, hidden, 1),
      new LayerNorm([hidden, 1, 1]),
      new Act({ type: 'ReLU' }),
      new Conv2d(hidden, channels, 1),
    ];
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.add(x, chain(this.channel_add_conv, this.#context(x)));
  }

  /** [N, H, W, C] -> [N, 1, 1, C]: the mean of the pixels, each as heavy as the softmax of its mask. */
  #context(x: Tensor4D): Tensor4D {
    const [n, h, w, channels] = x.shape;
    const logits: Tensor3D = tf.reshape(this.conv_mask.forward(x), [n, 1, h * w]);
    const pixels: Tensor3D = tf.reshape(x, [n, h * w, channels]);
    return tf.reshape(tf.matMul(tf.softmax(logits), pixels), [n, 1, 1, channels]);
  }
}
