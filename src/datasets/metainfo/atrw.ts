/** 15 keypoints of "atrw" (MMPose: `configs/_base_/datasets/atrw.py`). */
import type { DatasetInfo } from './types.js';

export const atrw = {
  dataset_name: 'atrw',
  paper_info: {
    title: 'ATRW: A Benchmark for Amur Tiger Re-identification in the Wild',
    homepage: 'https://cvwc2019.github.io/challenge.html',
  },
  keypoint_info: {
    0: { name: 'left_ear', id: 0, color: [51, 153, 255], type: 'upper', swap: 'right_ear' },
    1: { name: 'right_ear', id: 1, color: [51, 153, 255], type: 'upper', swap: 'left_ear' },
    2: { name: 'nose', id: 2, color: [51, 153, 255], type: 'upper', swap: '' },
    3: { name: 'right_shoulder', id: 3, color: [255, 128, 0], type: 'upper', swap: 'left_shoulder' },
    4: { name: 'right_front_paw', id: 4, color: [255, 128, 0], type: 'upper', swap: 'left_front_paw' },
    5: { name: 'left_shoulder', id: 5, color: [0, 255, 0], type: 'upper', swap: 'right_shoulder' },
    6: { name: 'left_front_paw', id: 6, color: [0, 255, 0], type: 'upper', swap: 'right_front_paw' },
    7: { name: 'right_hip', id: 7, color: [255, 128, 0], type: 'lower', swap: 'left_hip' },
    8: { name: 'right_knee', id: 8, color: [255, 128, 0], type: 'lower', swap: 'left_knee' },
    9: { name: 'right_back_paw', id: 9, color: [255, 128, 0], type: 'lower', swap: 'left_back_paw' },
    10: { name: 'left_hip', id: 10, color: [0, 255, 0], type: 'lower', swap: 'right_hip' },
    11: { name: 'left_knee', id: 11, color: [0, 255, 0], type: 'lower', swap: 'right_knee' },
    12: { name: 'left_back_paw', id: 12, color: [0, 255, 0], type: 'lower', swap: 'right_back_paw' },
    13: { name: 'tail', id: 13, color: [51, 153, 255], type: 'lower', swap: '' },
    14: { name: 'center', id: 14, color: [51, 153, 255], type: 'lower', swap: '' },
  },
  skeleton_info: {
    0: { link: ['left_ear', 'nose'], id: 0, color: [51, 153, 255] },
    1: { link: ['right_ear', 'nose'], id: 1, color: [51, 153, 255] },
    2: { link: ['nose', 'center'], id: 2, color: [51, 153, 255] },
    3: { link: ['left_shoulder', 'left_front_paw'], id: 3, color: [0, 255, 0] },
    4: { link: ['left_shoulder', 'center'], id: 4, color: [0, 255, 0] },
    5: { link: ['right_shoulder', 'right_front_paw'], id: 5, color: [255, 128, 0] },
    6: { link: ['right_shoulder', 'center'], id: 6, color: [255, 128, 0] },
    7: { link: ['tail', 'center'], id: 7, color: [51, 153, 255] },
    8: { link: ['right_back_paw', 'right_knee'], id: 8, color: [255, 128, 0] },
    9: { link: ['right_knee', 'right_hip'], id: 9, color: [255, 128, 0] },
    10: { link: ['right_hip', 'tail'], id: 10, color: [255, 128, 0] },
    11: { link: ['left_back_paw', 'left_knee'], id: 11, color: [0, 255, 0] },
    12: { link: ['left_knee', 'left_hip'], id: 12, color: [0, 255, 0] },
    13: { link: ['left_hip', 'tail'], id: 13, color: [0, 255, 0] },
  },
  joint_weights: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  sigmas: [
    0.0277, 0.0823, 0.0831, 0.0202, 0.0716, 0.0263, 0.0646, 0.0302, 0.044, 0.0316, 0.0333, 0.0547, 0.0263, 0.0683,
    0.0539,
  ],
} as const satisfies DatasetInfo;
