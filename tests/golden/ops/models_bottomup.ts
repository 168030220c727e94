/**
 * The `predict` part of a bottom-up model's case. What the network gave is compared elsewhere; which of its noise-like candidates
 * survive depends on differences below its tolerance, so decoding starts from the head outputs that MMPose recorded.
 */
import { readTensor } from '../../../src/backend/readback.js';
import { loadPoseMetainfo } from '../../../src/datasets/metainfo/index.js';
import { EDPoseHead } from '../../../src/models/heads/transformer_heads/edpose_head.js';
import type { BottomupPoseEstimator } from '../../../src/models/pose_estimators/bottomup.js';
import { parseTestCfg } from '../../../src/models/test_cfg.js';
import type { NdArray } from '../../../src/ndarray.js';
import { transpose } from '../../../src/nn/module.js';
import type { PoseDataSample, SampleMetainfo } from '../../../src/structures/pose_data_sample.js';
import * as tf from '../../../src/tf.js';
import type { Tensor, Tensor4D } from '../../../src/tf.js';
import { goldenBackend } from '../page_backend.js';
import { runCompiled } from '../run_compiled.js';
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
  const { skeletonLinks } = await loadPoseMetainfo('coco');
  const metas = (ctx.predict_meta as PredictMeta[]).map(model.head instanceof EDPoseHead ? swapped : (meta) => meta);
  const samples = metas.map((meta) => sampleOf(meta, skeletonLinks));
  const comparisons: Comparison[] = [];
  for (const [mode, golden] of Object.entries(ctx.predict as Record<string, GoldenPredict>)) {
    // AssociativeEmbeddingHead without a flip test fails in MMPose.
    if (!golden.test_cfg) continue;
    const backend = await goldenBackend(ctx.backend);
    const before = tf.memory().numTensors;
    model.testCfg = parseTestCfg(golden.test_cfg);
    const recorded = model.testCfg.flipTest ? null : recordedOutputs(ctx);
    const outputs = recorded ?? (await ownOutputs(ctx, model, samples));
    const results = await model.decodePictures(outputs, samples, backend);
    const left = tf.memory().numTensors - before;
    if (left !== 0) comparisons.push(outcome(`${mode} tensors left`, ['0'], String(left)));
    const compare = comparisonOf(ctx, recorded !== null);
    comparisons.push(...results.flatMap((sample, i) => compare(`${mode}[${i}]`, golden.image_space[i], sample)));
  }
  return comparisons;
}

/**
 * ED-Pose's transform says [h, w] where others say [w, h], and its codec reads it so. The record was made with [w, h]: fractions of the
 * picture were multiplied by one axis and divided by the other. Here the same comes out of a scale for each axis.
 */
function swapped(meta: PredictMeta): PredictMeta {
  const [w, h] = meta.input_size;
  const [center, scale] = [meta.input_center.data, meta.input_scale.data];
  const widened = Float64Array.of((scale[0] * h) / w, (scale[1] * w) / h);
  const moved = Float64Array.from(center, (c, axis) => c + (widened[axis] - scale[axis]) / 2);
  const asArray = (data: Float64Array) => ({ data: data as never, shape: [2] });
  return { ...meta, input_center: asArray(moved), input_scale: asArray(widened) };
}

function sampleOf(
  { input_size: inputSize, input_center, input_scale, flip_indices }: PredictMeta,
  skeletonLinks: SampleMetainfo['skeletonLinks'],
): PoseDataSample {
  const point = ({ data }: NdArray): NdArray => ({ data, shape: [1, 2] });
  return {
    metainfo: {
      imgShape: [0, 0],
      inputSize,
      inputCenter: point(input_center),
      inputScale: point(input_scale),
      flipIndices: flip_indices,
      skeletonLinks,
      timestamp: 0,
    },
  };
}

/** The head's outputs in our layout; null where only figures of them were recorded. */
function recordedOutputs(ctx: CaseContext): NdArray[] | null {
  // Of EDPoseHead MMPose has no plain outputs.
  if (!ctx.outputs.head) return null;
  const outputs = [ctx.outputs.head].flat(9) as NdArray[];
  if (outputs.some((output) => '$summary' in output)) return null;
  return outputs.map(({ data, shape }) => {
    const turned = transpose(data, shape, [0, 2, 3, 1]);
    return { data: turned.data, shape: turned.shape };
  });
}

/** How the persons of a mode can be compared. */
function comparisonOf(ctx: CaseContext, fromRecorded: boolean): typeof comparePicture {
  if (fromRecorded) return comparePicture;
  // CID's recorded network saturates: all its persons are as good as each other, and which are the best 30 is chance. Its numbers are
  // compared in tests/unit/cid_head.test.ts.
  const noise = Math.max(...Object.values<number>(ctx.float64_noise));
  if (noise > 1e-5) return compareCount;
  // What a GPU computes is too far from MMPose's numbers for each of the noise-like candidates to come out the same.
  return ctx.backend.startsWith('webg') ? compareMost : comparePicture;
}

function compareCount(at: string, golden: GoldenPicture, { predInstances }: PoseDataSample): Comparison[] {
  return [outcome(`${at} shape`, [golden.keypoints.shape.join()], predInstances!.keypoints.shape.join())];
}

/** Shares of persons, and of a person's keypoints, that have to be found again. */
const MOST_PERSONS = 0.9;
const MOST_KEYPOINTS = 0.8;

/** Whether most persons are there, in whatever order. */
function compareMost(at: string, golden: GoldenPicture, { predInstances }: PoseDataSample): Comparison[] {
  const [n, k] = golden.keypoints.shape;
  const found = predInstances!.keypoints;
  const isNear = (person: number, other: number) => {
    let near = 0;
    for (let j = 0; j < k; j++) {
      const [a, b] = [(person * k + j) * 2, (other * k + j) * 2];
      const off = [0, 1].map((axis) => Math.abs(golden.keypoints.data[a + axis] - found.data[b + axis]));
      if (Math.max(...off) <= KEYPOINT_PX.abs) near++;
    }
    return near >= MOST_KEYPOINTS * k;
  };
  const others = Array.from({ length: found.shape[0] }, (_, i) => i);
  const again = Array.from({ length: n }, (_, i) => others.some((other) => isNear(i, other))).filter(Boolean).length;
  const isMost = again >= MOST_PERSONS * n && found.shape[0] <= n / MOST_PERSONS;
  return [outcome(`${at} persons`, ['most'], isMost ? 'most' : `${again} of ${n}, ${found.shape[0]} found`)];
}

/** What the network gives here, where MMPose's own was not recorded: of a flip test, and of CIDHead. */
async function ownOutputs(
  ctx: CaseContext,
  model: BottomupPoseEstimator,
  samples: readonly PoseDataSample[],
): Promise<NdArray[]> {
  const { data, shape } = ctx.inputs.input as NdArray;
  const x = transpose(data, shape, [0, 2, 3, 1]);
  const forward = (input: Tensor) => model.predictTensors(input as Tensor4D, samples);
  const compiled = await runCompiled(ctx, x, forward);
  if (compiled) return compiled;
  const backend = await goldenBackend(ctx.backend);
  const tensors = backend.run(() => tf.tidy(() => forward(tf.tensor(x.data, [...x.shape]))));
  const outputs = await Promise.all(tensors.map(async (t) => ({ data: await readTensor(t), shape: t.shape })));
  backend.run(() => tf.dispose(tensors));
  return outputs;
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
