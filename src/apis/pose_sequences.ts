/** Sequences of 2-D poses for pose lifting (MMPose: `mmpose/apis/inference_3d.py`). */
import { InputError } from '../errors.js';
import { zeros, type NdArray } from '../ndarray.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';

export interface PoseSequenceOptions {
  /** Frames of a sequence: the network's receptive field. */
  readonly seqLen: number;
  /** The wanted frame is the last one, not the one in the middle. @default false */
  readonly causal?: boolean;
  /** Frames of the video from one frame of the sequence to the next. @default 1 */
  readonly step?: number;
}

/**
 * The frames round one of a video, the first and last repeated where it ends too soon.
 *
 * @param poseResults - one sample per frame of the video
 * @returns `seqLen` of them
 * @throws InputError for a frame that there is not
 */
export function extractPoseSequence(
  poseResults: readonly PoseDataSample[],
  frameIdx: number,
  { seqLen, causal = false, step = 1 }: PoseSequenceOptions,
): PoseDataSample[] {
  const last = poseResults.length - 1;
  if (!Number.isInteger(frameIdx) || frameIdx < 0 || frameIdx > last) {
    throw new InputError(`extractPoseSequence: found frame ${frameIdx}; expected 0 to ${last}.`);
  }
  const before = causal ? seqLen - 1 : Math.floor((seqLen - 1) / 2);
  const after = causal ? 0 : before;
  // Steps past an end stand for the video's own end, as in MMPose, whatever the step's phase.
  return Array.from({ length: before + 1 + after }, (_, i) => {
    const at = frameIdx + (i - before) * step;
    return poseResults[at < 0 ? 0 : Math.min(at, last)];
  });
}

/** One person through the frames of a sequence. */
export interface PoseSequence {
  /** [T, K, 2] px, image space */
  readonly keypoints: NdArray;
  /** Which person of the wanted frame it is. */
  readonly person: number;
}

/**
 * The persons of the wanted frame, each through all frames. Where a person is missing, what is known of it nearest in time stands in,
 * from there to the end of the sequence (MMPose does so before the wanted frame; after it, its slip leaves zeros).
 *
 * @param poseResults - one sample per frame
 * @param withTrackId - persons are told by their `trackIds`; false: by their order, which has to be the same in all frames
 * @throws InputError without the ids, or for frames with other numbers of persons
 */
export function collatePoseSequence(
  poseResults: readonly PoseDataSample[],
  targetFrame: number,
  withTrackId: boolean,
): PoseSequence[] {
  const target = poseResults[targetFrame]?.predInstances;
  if (!target) throw new InputError(`collatePoseSequence: found no predictions in frame ${targetFrame}.`);
  const [count, k, dims] = target.keypoints.shape;
  const row = k * dims;
  return Array.from({ length: count }, (_, person) => {
    const rows = poseResults.map((sample, frame) => {
      const at = personAt(sample, frame, withTrackId ? idOf(target.trackIds, person) : null, person, count);
      return at < 0 ? null : sample.predInstances!.keypoints.data.subarray(at * row, (at + 1) * row);
    });
    const keypoints = zeros([rows.length, k, 2]);
    fillGaps(rows, targetFrame).forEach((pose, frame) => {
      for (let i = 0; i < 2 * k; i++) keypoints.data[frame * 2 * k + i] = pose[Math.floor(i / 2) * dims + (i % 2)];
    });
    return { keypoints, person };
  });
}

function idOf(trackIds: NdArray<Int32Array> | undefined, person: number): number {
  if (trackIds) return trackIds.data[person];
  throw new InputError(
    'collatePoseSequence: found no trackIds; expected results of a tracker, or withTrackId false for persons in the same order.',
  );
}

/** Where a person is in a frame, -1 for nowhere. */
function personAt(sample: PoseDataSample, frame: number, id: number | null, person: number, count: number): number {
  const instances = sample.predInstances;
  if (id !== null) return instances?.trackIds?.data.indexOf(id) ?? -1;
  const found = instances?.keypoints.shape[0] ?? 0;
  if (found === count) return person;
  throw new InputError(
    `collatePoseSequence: found ${found} persons in frame ${frame}; expected ${count}, as in the wanted frame, or trackIds.`,
  );
}

/** From the wanted frame outwards: past the first gap the last pose before it stays. */
function fillGaps(rows: readonly (Float32Array | null)[], target: number): Float32Array[] {
  const filled = [...rows] as Float32Array[];
  const spread = (step: 1 | -1) => {
    let isLost = false;
    for (let i = target + step; i >= 0 && i < rows.length; i += step) {
      isLost ||= rows[i] === null;
      if (isLost) filled[i] = filled[i - step];
    }
  };
  spread(-1);
  spread(1);
  return filled;
}

/** A keypoint of the new definition as a weighted sum of old ones. */
type Mix = readonly (readonly [keypoint: number, weight: number])[];

const one = (keypoint: number): Mix => [[keypoint, 1]];
const middle = (a: number, b: number): Mix => [
  [a, 0.5],
  [b, 0.5],
];

/** Human3.6M's 17 keypoints out of others; the spine, 7, is the middle of pelvis, 0, and thorax, 8. */
interface Conversion {
  readonly pelvis: Mix;
  readonly thorax: Mix;
  /** Neck base and head. */
  readonly neck: Mix;
  readonly head: Mix;
  /** Right leg, left leg, left arm, right arm: hip, knee, ankle; shoulder, elbow, wrist. */
  readonly limbs: readonly number[];
}

const COCO: Conversion = {
  pelvis: middle(11, 12),
  thorax: middle(5, 6),
  neck: one(0),
  head: middle(1, 2),
  limbs: [12, 14, 16, 11, 13, 15, 5, 7, 9, 6, 8, 10],
};

/** Neck base and head lie between the neck's lower end, 13, and the head's top, 12. */
const NECK_AND_HEAD = {
  neck: [
    [13, 3 / 4],
    [12, 1 / 4],
  ],
  head: [
    [13, 5 / 12],
    [12, 7 / 12],
  ],
} as const;

const CONVERSIONS: Readonly<Record<string, Conversion | null>> = {
  h36m: null,
  coco_wholebody: null,
  coco: COCO,
  posetrack18: COCO,
  aic: {
    ...NECK_AND_HEAD,
    pelvis: middle(9, 6),
    thorax: middle(3, 0),
    limbs: [6, 7, 8, 9, 10, 11, 3, 4, 5, 0, 1, 2],
  },
  crowdpose: {
    ...NECK_AND_HEAD,
    pelvis: middle(6, 7),
    thorax: middle(0, 1),
    limbs: [7, 9, 11, 6, 8, 10, 0, 2, 4, 1, 3, 5],
  },
};

/**
 * Keypoints of a 2-D model as those that a lifter takes.
 *
 * @param keypoints - [N, K, C] px
 * @param poseDetDataset - the 2-D model's `metainfo.datasetName`: coco, posetrack18, aic, crowdpose; h36m and coco_wholebody stay as they are
 * @param poseLiftDataset - the lifter's: h36m or h3wb
 * @returns [N, 17, C], new
 * @throws InputError for datasets that cannot be converted
 */
export function convertKeypointDefinition(
  keypoints: NdArray,
  poseDetDataset: string,
  poseLiftDataset = 'h36m',
): NdArray {
  const conversion = CONVERSIONS[poseDetDataset];
  if (conversion === undefined || !['h36m', 'h3wb'].includes(poseLiftDataset)) {
    throw new InputError(
      `convertKeypointDefinition: found "${poseDetDataset}" to "${poseLiftDataset}"; expected one of ${Object.keys(CONVERSIONS).join(', ')} to h36m or h3wb.`,
    );
  }
  if (conversion === null) return { data: keypoints.data.slice(), shape: keypoints.shape };
  const [n, k, c] = keypoints.shape;
  const { pelvis, thorax, neck, head, limbs } = conversion;
  const sources = new Map<number, Mix>([
    [0, pelvis],
    [8, thorax],
    [9, neck],
    [10, head],
  ]);
  [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16].forEach((to, i) => sources.set(to, one(limbs[i])));
  const converted = zeros([n, 17, c]);
  for (let person = 0; person < n; person++) {
    const from = keypoints.data.subarray(person * k * c, (person + 1) * k * c);
    const to = converted.data.subarray(person * 17 * c, (person + 1) * 17 * c);
    for (let axis = 0; axis < c; axis++) {
      for (const [keypoint, mix] of sources) {
        to[keypoint * c + axis] = mix.reduce((sum, [source, weight]) => sum + weight * from[source * c + axis], 0);
      }
      to[7 * c + axis] = (to[axis] + to[8 * c + axis]) / 2;
    }
  }
  return converted;
}
