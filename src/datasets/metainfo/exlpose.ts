/** 14 keypoints of "exlpose" (MMPose: `configs/_base_/datasets/exlpose.py`). */
import type { DatasetInfo } from './types.js';

export const exlpose = {
  dataset_name: 'exlpose',
  paper_info: {
    title: 'Human Pose Estimation in Extremely Low-Light Conditions',
    homepage: 'https://arxiv.org/abs/2303.15410',
  },
  keypoint_info: {
    0: { name: 'left_shoulder', id: 0, color: [0, 255, 0], type: 'upper', swap: 'right_shoulder' },
    1: { name: 'right_shoulder', id: 1, color: [255, 128, 0], type: 'upper', swap: 'left_shoulder' },
    2: { name: 'left_elbow', id: 2, color: [0, 255, 0], type: 'upper', swap: 'right_elbow' },
    3: { name: 'right_elbow', id: 3, color: [255, 128, 0], type: 'upper', swap: 'left_elbow' },
    4: { name: 'left_wrist', id: 4, color: [0, 255, 0], type: 'upper', swap: 'right_wrist' },
    5: { name: 'right_wrist', id: 5, color: [255, 128, 0], type: 'upper', swap: 'left_wrist' },
    6: { name: 'left_hip', id: 6, color: [0, 255, 0], type: 'lower', swap: 'right_hip' },
    7: { name: 'right_hip', id: 7, color: [255, 128, 0], type: 'lower', swap: 'left_hip' },
    8: { name: 'left_knee', id: 8, color: [0, 255, 0], type: 'lower', swap: 'right_knee' },
    9: { name: 'right_knee', id: 9, color: [255, 128, 0], type: 'lower', swap: 'left_knee' },
    10: { name: 'left_ankle', id: 10, color: [0, 255, 0], type: 'lower', swap: 'right_ankle' },
    11: { name: 'right_ankle', id: 11, color: [255, 128, 0], type: 'lower', swap: 'left_ankle' },
    12: { name: 'head', id: 12, color: [51, 153, 255], type: 'upper', swap: '' },
    13: { name: 'neck', id: 13, color: [51, 153, 255], type: 'upper', swap: '' },
  },
  skeleton_info: {
    0: { link: ['head', 'neck'], id: 0, color: [51, 153, 255] },
    1: { link: ['neck', 'left_shoulder'], id: 1, color: [51, 153, 255] },
    2: { link: ['neck', 'right_shoulder'], id: 2, color: [51, 153, 255] },
    3: { link: ['left_shoulder', 'left_elbow'], id: 3, color: [0, 255, 0] },
    4: { link: ['left_elbow', 'left_wrist'], id: 4, color: [0, 255, 0] },
    5: { link: ['right_shoulder', 'right_elbow'], id: 5, color: [255, 128, 0] },
    6: { link: ['right_elbow', 'right_wrist'], id: 6, color: [255, 128, 0] },
    7: { link: ['neck', 'right_hip'], id: 7, color: [51, 153, 255] },
    8: { link: ['neck', 'left_hip'], id: 8, color: [51, 153, 255] },
    9: { link: ['right_hip', 'right_knee'], id: 9, color: [255, 128, 0] },
    10: { link: ['right_knee', 'right_ankle'], id: 10, color: [255, 128, 0] },
    11: { link: ['left_hip', 'left_knee'], id: 11, color: [0, 255, 0] },
    12: { link: ['left_knee', 'left_ankle'], id: 12, color: [0, 255, 0] },
  },
  joint_weights: [0.2, 0.2, 0.2, 1.3, 1.5, 0.2, 1.3, 1.5, 0.2, 0.2, 0.5, 0.2, 0.2, 0.5],
  sigmas: [0.079, 0.079, 0.072, 0.072, 0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089, 0.079, 0.079],
} as const satisfies DatasetInfo;
