/** 8 keypoints of "deepfashion_full" (MMPose: `configs/_base_/datasets/deepfashion_full.py`). */
import type { DatasetInfo } from './types.js';

export const deepfashionFull = {
  dataset_name: 'deepfashion_full',
  paper_info: {
    title: 'DeepFashion: Powering Robust Clothes Recognition and Retrieval with Rich Annotations',
    homepage: 'http://mmlab.ie.cuhk.edu.hk/projects/DeepFashion/LandmarkDetection.html',
  },
  keypoint_info: {
    0: { name: 'left collar', id: 0, color: [255, 255, 255], type: '', swap: 'right collar' },
    1: { name: 'right collar', id: 1, color: [255, 255, 255], type: '', swap: 'left collar' },
    2: { name: 'left sleeve', id: 2, color: [255, 255, 255], type: '', swap: 'right sleeve' },
    3: { name: 'right sleeve', id: 3, color: [255, 255, 255], type: '', swap: 'left sleeve' },
    4: { name: 'left waistline', id: 0, color: [255, 255, 255], type: '', swap: 'right waistline' },
    5: { name: 'right waistline', id: 1, color: [255, 255, 255], type: '', swap: 'left waistline' },
    6: { name: 'left hem', id: 2, color: [255, 255, 255], type: '', swap: 'right hem' },
    7: { name: 'right hem', id: 3, color: [255, 255, 255], type: '', swap: 'left hem' },
  },
  skeleton_info: {},
  joint_weights: [1, 1, 1, 1, 1, 1, 1, 1],
  sigmas: [],
} as const satisfies DatasetInfo;
