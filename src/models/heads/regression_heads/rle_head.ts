/**
 * Residual log-likelihood regression (Li et al. 2021; MMPose: `mmpose/models/heads/regression_heads/rle_head.py`): coordinates and
 * their sigmas. The normalising flow (`loss_module.*` in checkpoints) only matters to training.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import type { ConfigDict } from '../../../config.js';
import * as tf from '../../../tf.js';
import type { Tensor3D } from '../../../tf.js';
import { RegressionHead } from './regression_head.js';

/** Features [N, C] (the last of the list) -> [N, K, 4]: x, y as fractions of the input and the logits of their sigmas. */
export class RLEHead extends RegressionHead {
  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(config, decoder, where, 4);
  }

  protected override activate([raw]: [Tensor3D]): [Tensor3D] {
    const [coords, sigmas] = tf.split<Tensor3D>(raw, 2, 2);
    return [tf.concat([coords, tf.sigmoid(sigmas)], 2)];
  }
}
