/** From MMPose's `necks/gap_neck.py`. */
import { readConfig } from '../../config.js';
import { Module, type Feats } from '../../nn/module.js';
import * as tf from '../../tf.js';
import type { Tensor2D } from '../../tf.js';

/** Mean over height and width: every [N, H, W, C] becomes [N, C]. */
export class GlobalAveragePooling extends Module<Feats, readonly Tensor2D[]> {
  constructor(config: Readonly<Record<string, unknown>> = {}, where = 'neck') {
    super();
    readConfig(config, where, {});
  }

  override forward(feats: Feats): readonly Tensor2D[] {
    return feats.map((map) => tf.mean<Tensor2D>(map, [1, 2]));
  }
}
