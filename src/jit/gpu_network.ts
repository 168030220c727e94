/**
 * A plan on a WebGPU device: buffers, pipelines and bind groups made once, then one command buffer and one `mapAsync` per run.
 * Constants and pipelines are shared by the plans of all batch sizes.
 */
import { BackendError } from '../errors.js';
import type { TypedArray } from '../ndarray.js';
import { ReadbackPool, runTogether } from './gpu_run.js';
import type { BoundTo, CompileProgress, Plan, PlannedStep, Port } from './plan.js';

/** Bytes per constant buffer; WebGPU's default `maxStorageBufferBindingSize`. */
const CHUNK_BYTES = 128 * 2 ** 20;
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
  #chunkEnd = 0;

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
      const module = this.device.createShaderModule({ code: wgsl, label });
      const made = this.device.createComputePipelineAsync({
        layout: 'auto',
        label,
        compute: { module, entryPoint: 'main' },
      });
      found = made.catch((error: unknown) => {
        throw new BackendError(`jit: the shader "${label}" does not compile: ${String(error)}`, { cause: error });
      });
      this.#pipelines.set(wgsl, found);
    }
    return found;
  }

  /** Reserves room for all constants of a plan, then uploads those that are new. */
  upload(plan: Plan): void {
    const missing = new Map<string, TypedArray>();
    for (const { bindings } of plan.steps) {
      for (const bound of bindings) {
        if (bound.kind === 'constant' && !this.#constants.has(bound.key)) missing.set(bound.key, bound.data);
      }
    }
    let chunk: [string, TypedArray, number][] = [];
    this.#chunkEnd = 0;
    for (const [key, data] of missing) {
      const bytes = Math.ceil(data.byteLength / ALIGNMENT) * ALIGNMENT;
      if (chunk.length > 0 && this.#chunkEnd + bytes > CHUNK_BYTES) {
        this.#flush(chunk);
        chunk = [];
      }
      chunk.push([key, data, this.#chunkEnd]);
      this.#chunkEnd += bytes;
    }
    if (chunk.length > 0) this.#flush(chunk);
  }

  #flush(chunk: readonly [string, TypedArray, number][]): void {
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const buffer = this.device.createBuffer({
      size: this.#chunkEnd,
      usage,
      label: 'constants',
      mappedAtCreation: true,
    });
    const mapped = buffer.getMappedRange();
    for (const [key, data, offset] of chunk) {
      new Uint8Array(mapped, offset, data.byteLength).set(
        new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      );
      this.#constants.set(key, { buffer, offset, size: Math.ceil(data.byteLength / 16) * 16 });
    }
    buffer.unmap();
    this.#buffers.push(buffer);
    this.#chunkEnd = 0;
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

/** One plan, ready to run. */
export class GpuNetwork {
  readonly plan: Plan;
  readonly #shared: GpuShared;
  readonly #arenas: readonly GPUBuffer[];
  readonly #steps: readonly {
    pipeline: GPUComputePipeline;
    group: GPUBindGroup;
    workgroups: readonly [number, number, number];
  }[];

  private constructor(plan: Plan, shared: GpuShared, pipelines: readonly GPUComputePipeline[]) {
    this.plan = plan;
    this.#shared = shared;
    const { device } = shared;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.#arenas = plan.arenas.map((size, i) => device.createBuffer({ size, usage, label: `arena ${i}` }));
    this.#steps = plan.steps.map((step, i) => ({
      pipeline: pipelines[i],
      group: this.#bindGroup(step, pipelines[i]),
      workgroups: step.program.workgroups,
    }));
  }

  /**
   * Compiles all pipelines in parallel.
   *
   * @throws BackendError when a shader does not compile, or the device is out of memory
   */
  static async create(plan: Plan, shared: GpuShared, onProgress?: CompileProgress): Promise<GpuNetwork> {
    let done = 0;
    const { device } = shared;
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    const compiling = plan.steps.map(async ({ program }) => {
      const pipeline = await shared.pipeline(program.wgsl, program.label);
      onProgress?.(++done, plan.steps.length);
      return pipeline;
    });
    shared.upload(plan);
    const scopes = [device.popErrorScope(), device.popErrorScope()];
    const pipelines = await Promise.all(compiling);
    device.pushErrorScope('validation');
    device.pushErrorScope('out-of-memory');
    const network = new GpuNetwork(plan, shared, pipelines);
    const errors = await Promise.all([...scopes, device.popErrorScope(), device.popErrorScope()]);
    const error = errors.find((found) => found !== null);
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
    for (const { pipeline, group, workgroups } of this.#steps) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
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
