/** Transforms that top-down and bottom-up pipelines share (MMPose: `mmpose/datasets/transforms/common_transforms.py`). */
import { readConfig } from '../../config.js';
import { bboxXyxy2cs } from '../../structures/bbox/transforms.js';
import { requireField, type Transform, type TransformResults } from './base.js';

/**
 * Boxes to centre and padded size. The padding comes before the aspect ratio is fixed, and applies to a centre and size that
 * the sample already has too.
 */
export class GetBBoxCenterScale implements Transform {
  readonly padding: number;

  constructor(config: Readonly<Record<string, unknown>> = {}) {
    ({ padding: this.padding } = readConfig<{ padding: number }>(config, 'GetBBoxCenterScale', { padding: 1.25 }));
  }

  transform(results: TransformResults): TransformResults {
    const { bboxCenter, bboxScale } = results;
    if (bboxCenter && bboxScale) {
      const padding = Math.fround(this.padding);
      return { ...results, bboxScale: { data: bboxScale.data.map((s) => s * padding), shape: bboxScale.shape } };
    }
    const { center, scale } = bboxXyxy2cs(requireField(results, 'bbox', 'GetBBoxCenterScale'), this.padding);
    return { ...results, bboxCenter: center, bboxScale: scale };
  }
}
