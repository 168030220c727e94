/**
 * Annotations in the form that a detector trains on (MMPose: `mmpose/codecs/annotation_processors.py`). There is nothing to decode.
 */
import { readConfig } from '../config.js';
import { InputError } from '../errors.js';
import type { NdArray } from '../ndarray.js';
import type { AuxiliaryAnnotations, DecodedKeypoints, EncodedLabels, KeypointCodec } from './base.js';
import { type Size, copyOf, readSize } from './utils/options.js';

/** Keys of a `YOLOXPoseAnnotationProcessor` config. */
export interface YOLOXPoseAnnotationProcessorConfig {
  /** Grow boxes until they hold all visible keypoints. @default false */
  expand_bbox?: boolean;
  /** Not used by the codec itself. */
  input_size?: Size | null;
}

/** Coordinates that no minimum or maximum of a box picks up. */
const HIDDEN = 1e6;

export class YOLOXPoseAnnotationProcessor implements KeypointCodec {
  static readonly auxiliaryEncodeKeys = ['category_id', 'bbox'];
  static readonly labelMappingTable = {
    bbox: 'bboxes',
    bbox_labels: 'labels',
    keypoints: 'keypoints',
    keypoints_visible: 'keypoints_visible',
    area: 'areas',
  };
  static readonly instanceMappingTable = {
    bbox: 'bboxes',
    bbox_score: 'bbox_scores',
    keypoints: 'keypoints',
    keypoints_visible: 'keypoints_visible',
  };

  /** [0, 0] when the config names none. */
  readonly inputSize: Size;
  readonly encodedNames: readonly string[] = [];
  readonly expandBbox: boolean;

  constructor(config: YOLOXPoseAnnotationProcessorConfig = {}, where = 'YOLOXPoseAnnotationProcessor') {
    const options = readConfig<Required<YOLOXPoseAnnotationProcessorConfig>>({ ...config }, where, {
      expand_bbox: false,
      input_size: null,
    });
    this.expandBbox = options.expand_bbox;
    this.inputSize = options.input_size ? readSize(options.input_size, `${where}.input_size`) : [0, 0];
  }

  /**
   * @param keypoints - [N, K, 2] px
   * @param keypointsVisible - [N, K] or [N, K, 2], of which the first counts
   * @param auxiliary - `bbox` [N, 4] xyxy px, space of the keypoints; `category_id`, N numbers from 1
   * @returns `bbox` [N, 4] when boxes are expanded; `bbox_labels` [N] int32, from 0, when categories are given
   */
  encode(keypoints: NdArray, keypointsVisible?: NdArray, auxiliary: AuxiliaryAnnotations = {}): EncodedLabels {
    const labels: EncodedLabels = {};
    const { bbox, category_id: categories } = auxiliary;
    if (this.expandBbox && bbox) labels.bbox = expandBoxes(bbox as NdArray, keypoints, keypointsVisible);
    if (categories) {
      const ids = 'data' in categories ? categories.data : categories;
      // int8, as in MMPose.
      const data = Int32Array.from(ids, (id) => ((((id << 24) >> 24) - 1) << 24) >> 24);
      labels.bbox_labels = { data, shape: [data.length] };
    }
    return labels;
  }

  /** @throws InputError always: the head decodes its own output */
  decode(): DecodedKeypoints {
    throw new InputError(
      'YOLOXPoseAnnotationProcessor.decode: this codec only encodes; take the keypoints that the head predicts.',
    );
  }
}

/** Copies of the boxes [N, 4], grown to hold the visible keypoints. */
function expandBoxes(boxes: NdArray, keypoints: NdArray, visible?: NdArray): NdArray {
  const out = copyOf(boxes);
  const [instances, count, dims] = keypoints.shape;
  const stride = visible && visible.shape.length === 3 ? visible.shape[2] : 1;
  for (let i = 0; i < instances * count; i++) {
    const box = out.data.subarray(4 * Math.floor(i / count), 4 * Math.floor(i / count) + 4);
    const hidden = visible !== undefined && visible.data[i * stride] === 0;
    for (let d = 0; d < 2; d++) {
      const value = keypoints.data[i * dims + d];
      box[d] = Math.min(box[d], hidden ? HIDDEN : value);
      box[2 + d] = Math.max(box[2 + d], hidden ? -HIDDEN : value);
    }
  }
  return out;
}
