/** MMPose's two functions (`mmpose/apis/inference.py`): load a model, and run it on one picture. */
import { createBackend, type Backend, type BackendChoice, type BackendOptions } from '../backend/init.js';
import type { ByteSourceLike, Checkpoint, Fetch, WholeConfig } from '../checkpoint/index.js';
import { readConfig } from '../config.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import { ConfigError } from '../errors.js';
import { buildPoseEstimator } from '../models/builder.js';
import type { BasePoseEstimator } from '../models/pose_estimators/index.js';
import { preparing } from '../nn/module.js';
import { inSlices } from '../slices.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import type { BoxesLike } from './boxes.js';
import { defaultCheckpoint } from './default_model.js';
import type { FrameSource } from './frame.js';
import {
  bottomupResize,
  findMetainfo,
  metainfoMismatch,
  outputMetainfo,
  topdownPipeline,
  type MetainfoSource,
  type PoseConfig,
} from './model_config.js';
import type { CompilableEstimator, ModelJit } from './model_jit.js';
import {
  configOf,
  explicitConfig,
  loadWeights,
  openModelFile,
  type ConfigSource,
  type LoadProgress,
} from './model_source.js';
import { PoseModel, type LivingPoseModel } from './pose_model.js';
import { inferWholePicture, isBottomup, type WholePictureOptions } from './predict_bottomup.js';
import { inferPicture, type PredictOptions, type Timings } from './predict_topdown.js';

export type { ConfigSource, LoadProgress } from './model_source.js';

export interface InitModelOptions {
  /** A name, names of which the best is taken, or a backend of your own, which then outlives the model. @default 'auto' */
  readonly backend?: BackendChoice | Backend;
  /** Where tfjs's `.wasm` files are, if not beside the library's own. */
  readonly wasmPaths?: BackendOptions['wasmPaths'];
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Keypoints of the dataset, if neither checkpoint nor config says, or both are wrong. */
  readonly metainfo?: MetainfoSource;
  /** Used in place of the page's `fetch`. */
  readonly fetch?: Fetch;
  /** The `NAME.config.json` of a checkpoint that holds no config, where it cannot be fetched: a picked File has no neighbours. */
  readonly sidecar?: Blob | WholeConfig | string;
  /** On WebGPU, compile the network into one command list. @default true */
  readonly jit?: boolean;
  /** There, time variants of kernels in idle time after the first result, and keep the fastest. @default true */
  readonly tune?: boolean;
  /** There, keep the filters of convolutions as 16-bit floats: half the memory, keypoints a little off. @default false */
  readonly fp16?: boolean;
}

/** Names of `InitModelOptions`, for `readConfig`. */
export const INIT_OPTION_KEYS = {
  backend: undefined,
  wasmPaths: undefined,
  onProgress: undefined,
  signal: undefined,
  metainfo: undefined,
  fetch: undefined,
  sidecar: undefined,
  jit: undefined,
  tune: undefined,
  fp16: undefined,
};

/**
 * Loads a model. Without arguments it is the one that comes with the package.
 *
 * ```js
 * const model = await initModel(null, 'https://example.org/hrnet.safetensors', { backend: 'auto' });
 * const [person] = await inferenceTopdown(model, document.querySelector('img'), [[12, 30, 200, 410]]);
 * person.predInstances.keypoints; // { data: Float32Array, shape: [1, 17, 2] }
 * ```
 *
 * @param checkpoint - URL, Blob or File, or bytes of a `.pth` or `.safetensors`; null leaves all weights zero; left out: the default
 *   model, or with a config zero weights
 * @throws ConfigError, CheckpointError (all keys that do not fit at once), BackendError; or the signal's own reason
 */
export async function initModel(
  config?: ConfigSource,
  checkpoint?: ByteSourceLike | null,
  options: InitModelOptions = {},
): Promise<PoseModel> {
  readConfig(options as Record<string, unknown>, 'initModel options', INIT_OPTION_KEYS);
  const { signal } = options;
  signal?.throwIfAborted();
  const isDefault = checkpoint === undefined && (config === undefined || config === null);
  // The default model is at hand, and is read meanwhile.
  const early = isDefault ? defaultCheckpoint(options.fetch).then((file) => readWhole(file, options)) : null;
  early?.catch(() => {}); // until it is waited for
  // First, since it fails before anything large is downloaded.
  const { backend = 'auto', wasmPaths } = options;
  const ownsBackend = isChoice(backend);
  const started = ownsBackend ? await createBackend(backend, { wasmPaths, signal }) : backend;
  try {
    const model = await (early ?? read(config ?? null, checkpoint ?? null, options));
    return await loadOn(started, ownsBackend, model, options);
  } catch (error) {
    if (ownsBackend) await started.dispose();
    throw error;
  }
}

export function isChoice(backend: BackendChoice | Backend): backend is BackendChoice {
  return typeof backend === 'string' || Array.isArray(backend);
}

/** What a model is before it lies on a backend. */
interface UnplacedModel {
  /** Otherwise the weights are still in the file. */
  readonly hasWeights?: boolean;
  readonly file: Checkpoint | null;
  readonly config: PoseConfig;
  readonly build: () => Promise<BasePoseEstimator>;
  readonly estimator: BasePoseEstimator;
  readonly metainfo: PoseMetaInfo;
  readonly notices: readonly string[];
}

async function read(
  config: ConfigSource,
  checkpoint: ByteSourceLike | null,
  options: InitModelOptions,
): Promise<UnplacedModel> {
  const notices: string[] = [];
  const explicit = await explicitConfig(config, options);
  const file = checkpoint === null ? null : await openModelFile(checkpoint, explicit, options);
  const fullConfig = configOf(explicit, file);
  if (file?.configOrigin === 'published')
    notices.push(`${file.name} has no config; MMPose's config of the published model of this name is used.`);
  const ofNetwork = await findMetainfo(options.metainfo, file?.datasetMeta, fullConfig, notices);
  const metainfo = outputMetainfo(fullConfig, ofNetwork);
  // What a flip test mirrors are the network's keypoints, also those that do not come out.
  const build = () => buildPoseEstimator(fullConfig.model, { metainfo: metainfo === ofNetwork ? null : ofNetwork });
  const estimator = await build();
  const mismatch = metainfoMismatch(fullConfig, ofNetwork);
  if (mismatch)
    throw new ConfigError(`metainfo: ${mismatch}; pass the option metainfo with the model's own keypoints.`);
  return { file, config: fullConfig, build, estimator, metainfo, notices };
}

/** With its weights, on the host. */
async function readWhole(checkpoint: ByteSourceLike, options: InitModelOptions): Promise<UnplacedModel> {
  const model = await read(null, checkpoint, options);
  await loadWeights(model.estimator, model.config, model.file!, options);
  return { ...model, hasWeights: true };
}

async function loadOn(
  backend: Backend,
  ownsBackend: boolean,
  { hasWeights, file, config: fullConfig, build, estimator, metainfo, notices }: UnplacedModel,
  options: InitModelOptions,
): Promise<PoseModel> {
  const load = (network: BasePoseEstimator, on: Backend, weights = file) =>
    placeOn(on, network, fullConfig, weights, options);
  const { backend: choice = 'auto', wasmPaths } = options;
  const reload = async () => {
    const again = await createBackend(choice as BackendChoice, { wasmPaths });
    return load(await build(), again);
  };
  const parts = { config: fullConfig, metainfo, ownsBackend, notices, ...(ownsBackend && { reload }) };
  inputSizeOf(estimator, fullConfig); // a pipeline's mistakes come before the download of weights
  return new PoseModel({ ...parts, ...(await load(estimator, backend, hasWeights ? null : file)) });
}

/** Weights into an estimator, unless it has them, and the estimator onto a backend. */
async function placeOn(
  backend: Backend,
  estimator: BasePoseEstimator,
  config: PoseConfig,
  file: Checkpoint | null,
  options: InitModelOptions,
): Promise<LivingPoseModel> {
  const jit = await jitFor(backend, estimator, config, options);
  if (file) await loadWeights(estimator, config, file, options);
  options.signal?.throwIfAborted();
  try {
    await inSlices(preparing(estimator), (slice) => backend.run(slice));
    return { network: estimator, backend, jit };
  } catch (error) {
    estimator.dispose();
    throw error;
  }
}

/** What the test pipeline makes of pictures, px; null for estimators from outside. */
function inputSizeOf(estimator: BasePoseEstimator, config: PoseConfig): readonly [w: number, h: number] | null {
  if ('decodePictures' in estimator) return bottomupResize(config).inputSize;
  return 'decodeOutputs' in estimator ? topdownPipeline(config).affine.inputSize : null;
}

/** The compiled form; only WebGPU has one, so only there its code is loaded. */
async function jitFor(
  backend: Backend,
  estimator: BasePoseEstimator,
  config: PoseConfig,
  { jit = true, tune, fp16, onProgress }: InitModelOptions,
): Promise<ModelJit | null> {
  if (!jit || backend.name !== 'webgpu' || !('predictTensors' in estimator)) return null;
  const { ModelJit } = await import('./model_jit.js');
  return new ModelJit(backend, estimator as CompilableEstimator, {
    cropSize: inputSizeOf(estimator, config)!,
    ...('decodePictures' in estimator && { border: bottomupResize(config).padVal }),
    tune,
    fp16,
    onCompile: onProgress && ((loaded, total) => onProgress({ stage: 'compile', loaded, total })),
  });
}

export interface InferenceTopdownOptions extends PredictOptions {
  /** Filled in with where the time went. */
  readonly timings?: Timings;
}

const INFERENCE_KEYS = {
  bboxFormat: undefined,
  timings: undefined,
  flipTest: undefined,
  outputHeatmaps: undefined,
  timestamp: undefined,
  signal: undefined,
};

/**
 * Poses in one picture, one sample per box and in the boxes' order. The picture is read when this is called, so a video may go
 * on and a canvas may be drawn over; calls on the same model run one after the other.
 *
 * @param bboxes - px, image space, rows of 4 or (with a score) 5; left out: the whole picture; an empty list: no persons
 * @throws InputError for an unusable picture or box, BackendError when the GPU fails or the model is disposed meanwhile
 */
export async function inferenceTopdown(
  model: PoseModel,
  image: FrameSource,
  bboxes?: BoxesLike | null,
  options: InferenceTopdownOptions = {},
): Promise<PoseDataSample[]> {
  readConfig(options as Record<string, unknown>, 'inferenceTopdown options', INFERENCE_KEYS);
  const { samples, timings } = await inferPicture(model, image, bboxes, options);
  if (options.timings) Object.assign(options.timings, timings);
  return samples;
}

export interface InferenceBottomupOptions extends WholePictureOptions {
  /** Filled in with where the time went. */
  readonly timings?: Timings;
}

/**
 * Poses of everybody in one picture, by a model that needs no boxes: one sample, in a list as MMPose has it. The picture is read when
 * this is called; calls on the same model run one after the other.
 *
 * ```js
 * const model = await initModel(null, 'https://example.org/rtmo-s.safetensors');
 * const [sample] = await inferenceBottomup(model, document.querySelector('img'));
 * sample.predInstances.keypoints; // { data: Float32Array, shape: [3, 17, 2] } for three persons
 * ```
 *
 * @throws InputError for an unusable picture, ConfigError for a model that takes boxes, BackendError when the GPU fails or the model
 *   is disposed meanwhile
 */
export async function inferenceBottomup(
  model: PoseModel,
  image: FrameSource,
  options: InferenceBottomupOptions = {},
): Promise<PoseDataSample[]> {
  const { bboxFormat: _, ...keys } = INFERENCE_KEYS;
  readConfig(options as Record<string, unknown>, 'inferenceBottomup options', keys);
  if (!isBottomup(model)) {
    throw new ConfigError(
      `model.type: ${String(model.config.model.type)} looks at single persons; expected BottomupPoseEstimator, or use inferenceTopdown.`,
    );
  }
  const { samples, timings } = await inferWholePicture(model, image, options);
  if (options.timings) Object.assign(options.timings, timings);
  return samples;
}
