/** RTMDet's published configs, which are all one config and a few numbers. */
import type { PoseConfig } from '../src/apis/model_config.js';

const SIZES = {
  nano: { deepen: 0.33, widen: 0.25, blocks: 1, exp: false, depthwise: true },
  tiny: { deepen: 0.167, widen: 0.375, blocks: 1, exp: false, depthwise: false },
  s: { deepen: 0.33, widen: 0.5, blocks: 1, exp: false, depthwise: false },
  m: { deepen: 0.67, widen: 0.75, blocks: 2, exp: true, depthwise: false },
  l: { deepen: 1, widen: 1, blocks: 3, exp: true, depthwise: false },
  x: { deepen: 1.33, widen: 1.25, blocks: 4, exp: true, depthwise: false },
} as const;

export type RTMDetSize = keyof typeof SIZES;

/** MMDetection's `rtmdet_SIZE_8xb32-300e_coco`, as far as it is read; of its own, MMDetection has no nano. */
export function rtmdetConfig(size: RTMDetSize, numClasses = 80, side = 640): PoseConfig {
  const { deepen, widen, blocks, exp, depthwise } = SIZES[size];
  const shared = { norm_cfg: { type: 'SyncBN' }, act_cfg: { type: 'SiLU', inplace: true } };
  const parts = { use_depthwise: depthwise, ...shared };
  const width = 256 * widen;
  return {
    model: {
      type: 'RTMDet',
      data_preprocessor: {
        ...{ type: 'DetDataPreprocessor', bgr_to_rgb: false, batch_augments: null },
        ...{ mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] },
      },
      backbone: {
        ...{ type: 'CSPNeXt', arch: 'P5', expand_ratio: 0.5, channel_attention: true },
        ...{ deepen_factor: deepen, widen_factor: widen, ...parts },
      },
      neck: {
        ...{ type: 'CSPNeXtPAFPN', in_channels: [width, 2 * width, 4 * width], out_channels: width },
        ...{ num_csp_blocks: blocks, expand_ratio: 0.5, ...parts },
      },
      bbox_head: {
        ...{ type: 'RTMDetSepBNHead', num_classes: numClasses, in_channels: width, stacked_convs: 2 },
        ...{
          feat_channels: width,
          with_objectness: false,
          exp_on_reg: exp,
          share_conv: !depthwise,
          pred_kernel_size: 1,
        },
        anchor_generator: { type: 'MlvlPointGenerator', offset: 0, strides: [8, 16, 32] },
        bbox_coder: { type: 'DistancePointBBoxCoder' },
        loss_cls: { type: 'QualityFocalLoss', use_sigmoid: true, beta: 2, loss_weight: 1 },
        loss_bbox: { type: 'GIoULoss', loss_weight: 2 },
        ...parts,
      },
      test_cfg: {
        ...{ nms_pre: 30000, min_bbox_size: 0, score_thr: 0.001, max_per_img: 300 },
        nms: { type: 'nms', iou_threshold: 0.65 },
      },
    },
    test_pipeline: [
      { type: 'LoadImageFromFile' },
      { type: 'Resize', scale: [side, side], keep_ratio: true },
      { type: 'Pad', size: [side, side], pad_val: { img: [114, 114, 114] } },
      { type: 'PackDetInputs', meta_keys: ['img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'] },
    ],
  };
}

/** The detectors of one class that MMPose's demos use (`demo/mmdetection_cfg`): they keep fewer boxes. */
export function rtmdetOfOneClass(size: RTMDetSize, side: number): PoseConfig {
  const { model, ...rest } = rtmdetConfig(size, 1, side);
  const test_cfg = {
    ...{ nms_pre: 1000, min_bbox_size: 0, score_thr: 0.05, max_per_img: 100 },
    nms: { type: 'nms', iou_threshold: 0.6 },
  };
  return { model: { ...model, test_cfg }, ...rest };
}
