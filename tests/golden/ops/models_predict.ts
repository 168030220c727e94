/**
 * The `predict` part of a model case: head.predict (input space) and the model's predict (image space), with and without flip
 * test, and dense outputs. Uses the network that the case's other outputs were compared with.
 */
import { readTensor } from '../../../src/backend/readback.js';
import type { KeypointCodec } from '../../../src/codecs/base.js';
import type { ConfigDict } from '../../../src/config.js';
import type { NdArray, TypedArray } from '../../../src/ndarray.js';
import { transpose } from '../../../src/nn/module.js';
import type { HeadPrediction } from '../../../src/models/heads/base_head.js';
import type { TopdownPoseEstimator } from '../../../src/models/pose_estimators/topdown.js';
import { parseTestCfg } from '../../../src/models/test_cfg.js';
import type { InstanceData, PoseDataSample } from '../../../src/structures/pose_data_sample.js';
import * as tf from '../../../src/tf.js';
import type { Tensor, Tensor4D } from '../../../src/tf.js';
import type { GoldenSummary } from '../format.js';
import { uniform } from '../formula.js';
import { blurredGap } from '../blurred_gap.js';
import { hessianDet } from '../hessian_det.js';
import { goldenBackend } from '../page_backend.js';
import { runCompiled } from '../run_compiled.js';
import { close, exact, type CaseContext, type Comparison } from '../runner.js';
import { JPEG_SHARE, KEYPOINT_PX, MIN_HESSIAN_DET, networkTolerance, type Tolerance } from '../tolerances.js';

type Column = NdArray<TypedArray>;

/** One sample of `predict.*.input_space`, `.image_space` and of `fields.samples[].instances`. */
interface GoldenInstances {
  readonly keypoints: Column;
  readonly keypoint_scores: Column;
  readonly keypoints_visible?: Column;
  readonly keypoint_x_labels?: Column;
  readonly keypoint_y_labels?: Column;
  readonly bboxes?: NdArray;
  readonly bbox_scores?: NdArray;
}

export interface GoldenPredict {
  readonly test_cfg: Readonly<Record<string, unknown>>;
  /** Not recorded for VisPredictHead, which gives its instances only to the estimator. */
  readonly input_space?: readonly GoldenInstances[];
  readonly image_space: readonly GoldenInstances[];
  /** Per sample and decoded map: [K]. */
  readonly argmax_gap?: readonly (readonly Column[])[];
}

interface PredictMeta {
  readonly flip_indices: readonly number[];
  readonly input_size: readonly [w: number, h: number];
  readonly input_center: NdArray;
  readonly input_scale: NdArray;
}

/** How far a network's outputs may be off: as a share of the largest output, and in its unit. */
export interface OutputError {
  readonly share: number;
  readonly abs: number;
}

/** All comparisons of a case's `predict` and `fields`; none when it has neither. */
export async function comparePredict(ctx: CaseContext, model: TopdownPoseEstimator): Promise<Comparison[]> {
  const error = outputError(ctx);
  const samples = (ctx.predict_meta as PredictMeta[] | undefined)?.map((meta, i) => sampleOf(meta, ctx, i)) ?? [];
  const comparisons: Comparison[] = [];
  for (const [mode, golden] of Object.entries((ctx.predict ?? {}) as Record<string, GoldenPredict>)) {
    const { predictions, results, packed } = await predictWith(ctx, model, golden.test_cfg, samples);
    const packedResults = packed && model.addPredToDataSample(packed, samples);
    for (let i = 0; i < samples.length; i++) {
      const at = `${mode}[${i}]`;
      const input = golden.input_space?.[i];
      const scores = (input ?? golden.image_space[i]).keypoint_scores;
      const gaps = gapsOf(ctx, golden.argmax_gap?.[i], predictions[i]);
      const keep = comparableKeypoints(scores, gaps, unstableOf(ctx, model, predictions[i]), error);
      if (input) comparisons.push(...compareInput(`${at} input_space`, input, predictions[i], keep, error));
      if (input && packed) comparisons.push(...compareInput(`${at} batchDecode`, input, packed[i], keep, error));
      const selected = model.testCfg.outputKeypointIndices?.map((k) => keep[k]) ?? keep;
      const inImage = (name: string, { predInstances }: PoseDataSample) =>
        compareInstances(`${at} ${name}`, golden.image_space[i], predInstances!, selected, error);
      comparisons.push(...inImage('image_space', results[i]));
      if (!input && packedResults) comparisons.push(...inImage('batchDecode in image_space', packedResults[i]));
    }
  }
  if (ctx.fields) comparisons.push(...(await compareFields(ctx, model, samples, error)));
  return comparisons;
}

/** Tolerance of a network's outputs from the case's `float64_noise` and the size of its head's outputs. */
function outputError(ctx: CaseContext): OutputError {
  const share = networkTolerance(ctx.backend, noiseOf(ctx));
  return { share, abs: share * largest(ctx.outputs.head) };
}

function noiseOf(ctx: CaseContext): number {
  return Math.max(0, ...Object.values((ctx.float64_noise ?? {}) as Record<string, number>));
}

/** max |value| of a nested output; of a summary, what it says. */
function largest(output: unknown): number {
  if (Array.isArray(output)) return Math.max(0, ...output.map(largest));
  const node = output as Column | GoldenSummary;
  if ('$summary' in node) return Math.max(Math.abs(node.min), Math.abs(node.max));
  let max = 0;
  for (const v of node.data as Float32Array) max = Math.max(max, Math.abs(v));
  return max;
}

function sampleOf(meta: PredictMeta, ctx: CaseContext, i: number): PoseDataSample {
  const point = ({ data }: NdArray): NdArray => ({ data, shape: [1, 2] });
  const boxes = Object.values(ctx.predict as Record<string, GoldenPredict>)[0].image_space[i];
  return {
    metainfo: {
      imgShape: [0, 0],
      inputSize: meta.input_size,
      inputCenter: point(meta.input_center),
      inputScale: point(meta.input_scale),
      flipIndices: meta.flip_indices,
      timestamp: 0,
    },
    // MMPose was given the boxes; it only hands them on.
    gtInstances: { bboxes: boxes.bboxes, bboxScores: boxes.bbox_scores } as InstanceData,
  };
}

interface Predicted {
  readonly predictions: HeadPrediction[];
  readonly results: PoseDataSample[];
  /** Of the same outputs, decoded on the backend; null for codecs that cannot. */
  readonly packed: HeadPrediction[] | null;
}

/** One forward, decoded in both ways, seen before and after the mapping to the image. */
async function predictWith(
  ctx: CaseContext,
  model: TopdownPoseEstimator,
  testCfg: Readonly<Record<string, unknown>>,
  samples: readonly PoseDataSample[],
): Promise<Predicted> {
  model.testCfg = parseTestCfg(testCfg);
  const outputs = await outputsAndPacked(ctx, model, samples);
  const head = model.head!;
  const packed = head.decoder?.batchDecode ? outputs.pop()! : null;
  // With dense outputs in any case: the mask of comparable keypoints needs the heatmaps.
  const predictions = head.decodeOutputs(outputs, { ...model.testCfg, outputHeatmaps: true });
  return {
    predictions,
    results: model.addPredToDataSample(predictions, samples),
    // A visibility head's own output stands behind what its pose head's codec packed.
    packed:
      packed &&
      head.decodeOutputs('pose_head' in head ? [packed, outputs.at(-1)!] : [packed], {
        ...model.testCfg,
        outputHeatmaps: false,
        batchDecode: true,
      }),
  };
}

/** The head's outputs and, where the codec has it, its `batchDecode` of them. */
async function outputsAndPacked(
  ctx: CaseContext,
  model: TopdownPoseEstimator,
  samples: readonly PoseDataSample[],
): Promise<NdArray[]> {
  const { data, shape } = ctx.inputs.input as NdArray;
  const x = transpose(data, shape, [0, 2, 3, 1]);
  const forward = (input: Tensor): Tensor[] => {
    const outputs = model.predictTensors(input as Tensor4D, samples);
    const decoder = model.head?.decoder;
    return decoder?.batchDecode ? [...outputs, decoder.batchDecode(...outputs)] : outputs;
  };
  const compiled = await runCompiled(ctx, x, forward);
  if (compiled) return compiled;
  const backend = await goldenBackend(ctx.backend);
  const before = tf.memory().numTensors;
  const tensors = backend.run(() => tf.tidy(() => forward(tf.tensor(x.data, [...x.shape]))));
  const outputs = await Promise.all(
    tensors.map(async (tensor) => ({ data: await readTensor(tensor), shape: tensor.shape })),
  );
  backend.run(() => tensors.forEach((tensor) => tensor.dispose()));
  const leaked = tf.memory().numTensors - before;
  if (leaked !== 0) throw new Error(`predict left ${leaked} tensors behind`);
  return outputs;
}

/**
 * For codecs with DARK or UDP refinement, 1 per keypoint whose coordinates are noise: the determinant that is inverted is small, or
 * the point moves visibly when the decoded heatmaps change by what a float32 network may be off. Null for other codecs.
 */
function unstable(
  codec: ConfigDict,
  decoder: KeypointCodec,
  heatmaps: NdArray | undefined,
  noise: number,
): number[] | null {
  const det = heatmaps ? hessianDet(codec, heatmaps) : null;
  if (!heatmaps || !det) return null;
  const moved = movement(decoder, heatmaps, networkTolerance('cpu', noise) * largest(heatmaps));
  return Array.from(det, (d, k) => (Math.abs(d) <= MIN_HESSIAN_DET || moved[k] > KEYPOINT_PX.abs / 2 ? 1 : 0));
}

function unstableOf(ctx: CaseContext, model: TopdownPoseEstimator, prediction: HeadPrediction): number[] | null {
  return unstable(codecOf(ctx), model.head!.decoder!, prediction.fields?.heatmaps, noiseOf(ctx));
}

function codecOf(ctx: CaseContext): ConfigDict {
  const { head } = ctx.params.config;
  return (head.pose_cfg ?? head).decoder;
}

/** The recorded gaps, and those of maps that are blurred before they are searched. */
function gapsOf(
  ctx: CaseContext,
  recorded: readonly Column[] | undefined,
  { fields }: HeadPrediction,
): readonly Column[] | undefined {
  const blurred = fields?.heatmaps ? blurredGap(codecOf(ctx), fields.heatmaps) : null;
  return blurred ? [...(recorded ?? []), { data: blurred, shape: [blurred.length] } as Column] : recorded;
}

/** Largest change of a coordinate over a few deterministic perturbations of the heatmaps, px, per keypoint. */
function movement(decoder: KeypointCodec, heatmaps: NdArray, amplitude: number): number[] {
  const decode = (data: Float32Array) => decoder.decode({ data, shape: heatmaps.shape }).keypoints;
  const { data: still, shape } = decode(heatmaps.data.slice());
  const moved = new Array<number>(shape[1]).fill(0);
  for (const name of ['a', 'b', 'c']) {
    const noise = uniform(`perturbation:${name}`, heatmaps.shape, -amplitude, amplitude).data;
    const { data } = decode(heatmaps.data.map((v, i) => v + noise[i]));
    for (let i = 0; i < data.length; i++) moved[i >> 1] = Math.max(moved[i >> 1], Math.abs(data[i] - still[i]));
  }
  return moved;
}

/**
 * Keypoints whose coordinates can be compared: 1 where the maximum beats the second best by more than what both may be off, where
 * its sign (a score of 0 or less means "not found") is certain, and where refinement does not amplify noise.
 *
 * @param scores - recorded, [K]
 * @param gaps - recorded, [K] per decoded map
 * @param skip - [K], 1 for points that `unstable` names
 */
export function comparableKeypoints(
  scores: Column,
  gaps: readonly Column[] | undefined,
  skip: readonly number[] | null,
  error: OutputError,
): number[] {
  return Array.from(scores.data as Float32Array, (score, k) => {
    if (skip?.[k]) return 0;
    if (!gaps) return 1;
    // Gaps are shares of the map's own maximum, at least |score|; the error is a share of the largest of all maps.
    const needed = 2 * Math.max(error.share, error.abs / Math.abs(score));
    const clear = gaps.every((gap) => (gap.data as Float32Array)[k] > needed);
    return clear && Math.abs(score) > error.abs ? 1 : 0;
  });
}

function compareInput(
  at: string,
  golden: GoldenInstances,
  found: HeadPrediction,
  keep: readonly number[],
  error: OutputError,
): Comparison[] {
  return [
    close(`${at} keypoints`, golden.keypoints, found.keypoints, KEYPOINT_PX, keep),
    close(`${at} scores`, golden.keypoint_scores, found.keypointScores, scoreTolerance(error)),
  ];
}

export function compareInstances(
  at: string,
  golden: GoldenInstances,
  found: InstanceData,
  keep: readonly number[],
  error: OutputError,
): Comparison[] {
  const visible = golden.keypoints_visible;
  return [
    close(`${at} keypoints`, golden.keypoints, found.keypoints, KEYPOINT_PX, keep),
    close(`${at} scores`, golden.keypoint_scores, found.keypointScores, scoreTolerance(error)),
    ...(visible ? [close(`${at} visible`, visible, found.keypointsVisible, scoreTolerance(error))] : []),
    ...(golden.bboxes ? [exact(`${at} bboxes`, golden.bboxes, found.bboxes)] : []),
    ...(golden.bbox_scores ? [exact(`${at} bbox_scores`, golden.bbox_scores, found.bboxScores)] : []),
  ];
}

function scoreTolerance(error: OutputError): Tolerance {
  return { abs: error.abs, rel: 0 };
}

interface GoldenFields {
  readonly test_cfg: Readonly<Record<string, unknown>>;
  readonly samples: readonly { readonly heatmaps: Column | GoldenSummary; readonly instances: GoldenInstances }[];
}

/** `output_heatmaps = true`: dense outputs, and the SimCC vectors that they are made of. */
async function compareFields(
  ctx: CaseContext,
  model: TopdownPoseEstimator,
  samples: readonly PoseDataSample[],
  error: OutputError,
): Promise<Comparison[]> {
  const { test_cfg, samples: golden } = ctx.fields as GoldenFields;
  const { results } = await predictWith(ctx, model, test_cfg, samples);
  const tolerance = scoreTolerance(error);
  return golden.flatMap(({ heatmaps, instances }, i) => {
    const { predInstances, predFields } = results[i];
    const { keypoint_x_labels: x, keypoint_y_labels: y } = instances;
    return [
      close(`fields[${i}] heatmaps`, heatmaps as NdArray, predFields!.heatmaps, tolerance),
      close(`fields[${i}] scores`, instances.keypoint_scores, predInstances!.keypointScores, tolerance),
      ...(x ? [close(`fields[${i}] x labels`, x, predInstances!.keypointXLabels!, tolerance)] : []),
      ...(y ? [close(`fields[${i}] y labels`, y, predInstances!.keypointYLabels!, tolerance)] : []),
    ];
  });
}

/** One person of an e2e case. */
export interface GoldenE2eInstance extends GoldenInstances {
  readonly input_center: NdArray;
  readonly input_scale: NdArray;
  readonly argmax_gap?: readonly Column[];
}

/** max|f32 - f64| / max|f64| of the networks of the e2e cases, which do not store it, as the group models has it. */
const E2E_NOISE = 1e-6;

/**
 * Persons of `inferenceTopdown`, one sample each; predFields where the codec refines.
 *
 * @param sameInput - false when this browser's JPEG decoder gave other pixels than OpenCV's
 */
export function compareE2eInstances(
  ctx: CaseContext,
  model: TopdownPoseEstimator,
  golden: readonly GoldenE2eInstance[],
  found: readonly PoseDataSample[],
  sameInput: boolean,
): Comparison[] {
  const share = Math.max(networkTolerance(ctx.backend, E2E_NOISE), sameInput ? 0 : JPEG_SHARE);
  const error = { share, abs: share * Math.max(...golden.map((person) => largest(person.keypoint_scores))) };
  const { decoder } = ctx.params.model.head;
  return golden.flatMap((person, i) => {
    const { predInstances, predFields, metainfo } = found[i];
    const skip = unstable(decoder, model.head!.decoder!, predFields?.heatmaps, E2E_NOISE);
    const keep = comparableKeypoints(person.keypoint_scores, person.argmax_gap, skip, error);
    return [
      close(`person ${i} input_center`, person.input_center.data, metainfo.inputCenter.data),
      close(`person ${i} input_scale`, person.input_scale.data, metainfo.inputScale.data),
      ...compareInstances(`person ${i}`, person, predInstances!, keep, error),
    ];
  });
}
