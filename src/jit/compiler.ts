/**
 * The door of this folder: a forward pass in, something that runs it on the GPU out. One compiler per model and device; what it
 * compiles (one network per batch size) shares weights and pipelines.
 */
import type { NdArray } from '../ndarray.js';
import { inSlices, turn } from '../slices.js';
import type { Tensor } from '../tf.js';
import { VERSION } from '../version.js';
import { GpuNetwork, GpuShared } from './gpu_network.js';
import { runTogether } from './gpu_run.js';
import { GpuTimer } from './gpu_timer.js';
import type { Graph } from './graph.js';
import { NoKernel } from './kernels/program.js';
import { optimizing } from './passes/index.js';
import { planning, type CompileProgress, type Plan, type PlannedNode, type PlanOptions } from './plan.js';
import { trace, UntraceableKernel } from './trace.js';
import { memoryStore, Tuner, whenIdle } from './tune.js';
import { indexedDbStore } from './winner_store.js';

/** Figures of a compiled network, for reports. */
export interface CompiledStats {
  readonly dispatches: number;
  /** Of the compiler, all its networks together. */
  readonly pipelines: number;
  /** Constants of the compiler and buffers of this network. */
  readonly gpuBytes: number;
}

/** One dispatch of a compiled network, in order; dispatches of one operation share `node`. */
export interface CompiledStep {
  readonly label: string;
  readonly node: PlannedNode;
}

export interface CompiledNetwork {
  readonly stats: CompiledStats;
  readonly steps: readonly CompiledStep[];
  /**
   * Everything is issued before this returns; the promise waits for the numbers.
   *
   * @param x - values of the input, in the shape it was compiled for
   */
  run(x: Float32Array): Promise<NdArray[]>;
  dispose(): void;
}

/** Encodes the dispatch that fills a network's input: a `GPUComputePassEncoder` and a `GPUBufferBinding`, unnamed in published types. */
export type FillInput = (pass: unknown, input: unknown) => void;

/** One network of a frame whose input is made on the GPU. */
export interface FilledRun {
  readonly network: CompiledNetwork;
  readonly fill: FillInput;
  /** How many entries of the batch are wanted; the others are not read. */
  readonly rows: number;
}

/** Why a forward pass cannot be compiled, in words for people; null for errors of another kind. */
export function whyNotCompiled(error: unknown): string | null {
  return error instanceof UntraceableKernel || error instanceof NoKernel ? error.message : null;
}

/** What stands behind a `CompiledNetwork`: tuning replaces the network. */
interface Entry {
  readonly graph: Graph;
  network: GpuNetwork;
  disposed: boolean;
}

/**
 * The tuner of a device, with winners remembered in IndexedDB; null where timing would do harm or no good: on software adapters,
 * whose time is the page's own.
 */
function createTuner(device: GPUDevice, f16: boolean): Tuner | null {
  if (isSoftware(device)) return null;
  const { vendor, architecture, device: model, description } = (device.adapterInfo as GPUAdapterInfo | undefined) ?? {};
  const adapter = [vendor, architecture, model, description].filter(Boolean).join(' ') || 'unknown adapter';
  const scope = `${adapter} ${VERSION}`;
  const store = typeof indexedDB === 'undefined' ? memoryStore() : indexedDbStore(scope, f16 ? 'f16' : 'f32');
  return new Tuner({ timer: new GpuTimer(device), store, idle: whenIdle });
}

/** Whether the device computes on the CPU. Browsers older than `adapterInfo` do not say; then it counts as a GPU. */
export function isSoftware(device: unknown): boolean {
  const info = (device as GPUDevice).adapterInfo as GPUAdapterInfo | undefined;
  if (!info) return false;
  return info.isFallbackAdapter || /swiftshader|llvmpipe|warp/i.test(info.architecture);
}

export interface JitOptions {
  /**
   * Keep filters as 16-bit floats, half the memory, on GPUs; products and sums stay 32-bit. Software adapters keep 32 bits: unpacking
   * would cost them more than the memory.
   * @default false
   */
  readonly fp16?: boolean;
  /** Which table of kernels to use; replaced in tests. Default: what the adapter is. */
  readonly software?: boolean;
  /**
   * Choose among variants of kernels by what was measured on this device, for `tune` and from earlier visits; otherwise the default
   * table decides. @default false
   */
  readonly tune?: boolean;
  /** Used in place of the device's own tuner. */
  readonly tuner?: Tuner;
}

export class JitCompiler {
  readonly #shared: GpuShared;
  readonly #networks = new WeakMap<CompiledNetwork, Entry>();
  readonly #tuner: Tuner | null;

  readonly #options: PlanOptions;

  /** @param device - the `GPUDevice` of tfjs's WebGPU backend */
  constructor(device: unknown, { fp16 = false, software, tune = false, tuner }: JitOptions = {}) {
    const gpu = device as GPUDevice;
    this.#shared = new GpuShared(gpu);
    const onCpu = software ?? isSoftware(gpu);
    const f16 = fp16 && !onCpu;
    this.#tuner = tuner ?? (tune ? createTuner(gpu, f16) : null);
    this.#options = {
      software: onCpu,
      subgroups: gpu.features.has('subgroups'),
      f16,
      ...(this.#tuner && { choose: this.#tuner.choose }),
    };
  }

  /** The filters of convolutions are stored as 16-bit floats: asked for, and a GPU. */
  get fp16(): boolean {
    return this.#options.f16 === true;
  }

  /**
   * Records `forward` for an input of `shape` and compiles it.
   *
   * @throws an error that `whyNotCompiled` explains, when an operation has no kernel; BackendError when the GPU refuses
   */
  async compile(
    shape: readonly number[],
    forward: (x: Tensor) => readonly Tensor[],
    onProgress?: CompileProgress,
  ): Promise<CompiledNetwork> {
    // A forward pass cannot be interrupted, so it has a task of its own.
    await turn();
    const traced = await trace(shape, forward);
    await turn();
    const graph = await inSlices(optimizing(traced));
    await this.#tuner?.load();
    const plan = await this.#plan(graph);
    const network = await GpuNetwork.create(plan, this.#shared, onProgress);
    const shared = this.#shared;
    const networks = this.#networks;
    const compiled: CompiledNetwork = {
      get stats() {
        const { network } = networks.get(compiled)!;
        const gpuBytes = shared.constantBytes + shared.readbacks.bytes + network.bytes;
        return { dispatches: network.plan.steps.length, pipelines: shared.pipelineCount, gpuBytes };
      },
      get steps() {
        const { plan } = networks.get(compiled)!.network;
        return plan.steps.map(({ program, node }) => ({ label: program.label, node }));
      },
      run: async (x) => {
        const { network } = networks.get(compiled)!;
        const outputs = await network.run([x]);
        return outputs.map((data, i) => ({ data, shape: network.plan.outputs[i].shape }));
      },
      dispose: () => {
        const entry = networks.get(compiled)!;
        entry.disposed = true;
        entry.network.dispose();
      },
    };
    networks.set(compiled, { graph, network, disposed: false });
    return compiled;
  }

  #plan(graph: Graph): Promise<Plan> {
    return inSlices(planning(graph, this.#shared.device.limits, this.#options));
  }

  /**
   * Times the kernels of a network that come in variants, in idle time, and puts a network of the winners in its place, between
   * two runs. Ends at once without a tuner.
   */
  async tune(compiled: CompiledNetwork, signal?: AbortSignal): Promise<void> {
    const entry = this.#networks.get(compiled)!;
    const changed = await this.#tuner?.tune(entry.network.plan.choices, signal);
    if (!changed || signal?.aborted || entry.disposed) return;
    const next = await GpuNetwork.create(await this.#plan(entry.graph), this.#shared);
    if (entry.disposed) return next.dispose();
    const before = entry.network;
    entry.network = next;
    // Runs that were submitted keep their buffers until the GPU is done with them.
    before.dispose();
  }

  /** A frame as one command buffer with one read, issued before this returns. Outputs per run, [rows, ...] each. */
  async runFilled(runs: readonly FilledRun[]): Promise<NdArray[][]> {
    const { device, readbacks } = this.#shared;
    const parts = runs.map(({ network, ...rest }) => ({ network: this.#networks.get(network)!.network, ...rest }));
    const outputs = await runTogether(device, readbacks, parts);
    return parts.map(({ network, rows }, i) =>
      network.plan.outputs.map(({ shape }, o) => ({ data: outputs[i][o], shape: [rows, ...shape.slice(1)] })),
    );
  }

  /** Frees the weights. Dispose the networks first. */
  dispose(): void {
    this.#shared.dispose();
  }
}
