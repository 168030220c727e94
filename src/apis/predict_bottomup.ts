/** One whole picture through a bottom-up model: resize, normalise, network, read, decode. */
import { readTensor } from '../backend/readback.js';
import { InputError } from '../errors.js';
import type { PixelImage } from '../datasets/transforms/warp_affine.js';
import type { CompiledNetwork } from '../jit/compiler.js';
import type { BottomupHead, PictureBackend } from '../models/heads/bottomup_head.js';
import type { BottomupPoseEstimator } from '../models/pose_estimators/index.js';
import type { NdArray } from '../ndarray.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import { warpAffineTerms } from '../structures/warp_maps.js';
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import type { FrameSource } from './frame.js';
import { bottomupResize, type PictureResize } from './model_config.js';
import type { PoseModel } from './pose_model.js';
import {
  noTimings,
  onPicture,
  testCfgFor,
  toPublicSample,
  type Picture,
  type PictureResult,
  type PredictOptions,
} from './predict_topdown.js';
import { withTestCfg } from './with_test_cfg.js';

export type WholePictureOptions = Omit<PredictOptions, 'bboxFormat'>;

const resizes = new WeakMap<PoseModel, PictureResize>();

/** The model's resize step, read from its config once. */
export function resizeOf(model: PoseModel): PictureResize {
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
export function inferWholePicture(
  model: PoseModel,
  image: FrameSource,
  options: WholePictureOptions,
): Promise<PictureResult> {
  return onPicture(model, image, options.signal, async (picture, timings, issued) => [
    await predictPicture({ model, picture, options, timings, issued }),
  ]);
}

/** What a call works on. */
interface Call {
  readonly model: PoseModel;
  readonly picture: Picture;
  readonly options: WholePictureOptions;
  readonly timings: PictureResult['timings'];
  /** Lets the next call begin. */
  readonly issued: () => void;
}

/** What is known of a picture before it is looked at. */
interface Placed {
  readonly sample: PoseDataSample;
  /** Absent where resizing is no affine map of single pixels: then it happens on the CPU. */
  readonly warpMat?: Float64Array;
}

async function predictPicture(call: Call): Promise<PoseDataSample> {
  const { model, options, timings } = call;
  const placed = place(call);
  const testCfg = testCfgFor(model, options);
  const [width, height] = model.estimator.dataPreprocessor.paddedSize(placed.sample.metainfo.inputSize);
  const network = (await model.jit?.network([1, height, width, 3], [placed.sample], testCfg)) ?? null;
  const start = await startOf(call, network, placed);
  options.signal?.throwIfAborted();
  // While this waits, the next call may load the model anew on another device.
  const backend = backendOf(model);
  const estimator = model.estimator as BottomupPoseEstimator;
  const t1 = performance.now();
  const reading = start();
  if (network) call.issued();
  const t2 = performance.now();
  const outputs = await reading;
  const t3 = performance.now();
  const results = await estimator.decodePictures(outputs, [placed.sample], backend, testCfg);
  timings.network += t2 - t1;
  timings.read += t3 - t2;
  timings.decode += performance.now() - t3;
  return toPublicSample(results[0]);
}

/** What decoding needs of the model's backend. */
function backendOf({ backend, jit }: PoseModel): PictureBackend {
  return {
    run: (section) => backend.run(section),
    ...(jit && { compiled: (name, shape, forward) => jit.part(name, shape, forward) }),
  };
}

/** The resize step, as far as it does not need the pixels, and PackPoseInputs. */
function place({ model, picture: { width, height }, options }: Call): Placed {
  const { inputSize, inputCenter, inputScale, warpMat } = resizeOf(model).place([width, height]);
  const metainfo = {
    imgShape: [height, width] as const,
    inputSize,
    inputCenter: { data: inputCenter.data, shape: [1, 2] },
    inputScale: { data: inputScale.data, shape: [1, 2] },
    flipIndices: model.metainfo.flipIndices,
    skeletonLinks: model.metainfo.skeletonLinks,
    timestamp: options.timestamp ?? 0,
  };
  return { sample: { metainfo }, warpMat };
}

/** What issues the network's work, when everything is ready: from the picture on the GPU where that is possible, else from its bytes. */
async function startOf(call: Call, network: CompiledNetwork | null, placed: Placed): Promise<() => Promise<NdArray[]>> {
  const { model, picture, timings } = call;
  const { jit } = model;
  const { inputSize } = placed.sample.metainfo;
  if (network && placed.warpMat && !('data' in picture) && jit!.fits(picture)) {
    await jit!.prepareCrop(inputSize);
    const terms = [warpAffineTerms(placed.warpMat, inputSize)];
    return () => {
      const reading = jit!.runPicture(picture, [{ network, terms, batch: 1 }]).then(([outputs]) => outputs);
      picture.close();
      return reading;
    };
  }
  const t0 = performance.now();
  const frame = 'data' in picture ? picture : model.frames.readSnapshot(picture);
  const { data, width, height } = resizeOf(model).transform({ img: frame }).img as PixelImage;
  const image = { data: data as Uint8Array, shape: [height, width, 3] };
  const { inputs } = model.estimator.dataPreprocessor.forward([image]);
  timings.crop += performance.now() - t0;
  return () => (network ? jit!.run(network, inputs.data) : runEagerly(call, inputs, placed.sample));
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

/** Makes ready what the first call needs: compiles it and, where that costs little, runs it once on an empty picture. */
export async function warmUpWhole(model: PoseModel, signal?: AbortSignal): Promise<void> {
  const [width, height] = resizeOf(model).inputSize;
  const picture = { data: new Uint8Array(width * height * 3), width, height, channels: 3 as const };
  const { jit } = model;
  if (!jit?.isSoftware) {
    await inferWholePicture(model, picture, { signal });
    const { head } = model.estimator as BottomupPoseEstimator;
    return model.queue.run(() => (head as BottomupHead).warmUp(backendOf(model)), signal);
  }
  const options = { signal };
  await model.queue.run(async (issued) => {
    const { sample, warpMat } = place({ model, picture, options, timings: noTimings(), issued });
    const [w, h] = model.estimator.dataPreprocessor.paddedSize(sample.metainfo.inputSize);
    await jit.network([1, h, w, 3], [sample], testCfgFor(model, options));
    if (warpMat) await jit.prepareCrop(sample.metainfo.inputSize);
  }, signal);
}
