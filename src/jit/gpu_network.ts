/**
 * A plan on a WebGPU device: buffers, pipelines and bind groups made once, then one command buffer and one `mapAsync` per run.
 * Constants and pipelines are shared by the plans of all batch sizes.
 */
import { BackendError } from '../errors.js';
import type { TypedArray } from '../ndarray.js';
import { inSlices, type Steps } from '../slices.js';
import { compileProgram } from './compile_program.js';
import { ReadbackPool, runTogether } from './gpu_run.js';
import type { BoundTo, CompileProgress, Plan, PlannedStep, Port } from './plan.js';

/** Bytes per constant buffer, unless one constant alone is larger. Making and unmapping one is a single step on the main thread. */
const CHUNK_BYTES = 8 * 2 ** 20;
const ALIGNMENT = 256;

interface Range {
  readonly buffer: GPUBuffer;
  readonly offset: number;
  readonly size: number;
}

/** What all plans of one network share on one device. */
export class GpuShared {
  readonly device: GPUDevice;
  readonly readbacks: ReadbackPool;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #constants = new Map<string, Range>();
  readonly #buffers: GPUBuffer[] = [];

  constructor(device: GPUDevice) {
    this.device = device;
    this.readbacks = new ReadbackPool(device);
  }

  get pipelineCount(): number {
    return this.#pipelines.size;
  }

  /** Bytes of constants on the GPU. */
  get constantBytes(): number {
    return this.#buffers.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  pipeline(wgsl: string, label: string): Promise<GPUComputePipeline> {
    let found = this.#pipelines.get(wgsl);
    if (!found) {
      found = compileProgram(this.device, { wgsl, label });
      this.#pipelines.set(wgsl, found);
    }
    return found;
  }

  /** Reserves room for all constants of a plan, then uploads those that are new. For `inSlices`. */
  *uploading(plan: Plan): Steps<void> {
    const missing = new Map<string, TypedArray>();
    for (const { bindings } of plan.steps) {
      for (const bound of bindings) {
        if (bound.kind === 'constant' && !this.#constants.has(bound.key)) missing.set(bound.key, bound.data);
      }
    }
    let chunk: [string, TypedArray, number][] = [];
    let end = 0;
    for (const [key, data] of missing) {
      const bytes = Math.ceil(data.byteLength / ALIGNMENT) * ALIGNMENT;
      if (chunk.length > 0 && end + bytes > CHUNK_BYTES) {
        yield* this.#flushing(chunk, end);
        chunk = [];
        end = 0;
      }
      chunk.push([key, data, end]);
      end += bytes;
    }
    if (chunk.length > 0) yield* this.#flushing(chunk, end);
  }

  *#flushing(chunk: readonly [string, TypedArray, number][], size: number): Steps<void> {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const buffer = this.device.createBuffer({
      size,
      usage,
      label: 'constants',
      mappedAtCreation: true,
    });
    this.#buffers.push(buffer);
    const mapped = buffer.getMappedRange();
    for (const [, data, offset] of chunk) {
      yield;
      new Uint8Array(mapped, offset, data.byteLength).set(
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
    }
    buffer.unmap();
    for (const [key, { byteLength }, offset] of chunk) {
      this.#constants.set(key, { buffer, offset, size: Math.ceil(byteLength / 16) * 16 });
    }
  }

  constant(key: string): Range {
    return this.#constants.get(key)!;
  }

  dispose(): void {
    this.readbacks.dispose();
    for (const buffer of this.#buffers) buffer.destroy();
    this.#buffers.length = 0;
    this.#constants.clear();
    this.#pipelines.clear();
  }
}

/** What the GPU complains about on the side. Scopes are a stack, so each covers one synchronous section. */
class ErrorScopes {
  readonly #device: GPUDevice;
  readonly #found: Promise<GPUError | null>[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  around<T>(section: () => T): T {
    this.#device.pushErrorScope('validation');
    this.#device.pushErrorScope('out-of-memory');
    try {
      return section();
    } finally {
      for (const found of [this.#device.popErrorScope(), this.#device.popErrorScope()]) {
        found.catch(() => {}); // heard in `first`
        this.#found.push(found);
      }
    }
  }

  async first(): Promise<GPUError | null> {
    return (await Promise.all(this.#found)).find((error) => error !== null) ?? null;
  }
}

/** Flat, since hundreds are issued per frame. */
interface Dispatch {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  /** Workgroups. */
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** One plan, ready to run. */
export class GpuNetwork {
  readonly plan: Plan;
  readonly #shared: GpuShared;
  readonly #arenas: readonly GPUBuffer[];
  readonly #dispatches: Dispatch[] = [];

  private constructor(plan: Plan, shared: GpuShared) {
    this.plan = plan;
    this.#shared = shared;
    const { device } = shared;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.#arenas = plan.arenas.map((size, i) => device.createBuffer({ size, usage, label: `arena ${i}` }));
  }

  *#binding(pipelines: readonly GPUComputePipeline[]): Steps<void> {
    for (const [i, step] of this.plan.steps.entries()) {
      const pipeline = pipelines[i];
      const [x, y, z] = step.program.workgroups;
      this.#dispatches.push({ pipeline, group: this.#bindGroup(step, pipeline), x, y, z });
      yield;
    }
  }

  /**
   * Compiles all pipelines in parallel.
   *
   * @throws BackendError when a shader does not compile, or the device is out of memory
   */
  static async create(plan: Plan, shared: GpuShared, onProgress?: CompileProgress): Promise<GpuNetwork> {
    let done = 0;
    const scopes = new ErrorScopes(shared.device);
    const compiling: Promise<GPUComputePipeline>[] = [];
    const starting = function* (): Steps<void> {
      // First, since shaders that compile on a software adapter leave this thread little time.
      yield* shared.uploading(plan);
      for (const { program } of plan.steps) {
        const pipeline = shared.pipeline(program.wgsl, program.label);
        compiling.push(pipeline);
        pipeline.then(
          () => onProgress?.(++done, plan.steps.length),
          () => {}, // heard below, when all have been started
        );
        yield;
      }
    };
    await inSlices(starting(), (slice) => scopes.around(slice));
    const pipelines = await Promise.all(compiling);
    const network = scopes.around(() => new GpuNetwork(plan, shared));
    await inSlices(network.#binding(pipelines), (slice) => scopes.around(slice));
    const error = await scopes.first();
    if (!error) return network;
    network.dispose();
    throw new BackendError(`jit: the GPU refused the compiled network: ${error.message}`);
  }

  /** Bytes of all buffers of this plan, constants not counted. */
  get bytes(): number {
    return this.#arenas.reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /**
   * Runs the network once: everything is issued before this returns, the promise waits for the numbers.
   *
   * @param inputs - float32 values, one array per graph input
   */
  async run(inputs: readonly Float32Array[]): Promise<Float32Array[]> {
    const { device, readbacks } = this.#shared;
    for (const [i, { buffer, byteOffset, byteLength }] of inputs.entries()) {
      const { buffer: target, offset } = this.input(i);
      device.queue.writeBuffer(target, offset, buffer as ArrayBuffer, byteOffset, byteLength);
    }
    const [outputs] = await runTogether(device, readbacks, [{ network: this }]);
    return outputs;
  }

  /** Where an input lies. */
  input(index: number): Range {
    return this.#range(this.plan.inputs[index]);
  }

  /** Where an output lies after a run. */
  output(index: number): Range {
    return this.#range(this.plan.outputs[index]);
  }

  #range({ arena, offset, bytes }: Port): Range {
    return { buffer: this.#arenas[arena], offset, size: bytes };
  }

  /** All dispatches, into a pass of the caller's. */
  encode(pass: GPUComputePassEncoder): void {
    let current: GPUComputePipeline | null = null;
    for (const { pipeline, group, x, y, z } of this.#dispatches) {
      if (pipeline !== current) pass.setPipeline(pipeline);
      current = pipeline;
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(x, y, z);
    }
  }

  #bindGroup({ bindings }: PlannedStep, pipeline: GPUComputePipeline): GPUBindGroup {
    const entries = bindings.map((bound, binding) => ({ binding, resource: this.#resource(bound) }));
    return this.#shared.device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
  }

  #resource(bound: BoundTo): GPUBufferBinding {
    if (bound.kind === 'constant') return this.#shared.constant(bound.key);
    return { buffer: this.#arenas[bound.arena], offset: bound.offset, size: bound.bytes };
  }

  dispose(): void {
    for (const buffer of this.#arenas) buffer.destroy();
  }
}
