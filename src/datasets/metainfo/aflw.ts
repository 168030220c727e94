/** 19 keypoints of "aflw" (MMPose: `configs/_base_/datasets/aflw.py`). */
import type { DatasetInfo } from './types.js';

export const aflw = {
  dataset_name: 'aflw',
  paper_info: {
    title:
      'Annotated facial landmarks in the wild: A large-scale, real-world database for facial landmark localization',
    homepage: 'https://www.tugraz.at/institute/icg/research/team-bischof/lrs/downloads/aflw/',
  },
  keypoint_info: {
    0: { name: 'kpt-0', id: 0, color: [255, 0, 0], type: '', swap: 'kpt-5' },
    1: { name: 'kpt-1', id: 1, color: [255, 0, 0], type: '', swap: 'kpt-4' },
    2: { name: 'kpt-2', id: 2, color: [255, 0, 0], type: '', swap: 'kpt-3' },
    3: { name: 'kpt-3', id: 3, color: [255, 0, 0], type: '', swap: 'kpt-2' },
    4: { name: 'kpt-4', id: 4, color: [255, 0, 0], type: '', swap: 'kpt-1' },
    5: { name: 'kpt-5', id: 5, color: [255, 0, 0], type: '', swap: 'kpt-0' },
    6: { name: 'kpt-6', id: 6, color: [255, 0, 0], type: '', swap: 'kpt-11' },
    7: { name: 'kpt-7', id: 7, color: [255, 0, 0], type: '', swap: 'kpt-10' },
    8: { name: 'kpt-8', id: 8, color: [255, 0, 0], type: '', swap: 'kpt-9' },
    9: { name: 'kpt-9', id: 9, color: [255, 0, 0], type: '', swap: 'kpt-8' },
    10: { name: 'kpt-10', id: 10, color: [255, 0, 0], type: '', swap: 'kpt-7' },
    11: { name: 'kpt-11', id: 11, color: [255, 0, 0], type: '', swap: 'kpt-6' },
    12: { name: 'kpt-12', id: 12, color: [255, 0, 0], type: '', swap: 'kpt-14' },
    13: { name: 'kpt-13', id: 13, color: [255, 0, 0], type: '', swap: '' },
    14: { name: 'kpt-14', id: 14, color: [255, 0, 0], type: '', swap: 'kpt-12' },
    15: { name: 'kpt-15', id: 15, color: [255, 0, 0], type: '', swap: 'kpt-17' },
    16: { name: 'kpt-16', id: 16, color: [255, 0, 0], type: '', swap: '' },
    17: { name: 'kpt-17', id: 17, color: [255, 0, 0], type: '', swap: 'kpt-15' },
    18: { name: 'kpt-18', id: 18, color: [255, 0, 0], type: '', swap: '' },
  },
  skeleton_info: {},
  joint_weights: [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1],
  sigmas: [],
} as const satisfies DatasetInfo;
