/** 6 keypoints of "deepfashion_upper" (MMPose: `configs/_base_/datasets/deepfashion_upper.py`). */
import type { DatasetInfo } from './types.js';

export const deepfashionUpper = {
  dataset_name: 'deepfashion_upper',
  paper_info: {
    title: 'DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich Annotations',
    homepage: 'http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/LandmarkDetection.html',
  },
  keypoint_info: {
    0: { name: 'left collar', id: 0, color: [255, 255, 255], type: '', swap: 'right collar' },
    1: { name: 'right collar', id: 1, color: [255, 255, 255], type: '', swap: 'left collar' },
    2: { name: 'left sleeve', id: 2, color: [255, 255, 255], type: '', swap: 'right sleeve' },
    3: { name: 'right sleeve', id: 3, color: [255, 255, 255], type: '', swap: 'left sleeve' },
    4: { name: 'left hem', id: 4, color: [255, 255, 255], type: '', swap: 'right hem' },
    5: { name: 'right hem', id: 5, color: [255, 255, 255], type: '', swap: 'left hem' },
  },
  skeleton_info: {},
  joint_weights: [1, 1, 1, 1, 1, 1],
  sigmas: [],
} as const satisfies DatasetInfo;
