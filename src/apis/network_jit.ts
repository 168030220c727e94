/** Networks compiled for WebGPU, each when it is first needed. If one has an operation without a shader, all run eagerly, and `note` says so. */
import type { Backend } from '../backend/init.js';
import { readMapped } from '../backend/readback.js';
import { isSoftware, JitCompiler, whyNotCompiled, type CompiledNetwork, type FilledRun } from '../jit/compiler.js';
import type { CompileProgress } from '../jit/plan.js';
import type { NdArray } from '../ndarray.js';
import * as tf from '../tf.js';
import type { Tensor } from '../tf.js';

/** tfjs's WebGPU backend, as far as this file needs it. */
type GpuInstance = Parameters<typeof readMapped>[0] & { readonly device: unknown };

/** What is compiled: a forward pass as tfjs runs it. */
export type Forward = (x: Tensor) => readonly Tensor[];

export interface NetworkJitOptions {
  readonly onCompile?: CompileProgress;
  /** Time variants of kernels in idle time after the first result. @default true */
  readonly tune?: boolean;
  /** Keep filters as 16-bit floats. @default false */
  readonly fp16?: boolean;
}

export class NetworkJit {
  readonly #backend: Backend;
  readonly #instance: GpuInstance;
  readonly #compiler: JitCompiler;
  readonly #onCompile: CompileProgress | undefined;
  readonly #networks = new Map<string, Promise<CompiledNetwork>>();
  readonly #disposal = new AbortController();
  readonly #tuned = new WeakSet<CompiledNetwork>();
  /** Networks are tuned one after the other. */
  #tuning: Promise<void> = Promise.resolve();
  #note = 'compiled at the first call';
  #runsEagerly = false;

  constructor(backend: Backend, { onCompile, tune = true, fp16 = false }: NetworkJitOptions = {}) {
    this.#backend = backend;
    this.#instance = backend.run(() => tf.backend()) as unknown as GpuInstance;
    this.#compiler = new JitCompiler(this.device, { tune, fp16 });
    this.#onCompile = onCompile;
  }

  /** The backend's `GPUDevice`. */
  get device(): unknown {
    return this.#instance.device;
  }

  /** Whether the network runs on the CPU after all, where a run takes seconds. */
  get isSoftware(): boolean {
    return isSoftware(this.device);
  }

  /** How the network runs, in words: compiled, or eagerly and why. */
  get note(): string {
    return this.#note;
  }

  /** Whether an operation turned up that has no shader. */
  get runsEagerly(): boolean {
    return this.#runsEagerly;
  }

  /**
   * The network for inputs of this shape; null when it runs eagerly.
   *
   * @param key - names it among all of this object
   * @throws BackendError when the GPU refuses the compiled network
   */
  async network(key: string, shape: readonly number[], forward: Forward): Promise<CompiledNetwork | null> {
    if (this.#runsEagerly) return null;
    try {
      return await this.#cached(key, () => this.#compileWhole(shape, forward));
    } catch (error) {
      this.#networks.delete(key);
      const why = whyNotCompiled(error);
      if (why === null) throw error;
      this.#runsEagerly = true;
      this.#note = `runs eagerly: ${why}`;
      return null;
    }
  }

  async #compileWhole(shape: readonly number[], forward: Forward): Promise<CompiledNetwork> {
    const network = await this.#compiler.compile(shape, forward, this.#onCompile);
    const { dispatches, pipelines, gpuBytes } = network.stats;
    this.#note = `compiled: ${dispatches} dispatches, ${pipelines} pipelines, ${Math.ceil(gpuBytes / 2 ** 20)} MB`;
    return network;
  }

  #cached(key: string, compile: () => Promise<CompiledNetwork>): Promise<CompiledNetwork> {
    const found = this.#networks.get(key) ?? compile();
    this.#networks.set(key, found);
    return found;
  }

  /**
   * Some layers of the network, compiled on their own; null where the network runs eagerly, or these have an operation without a
   * shader.
   *
   * @throws BackendError when the GPU refuses the compiled layers
   */
  async part(key: string, shape: readonly number[], forward: Forward): Promise<CompiledNetwork | null> {
    if (this.#runsEagerly) return null;
    try {
      return await this.#cached(key, () => this.#compiler.compile(shape, forward));
    } catch (error) {
      if (whyNotCompiled(error) === null) throw error;
      return null;
    }
  }

  /** Issues one run at once; the promise waits for its numbers, or for a fault of the GPU. */
  run(network: CompiledNetwork, x: Float32Array): Promise<NdArray[]> {
    const result = this.#backend.run(() => readMapped(this.#instance, () => network.run(x)));
    this.#tuneAfter(result, network);
    return result;
  }

  /** The same for networks whose inputs are made on the GPU, all in one command buffer. `issue` runs at once, on the backend. */
  runFilled(issue: () => readonly FilledRun[]): Promise<NdArray[][]> {
    const { runs, result } = this.#backend.run(() => {
      const runs = issue();
      return { runs, result: readMapped(this.#instance, () => this.#compiler.runFilled(runs)) };
    });
    for (const { network } of runs) this.#tuneAfter(result, network);
    return result;
  }

  /** Tunes a network once, when its first result is there. A fault of the GPU is left for the next call to find. */
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
