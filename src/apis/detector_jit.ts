/** The compiled form of a detector on WebGPU. A detector with an operation that has no shader runs eagerly, and `note` says so. */
import type { Backend } from '../backend/init.js';
import { readMapped } from '../backend/readback.js';
import { isSoftware, JitCompiler, whyNotCompiled, type CompiledNetwork } from '../jit/compiler.js';
import type { CompileProgress } from '../jit/plan.js';
import type { RTMDet } from '../models/detectors/index.js';
import type { NdArray } from '../ndarray.js';
import * as tf from '../tf.js';
import type { Tensor4D } from '../tf.js';

/** tfjs's WebGPU backend, as far as this file needs it. */
type GpuInstance = Parameters<typeof readMapped>[0] & { readonly device: unknown };

export interface DetectorJitOptions {
  readonly onCompile?: CompileProgress;
  /** Time variants of kernels in idle time after the first result. @default true */
  readonly tune?: boolean;
  /** Keep filters as 16-bit floats. @default false */
  readonly fp16?: boolean;
}

export class DetectorJit {
  readonly #backend: Backend;
  readonly #detector: RTMDet;
  readonly #instance: GpuInstance;
  readonly #compiler: JitCompiler;
  readonly #onCompile: CompileProgress | undefined;
  /** By input size; there is one, unless the pipeline does not pad to a size. */
  readonly #networks = new Map<string, Promise<CompiledNetwork>>();
  readonly #tuned = new WeakSet<CompiledNetwork>();
  readonly #disposal = new AbortController();
  #tuning: Promise<void> = Promise.resolve();
  #note = 'compiled at the first call';
  #failed = false;

  constructor(backend: Backend, detector: RTMDet, { onCompile, tune = true, fp16 = false }: DetectorJitOptions) {
    this.#backend = backend;
    this.#detector = detector;
    this.#instance = backend.run(() => tf.backend()) as unknown as GpuInstance;
    this.#compiler = new JitCompiler(this.#instance.device, { tune, fp16 });
    this.#onCompile = onCompile;
  }

  /** How the network runs, in words: compiled, or eagerly and why. */
  get note(): string {
    return this.#note;
  }

  /** Whether the network runs on the CPU after all, where a run takes seconds. */
  get isSoftware(): boolean {
    return isSoftware(this.#instance.device);
  }

  /**
   * The network for one picture of this size; null when the detector runs eagerly.
   *
   * @throws BackendError when the GPU refuses the compiled network
   */
  async network([w, h]: readonly [w: number, h: number]): Promise<CompiledNetwork | null> {
    if (this.#failed) return null;
    const key = `${w} ${h}`;
    const found = this.#networks.get(key) ?? this.#compile([1, h, w, 3]);
    this.#networks.set(key, found);
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

  async #compile(shape: readonly number[]): Promise<CompiledNetwork> {
    const forward = (x: tf.Tensor) => [this.#detector.forward(x as Tensor4D)];
    const network = await this.#compiler.compile(shape, forward, this.#onCompile);
    const { dispatches, pipelines, gpuBytes } = network.stats;
    this.#note = `compiled: ${dispatches} dispatches, ${pipelines} pipelines, ${Math.ceil(gpuBytes / 2 ** 20)} MB`;
    return network;
  }

  /** Issues one run at once; the promise waits for its numbers, or for a fault of the GPU. */
  async run(network: CompiledNetwork, x: Float32Array): Promise<NdArray> {
    const result = this.#backend.run(() => readMapped(this.#instance, () => network.run(x)));
    this.#tuneAfter(result, network);
    return (await result)[0];
  }

  /** Once, when the first result is there. A fault of the GPU is left for the next call to find. */
  #tuneAfter(result: Promise<unknown>, network: CompiledNetwork): void {
    if (this.#tuned.has(network)) return;
    this.#tuned.add(network);
    this.#tuning = Promise.all([this.#tuning, result])
      .then(() => this.#compiler.tune(network, this.#disposal.signal))
      .catch(() => {});
  }

  /** Frees weights and buffers. Safe to call twice. */
  async dispose(): Promise<void> {
    this.#disposal.abort();
    await this.#tuning;
    const networks = await Promise.allSettled(this.#networks.values());
    for (const network of networks) if (network.status === 'fulfilled') network.value.dispose();
    this.#networks.clear();
    this.#compiler.dispose();
  }
}
