/**
 * Roots, boxes and diagonals of instances, from their visible keypoints (MMPose: `mmpose/codecs/utils/instance_property.py`).
 */
import { ConfigError } from '../../errors.js';
import { type NdArray, full, zeros } from '../../ndarray.js';

const f32 = Math.fround;

/** How an instance's root is found: the mean of its visible keypoints, or the centre of their box. */
export type RootType = 'kpt_center' | 'bbox_center';

/** Mean and bounds of one instance's visible keypoints, float32. */
interface Extent {
  visible: number;
  sum: [number, number];
  min: [number, number];
  max: [number, number];
}

function extentOf(keypoints: NdArray, visible: NdArray | undefined, n: number): Extent {
  const [count, dims] = keypoints.shape.slice(1);
  const extent: Extent = { visible: 0, sum: [0, 0], min: [Infinity, Infinity], max: [-Infinity, -Infinity] };
  for (let i = n * count; i < (n + 1) * count; i++) {
    if (visible && !(visible.data[i] > 0)) continue;
    extent.visible++;
    for (let d = 0; d < 2; d++) {
      const value = keypoints.data[i * dims + d];
      extent.sum[d] = f32(extent.sum[d] + value);
      extent.min[d] = Math.min(extent.min[d], value);
      extent.max[d] = Math.max(extent.max[d], value);
    }
  }
  return extent;
}

/**
 * Root of each instance.
 *
 * @param keypoints - [N, K, 2] px, any space
 * @param keypointsVisible - [N, K]; above 0 counts
 * @returns roots [N, 2] in the same space; visible [N], 1, or 0 without a visible keypoint
 * @throws ConfigError for another root type
 */
export function getInstanceRoot(
  keypoints: NdArray,
  keypointsVisible?: NdArray,
  rootType: RootType = 'kpt_center',
): { roots: NdArray; visible: NdArray } {
  if (rootType !== 'kpt_center' && rootType !== 'bbox_center') {
    throw new ConfigError(
      `getInstanceRoot: found root_type "${String(rootType)}"; expected "kpt_center" or "bbox_center".`,
    );
  }
  const instances = keypoints.shape[0];
  const roots = zeros([instances, 2]);
  const visible = full([instances], 1);
  for (let n = 0; n < instances; n++) {
    const extent = extentOf(keypoints, keypointsVisible, n);
    if (extent.visible === 0) {
      visible.data[n] = 0;
      continue;
    }
    for (let d = 0; d < 2; d++) {
      roots.data[2 * n + d] =
        rootType === 'kpt_center' ? extent.sum[d] / extent.visible : f32(extent.max[d] + extent.min[d]) / 2;
    }
  }
  return { roots, visible };
}

/**
 * Box around each instance's visible keypoints.
 *
 * @param keypoints - [N, K, 2] px, any space
 * @param keypointsVisible - [N, K]; above 0 counts
 * @returns [N, 4] xyxy in the same space; zeros without a visible keypoint
 */
export function getInstanceBbox(keypoints: NdArray, keypointsVisible?: NdArray): NdArray {
  const boxes = zeros([keypoints.shape[0], 4]);
  for (let n = 0; n < keypoints.shape[0]; n++) {
    const extent = extentOf(keypoints, keypointsVisible, n);
    if (extent.visible > 0) boxes.data.set([...extent.min, ...extent.max], 4 * n);
  }
  return boxes;
}

/**
 * Diagonal of the box around each instance's visible keypoints.
 *
 * @returns [N] px, space of the keypoints
 */
export function getDiagonalLengths(keypoints: NdArray, keypointsVisible?: NdArray): NdArray {
  const boxes = getInstanceBbox(keypoints, keypointsVisible).data;
  const lengths = zeros([keypoints.shape[0]]);
  for (let n = 0; n < lengths.data.length; n++) {
    const w = f32(boxes[4 * n + 2] - boxes[4 * n]);
    const h = f32(boxes[4 * n + 3] - boxes[4 * n + 1]);
    lengths.data[n] = Math.sqrt(f32(f32(w * w) + f32(h * h)));
  }
  return lengths;
}
