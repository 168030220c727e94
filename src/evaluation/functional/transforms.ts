/** Moving keypoints from one dataset's numbering to another's (MMPose: `mmpose/evaluation/functional/transforms.py`). */
import type { CocoAnnotation } from '../../datasets/coco.js';
import { zeros, type NdArray } from '../../ndarray.js';
import type { FloatArray } from '../../structures/bbox/transforms.js';

/** (source, target) pairs of keypoint indices. */
export type KeypointMapping = readonly (readonly [source: number, target: number])[];

/** Config node of `pred_converter` and `gt_converter`. */
export interface KeypointConverterConfig {
  readonly num_keypoints: number;
  readonly mapping: KeypointMapping;
}

/** @returns [numKeypoints]; 1 where nothing is mapped */
export function transformSigmas(
  sigmas: ArrayLike<number>,
  { num_keypoints, mapping }: KeypointConverterConfig,
): Float32Array {
  const out = new Float32Array(num_keypoints).fill(1);
  for (const [source, target] of mapping) out[target] = sigmas[source];
  return out;
}

/** An annotation with keypoints in the target's order, zero where nothing is mapped. */
export function transformAnn(ann: CocoAnnotation, { num_keypoints, mapping }: KeypointConverterConfig): CocoAnnotation {
  if (!ann.keypoints) return ann;
  const keypoints = Array.from({ length: num_keypoints * 3 }, () => 0);
  for (const [source, target] of mapping) {
    for (let c = 0; c < 3; c++) keypoints[target * 3 + c] = ann.keypoints[source * 3 + c];
  }
  return { ...ann, keypoints, ...(ann.num_keypoints !== undefined && { num_keypoints }) };
}

/**
 * Columns of predictions in the target's order, zero where nothing is mapped.
 *
 * @param values - [N, K] scores or [N, K, D] coordinates
 */
export function transformPred(
  values: NdArray<FloatArray>,
  { num_keypoints, mapping }: KeypointConverterConfig,
): NdArray {
  const [n, k, d = 1] = values.shape;
  const out = zeros([n, num_keypoints, ...values.shape.slice(2)]);
  for (let i = 0; i < n; i++) {
    for (const [source, target] of mapping) {
      const from = (i * k + source) * d;
      out.data.set(values.data.subarray(from, from + d), (i * num_keypoints + target) * d);
    }
  }
  return out;
}
