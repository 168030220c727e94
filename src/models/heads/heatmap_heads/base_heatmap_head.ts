/** What heads with one tensor of heatmaps share: the flip test on maps, and maps as dense outputs. */
import type { NdArray } from '../../../ndarray.js';
import type { SampleMetainfo } from '../../../structures/pose_data_sample.js';
import type { Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { flipHeatmaps } from '../../utils/tta.js';
import { BaseHead, type DenseFields } from '../base_head.js';

export abstract class BaseHeatmapHead extends BaseHead {
  protected override unflip([heatmaps]: [Tensor4D], meta: SampleMetainfo, testCfg: TestCfg): [Tensor4D] {
    const { flipMode, shiftHeatmap } = testCfg;
    return [flipHeatmaps(heatmaps, { flipIndices: meta.flipIndices, flipMode, shiftHeatmap })];
  }

  protected override denseFields([heatmaps]: readonly NdArray[]): DenseFields {
    return { heatmaps: { data: heatmaps.data.slice(), shape: heatmaps.shape } };
  }
}
