/** One sample per picture from one per person, as MMPose's inferencers give it. */
import { concatRows, zeros, type NdArray } from '../ndarray.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import type { InstanceData, PoseDataSample } from '../structures/pose_data_sample.js';

/** What a sample without persons still says. */
export interface PictureFacts {
  readonly width: number;
  readonly height: number;
  readonly inputSize: readonly [w: number, h: number];
  readonly timestamp: number;
}

/** Joins the columns of N persons; N may be 0. Dense outputs are stacked along the first axis, person by person. */
export function mergeSamples(
  samples: readonly PoseDataSample[],
  metainfo: PoseMetaInfo,
  { width, height, inputSize, timestamp }: PictureFacts,
): PoseDataSample {
  const persons = samples.flatMap(({ predInstances }) => (predInstances ? [predInstances] : []));
  const join = (arrays: readonly NdArray[], empty: readonly number[]): NdArray =>
    arrays.length > 0 ? concatRows(arrays) : zeros(empty);
  const column = (key: keyof InstanceData, empty: readonly number[]): NdArray =>
    join(
      persons.map((person) => person[key] as NdArray),
      empty,
    );
  const k = metainfo.numKeypoints;
  const heatmaps = samples.flatMap(({ predFields }) => (predFields ? [predFields.heatmaps] : []));
  return {
    metainfo: {
      imgShape: [height, width],
      inputSize,
      inputCenter: join(
        samples.map((sample) => sample.metainfo.inputCenter),
        [0, 2],
      ),
      inputScale: join(
        samples.map((sample) => sample.metainfo.inputScale),
        [0, 2],
      ),
      flipIndices: metainfo.flipIndices,
      timestamp,
    },
    predInstances: {
      bboxes: column('bboxes', [0, 4]),
      bboxScores: column('bboxScores', [0]),
      keypoints: column('keypoints', [0, k, 2]),
      keypointScores: column('keypointScores', [0, k]),
      keypointsVisible: column('keypointsVisible', [0, k]),
    },
    ...(heatmaps.length > 0 && { predFields: { heatmaps: concatRows(heatmaps) } }),
  };
}
