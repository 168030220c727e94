/**
 * The `predict` part of a bottom-up model's case. What the network gave is compared elsewhere; which of its noise-like candidates
 * survive depends on differences below its tolerance, so decoding starts from the head outputs that MMPose recorded.
 */
import type { BottomupPoseEstimator } from '../../../src/models/pose_estimators/bottomup.js';
import { parseTestCfg } from '../../../src/models/test_cfg.js';
import type { NdArray } from '../../../src/ndarray.js';
import { transpose } from '../../../src/nn/module.js';
import type { PoseDataSample } from '../../../src/structures/pose_data_sample.js';
import * as tf from '../../../src/tf.js';
import { goldenBackend } from '../page_backend.js';
import { close, outcome, type CaseContext, type Comparison } from '../runner.js';
import { KEYPOINT_PX, NUMERIC } from '../tolerances.js';

interface GoldenPredict {
  readonly test_cfg: Readonly<Record<string, unknown>>;
  readonly image_space: readonly GoldenPicture[];
}

/** Everybody in one picture; columns by MMPose's names. */
interface GoldenPicture {
  readonly keypoints: NdArray;
  readonly keypoint_scores: NdArray;
  readonly keypoints_visible: NdArray;
  readonly bboxes?: NdArray;
  readonly bbox_scores?: NdArray;
}

interface PredictMeta {
  readonly input_size: readonly [number, number];
  readonly input_center: NdArray;
  readonly input_scale: NdArray;
  readonly flip_indices: readonly number[];
}

export async function comparePredict(ctx: CaseContext, model: BottomupPoseEstimator): Promise<Comparison[]> {
  const samples = (ctx.predict_meta as PredictMeta[]).map(sampleOf);
  const comparisons: Comparison[] = [];
  for (const [mode, golden] of Object.entries(ctx.predict as Record<string, GoldenPredict>)) {
    const outputs = golden.test_cfg?.flip_test === false ? recordedOutputs(ctx) : null;
    if (!outputs) continue;
    const backend = await goldenBackend(ctx.backend);
    const before = tf.memory().numTensors;
    const run = <T>(section: () => T) => backend.run(section);
    const results = await model.decodePictures(outputs, samples, run, parseTestCfg(golden.test_cfg));
    const left = tf.memory().numTensors - before;
    if (left !== 0) comparisons.push(outcome(`${mode} tensors left`, ['0'], String(left)));
    comparisons.push(...results.flatMap((sample, i) => comparePicture(`${mode}[${i}]`, golden.image_space[i], sample)));
  }
  return comparisons;
}

function sampleOf({ input_size: inputSize, input_center, input_scale, flip_indices }: PredictMeta): PoseDataSample {
  const point = ({ data }: NdArray): NdArray => ({ data, shape: [1, 2] });
  return {
    metainfo: {
      imgShape: [0, 0],
      inputSize,
      inputCenter: point(input_center),
      inputScale: point(input_scale),
      flipIndices: flip_indices,
      timestamp: 0,
    },
  };
}

/** The head's outputs in our layout; null where only figures of them were recorded. */
function recordedOutputs(ctx: CaseContext): NdArray[] | null {
  const outputs = [ctx.outputs.head].flat(9) as NdArray[];
  if (outputs.some((output) => '$summary' in output)) return null;
  return outputs.map(({ data, shape }) => {
    const turned = transpose(data, shape, [0, 2, 3, 1]);
    return { data: turned.data, shape: turned.shape };
  });
}

function comparePicture(at: string, golden: GoldenPicture, { predInstances }: PoseDataSample): Comparison[] {
  const { keypoints, keypointScores, keypointsVisible, bboxes, bboxScores } = predInstances!;
  return [
    close(`${at} keypoints`, golden.keypoints, keypoints, KEYPOINT_PX),
    close(`${at} scores`, golden.keypoint_scores, keypointScores, NUMERIC),
    close(`${at} visible`, golden.keypoints_visible, keypointsVisible, NUMERIC),
    ...(golden.bboxes ? [close(`${at} bboxes`, golden.bboxes, bboxes, NUMERIC)] : []),
    ...(golden.bbox_scores ? [close(`${at} bbox_scores`, golden.bbox_scores, bboxScores, NUMERIC)] : []),
  ];
}
