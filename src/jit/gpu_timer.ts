/**
 * Times kernel variants on the device: by timestamps of the GPU where it has them, else by the clock around as many repetitions as
 * make it readable. Works on buffers of its own, so that a network that runs meanwhile is not touched.
 */
import { compileProgram } from './compile_program.js';
import type { Binding, Program, Variant } from './kernels/program.js';
import type { Choice } from './plan.js';
import type { VariantTimer } from './tune.js';

/** Browsers round timestamps to 0.1 ms, so a measurement should last this long, ms. */
const TARGET_MS = 4;
const MAX_REPETITIONS = 200;
const TRIES = 3;

interface Step {
  readonly pipeline: GPUComputePipeline;
  readonly group: GPUBindGroup;
  readonly workgroups: Program['workgroups'];
}

/** Makes the pipeline of a program. */
export type CompileProgram = (device: GPUDevice, program: Program) => Promise<GPUComputePipeline>;

export class GpuTimer implements VariantTimer {
  readonly #device: GPUDevice;
  readonly #compile: CompileProgram;

  /** @param compile - replaced where pipelines are made ahead */
  constructor(device: GPUDevice, compile = compileProgram) {
    this.#device = device;
    this.#compile = compile;
  }

  async time(choice: Choice, variant: Variant): Promise<number> {
    const buffers = new Map<string, GPUBuffer>();
    try {
      const steps = await Promise.all(variant.programs().map((program) => this.#step(program, choice, buffers)));
      // The first run also pays for what drivers leave to it.
      await this.#measure(steps, 1);
      const once = await this.#measure(steps, 1);
      const repetitions = Math.ceil(Math.min(MAX_REPETITIONS, Math.max(1, TARGET_MS / Math.max(once, 0.01))));
      let best = repetitions === 1 ? once : Infinity;
      for (let i = 0; i < TRIES; i++) {
        best = Math.min(best, (await this.#measure(steps, repetitions)) / repetitions);
        // Slow enough to be clear at once.
        if (repetitions === 1 && best > 10 * TARGET_MS) break;
      }
      return best;
    } finally {
      for (const buffer of buffers.values()) buffer.destroy();
    }
  }

  async #step(program: Program, choice: Choice, buffers: Map<string, GPUBuffer>): Promise<Step> {
    const pipeline = await this.#compile(this.#device, program);
    const entries = program.bindings.map((bound, binding) => ({
      binding,
      resource: { buffer: this.#buffer(bound, choice, buffers) },
    }));
    const group = this.#device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return { pipeline, group, workgroups: program.workgroups };
  }

  #buffer(binding: Binding, choice: Choice, buffers: Map<string, GPUBuffer>): GPUBuffer {
    const { key, bytes, data } = choice.storage(binding);
    const known = buffers.get(key);
    if (known) return known;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST;
    const buffer = this.#device.createBuffer({ size: Math.ceil(bytes / 16) * 16, usage });
    if (data) this.#device.queue.writeBuffer(buffer, 0, data.buffer as ArrayBuffer, data.byteOffset, data.byteLength);
    buffers.set(key, buffer);
    return buffer;
  }

  /** Milliseconds of `repetitions` runs. */
  #measure(steps: readonly Step[], repetitions: number): Promise<number> {
    return this.#device.features.has('timestamp-query')
      ? this.#byTimestamps(steps, repetitions)
      : this.#byClock(steps, repetitions);
  }

  async #byClock(steps: readonly Step[], repetitions: number): Promise<number> {
    const { queue } = this.#device;
    await queue.onSubmittedWorkDone();
    const start = performance.now();
    const encoder = this.#device.createCommandEncoder();
    encode(encoder.beginComputePass(), steps, repetitions);
    queue.submit([encoder.finish()]);
    await queue.onSubmittedWorkDone();
    return performance.now() - start;
  }

  async #byTimestamps(steps: readonly Step[], repetitions: number): Promise<number> {
    const device = this.#device;
    const querySet = device.createQuerySet({ type: 'timestamp', count: 2 });
    const resolved = device.createBuffer({ size: 16, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const result = device.createBuffer({ size: 16, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    try {
      const encoder = device.createCommandEncoder();
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 };
      encode(encoder.beginComputePass({ timestampWrites }), steps, repetitions);
      encoder.resolveQuerySet(querySet, 0, 2, resolved, 0);
      encoder.copyBufferToBuffer(resolved, 0, result, 0, 16);
      device.queue.submit([encoder.finish()]);
      await result.mapAsync(GPUMapMode.READ);
      const [start, end] = new BigUint64Array(result.getMappedRange());
      return Number(end - start) / 1e6;
    } finally {
      querySet.destroy();
      resolved.destroy();
      result.destroy();
    }
  }
}

function encode(pass: GPUComputePassEncoder, steps: readonly Step[], repetitions: number): void {
  for (let i = 0; i < repetitions; i++) {
    for (const { pipeline, group, workgroups } of steps) {
      pass.setPipeline(pipeline);
      pass.setBindGroup(0, group);
      pass.dispatchWorkgroups(...workgroups);
    }
  }
  pass.end();
}
