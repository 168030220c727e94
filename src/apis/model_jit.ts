/**
 * The compiled form of a model on WebGPU: one network per batch size and test configuration, compiled when it is first needed. A
 * model with an operation that has no shader runs eagerly instead, and `note` says so.
 */
import type { Backend } from '../backend/init.js';
import { readMapped } from '../backend/readback.js';
import { JitCompiler, whyNotCompiled, type CompiledNetwork } from '../jit/compiler.js';
import type { TopdownPoseEstimator } from '../models/pose_estimators/index.js';
import type { TestCfg } from '../models/test_cfg.js';
import type { NdArray } from '../ndarray.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import * as tf from '../tf.js';
import { withTestCfg } from './with_test_cfg.js';
import type { Tensor4D } from '../tf.js';

/** tfjs's WebGPU backend, as far as this file needs it. */
type GpuInstance = Parameters<typeof readMapped>[0] & { readonly device: unknown };

export class ModelJit {
  readonly #backend: Backend;
  readonly #estimator: TopdownPoseEstimator;
  readonly #instance: GpuInstance;
  readonly #compiler: JitCompiler;
  readonly #networks = new Map<string, Promise<CompiledNetwork>>();
  #note = 'compiled at the first call';
  #failed = false;

  constructor(backend: Backend, estimator: TopdownPoseEstimator) {
    this.#backend = backend;
    this.#estimator = estimator;
    this.#instance = backend.run(() => tf.backend()) as unknown as GpuInstance;
    this.#compiler = new JitCompiler(this.#instance.device);
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
    const network = await this.#compiler.compile(shape, (x) =>
      withTestCfg(estimator, testCfg, () => estimator.predictTensors(x as Tensor4D, samples)),
    );
    const { dispatches, pipelines, gpuBytes } = network.stats;
    this.#note = `compiled: ${dispatches} dispatches, ${pipelines} pipelines, ${Math.ceil(gpuBytes / 2 ** 20)} MB`;
    return network;
  }

  /** Issues one run at once; the promise waits for its numbers, or for a fault of the GPU. */
  run(network: CompiledNetwork, x: Float32Array): Promise<NdArray[]> {
    return this.#backend.run(() => readMapped(this.#instance, () => network.run(x)));
  }

  /** Frees weights and buffers. Safe to call twice. */
  async dispose(): Promise<void> {
    const networks = await Promise.allSettled(this.#networks.values());
    for (const network of networks) if (network.status === 'fulfilled') network.value.dispose();
    this.#networks.clear();
    this.#compiler.dispose();
  }
}
