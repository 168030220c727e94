/** COCO-WholeBody: body, feet, face and hands in keys of their own (MMPose: `coco_wholebody_dataset.py`). */
import type { CocoAnnotation } from '../coco.js';
import { BaseCocoStyleDataset } from './base_coco_style_dataset.js';

export class CocoWholeBodyDataset extends BaseCocoStyleDataset {
  /** The 133 keypoints in order. */
  protected override keypointsOf(ann: CocoAnnotation): readonly number[] | undefined {
    const { keypoints, foot_kpts: feet, face_kpts: face, lefthand_kpts: left, righthand_kpts: right } = ann;
    return keypoints && feet && face && left && right && [...keypoints, ...feet, ...face, ...left, ...right];
  }

  /** Some parts have confidences in place of visibilities: anything above 0 is visible. */
  protected override visibilityOf(value: number): number {
    return value > 0 ? 1 : 0;
  }
}
