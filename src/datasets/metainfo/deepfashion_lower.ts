/** 4 keypoints of "deepfashion_lower" (MMPose: `configs/_base_/datasets/deepfashion_lower.py`). */
import type { DatasetInfo } from './types.js';

export const deepfashionLower = {
  dataset_name: 'deepfashion_lower',
  paper_info: {
    title: 'DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich Annotations',
    homepage: 'http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/LandmarkDetection.html',
  },
  keypoint_info: {
    0: { name: 'left waistline', id: 0, color: [255, 255, 255], type: '', swap: 'right waistline' },
    1: { name: 'right waistline', id: 1, color: [255, 255, 255], type: '', swap: 'left waistline' },
    2: { name: 'left hem', id: 2, color: [255, 255, 255], type: '', swap: 'right hem' },
    3: { name: 'right hem', id: 3, color: [255, 255, 255], type: '', swap: 'left hem' },
  },
  skeleton_info: {},
  joint_weights: [1, 1, 1, 1],
  sigmas: [],
} as const satisfies DatasetInfo;
