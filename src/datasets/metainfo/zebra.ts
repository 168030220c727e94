/** 9 keypoints of "zebra" (MMPose: `configs/_base_/datasets/zebra.py`). */
import type { DatasetInfo } from './types.js';

export const zebra = {
  dataset_name: 'zebra',
  paper_info: {
    title: 'DeepPoseKit, a software toolkit for fast and robust animal pose estimation using deep learning',
    homepage: 'https://github.com/jgraving/DeepPoseKit-Data',
  },
  keypoint_info: {
    0: { name: 'snout', id: 0, color: [255, 255, 255], type: '', swap: '' },
    1: { name: 'head', id: 1, color: [255, 255, 255], type: '', swap: '' },
    2: { name: 'neck', id: 2, color: [255, 255, 255], type: '', swap: '' },
    3: { name: 'forelegL1', id: 3, color: [255, 255, 255], type: '', swap: 'forelegR1' },
    4: { name: 'forelegR1', id: 4, color: [255, 255, 255], type: '', swap: 'forelegL1' },
    5: { name: 'hindlegL1', id: 5, color: [255, 255, 255], type: '', swap: 'hindlegR1' },
    6: { name: 'hindlegR1', id: 6, color: [255, 255, 255], type: '', swap: 'hindlegL1' },
    7: { name: 'tailbase', id: 7, color: [255, 255, 255], type: '', swap: '' },
    8: { name: 'tailtip', id: 8, color: [255, 255, 255], type: '', swap: '' },
  },
  skeleton_info: {
    0: { link: ['head', 'snout'], id: 0, color: [255, 255, 255] },
    1: { link: ['neck', 'head'], id: 1, color: [255, 255, 255] },
    2: { link: ['forelegL1', 'neck'], id: 2, color: [255, 255, 255] },
    3: { link: ['forelegR1', 'neck'], id: 3, color: [255, 255, 255] },
    4: { link: ['hindlegL1', 'tailbase'], id: 4, color: [255, 255, 255] },
    5: { link: ['hindlegR1', 'tailbase'], id: 5, color: [255, 255, 255] },
    6: { link: ['tailbase', 'neck'], id: 6, color: [255, 255, 255] },
    7: { link: ['tailtip', 'tailbase'], id: 7, color: [255, 255, 255] },
  },
  joint_weights: [1, 1, 1, 1, 1, 1, 1, 1, 1],
  sigmas: [],
} as const satisfies DatasetInfo;
