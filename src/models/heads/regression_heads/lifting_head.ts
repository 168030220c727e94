/** A head that gives poses in space for a PoseLifter. */
import type { NdArray } from '../../../ndarray.js';
import type { SampleMetainfo } from '../../../structures/pose_data_sample.js';
import { BaseHead, type HeadPrediction } from '../base_head.js';

export abstract class LiftingHead extends BaseHead {
  /**
   * @param encoded - of one sequence, as `predictTensors` gives it
   * @param meta - of its sample; imgShape is the picture's, px
   * @returns poses of the sequence [P, K, 3]
   * @throws ConfigError for a head without decoder
   */
  abstract decodeSequence(encoded: NdArray, meta: SampleMetainfo): HeadPrediction;
}
