/** Group structures: boxes, keypoints, NMS, crops and heatmaps, all in Node. */
import { GetBBoxCenterScale } from '../../../src/datasets/transforms/common_transforms.js';
import { BottomupResize } from '../../../src/datasets/transforms/bottomup_transforms.js';
import { TopdownAffine } from '../../../src/datasets/transforms/topdown_transforms.js';
import type { PixelImage } from '../../../src/datasets/transforms/warp_affine.js';
import { InputError } from '../../../src/errors.js';
import { nearbyJointsNms, nms, nmsTorch, oksIou, oksNms, softOksNms } from '../../../src/evaluation/functional/nms.js';
import { ndarray, type NdArray } from '../../../src/ndarray.js';
import { bboxOverlaps } from '../../../src/structures/bbox/bbox_overlaps.js';
import * as bbox from '../../../src/structures/bbox/transforms.js';
import * as keypoint from '../../../src/structures/keypoint/transforms.js';
import { revertHeatmap } from '../../../src/structures/utils.js';
import type { CaseContext } from '../runner.js';
import { close, exact, outcome, type Comparison, type GoldenOp, type OpTable } from '../runner.js';
import { OPS as PREPROCESSOR } from './preprocessor.js';

/** An operation with one result, compared within the group's tolerance; the shape is all there is of an empty one. */
const one =
  (compute: (inputs: CaseContext['inputs']) => NdArray<bbox.FloatArray> | bbox.FloatArray): GoldenOp =>
  ({ inputs, outputs }) => {
    const found = shaped(compute(inputs), outputs);
    return [exact('shape', outputs.shape, found.shape), close('output', outputs, found)];
  };

/** Matrices come flat here, [2, 3] or [3, 3] there. */
function shaped(value: NdArray<bbox.FloatArray> | bbox.FloatArray, expected: NdArray): NdArray<bbox.FloatArray> {
  return 'data' in value ? value : ndarray(value, expected.shape);
}

/** An operation that gives a pair, compared within the group's tolerance. */
const pair =
  (
    names: readonly [string, string],
    compute: (inputs: CaseContext['inputs']) => readonly [NdArray<bbox.FloatArray>, NdArray<bbox.FloatArray>],
  ): GoldenOp =>
  ({ inputs, outputs, error }) => {
    try {
      const found = compute(inputs);
      if (error) return [outcome('error', [error], 'no error')];
      return names.map((name, i) => close(name, outputs[i], found[i]));
    } catch (thrown) {
      if (!error || !(thrown instanceof InputError)) throw thrown;
      // NumPy's ValueError is our InputError.
      return [outcome('error', [error], error === 'ValueError' || error === 'AssertionError' ? error : thrown.name)];
    }
  };

const indices =
  (compute: (inputs: CaseContext['inputs']) => readonly number[]): GoldenOp =>
  ({ inputs, outputs }) => [exact('keep', outputs, Int32Array.from(compute(inputs)))];

const centerScale = ({ center, scale }: bbox.CenterScale<Float32Array>) => [center, scale] as const;
const flipped = ({ keypoints, keypointsVisible }: keypoint.KeypointsAndVisible) =>
  [keypoints, keypointsVisible] as const;

function imageOf({ data, shape: [height, width] }: NdArray<Uint8Array>): PixelImage {
  return { data, width, height, channels: 3 };
}

/** Crops are equal to the bit. */
function crop(name: string, expected: NdArray<Uint8Array>, { data, width, height, channels }: PixelImage): Comparison {
  return exact(name, expected, { data, shape: [height, width, channels] } as NdArray<Uint8Array>);
}

const topdownAffine: GoldenOp = ({ params, inputs, outputs }) => {
  const { padding, input_size, use_udp, rotation } = params;
  const centered = new GetBBoxCenterScale({ padding }).transform({
    img: imageOf(inputs.img),
    bbox: inputs.bbox,
    keypoints: inputs.keypoints,
    bboxRotation: ndarray(Float32Array.of(rotation), [1]),
  });
  const results = new TopdownAffine({ input_size, use_udp }).transform(centered);
  return [
    close('bbox_center', outputs.bbox_center, results.bboxCenter!),
    close('bbox_scale', outputs.bbox_scale, centered.bboxScale!),
    close('input_center', outputs.input_center, results.inputCenter!),
    close('input_scale', outputs.input_scale, results.inputScale!),
    exact('input_size', outputs.input_size, results.inputSize),
    // Recorded from a second call with the rotation in float64; the crop is from the first, in float32.
    close('warp_mat', outputs.warp_mat, ndarray(results.warpMat!, [2, 3])),
    close('transformed_keypoints', outputs.transformed_keypoints, results.transformedKeypoints!),
    crop('img', outputs.img, results.img as PixelImage),
  ];
};

const bottomupResize: GoldenOp = ({ params, inputs, outputs }) => {
  const img = imageOf(inputs.img);
  const results = new BottomupResize(params).transform({ img, imgShape: [img.height, img.width] });
  const expected: NdArray<Uint8Array>[] = Array.isArray(outputs.img) ? outputs.img : [outputs.img];
  const found = (Array.isArray(results.img) ? results.img : [results.img]) as PixelImage[];
  return [
    exact('img count', expected.length, found.length),
    ...expected.map((image, i) => crop(`img[${i}]`, image, found[i])),
    exact('img_shape', outputs.img_shape, results.imgShape),
    close('input_center', outputs.input_center, results.inputCenter!),
    close('input_scale', outputs.input_scale, results.inputScale!),
    exact('input_size', outputs.input_size, results.inputSize),
  ];
};

const getBBoxCenterScale: GoldenOp = ({ params, inputs, outputs }) => {
  const { bbox: box, bbox_center: bboxCenter, bbox_scale: bboxScale } = inputs;
  const results = new GetBBoxCenterScale(params).transform({ bbox: box, ...(bboxCenter && { bboxCenter, bboxScale }) });
  return [
    close('bbox', outputs.bbox, results.bbox!),
    close('bbox_center', outputs.bbox_center, results.bboxCenter!),
    close('bbox_scale', outputs.bbox_scale, results.bboxScale!),
  ];
};

export const OPS: OpTable = {
  ...PREPROCESSOR,
  bbox_xyxy2xywh: one((i) => bbox.bboxXyxy2xywh(i.bbox_xyxy)),
  bbox_xywh2xyxy: one((i) => bbox.bboxXywh2xyxy(i.bbox_xywh)),
  bbox_xyxy2cs: pair(['center', 'scale'], (i) => centerScale(bbox.bboxXyxy2cs(i.bbox, i.padding))),
  bbox_xywh2cs: pair(['center', 'scale'], (i) => centerScale(bbox.bboxXywh2cs(i.bbox, i.padding))),
  bbox_cs2xyxy: one((i) => bbox.bboxCs2xyxy(i.center, i.scale, i.padding)),
  bbox_cs2xywh: one((i) => bbox.bboxCs2xywh(i.center, i.scale, i.padding)),
  bbox_xyxy2corner: one((i) => bbox.bboxXyxy2corner(i.bbox)),
  bbox_corner2xyxy: one((i) => bbox.bboxCorner2xyxy(i.bbox)),
  bbox_clip_border: one((i) => bbox.bboxClipBorder(i.bbox, i.shape)),
  flip_bbox: one((i) => bbox.flipBbox(i.bbox, i.image_size, i.bbox_format, i.direction)),
  bbox_overlaps: one((i) => bboxOverlaps(i.bboxes1, i.bboxes2, { mode: i.mode, isAligned: i.is_aligned, eps: i.eps })),
  get_udp_warp_matrix: one((i) => bbox.getUdpWarpMatrix(i.center.data, i.scale.data, i.rot, i.output_size)),
  get_warp_matrix: one((i) =>
    bbox.getWarpMatrix(i.center.data, i.scale.data, i.rot, i.output_size, {
      shift: i.shift,
      inv: i.inv,
      fixAspectRatio: i.fix_aspect_ratio,
    }),
  ),
  get_pers_warp_matrix: one((i) =>
    bbox.getPersWarpMatrix(i.center.data, i.translate.data, i.scale, i.rot, i.shear.data),
  ),
  flip_keypoints: pair(['keypoints', 'keypoints_visible'], (i) =>
    flipped(
      keypoint.flipKeypoints(i.keypoints, i.keypoints_visible as NdArray, i.image_size, i.flip_indices, i.direction),
    ),
  ),
  flip_keypoints_custom_center: pair(['keypoints', 'keypoints_visible'], (i) =>
    flipped(
      keypoint.flipKeypointsCustomCenter(i.keypoints, i.keypoints_visible, i.flip_indices, {
        centerMode: i.center_mode,
        centerX: i.center_x,
        centerIndex: i.center_index,
      }),
    ),
  ),
  keypoint_clip_border: pair(['keypoints', 'keypoints_visible'], (i) =>
    flipped(keypoint.keypointClipBorder(i.keypoints, i.keypoints_visible, i.shape)),
  ),
  nms: indices((i) => nms(i.dets, i.thr)),
  nms_torch: indices((i) => nmsTorch(i.bboxes, i.scores.data, i.threshold)),
  oks_iou: one((i) => oksIou(i.g.data, i.d, i.a_g, i.a_d.data, i.sigmas?.data ?? i.sigmas, i.vis_thr)),
  oks_nms: indices((i) => oksNms(i.kpts_db.map(candidate), i.thr, oksOptions(i))),
  soft_oks_nms: indices((i) => softOksNms(i.kpts_db.map(candidate), i.thr, { ...oksOptions(i), maxDets: i.max_dets })),
  nearby_joints_nms: indices((i) =>
    nearbyJointsNms(i.kpts_db.map(candidate), {
      distThr: i.dist_thr,
      numNearbyJointsThr: i.num_nearby_joints_thr,
      scorePerJoint: i.score_per_joint,
      maxDets: i.max_dets,
    }),
  ),
  revert_heatmap: one((i) => revertHeatmap(i.heatmap, i.input_center.data, i.input_scale.data, i.img_shape)),
  'GetBBoxCenterScale+TopdownAffine': topdownAffine,
  BottomupResize: bottomupResize,
  GetBBoxCenterScale: getBBoxCenterScale,
};

function candidate(entry: { keypoints: NdArray; score: number | NdArray; area?: number }) {
  const score = typeof entry.score === 'number' ? entry.score : entry.score.data;
  return { keypoints: entry.keypoints, score, ...(entry.area !== undefined && { area: entry.area }) };
}

function oksOptions(inputs: CaseContext['inputs']) {
  return {
    sigmas: inputs.sigmas?.data ?? inputs.sigmas,
    visThr: inputs.vis_thr,
    scorePerJoint: inputs.score_per_joint,
  };
}
