/** Joining, slicing and reshaping samples (MMPose: `mmpose/structures/utils.py` and MMEngine's `InstanceData`). */
import { InputError } from '../errors.js';
import { concatRows, row, type NdArray, type TypedArray } from '../ndarray.js';
import { getWarpMatrix } from './bbox/transforms.js';
import type { InstanceData, PoseDataSample, PredFields } from './pose_data_sample.js';
import { warpAffineMaps } from './warp_maps.js';

/** One person as plain numbers, for JSON. */
export interface InstanceRecord {
  /** [K][D] px, image space */
  keypoints: number[][];
  /** [K] */
  keypointScores: number[];
  /** xyxy px, image space */
  bbox: number[];
  bboxScore: number;
  trackId?: number;
}

type Column = NdArray<TypedArray>;

function columnsOf(instances: InstanceData): [keyof InstanceData, Column][] {
  return Object.entries(instances).filter(([, column]) => column !== undefined) as [keyof InstanceData, Column][];
}

/** `array[indices]` along the first axis, copied. */
function takeRows({ data, shape }: Column, indices: readonly number[]): Column {
  const size = data.length / (shape[0] || 1);
  const out = new (data.constructor as new (length: number) => typeof data)(indices.length * size);
  indices.forEach((index, i) => out.set(data.subarray(index * size, (index + 1) * size) as never, i * size));
  return { data: out, shape: [indices.length, ...shape.slice(1)] };
}

/**
 * Some of the persons, in the order asked for.
 *
 * @param select - indices (negative ones count from the end), or one boolean per person
 * @throws InputError for an index or a mask that does not fit
 */
export function sliceInstances(instances: InstanceData, select: readonly number[] | readonly boolean[]): InstanceData {
  const n = instances.keypoints.shape[0];
  const isMask = typeof select[0] === 'boolean';
  if (isMask && select.length !== n) {
    throw new InputError(`sliceInstances: found a mask of ${select.length}; expected ${n}, one per person.`);
  }
  const indices = isMask
    ? select.flatMap((wanted, i) => (wanted ? [i] : []))
    : (select as readonly number[]).map((i) => (i < 0 ? n + i : i));
  const bad = indices.find((i) => !Number.isInteger(i) || i < 0 || i >= n);
  if (bad !== undefined) throw new InputError(`sliceInstances: found index ${bad}; expected 0..${n - 1}.`);
  return Object.fromEntries(
    columnsOf(instances).map(([key, column]) => [key, takeRows(column, indices)]),
  ) as unknown as InstanceData;
}

/**
 * The persons of several samples in one.
 *
 * @throws InputError when a column is missing in some of them
 */
export function concatInstances(list: readonly InstanceData[]): InstanceData {
  const [first] = list;
  const keys = columnsOf(first).map(([key]) => key);
  const entries = keys.map((key) => {
    const columns = list.map((instances) => instances[key] as Column | undefined);
    if (columns.includes(undefined)) {
      throw new InputError(
        `concatInstances: found "${key}" in some of ${list.length} samples; expected it in all or none.`,
      );
    }
    return [key, concatColumns(columns as Column[])];
  });
  return Object.fromEntries(entries) as unknown as InstanceData;
}

function concatColumns(columns: readonly Column[]): Column {
  const total = columns.reduce((sum, { data }) => sum + data.length, 0);
  const data = new (columns[0].data.constructor as new (length: number) => TypedArray)(total);
  let at = 0;
  for (const column of columns) {
    data.set(column.data as never, at);
    at += column.data.length;
  }
  return { data, shape: [columns.reduce((sum, { shape }) => sum + shape[0], 0), ...columns[0].shape.slice(1)] };
}

/**
 * Top-down results of one picture as one sample: all persons, the crops of all, and the larger of their heatmaps in the
 * picture's own pixels.
 *
 * @throws InputError for an empty list
 */
export function mergeDataSamples(samples: readonly PoseDataSample[]): PoseDataSample {
  const [first] = samples;
  if (!first) throw new InputError('mergeDataSamples: found no samples; expected one or more of the same picture.');
  const predicted = samples.flatMap(({ predInstances }) => predInstances ?? []);
  const annotated = samples.flatMap(({ gtInstances }) => gtInstances ?? []);
  return {
    metainfo: {
      ...first.metainfo,
      inputCenter: concatRows(samples.map(({ metainfo }) => metainfo.inputCenter)),
      inputScale: concatRows(samples.map(({ metainfo }) => metainfo.inputScale)),
    },
    ...(first.gtInstances && { gtInstances: concatInstances(annotated) }),
    ...(first.predInstances && { predInstances: concatInstances(predicted) }),
    ...(first.predFields && { predFields: mergeFields(samples) }),
  };
}

function mergeFields(samples: readonly PoseDataSample[]): PredFields {
  let merged: NdArray | null = null;
  for (const { predFields, metainfo } of samples) {
    if (!predFields) continue;
    const { inputCenter, inputScale, imgShape } = metainfo;
    const map = revertHeatmap(predFields.heatmaps, row(inputCenter, 0).data, row(inputScale, 0).data, imgShape);
    if (!merged) merged = map;
    else for (let i = 0; i < map.data.length; i++) merged.data[i] = Math.max(merged.data[i], map.data[i]);
  }
  return { heatmaps: merged as NdArray };
}

/**
 * Heatmaps of a crop, put back where the crop came from; 0 outside.
 *
 * @param heatmap - [K, h, w] or [h, w], map space
 * @param inputCenter - [2] px, image space
 * @param inputScale - [2] px, image space
 * @param imgShape - [h, w] px
 * @returns [K, imgH, imgW] or [imgH, imgW], image space
 */
export function revertHeatmap(
  heatmap: NdArray,
  inputCenter: ArrayLike<number>,
  inputScale: ArrayLike<number>,
  [imgH, imgW]: readonly [h: number, w: number],
): NdArray {
  const [h, w] = heatmap.shape.slice(-2);
  const matrix = getWarpMatrix(inputCenter, inputScale, 0, [w, h], { inv: true });
  return warpAffineMaps(heatmap, matrix, [imgW, imgH]);
}

/** Persons as plain objects; an empty list for none. */
export function splitInstances(instances: InstanceData | undefined): InstanceRecord[] {
  if (!instances) return [];
  const { keypoints, keypointScores, bboxes, bboxScores, trackIds } = instances;
  return Array.from({ length: keypoints.shape[0] }, (_, i) => {
    const points = row(keypoints, i);
    return {
      keypoints: Array.from({ length: points.shape[0] }, (_k, k) => Array.from(row(points, k).data)),
      keypointScores: Array.from(row(keypointScores, i).data),
      bbox: Array.from(row(bboxes, i).data),
      bboxScore: bboxScores.data[i],
      ...(trackIds && { trackId: trackIds.data[i] }),
    };
  });
}
