/** One whole picture through a bottom-up model: resize, normalise, network, read, decode. */
import { readTensor } from '../backend/readback.js';
import { InputError } from '../errors.js';
import type { BottomupResize } from '../datasets/transforms/bottomup_transforms.js';
import type { PixelImage } from '../datasets/transforms/warp_affine.js';
import type { BottomupPoseEstimator } from '../models/pose_estimators/index.js';
import type { NdArray } from '../ndarray.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import type { Frame, FrameSource } from './frame.js';
import { bottomupResize } from './model_config.js';
import type { PoseModel } from './pose_model.js';
import { noTimings, testCfgFor, toPublicSample, type PictureResult, type PredictOptions } from './predict_topdown.js';
import { withTestCfg } from './with_test_cfg.js';

export type WholePictureOptions = Omit<PredictOptions, 'bboxFormat'>;

const resizes = new WeakMap<PoseModel, BottomupResize>();

/** The model's resize step, read from its config once. */
export function resizeOf(model: PoseModel): BottomupResize {
  let resize = resizes.get(model);
  if (!resize) resizes.set(model, (resize = bottomupResize(model.config)));
  return resize;
}

/** Whether the model finds everybody in a picture by itself. */
export function isBottomup(model: PoseModel): boolean {
  return 'decodePictures' in model.estimator;
}

/** @throws InputError when boxes, or something that finds boxes, are among the options of a bottom-up model */
export function refuseBoxes(model: PoseModel, options: Readonly<Record<string, unknown>>): void {
  for (const key of ['bboxes', 'bboxFormat', 'tracker']) {
    if (options[key] === undefined || options[key] === null) continue;
    const type = String(model.config.model.type);
    throw new InputError(
      `infer options: found ${key} for a model of type ${type}, which looks at the whole picture and finds everybody in it; leave ${key} out.`,
    );
  }
}

/** `inferenceBottomup`, with what else there is to know. The picture is read at once, the rest waits for its turn. */
export async function inferWholePicture(
  model: PoseModel,
  image: FrameSource,
  options: WholePictureOptions,
): Promise<PictureResult> {
  const { signal } = options;
  const timings = noTimings();
  const start = performance.now();
  if (model.queue.closed) throw model.queue.closed;
  signal?.throwIfAborted();
  const reading = model.frames.read(image);
  reading.then(
    () => (timings.frame = performance.now() - start),
    () => {}, // until its turn comes, nobody else listens
  );
  return model.queue.run(async (issued) => {
    const frame = await reading;
    await model.revive();
    const sample = await predictPicture({ model, frame, options, timings, issued });
    timings.total = performance.now() - start;
    return { samples: [sample], width: frame.width, height: frame.height, timings };
  }, signal);
}

/** What a call works on. */
interface Call {
  readonly model: PoseModel;
  readonly frame: Frame;
  readonly options: WholePictureOptions;
  readonly timings: PictureResult['timings'];
  /** Lets the next call begin. */
  readonly issued: () => void;
}

async function predictPicture(call: Call): Promise<PoseDataSample> {
  const { model, options, timings } = call;
  const t0 = performance.now();
  const { image, sample } = resized(call);
  const { inputs } = model.estimator.dataPreprocessor.forward([image]);
  timings.crop += performance.now() - t0;
  const testCfg = testCfgFor(model, options);
  const network = (await model.jit?.network(inputs.shape, [sample], testCfg)) ?? null;
  options.signal?.throwIfAborted();
  // While this waits, the next call may load the model anew on another device.
  const { backend } = model;
  const estimator = model.estimator as BottomupPoseEstimator;
  const t1 = performance.now();
  const reading = network ? model.jit!.run(network, inputs.data) : runEagerly(call, inputs, sample);
  if (network) call.issued();
  const t2 = performance.now();
  const outputs = await reading;
  const t3 = performance.now();
  const results = await estimator.decodePictures(outputs, [sample], (section) => backend.run(section), testCfg);
  timings.network += t2 - t1;
  timings.read += t3 - t2;
  timings.decode += performance.now() - t3;
  return toPublicSample(results[0]);
}

/** Through tfjs, operation by operation; everything is issued before this returns. */
function runEagerly({ model, options }: Call, { data, shape }: NdArray, sample: PoseDataSample): Promise<NdArray[]> {
  const estimator = model.estimator as BottomupPoseEstimator;
  const { outputs, reads } = model.backend.run(() =>
    withTestCfg(estimator, testCfgFor(model, options), () => {
      const outputs = tf.tidy(() => {
        const x = tf.tensor(data, shape as [number, number, number, number]) as Tensor4D;
        return estimator.predictTensors(x, [sample]);
      });
      // All reads start here, while the model's backend is still the active one.
      return { outputs, reads: outputs.map((output) => readTensor(output)) };
    }),
  );
  return Promise.all(reads)
    .then((arrays) => arrays.map((values, i) => ({ data: values, shape: outputs[i].shape })))
    .finally(() => outputs.forEach((output) => output.dispose()));
}

/** BottomupResize and PackPoseInputs. */
function resized({ model, frame, options }: Call): { image: NdArray<Uint8Array>; sample: PoseDataSample } {
  const results = resizeOf(model).transform({ img: frame });
  const { data, width, height } = results.img as PixelImage;
  const metainfo = {
    imgShape: [frame.height, frame.width] as const,
    inputSize: results.inputSize!,
    inputCenter: { data: results.inputCenter!.data, shape: [1, 2] },
    inputScale: { data: results.inputScale!.data, shape: [1, 2] },
    flipIndices: model.metainfo.flipIndices,
    timestamp: options.timestamp ?? 0,
  };
  return { image: { data: data as Uint8Array, shape: [height, width, 3] }, sample: { metainfo } };
}

/** Makes ready what the first call needs: compiles it and, where that costs little, runs it once on an empty picture. */
export async function warmUpWhole(model: PoseModel, signal?: AbortSignal): Promise<void> {
  const [width, height] = resizeOf(model).inputSize;
  const frame = { data: new Uint8Array(width * height * 3), width, height, channels: 3 as const };
  const { jit } = model;
  if (!jit?.isSoftware) return void (await inferWholePicture(model, frame, { signal }));
  const options = { signal };
  await model.queue.run(async (issued) => {
    const { image, sample } = resized({ model, frame, options, timings: noTimings(), issued });
    const { inputs } = model.estimator.dataPreprocessor.forward([image]);
    await jit.network(inputs.shape, [sample], testCfgFor(model, options));
  }, signal);
}
