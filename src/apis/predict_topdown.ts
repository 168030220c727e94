/**
 * One picture and its person boxes through a top-down model: crop, normalise, network, read, decode, in batches of bounded size.
 */
import { readTime } from '../backend/readback.js';
import type { TransformResults } from '../datasets/transforms/base.js';
import { ConfigError } from '../errors.js';
import type { CompiledNetwork } from '../jit/compiler.js';
import type { TestCfg } from '../models/test_cfg.js';
import { row, zeros, type NdArray } from '../ndarray.js';
import type { Uint8Image } from '../models/data_preprocessors/data_preprocessor.js';
import type { TopdownPoseEstimator } from '../models/pose_estimators/index.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import { warpAffineTerms } from '../structures/warp_maps.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor4D } from '../tf.js';
import { checkBoxes, type BoxesLike, type BoxFormat, type PersonBoxes } from './boxes.js';
import type { Frame, FrameSource, Snapshot } from './frame.js';
import type { ModelJit, NetworkBatch } from './model_jit.js';
import { topdownPipeline, type TopdownPipeline } from './model_config.js';
import type { PoseModel } from './pose_model.js';
import { withTestCfg } from './with_test_cfg.js';

/** Where the time of one call went, ms. */
export interface Timings {
  /** Getting the picture's bytes. */
  frame: number;
  /** Finding everybody, with a detector; all of its work. */
  detect: number;
  /** Cropping and normalising, on the CPU; with a compiled network only finding where the crops lie. */
  crop: number;
  /** On wasm and cpu the network's computation; on a GPU only issuing its commands. */
  network: number;
  /** Reading the outputs; on a GPU including the wait for the network. */
  read: number;
  /** From outputs to keypoints in the picture, on the CPU. */
  decode: number;
  /** From the call to the result, waiting for earlier calls included. */
  total: number;
}

/** A fresh record, all zeros. */
export function noTimings(): Timings {
  return { frame: 0, detect: 0, crop: 0, network: 0, read: 0, decode: 0, total: 0 };
}

export interface PredictOptions {
  /** @default 'xyxy' */
  readonly bboxFormat?: BoxFormat;
  /** Replaces `test_cfg.flip_test` for this call. */
  readonly flipTest?: boolean;
  /** Replaces `test_cfg.output_heatmaps` for this call. */
  readonly outputHeatmaps?: boolean;
  /** Presentation time of the frame, ms. @default 0 */
  readonly timestamp?: number;
  readonly signal?: AbortSignal;
}

/** Persons per forward; twice as many pictures with a flip test. Larger batches only pay on GPUs, elsewhere they cost memory. */
const MAX_BATCH_GPU = 8;
const MAX_BATCH_CPU = 4;

const pipelines = new WeakMap<PoseModel, TopdownPipeline>();

/** The model's crop, read from its config once. */
export function pipelineOf(model: PoseModel): TopdownPipeline {
  let pipeline = pipelines.get(model);
  if (!pipeline) {
    pipeline = topdownPipeline(model.config);
    pipelines.set(model, pipeline);
  }
  return pipeline;
}

/** Whether the model's backend compiles shaders. */
export function runsOnGpu({ backend }: PoseModel): boolean {
  return backend.name === 'webgpu' || backend.name === 'webgl';
}

/** @throws ConfigError for a model that is not top-down */
export function requireTopdown(model: PoseModel): TopdownPoseEstimator {
  if ('decodeOutputs' in model.estimator) return model.estimator as TopdownPoseEstimator;
  throw new ConfigError(
    `model.type: ${String(model.config.model.type)} takes no person boxes; expected TopdownPoseEstimator, or use inferenceBottomup.`,
  );
}

/** What one call gives: a sample per box, in their order. */
export interface PictureResult {
  readonly samples: PoseDataSample[];
  /** px */
  readonly width: number;
  readonly height: number;
  readonly timings: Timings;
}

/** `inferenceTopdown`, with what else there is to know. The picture is read at once, the rest waits for its turn. */
export async function inferPicture(
  model: PoseModel,
  image: FrameSource,
  bboxes: BoxesLike | null | undefined,
  options: PredictOptions,
): Promise<PictureResult> {
  requireTopdown(model);
  const { bboxFormat = 'xyxy', signal } = options;
  return onPicture(model, image, signal, (picture, timings, issued) => {
    const boxes = checkBoxes(bboxes, bboxFormat, picture);
    return predictTopdown({ model, picture, boxes, options, timings, issued });
  });
}

/**
 * One call on a model: reads the picture at once, and gives it to `predict` when the call's turn comes.
 *
 * @param predict - fills in its share of the timings, and may call `issued` when only its results are missing
 */
export async function onPicture(
  model: PoseModel,
  image: FrameSource,
  signal: AbortSignal | undefined,
  predict: (picture: Picture, timings: Timings, issued: () => void) => Promise<PoseDataSample[]>,
): Promise<PictureResult> {
  const timings = noTimings();
  const start = performance.now();
  if (model.queue.closed) throw model.queue.closed;
  signal?.throwIfAborted();
  const reading = readPicture(model, image);
  reading.then(
    () => (timings.frame = performance.now() - start),
    () => {}, // until its turn comes, nobody else listens
  );
  const call = model.queue.run(async (issued) => {
    const picture = await reading;
    await model.revive();
    const samples = await predict(picture, timings, issued);
    timings.total = performance.now() - start;
    return { samples, width: picture.width, height: picture.height, timings };
  }, signal);
  return call.finally(() => reading.then(closePicture, () => {}));
}

/** Makes ready what the first call needs: compiles it and, where that costs little, runs it once on an empty picture. */
export async function warmUp(model: PoseModel, signal?: AbortSignal): Promise<void> {
  const [width, height] = pipelineOf(model).affine.inputSize;
  const empty = { data: new Uint8Array(width * height * 3), width, height, channels: 3 as const };
  if (!(await compileFirst(model, empty, signal))) await inferPicture(model, empty, null, { signal });
}

/** Without the run, on a software adapter; false where there is more to warm up than that. */
async function compileFirst(model: PoseModel, empty: Frame, signal?: AbortSignal): Promise<boolean> {
  const { jit } = model;
  if (!jit?.isSoftware || !jit.takesPictures) return false;
  return model.queue.run(async (issued) => {
    const picture = await model.frames.snapshot(empty);
    const boxes = checkBoxes(null, 'xyxy', picture);
    const call = { model, picture, boxes, options: { signal }, timings: noTimings(), issued };
    if (!(await planBatches(call, jit, testCfgFor(model, {})))) return false;
    await jit.prepareCrop();
    return true;
  }, signal);
}

/** Bytes on the CPU; or, where the GPU crops, what it can copy. */
export type Picture = Frame | Snapshot;

function readPicture(model: PoseModel, image: FrameSource): Promise<Picture> {
  const { frames, jit } = model;
  return jit?.takesPictures ? frames.snapshot(image, jit.copies) : frames.read(image);
}

function closePicture(picture: Picture): void {
  if (!('data' in picture)) picture.close();
}

/** What a call works on. */
interface Call {
  readonly model: PoseModel;
  readonly picture: Picture;
  readonly boxes: PersonBoxes;
  readonly options: PredictOptions;
  readonly timings: Timings;
  /** Lets the next call begin. */
  readonly issued: () => void;
}

async function predictTopdown(call: Call): Promise<PoseDataSample[]> {
  const { model, picture, boxes, options, timings } = call;
  if (boxes.bboxes.shape[0] === 0) return [];
  const fromPicture = await predictFromPicture(call);
  if (fromPicture) return fromPicture;
  const frame = 'data' in picture ? picture : model.frames.readSnapshot(picture);
  const results: PoseDataSample[] = [];
  for (const persons of batchesOf(model, boxes)) {
    options.signal?.throwIfAborted();
    results.push(...(await predictBatch(model, frame, boxes, persons, options, timings)));
  }
  return results;
}

/** Indices of the persons that go through the network together. */
function batchesOf(model: PoseModel, { bboxes }: PersonBoxes): number[][] {
  const count = bboxes.shape[0];
  const size = runsOnGpu(model) ? MAX_BATCH_GPU : MAX_BATCH_CPU;
  return Array.from({ length: Math.ceil(count / size) }, (_, i) =>
    Array.from({ length: Math.min(size, count - i * size) }, (_person, j) => i * size + j),
  );
}

/** The whole frame on the GPU: one command buffer, one read. null where that is not possible. */
async function predictFromPicture(call: Call): Promise<PoseDataSample[] | null> {
  const { model, picture, options, timings } = call;
  const { jit } = model;
  if (!jit || 'data' in picture || !jit.fits(picture)) return null;
  const testCfg = testCfgFor(model, options);
  const planned = await planBatches(call, jit, testCfg);
  if (!planned) return null;
  await jit.prepareCrop();
  options.signal?.throwIfAborted();
  const t1 = performance.now();
  const reading = jit.runPicture(picture, planned.batches);
  picture.close();
  call.issued();
  // While this waits, the next call may change the model's configuration, or load it anew on another device.
  const estimator = requireTopdown(model);
  const t2 = performance.now();
  const outputs = await reading;
  const t3 = performance.now();
  const predicted = withTestCfg(estimator, testCfg, () =>
    planned.samples.flatMap((samples, i) => estimator.decodeOutputs(outputs[i], samples)),
  );
  timings.network += t2 - t1;
  timings.read += t3 - t2;
  timings.decode += performance.now() - t3;
  return predicted.map(toPublicSample);
}

/** Where the crops lie, and the network of each batch; null when the model runs eagerly. */
async function planBatches(
  { model, picture, boxes, options, timings }: Call,
  jit: ModelJit,
  testCfg: TestCfg,
): Promise<{ batches: NetworkBatch[]; samples: PoseDataSample[][] } | null> {
  const { affine } = pipelineOf(model);
  const [width, height] = model.estimator.dataPreprocessor.paddedSize(affine.inputSize);
  const batches: NetworkBatch[] = [];
  const samples: PoseDataSample[][] = [];
  for (const persons of batchesOf(model, boxes)) {
    const t0 = performance.now();
    const placed = persons.map((person) => affine.place(centerScaleOf(model, boxes, person)));
    const own = placed.map((place, i) => sampleOf(model, picture, boxes, persons[i], place, options));
    const terms = placed.map(({ warpMat }) => warpAffineTerms(warpMat!, affine.inputSize));
    timings.crop += performance.now() - t0;
    const shape = batchShape([persons.length, height, width, 3]);
    const network = await jit.network(shape, repeatLast(own, shape[0]), testCfg);
    if (!network) return null;
    batches.push({ network, terms, batch: shape[0] });
    samples.push(own);
  }
  return { batches, samples };
}

async function predictBatch(
  model: PoseModel,
  frame: Frame,
  boxes: PersonBoxes,
  persons: readonly number[],
  options: PredictOptions,
  timings: Timings,
): Promise<PoseDataSample[]> {
  const t0 = performance.now();
  const crops = persons.map((person) => cropPerson(model, frame, boxes, person, options));
  const samples = crops.map(({ sample }) => sample);
  const { inputs } = model.estimator.dataPreprocessor.forward(crops.map(({ image }) => image));
  timings.crop += performance.now() - t0;
  const shape = batchShape(inputs.shape);
  const network = (await model.jit?.network(shape, repeatLast(samples, shape[0]), testCfgFor(model, options))) ?? null;
  const predict = network ? predictCompiled(model, network) : predictEagerly;
  return (await predict(model, inputs, samples, options, timings)).map(toPublicSample);
}

/** Normalised crops, [N, h, w, 3]. */
interface Inputs {
  readonly data: Float32Array;
  readonly shape: readonly number[];
}

type Predict = (
  model: PoseModel,
  inputs: Inputs,
  samples: readonly PoseDataSample[],
  options: PredictOptions,
  timings: Timings,
) => Promise<PoseDataSample[]>;

/** Through tfjs, operation by operation. */
const predictEagerly: Predict = async (model, inputs, samples, options, timings) => {
  const t1 = performance.now();
  const { outputs, read } = model.backend.run(() => forward(model, inputs, samples, options));
  const t2 = performance.now();
  const predicted = await read;
  const reading = Math.max(...outputs.map(readTime));
  timings.network += t2 - t1;
  timings.read += reading;
  timings.decode += Math.max(0, performance.now() - t2 - reading);
  return predicted;
};

/** Through the compiled network: one command buffer, one read. */
function predictCompiled(model: PoseModel, network: CompiledNetwork): Predict {
  return async (_model, { data, shape }, samples, options, timings) => {
    const t1 = performance.now();
    const batch = new Float32Array(batchShape(shape).reduce((a, b) => a * b, 1));
    batch.set(data);
    const reading = model.jit!.run(network, batch);
    const t2 = performance.now();
    const outputs = await reading;
    const t3 = performance.now();
    const estimator = requireTopdown(model);
    const own = outputs.map((output) => firstRows(output, samples.length));
    const predicted = withTestCfg(estimator, testCfgFor(model, options), () => estimator.decodeOutputs(own, samples));
    timings.network += t2 - t1;
    timings.read += t3 - t2;
    timings.decode += performance.now() - t3;
    return predicted;
  };
}

/** On GPUs each new batch size compiles its own network, so sizes are rounded up to a power of two. */
function batchShape([count, ...rest]: readonly number[]): number[] {
  return [2 ** Math.ceil(Math.log2(count)), ...rest];
}

/** Samples for a batch that was rounded up. */
function repeatLast(samples: readonly PoseDataSample[], count: number): PoseDataSample[] {
  return Array.from({ length: count }, (_, i) => samples[Math.min(i, samples.length - 1)]);
}

/** The first `count` entries along the first axis. */
function firstRows({ data, shape }: NdArray, count: number): NdArray {
  const size = data.length / shape[0];
  return { data: data.subarray(0, count * size), shape: [count, ...shape.slice(1)] };
}

/** The model's test configuration with what the call replaces of it. */
export function testCfgFor(model: PoseModel, options: PredictOptions): TestCfg {
  const { testCfg } = model;
  const { flipTest = testCfg.flipTest, outputHeatmaps = testCfg.outputHeatmaps } = options;
  return { ...testCfg, flipTest, outputHeatmaps, batchDecode: runsOnGpu(model) };
}

interface Crop {
  /** [h, w, 3] RGB */
  readonly image: Uint8Image;
  readonly sample: PoseDataSample;
}

/** GetBBoxCenterScale, TopdownAffine and PackPoseInputs for one person. */
function cropPerson(model: PoseModel, frame: Frame, boxes: PersonBoxes, person: number, options: PredictOptions): Crop {
  const { affine } = pipelineOf(model);
  const results = affine.transform({ ...centerScaleOf(model, boxes, person), img: frame });
  const [w, h] = affine.inputSize;
  const { data } = results.img as { data: Uint8Array };
  return { image: { data, shape: [h, w, 3] }, sample: sampleOf(model, frame, boxes, person, results, options) };
}

/** GetBBoxCenterScale. */
function centerScaleOf(model: PoseModel, boxes: PersonBoxes, person: number): TransformResults {
  const bbox = { data: row(boxes.bboxes, person).data.slice(), shape: [1, 4] };
  return pipelineOf(model).centerScale.transform({ bbox });
}

/** PackPoseInputs: what decoding needs to know of a crop. */
function sampleOf(
  model: PoseModel,
  { width, height }: Picture,
  boxes: PersonBoxes,
  person: number,
  { bbox, inputCenter, inputScale }: TransformResults,
  { timestamp = 0 }: PredictOptions,
): PoseDataSample {
  const metainfo = {
    imgShape: [height, width] as const,
    inputSize: pipelineOf(model).affine.inputSize,
    inputCenter: { data: inputCenter!.data, shape: [1, 2] },
    inputScale: { data: inputScale!.data, shape: [1, 2] },
    flipIndices: model.metainfo.flipIndices,
    timestamp,
  };
  const none = zeros([1, 0]);
  const bboxScores = { data: boxes.scores.data.slice(person, person + 1), shape: [1] };
  const empty = { keypoints: zeros([1, 0, 2]), keypointScores: none, keypointsVisible: none };
  return { metainfo, gtInstances: { bboxes: bbox!, bboxScores, ...empty } };
}

interface Forward {
  readonly outputs: readonly Tensor[];
  readonly read: Promise<PoseDataSample[]>;
}

/** The synchronous section: everything up to the start of the read. `read` disposes the outputs. */
function forward(
  model: PoseModel,
  inputs: Inputs,
  samples: readonly PoseDataSample[],
  options: PredictOptions,
): Forward {
  const estimator = requireTopdown(model);
  return withTestCfg(estimator, testCfgFor(model, options), () => {
    const outputs = tf.tidy(() => {
      const x = tf.tensor(inputs.data, inputs.shape as [number, number, number, number]) as Tensor4D;
      return padded(model, x, samples, (batch, batchSamples) => estimator.predictTensors(batch, batchSamples));
    });
    return { outputs, read: estimator.readPredictions(outputs, samples) };
  });
}

/**
 * On GPUs each new batch size compiles its own shaders, so sizes are rounded up to a power of two by repeating the last person.
 */
function padded(
  model: PoseModel,
  x: Tensor4D,
  samples: readonly PoseDataSample[],
  predict: (x: Tensor4D, samples: readonly PoseDataSample[]) => Tensor[],
): Tensor[] {
  const count = samples.length;
  const missing = runsOnGpu(model) ? batchShape([count])[0] - count : 0;
  if (missing === 0) return predict(x, samples);
  const last = tf.slice(x, [count - 1], [1]);
  const batch = tf.concat([x, ...Array.from({ length: missing }, () => last)]);
  return predict(batch, repeatLast(samples, count + missing)).map((output) => tf.slice(output, [0], [count]));
}

/** Keypoints that MMPose could not compute (NaN) leave the library as (0, 0) with score 0. */
export function toPublicSample({ metainfo, predInstances, predFields }: PoseDataSample): PoseDataSample {
  if (predInstances) {
    const { keypoints, keypointScores, keypointsVisible } = predInstances;
    const dims = keypoints.shape[2];
    for (let k = 0; k < keypointScores.data.length; k++) {
      const point = keypoints.data.subarray(k * dims, (k + 1) * dims);
      if (!point.some(Number.isNaN) && !Number.isNaN(keypointScores.data[k])) continue;
      point.fill(0);
      keypointScores.data[k] = 0;
      keypointsVisible.data[k] = 0;
    }
  }
  return { metainfo, ...(predInstances && { predInstances }), ...(predFields && { predFields }) };
}
