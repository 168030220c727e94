/** MMDetection's two functions (`mmdet/apis/inference.py`): load a detector, and run it on one picture. */
import { createBackend, type Backend, type BackendChoice } from '../backend/init.js';
import type { ByteSourceLike, Checkpoint } from '../checkpoint/index.js';
import { readConfig } from '../config.js';
import { InputError } from '../errors.js';
import { buildDetector } from '../models/detectors/build_detector.js';
import type { CompiledNetwork } from '../jit/compiler.js';
import type { RTMDet } from '../models/detectors/index.js';
import type { NdArray } from '../ndarray.js';
import { preparing } from '../nn/module.js';
import { inSlices } from '../slices.js';
import type { DetDataSample } from '../structures/det_data_sample.js';
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';
import { DetModel, type LivingDetector } from './det_model.js';
import { Letterbox, type Letterboxed } from './detector_config.js';
import type { Frame, FrameSource } from './frame.js';
import { INIT_OPTION_KEYS, isChoice, type InitModelOptions } from './inference.js';
import { configOf, explicitConfig, loadWeights, openModelFile, type ConfigSource } from './model_source.js';
import type { PoseConfig } from './model_config.js';
import type { NetworkJit } from './network_jit.js';
import { readTensor } from '../backend/readback.js';

export type InitDetectorOptions = Omit<InitModelOptions, 'metainfo'>;

const { metainfo: _metainfo, ...DETECTOR_OPTION_KEYS } = INIT_OPTION_KEYS;

/**
 * Loads a detector: any RTMDet of MMDetection.
 *
 * ```js
 * const detector = await initDetector(null, 'https://example.org/rtmdet_nano_person.pth');
 * const { predInstances } = await inferenceDetector(detector, document.querySelector('img'));
 * predInstances.bboxes; // { data: Float32Array, shape: [7, 4] }, best first
 * ```
 *
 * @param config - MMDetection's, with `test_pipeline`; null: it is in the checkpoint, or beside it
 * @param checkpoint - URL, Blob or File, or bytes of a `.pth` or `.safetensors`; null leaves all weights zero
 * @throws ConfigError, CheckpointError (all keys that do not fit at once), BackendError; or the signal's own reason
 */
export async function initDetector(
  config: ConfigSource,
  checkpoint: ByteSourceLike | null,
  options: InitDetectorOptions = {},
): Promise<DetModel> {
  readConfig(options as Record<string, unknown>, 'initDetector options', DETECTOR_OPTION_KEYS);
  const { signal, backend = 'auto', wasmPaths } = options;
  signal?.throwIfAborted();
  const explicit = await explicitConfig(config, options);
  const file = checkpoint === null ? null : await openModelFile(checkpoint, explicit, options);
  const fullConfig = configOf(explicit, file);
  const detector = await buildDetector(fullConfig.model);
  const letterbox = new Letterbox(fullConfig, Math.max(...detector.bbox_head.points.strides));
  const ownsBackend = isChoice(backend);
  const started = ownsBackend ? await createBackend(backend, { wasmPaths, signal }) : backend;
  try {
    const parts = { config: fullConfig, letterbox, classes: classesOf(file), ownsBackend };
    const living = await placeOn(started, detector, fullConfig, file, options);
    const reload = async () => {
      const again = await createBackend(backend as BackendChoice, { wasmPaths });
      return placeOn(again, await buildDetector(fullConfig.model), fullConfig, file, options);
    };
    return new DetModel({ ...parts, ...living, ...(ownsBackend && { reload }) });
  } catch (error) {
    if (ownsBackend) await started.dispose();
    throw error;
  }
}

/** MMDetection 3 writes `classes`, 2 wrote `CLASSES`. */
function classesOf(file: Checkpoint | null): readonly string[] | null {
  const { classes, CLASSES } = (file?.datasetMeta ?? file?.meta ?? {}) as Readonly<Record<string, unknown>>;
  const names = classes ?? CLASSES;
  return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : null;
}

async function placeOn(
  backend: Backend,
  detector: RTMDet,
  config: PoseConfig,
  file: Checkpoint | null,
  options: InitDetectorOptions,
): Promise<LivingDetector> {
  const jit = await jitFor(backend, options);
  try {
    if (file) await loadWeights(detector, config, file, options);
    options.signal?.throwIfAborted();
    await inSlices(preparing(detector), (slice) => backend.run(slice));
    return { network: detector, backend, jit };
  } catch (error) {
    detector.dispose();
    throw error;
  }
}

async function jitFor(
  backend: Backend,
  { jit = true, tune, fp16, onProgress }: InitDetectorOptions,
): Promise<NetworkJit | null> {
  if (!jit || backend.name !== 'webgpu') return null;
  const { NetworkJit } = await import('./network_jit.js');
  const onCompile = onProgress && ((loaded: number, total: number) => onProgress({ stage: 'compile', loaded, total }));
  return new NetworkJit(backend, { tune, fp16, onCompile });
}

export interface InferenceDetectorOptions {
  /** Boxes above this; the config's `test_cfg.score_thr` where that is higher. @default 0 */
  readonly scoreThr?: number;
  /** Presentation time of the frame, ms. @default 0 */
  readonly timestamp?: number;
  readonly signal?: AbortSignal;
}

const INFERENCE_KEYS = { scoreThr: undefined, timestamp: undefined, signal: undefined };

/**
 * Boxes in one picture, of all classes, best first. The picture is read when this is called; calls on the same model run one after
 * the other.
 *
 * @throws InputError for an unusable picture, BackendError when the GPU fails or the model is disposed meanwhile
 */
export async function inferenceDetector(
  model: DetModel,
  image: FrameSource,
  options: InferenceDetectorOptions = {},
): Promise<DetDataSample> {
  readConfig(options as Record<string, unknown>, 'inferenceDetector options', INFERENCE_KEYS);
  const { scoreThr = 0, timestamp = 0, signal } = options;
  if (!(scoreThr >= 0 && scoreThr <= 1)) {
    throw new InputError(`inferenceDetector options.scoreThr: found ${scoreThr}; expected a number from 0 to 1.`);
  }
  if (model.queue.closed) throw model.queue.closed;
  signal?.throwIfAborted();
  const reading = model.frames.read(image);
  reading.catch(() => {}); // until its turn comes, nobody else listens
  return model.queue.run(async () => {
    const frame = await reading;
    await model.revive();
    const placed = model.letterbox.transform(frame);
    const output = await runNetwork(model, placed);
    const [predInstances] = model.detector.decodeOutput(output, [placed], scoreThr);
    const { inputSize, scaleFactor } = placed;
    return { metainfo: { imgShape: [frame.height, frame.width], inputSize, scaleFactor, timestamp }, predInstances };
  }, signal);
}

/** [1, P, classes + 4] */
async function runNetwork(model: DetModel, { image, inputSize }: Letterboxed): Promise<NdArray> {
  const { inputs } = model.detector.dataPreprocessor.forward([image]);
  const network = await compiledFor(model, inputSize);
  if (network) return (await model.jit!.run(network, inputs.data))[0];
  const output = model.backend.run(() => {
    const x: Tensor4D = tf.tensor(inputs.data, inputs.shape as Tensor4D['shape']);
    const result = model.detector.forward(x);
    x.dispose();
    return { tensor: result, read: readTensor(result) };
  });
  try {
    return { data: await output.read, shape: output.tensor.shape };
  } finally {
    output.tensor.dispose();
  }
}

/** The network for one picture of this size; null when the detector runs eagerly. Sizes differ where the pipeline pads to none. */
async function compiledFor(
  { jit, detector }: DetModel,
  [w, h]: readonly [w: number, h: number],
): Promise<CompiledNetwork | null> {
  if (!jit) return null;
  return jit.network(`${w} ${h}`, [1, h, w, 3], (x) => [detector.forward(x as Tensor4D)]);
}

/** Makes ready what the first call needs: compiles it and, where that costs little, runs it once on an empty picture. */
export async function warmUpDetector(model: DetModel, signal?: AbortSignal): Promise<void> {
  const { inputSize } = model.letterbox;
  if (model.jit?.isSoftware && (await compiledFor(model, inputSize))) return;
  const [width, height] = inputSize;
  const empty: Frame = { data: new Uint8Array(width * height * 3), width, height, channels: 3 };
  await inferenceDetector(model, empty, { signal });
}
