/** The end of a pipeline: pixels for the network beside a sample of annotations and targets (MMPose: `formatting.py`). */
import { readConfig } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { concatRows, ndarray, type NdArray, type TypedArray } from '../../ndarray.js';
import { camelCase, type TargetArray, type Transform, type TransformResults } from './base.js';
import type { MappingTables } from './common_transforms.js';
import type { PixelImage } from './warp_affine.js';

/** Annotations, targets and facts of one sample. */
export interface PackedSample {
  /** Facts named by `meta_keys`, in camelCase. */
  metainfo: Record<string, unknown>;
  /** Columns of N persons, in camelCase: bboxes, bboxScores, keypoints, keypointsVisible, bboxScales, headSize. */
  gtInstances: Record<string, NdArray<TypedArray>>;
  /** Targets per keypoint, under MMPose's names; those of several encoders are stacked. */
  gtInstanceLabels: Record<string, TargetArray>;
  /** Dense targets, under MMPose's names; a list per level. */
  gtFields: Record<string, TargetArray | TargetArray[]>;
}

/** What a pipeline gives in the end. */
export interface PackedResults extends TransformResults {
  /** [h, w, C] bytes; one per scale with `aug_scales`. */
  inputs: NdArray<Uint8Array> | NdArray<Uint8Array>[];
  dataSample: PackedSample;
}

/** MMPose's name in the sample on its way -> name in the packed one. */
const INSTANCE_TABLE: Readonly<Record<string, string>> = {
  bbox: 'bboxes',
  bbox_score: 'bbox_scores',
  keypoints: 'keypoints',
  keypoints_cam: 'keypoints_cam',
  keypoints_visible: 'keypoints_visible',
  bbox_scale: 'bbox_scales',
  head_size: 'head_size',
};
const LABEL_TABLE: Readonly<Record<string, string>> = {
  keypoint_labels: 'keypoint_labels',
  keypoint_weights: 'keypoint_weights',
  keypoints_visible_weights: 'keypoints_visible_weights',
};
const FIELD_TABLE: Readonly<Record<string, string>> = {
  heatmaps: 'heatmaps',
  instance_heatmaps: 'instance_heatmaps',
  heatmap_mask: 'heatmap_mask',
  heatmap_weights: 'heatmap_weights',
  displacements: 'displacements',
  displacement_weights: 'displacement_weights',
};
const META_KEYS = [
  'id',
  'img_id',
  'img_path',
  'category_id',
  'crowd_index',
  'ori_shape',
  'img_shape',
  'input_size',
  'input_center',
  'input_scale',
  'flip',
  'flip_direction',
  'flip_indices',
  'raw_ann_info',
  'dataset_name',
];

/**
 * Sorts the fields of a sample into annotations, labels, dense targets and facts. Codecs say where their targets go
 * (`GenerateTarget` brings their tables along); the rest follows MMPose's own tables.
 */
export class PackPoseInputs implements Transform {
  readonly metaKeys: readonly string[];
  readonly packTransformed: boolean;

  constructor(config: Readonly<Record<string, unknown>> = {}) {
    const spec = { meta_keys: META_KEYS, pack_transformed: false };
    const cfg = readConfig<{ meta_keys: readonly string[]; pack_transformed: boolean }>(config, 'PackPoseInputs', spec);
    this.metaKeys = cfg.meta_keys;
    this.packTransformed = cfg.pack_transformed;
  }

  transform(results: TransformResults): PackedResults {
    const { img, transformedKeypoints } = results;
    if (!img) throw new ConfigError('PackPoseInputs: found no img in the sample; put LoadImage first.');
    const tables = results['mappingTables'] as MappingTables | undefined;
    const gtInstances = Object.fromEntries(
      pick(results, orElse(tables?.instance, INSTANCE_TABLE)).map(([name, value]) => [camelCase(name), value]),
    ) as Record<string, NdArray<TypedArray>>;
    if (this.packTransformed && transformedKeypoints) gtInstances['transformedKeypoints'] = transformedKeypoints;
    const labels = pick(results, orElse(tables?.label, LABEL_TABLE)) as [string, TargetArray | TargetArray[]][];
    const fields = pick(results, orElse(tables?.field, FIELD_TABLE)) as [string, TargetArray | TargetArray[]][];
    checkLevels(fields);
    return {
      inputs: Array.isArray(img) ? img.map(pixelsOf) : pixelsOf(img as PixelImage),
      dataSample: {
        metainfo: this.#metainfo(results),
        gtInstances,
        gtInstanceLabels: Object.fromEntries(labels.map(([name, v]) => [name, Array.isArray(v) ? stack(v) : v])),
        gtFields: Object.fromEntries(fields),
      },
    };
  }

  #metainfo(results: TransformResults): Record<string, unknown> {
    const keys = this.metaKeys.map(camelCase).filter((key) => results[key] !== undefined);
    return Object.fromEntries(keys.map((key) => [key, results[key]]));
  }
}

function orElse(
  table: Readonly<Record<string, string>> | undefined,
  fallback: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  return table && Object.keys(table).length > 0 ? table : fallback;
}

/** (packed name, value) of the fields that the sample has; targets go before annotations. */
function pick(results: TransformResults, table: Readonly<Record<string, string>>): [string, unknown][] {
  return Object.entries(table).flatMap(([key, packed]): [string, unknown][] => {
    const value = results.targets?.[key] ?? results[camelCase(key)];
    return value === undefined || value === null ? [] : [[packed, value]];
  });
}

function checkLevels(fields: readonly [string, unknown][]): void {
  const lists = fields.filter(([, value]) => Array.isArray(value)).length;
  if (lists === 0 || lists === fields.length) return;
  throw new ConfigError('PackPoseInputs: found single and multi-level fields in one sample; use encoders of one kind.');
}

function pixelsOf({ data, width, height, channels }: PixelImage): NdArray<Uint8Array> {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data.buffer, data.byteOffset, data.length);
  return ndarray(bytes, [height, width, channels]);
}

/** `numpy.stack`: a new first axis. */
function stack(arrays: readonly TargetArray[]): TargetArray {
  const shape = arrays[0].shape;
  const rows = arrays.map(({ data }) => ndarray(Float32Array.from(data), [1, ...shape]));
  return concatRows(rows);
}
