/** Data samples, boxes and keypoints, and the geometry between image and network input. Plain arrays, no tfjs. */
export * from './bbox/bbox_overlaps.js';
export * from './bbox/transforms.js';
export * from './keypoint/transforms.js';
export type * from './det_data_sample.js';
export type * from './pose_data_sample.js';
export * from './poses.js';
export * from './utils.js';
