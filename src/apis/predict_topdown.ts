/**
 * One picture and its person boxes through a top-down model: crop, normalise, network, read, decode, in batches of bounded size.
 */
import { readTime } from '../backend/readback.js';
import { ConfigError } from '../errors.js';
import type { CompiledNetwork } from '../jit/compiler.js';
import type { TestCfg } from '../models/test_cfg.js';
import { row, zeros, type NdArray } from '../ndarray.js';
import type { Uint8Image } from '../models/data_preprocessors/data_preprocessor.js';
import type { TopdownPoseEstimator } from '../models/pose_estimators/index.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor4D } from '../tf.js';
import { checkBoxes, type BoxesLike, type BoxFormat, type PersonBoxes } from './boxes.js';
import type { Frame, FrameSource } from './frame.js';
import { topdownPipeline, type TopdownPipeline } from './model_config.js';
import type { PoseModel } from './pose_model.js';
import { withTestCfg } from './with_test_cfg.js';

/** Where the time of one call went, ms. */
export interface Timings {
  /** Getting the picture's bytes. */
  frame: number;
  /** Cropping and normalising, on the CPU. */
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
  return { frame: 0, crop: 0, network: 0, read: 0, decode: 0, total: 0 };
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
  if ('predictTensors' in model.estimator) return model.estimator as TopdownPoseEstimator;
  throw new ConfigError(
    `model.type: ${String(model.config.model.type)} takes no person boxes; expected TopdownPoseEstimator.`,
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
  const timings = noTimings();
  const start = performance.now();
  if (model.queue.closed) throw model.queue.closed;
  signal?.throwIfAborted();
  const reading = model.frames.read(image);
  reading.then(
    () => (timings.frame = performance.now() - start),
    () => {}, // until its turn comes, nobody else listens
  );
  return model.queue.run(async () => {
    const frame = await reading;
    await model.revive();
    const samples = await predictTopdown(model, frame, checkBoxes(bboxes, bboxFormat, frame), options, timings);
    timings.total = performance.now() - start;
    return { samples, width: frame.width, height: frame.height, timings };
  }, signal);
}

async function predictTopdown(
  model: PoseModel,
  frame: Frame,
  boxes: PersonBoxes,
  options: PredictOptions,
  timings: Timings,
): Promise<PoseDataSample[]> {
  const results: PoseDataSample[] = [];
  const count = boxes.bboxes.shape[0];
  const maxBatch = runsOnGpu(model) ? MAX_BATCH_GPU : MAX_BATCH_CPU;
  for (let start = 0; start < count; start += maxBatch) {
    options.signal?.throwIfAborted();
    const persons = Array.from({ length: Math.min(maxBatch, count - start) }, (_, i) => start + i);
    results.push(...(await predictBatch(model, frame, boxes, persons, options, timings)));
  }
  return results;
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
  const crops = persons.map((person) => cropPerson(model, frame, boxes, person, options.timestamp ?? 0));
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

function testCfgFor(model: PoseModel, options: PredictOptions): TestCfg {
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
function cropPerson(model: PoseModel, frame: Frame, boxes: PersonBoxes, person: number, timestamp: number): Crop {
  const { centerScale, affine } = pipelineOf(model);
  const bboxes = { data: row(boxes.bboxes, person).data.slice(), shape: [1, 4] };
  const bboxScores = { data: boxes.scores.data.slice(person, person + 1), shape: [1] };
  const { img, inputCenter, inputScale } = affine.transform(centerScale.transform({ img: frame, bbox: bboxes }));
  const { inputSize } = affine;
  const [w, h] = inputSize;
  const { data } = img as { data: Uint8Array };
  const metainfo = {
    imgShape: [frame.height, frame.width] as const,
    inputSize,
    inputCenter: { data: inputCenter!.data, shape: [1, 2] },
    inputScale: { data: inputScale!.data, shape: [1, 2] },
    flipIndices: model.metainfo.flipIndices,
    timestamp,
  };
  const none = zeros([1, 0]);
  const gtInstances = { bboxes, bboxScores, keypoints: zeros([1, 0, 2]), keypointScores: none, keypointsVisible: none };
  return { image: { data, shape: [h, w, 3] }, sample: { metainfo, gtInstances } };
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
function toPublicSample({ metainfo, predInstances, predFields }: PoseDataSample): PoseDataSample {
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
