/** Small RTMDets with formula weights and what PyTorch makes of them (rtmdet_reference.py), for Node and for browsers. */
import { expect } from 'vitest';
import type { PoseConfig } from '../../src/apis/model_config.js';
import { encodeSafetensors, type StateDict } from '../../src/checkpoint/index.js';
import type { PixelImage } from '../../src/datasets/transforms/warp_affine.js';
import { buildDetector } from '../../src/models/detectors/build_detector.js';
import { sizeOf } from '../../src/ndarray.js';
import { namedParameters } from '../../src/nn/module.js';
import type { DetInstanceData } from '../../src/structures/det_data_sample.js';
import { patternImage, uniform, weightTensor } from '../golden/formula.js';
import reference from '../unit/rtmdet_reference.json';

export interface RTMDetCase {
  readonly name: string;
  /** [w, h] px */
  readonly picture: readonly number[];
  readonly config: PoseConfig;
  /** How many parameters, and the hash of their names. */
  readonly keys: readonly number[];
  readonly raw: readonly number[];
  readonly bboxes: readonly number[];
  readonly scores: readonly number[];
  readonly labels: readonly number[];
}

export const CASES = reference as unknown as readonly RTMDetCase[];

export function pictureOf({ name, picture: [width, height] }: RTMDetCase): PixelImage {
  return { data: patternImage(name, [height, width, 3]).data, width, height, channels: 3 };
}

/** The rules of rtmdet_reference.py. */
function weightOf(name: string, shape: readonly number[]): Float32Array {
  if (name.includes('rtm_reg') && name.endsWith('.bias')) return uniform(name, shape, 0, 1.5).data;
  const gain = name.includes('rtm_cls') ? 4 : 1.25;
  return weightTensor(name, shape, { gain, norm: [0.5, 1] }).data;
}

export async function detectorWeights({ config }: RTMDetCase): Promise<Uint8Array<ArrayBuffer>> {
  const { share_conv } = config.model.bbox_head as { share_conv?: boolean };
  const stateDict: StateDict = new Map(
    [...namedParameters(await buildDetector(config.model))].map(([name, { shape }]) => {
      const isShared = share_conv && /bbox_head\..*\.conv\.weight$/.test(name);
      const source = isShared ? name.replace(/convs\.[12]\./, 'convs.0.') : name;
      return [name, { dtype: 'float32', shape, read: async () => weightOf(source, shape) }];
    }),
  );
  return encodeSafetensors(stateDict);
}

export function checkBoxes(
  { bboxes, scores, labels }: DetInstanceData,
  expected: Pick<RTMDetCase, 'bboxes' | 'scores' | 'labels'>,
  px: number,
  score: number,
): void {
  expect([...labels.data]).toEqual(expected.labels);
  expect(scores.data).toHaveLength(sizeOf(scores.shape));
  for (const [i, value] of expected.scores.entries()) expect(Math.abs(scores.data[i] - value)).toBeLessThan(score);
  for (let i = 0; i < bboxes.data.length; i++) expect(Math.abs(bboxes.data[i] - expected.bboxes[i])).toBeLessThan(px);
}

const SIZES = {
  tiny: { deepen: 0.167, widen: 0.375, blocks: 1, exp: false },
  s: { deepen: 0.33, widen: 0.5, blocks: 1, exp: false },
  m: { deepen: 0.67, widen: 0.75, blocks: 2, exp: true },
  l: { deepen: 1, widen: 1, blocks: 3, exp: true },
  x: { deepen: 1.33, widen: 1.25, blocks: 4, exp: true },
} as const;

/** MMDetection's `rtmdet_SIZE_8xb32-300e_coco`, as far as it is read. */
export function publishedConfig(size: keyof typeof SIZES, numClasses = 80): PoseConfig {
  const { deepen, widen, blocks, exp } = SIZES[size];
  const shared = { norm_cfg: { type: 'SyncBN' }, act_cfg: { type: 'SiLU', inplace: true } };
  const width = 256 * widen;
  return {
    model: {
      type: 'RTMDet',
      data_preprocessor: {
        ...{ type: 'DetDataPreprocessor', bgr_to_rgb: false, batch_augments: null },
        ...{ mean: [103.53, 116.28, 123.675], std: [57.375, 57.12, 58.395] },
      },
      backbone: {
        ...{ type: 'CSPNeXt', arch: 'P5', expand_ratio: 0.5, channel_attention: true, ...shared },
        ...{ deepen_factor: deepen, widen_factor: widen },
      },
      neck: {
        ...{ type: 'CSPNeXtPAFPN', in_channels: [width, 2 * width, 4 * width], out_channels: width },
        ...{ num_csp_blocks: blocks, expand_ratio: 0.5, ...shared },
      },
      bbox_head: {
        ...{ type: 'RTMDetSepBNHead', num_classes: numClasses, in_channels: width, stacked_convs: 2 },
        ...{ feat_channels: width, with_objectness: false, exp_on_reg: exp, share_conv: true, pred_kernel_size: 1 },
        anchor_generator: { type: 'MlvlPointGenerator', offset: 0, strides: [8, 16, 32] },
        bbox_coder: { type: 'DistancePointBBoxCoder' },
        loss_cls: { type: 'QualityFocalLoss', use_sigmoid: true, beta: 2, loss_weight: 1 },
        loss_bbox: { type: 'GIoULoss', loss_weight: 2 },
        ...shared,
      },
      train_cfg: { assigner: { type: 'DynamicSoftLabelAssigner', topk: 13 }, allowed_border: -1, pos_weight: -1 },
      test_cfg: {
        ...{ nms_pre: 30000, min_bbox_size: 0, score_thr: 0.001, max_per_img: 300 },
        nms: { type: 'nms', iou_threshold: 0.65 },
      },
    },
    test_pipeline: [
      { type: 'LoadImageFromFile', backend_args: null },
      { type: 'Resize', scale: [640, 640], keep_ratio: true },
      { type: 'Pad', size: [640, 640], pad_val: { img: [114, 114, 114] } },
      { type: 'LoadAnnotations', with_bbox: true },
      { type: 'PackDetInputs', meta_keys: ['img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'] },
    ],
  };
}
