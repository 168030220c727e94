/**
 * Boxes and keypoints as fractions of the picture (MMPose: `mmpose/codecs/edpose_label.py`; ED-Pose, Yang et al. 2023,
 * https://arxiv.org/abs/2302.01593).
 */
import { readConfig } from '../config.js';
import { InputError } from '../errors.js';
import { type NdArray, ndarray, zeros } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { type Size, divideXy, readPositive, requireRank, visibleOrOnes } from './utils/options.js';

const f32 = Math.fround;

/** Keys of an `EDPoseLabel` config. */
export interface EDPoseLabelConfig {
  /** Candidates to keep. @default 100 */
  num_select?: number;
  /** @default 17 */
  num_keypoints?: number;
}

/** Persons of one image. */
export interface DecodedBoxes extends DecodedKeypoints {
  /** [N, 4] xyxy px, input space. */
  bboxes: NdArray<Float64Array>;
}

export class EDPoseLabel implements KeypointCodec {
  static readonly auxiliaryEncodeKeys = ['area', 'bboxes', 'img_shape'];
  static readonly instanceMappingTable = {
    bbox: 'bboxes',
    keypoints: 'keypoints',
    keypoints_visible: 'keypoints_visible',
    area: 'areas',
  };

  /** The config names no size: it comes with each picture. */
  readonly inputSize: Size = [0, 0];
  readonly encodedNames = ['input_shapes', 'pred_logits', 'pred_boxes', 'pred_keypoints'];
  readonly numSelect: number;
  readonly numKeypoints: number;

  constructor(config: EDPoseLabelConfig = {}, where = 'EDPoseLabel') {
    const options = readConfig<Required<EDPoseLabelConfig>>({ ...config }, where, {
      num_select: 100,
      num_keypoints: 17,
    });
    this.numSelect = readPositive(options.num_select, `${where}.num_select`);
    this.numKeypoints = readPositive(options.num_keypoints, `${where}.num_keypoints`);
  }

  /**
   * @param keypoints - [N, K, 2] px, input space
   * @param keypointsVisible - [N, K]
   * @param auxiliary - `img_shape` [w, h] px; `bboxes` [N, 4] xyxy px; `area` [N] px^2
   * @returns all as fractions: `keypoints` [N, K, 2], `bbox` [N, 4] (centre and size), `area` [N]; `keypoints_visible` [N, K]
   * @throws InputError without `img_shape`
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary: AuxiliaryAnnotations = {}): EncodedLabels {
    const [w, h] = readShape(auxiliary.img_shape);
    const labels: EncodedLabels = {
      keypoints: divideXy(keypoints, [w, h]),
      keypoints_visible: visibleOrOnes(keypoints, keypointsVisible),
    };
    const bboxes = auxiliary.bboxes as NdArray | null | undefined;
    if (bboxes) labels.bbox = divideXy(centresAndSizes(bboxes), [w, h]);
    const area = auxiliary.area as NdArray | null | undefined;
    if (area) labels.area = { data: area.data.map((value) => value / (w * h)), shape: area.shape };
    return labels;
  }

  /**
   * @param inputShapes - [2]: height and width, px
   * @param logits - [M, classes] scores of the candidates
   * @param boxes - [M, 4] centre and size, fractions
   * @param keypoints - [M, K * 3]: x and y of all keypoints as fractions, then K more values
   * @returns bboxes [N, 4] and keypoints [N, K, 2], float64 px, input space; scores [N, K], the candidate's. N = num_select at most
   */
  decode(inputShapes: NdArray, logits: NdArray, boxes: NdArray, keypoints: NdArray): DecodedBoxes {
    requireRank(logits, 2, 'EDPoseLabel.decode', 'logits [M, classes]');
    const K = this.numKeypoints;
    const [h, w] = [Number(inputShapes.data[0]), Number(inputShapes.data[1])];
    const order = Array.from(logits.data.keys()).sort((a, b) => logits.data[b] - logits.data[a]);
    const top = order.slice(0, this.numSelect);
    const corners = new Float64Array(top.length * 4);
    const points = new Float64Array(top.length * K * 2);
    const scores = zeros([top.length, K]);
    top.forEach((index, n) => {
      const candidate = Math.floor(index / logits.shape[1]);
      corners.set(cornersOf(boxes.data.subarray(4 * candidate, 4 * candidate + 4), w, h), 4 * n);
      const from = candidate * keypoints.shape[1];
      for (let i = 0; i < K * 2; i++) points[n * K * 2 + i] = keypoints.data[from + i] * (i % 2 === 0 ? w : h);
      scores.data.fill(logits.data[index], n * K, (n + 1) * K);
    });
    return { bboxes: ndarray(corners, [top.length, 4]), keypoints: ndarray(points, [top.length, K, 2]), scores };
  }
}

/** xyxy [N, 4] -> centre and size, float32. */
function centresAndSizes(boxes: NdArray): NdArray {
  const out = zeros(boxes.shape);
  for (let i = 0; i < out.data.length; i += 4) {
    const [x1, y1, x2, y2] = boxes.data.subarray(i, i + 4);
    out.data.set([f32(x2 + x1) * 0.5, f32(y2 + y1) * 0.5, x2 - x1, y2 - y1], i);
  }
  return out;
}

/** Centre and size as fractions -> xyxy px. */
function cornersOf(box: Float32Array, w: number, h: number): number[] {
  const [x, y, width, height] = box;
  const [halfW, halfH] = [f32(width * 0.5), f32(height * 0.5)];
  return [f32(x - halfW) * w, f32(y - halfH) * h, f32(x + halfW) * w, f32(y + halfH) * h];
}

function readShape(value: AuxiliaryAnnotations[string]): Size {
  const shape = value && 'data' in value ? [...value.data] : value;
  if (!shape || shape.length !== 2) {
    throw new InputError(
      `EDPoseLabel.encode: found img_shape ${JSON.stringify(shape)}; expected [width, height] in pixels.`,
    );
  }
  return [shape[0], shape[1]];
}
