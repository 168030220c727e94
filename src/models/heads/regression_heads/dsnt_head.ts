/**
 * DSNT (Nibali et al. 2018, https://arxiv.org/abs/1801.07372; MMPose: `mmpose/models/heads/regression_heads/dsnt_head.py`): an
 * integral regression head with a further loss on the heatmaps. Without losses the two are one.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import type { ConfigDict } from '../../../config.js';
import { IntegralRegressionHead } from './integral_regression_head.js';

export class DSNTHead extends IntegralRegressionHead {
  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    // The epoch after which training leaves out the heatmap loss.
    super(config, decoder, where, { lambda_t: -1 });
  }
}
