/**
 * The compiled form of a model on WebGPU: one network per batch size and test configuration, compiled when it is first needed. A
 * model with an operation that has no shader runs eagerly instead, and `note` says so.
 */
import type { Backend } from '../backend/init.js';
import { readMapped } from '../backend/readback.js';
import { isSoftware, JitCompiler, whyNotCompiled, type CompiledNetwork, type FillInput } from '../jit/compiler.js';
import type { CompileProgress } from '../jit/plan.js';
import { PoseDataPreprocessor } from '../models/data_preprocessors/data_preprocessor.js';
import type { BottomupPoseEstimator, TopdownPoseEstimator } from '../models/pose_estimators/index.js';
import type { TestCfg } from '../models/test_cfg.js';
import type { NdArray } from '../ndarray.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import * as tf from '../tf.js';
import type { Tensor, Tensor4D } from '../tf.js';
import { importsVideoFrames } from './external_texture.js';
import type { Snapshot } from './frame.js';
import { GpuCrop, type CropBatch } from './gpu_crop.js';
import { FrameTexture } from './gpu_frame.js';
import { withTestCfg } from './with_test_cfg.js';

/** tfjs's WebGPU backend, as far as this file needs it. */
type GpuInstance = Parameters<typeof readMapped>[0] & { readonly device: unknown };

/** What can be compiled: all up to the numbers that decoding takes. */
export type CompilableEstimator = TopdownPoseEstimator | BottomupPoseEstimator;

/** Persons that go through one network together. */
export interface NetworkBatch extends CropBatch {
  readonly network: CompiledNetwork;
}

export interface ModelJitOptions {
  /** [w, h] px of the crops, unless a call says otherwise. */
  readonly cropSize: readonly [w: number, h: number];
  /** RGB of everything outside the picture. @default black */
  readonly border?: readonly [number, number, number];
  readonly onCompile?: CompileProgress;
  /** Time variants of kernels in idle time after the first result. @default true */
  readonly tune?: boolean;
  /** Keep filters as 16-bit floats. @default false */
  readonly fp16?: boolean;
}

export class ModelJit {
  readonly #backend: Backend;
  readonly #estimator: CompilableEstimator;
  readonly #instance: GpuInstance;
  readonly #compiler: JitCompiler;
  readonly #networks = new Map<string, Promise<CompiledNetwork>>();
  readonly #frame: FrameTexture;
  /** By size; all but bottom-up models have one. */
  readonly #crops = new Map<string, GpuCrop>();
  readonly #cropSize: readonly [w: number, h: number];
  readonly #border: ModelJitOptions['border'];
  readonly #onCompile: CompileProgress | undefined;
  readonly #disposal = new AbortController();
  readonly #tuned = new WeakSet<CompiledNetwork>();
  /** Networks are tuned one after the other. */
  #tuning: Promise<void> = Promise.resolve();
  #note = 'compiled at the first call';
  #failed = false;

  constructor(backend: Backend, estimator: CompilableEstimator, options: ModelJitOptions) {
    const { cropSize, border, onCompile, tune = true, fp16 = false } = options;
    this.#backend = backend;
    this.#estimator = estimator;
    this.#instance = backend.run(() => tf.backend()) as unknown as GpuInstance;
    const device = this.#instance.device as GPUDevice;
    this.#compiler = new JitCompiler(device, { tune, fp16 });
    this.#frame = new FrameTexture(device);
    this.#cropSize = cropSize;
    this.#border = border;
    this.#onCompile = onCompile;
  }

  /** Whether pictures go to the GPU: not for a model that runs eagerly, or whose preprocessor is not the library's own. */
  get takesPictures(): boolean {
    return !this.#failed && this.#estimator.dataPreprocessor.forward === PoseDataPreprocessor.prototype.forward;
  }

  /** Whether the network runs on the CPU after all, where a run takes seconds. */
  get isSoftware(): boolean {
    return isSoftware(this.#instance.device);
  }

  /** Whether frames of videos are read where they are. */
  get importsVideo(): boolean {
    return this.#frame.importsVideo;
  }

  /** Whether a picture of this size goes to the GPU. */
  fits(size: { readonly width: number; readonly height: number }): boolean {
    return this.takesPictures && this.#frame.fits(size);
  }

  /** How the network runs, in words: compiled, or eagerly and why. */
  get note(): string {
    return this.#note;
  }

  /**
   * The network for inputs of this shape; null when the model runs eagerly.
   *
   * @throws BackendError when the GPU refuses the compiled network
   */
  async network(
    shape: readonly number[],
    samples: readonly PoseDataSample[],
    testCfg: TestCfg,
  ): Promise<CompiledNetwork | null> {
    if (this.#failed) return null;
    const key = `${shape.join()} ${testCfg.flipTest} ${testCfg.flipMode} ${testCfg.shiftHeatmap} ${testCfg.shiftCoords} ${testCfg.outputHeatmaps}`;
    let found = this.#networks.get(key);
    if (!found) {
      found = this.#compile(shape, samples, testCfg);
      this.#networks.set(key, found);
    }
    try {
      return await found;
    } catch (error) {
      this.#networks.delete(key);
      const why = whyNotCompiled(error);
      if (why === null) throw error;
      this.#failed = true;
      this.#note = `runs eagerly: ${why}`;
      return null;
    }
  }

  async #compile(
    shape: readonly number[],
    samples: readonly PoseDataSample[],
    testCfg: TestCfg,
  ): Promise<CompiledNetwork> {
    const estimator = this.#estimator;
    const network = await this.#compiler.compile(
      shape,
      (x) => withTestCfg(estimator, testCfg, () => estimator.predictTensors(x as Tensor4D, samples)),
      this.#onCompile,
    );
    const { dispatches, pipelines, gpuBytes } = network.stats;
    this.#note = `compiled: ${dispatches} dispatches, ${pipelines} pipelines, ${Math.ceil(gpuBytes / 2 ** 20)} MB`;
    return network;
  }

  /**
   * Some layers of the model, compiled on their own for inputs of this shape; null where the model runs eagerly, or these have an
   * operation without a shader.
   *
   * @throws BackendError when the GPU refuses the compiled layers
   */
  async part(
    name: string,
    shape: readonly number[],
    forward: (x: Tensor) => Tensor,
  ): Promise<((x: Float32Array) => Promise<NdArray>) | null> {
    if (this.#failed) return null;
    const key = `${name} ${shape.join()}`;
    let found = this.#networks.get(key);
    if (!found) {
      found = this.#compiler.compile(shape, (x) => [forward(x)]);
      this.#networks.set(key, found);
    }
    try {
      const network = await found;
      return (x) => this.run(network, x).then(([output]) => output);
    } catch (error) {
      if (whyNotCompiled(error) === null) throw error;
      return null;
    }
  }

  /** Issues one run at once; the promise waits for its numbers, or for a fault of the GPU. */
  run(network: CompiledNetwork, x: Float32Array): Promise<NdArray[]> {
    const result = this.#backend.run(() => readMapped(this.#instance, () => network.run(x)));
    this.#tuneAfter(result, [network]);
    return result;
  }

  /** Tunes networks once each, when their first result is there. A fault of the GPU is left for the next call to find. */
  #tuneAfter(result: Promise<unknown>, networks: readonly CompiledNetwork[]): void {
    const { signal } = this.#disposal;
    for (const network of networks) {
      if (this.#tuned.has(network)) continue;
      this.#tuned.add(network);
      this.#tuning = Promise.all([this.#tuning, result])
        .then(() => this.#compiler.tune(network, signal))
        .catch(() => {});
    }
  }

  /**
   * Compiles what `runPicture` needs beside the network. Done after the first call with this size.
   *
   * @throws BackendError when a shader does not compile
   */
  async prepareCrop(size: readonly [w: number, h: number] = this.#cropSize): Promise<void> {
    const crop = this.#cropOf(size);
    await crop.prepare(false);
    if (this.#frame.importsVideo) await crop.prepare(true);
    if (this.#frame.importsVideo || !(await importsVideoFrames(this.#instance.device as GPUDevice))) return;
    await crop.prepare(true);
    this.#frame.importsVideo = true;
  }

  #cropOf(size: readonly [w: number, h: number]): GpuCrop {
    const key = size.join();
    let crop = this.#crops.get(key);
    if (!crop) {
      crop = new GpuCrop(this.#instance.device, size, this.#estimator.dataPreprocessor, this.#border);
      this.#crops.set(key, crop);
    }
    return crop;
  }

  /**
   * Persons of one picture: crop and network of all batches as one command buffer, issued before this returns; the promise waits for
   * its numbers, or for a fault of the GPU.
   *
   * @returns per batch, the outputs for its persons
   * @throws InputError (at once) for a picture that the browser does not let be read
   */
  runPicture(picture: Snapshot, batches: readonly NetworkBatch[]): Promise<NdArray[][]> {
    const result = this.#backend.run(() => {
      const [{ columnX, rowX }] = batches[0].terms;
      const fills = this.#cropOf([columnX.length, rowX.length]).fills(this.#frame.upload(picture), batches);
      const runs = batches.map(({ network, terms }, i) => ({
        network,
        fill: fills[i] as FillInput,
        rows: terms.length,
      }));
      return readMapped(this.#instance, () => this.#compiler.runFilled(runs));
    });
    this.#tuneAfter(
      result,
      batches.map(({ network }) => network),
    );
    return result;
  }

  /** Frees weights and buffers. Safe to call twice. */
  async dispose(): Promise<void> {
    this.#disposal.abort();
    await this.#tuning;
    const networks = await Promise.allSettled(this.#networks.values());
    for (const network of networks) if (network.status === 'fulfilled') network.value.dispose();
    this.#networks.clear();
    for (const crop of this.#crops.values()) crop.dispose();
    this.#frame.dispose();
    this.#compiler.dispose();
  }
}
