/**
 * Counts what a page asks of WebGPU, whoever asks: the methods of the prototypes are wrapped, so that the library, tfjs and
 * onnxruntime-web are measured alike. In profile mode every dispatch runs in a pass of its own between two timestamps.
 */

export interface GpuCounts {
  /** Bytes of all buffers that have not been destroyed. */
  readonly bufferBytes: number;
  readonly dispatches: number;
  readonly pipelines: number;
  /** Bytes of mappings for reading. */
  readonly bytesRead: number;
}

/** One dispatch of a profiled run. */
export interface GpuDispatch {
  /** Label of the pipeline. */
  readonly label: string;
  readonly workgroups: readonly number[];
  readonly ms: number;
}

const counts = { bufferBytes: 0, dispatches: 0, pipelines: 0, bytesRead: 0 };
const errors: string[] = [];
let installed = false;
let profile: Profile | null = null;

/** Counts since the page was opened; take the difference around what is measured. */
export function gpuCounts(): GpuCounts {
  return { ...counts };
}

/** Messages of uncaptured errors of all devices, oldest first. */
export function uncapturedErrors(): readonly string[] {
  return errors;
}

/** Call before any device exists. Does nothing where there is no WebGPU. */
export function installGpuMeter(): void {
  if (installed || typeof GPUDevice === 'undefined') return;
  installed = true;
  watchDevices();
  countBuffers();
  countPipelines();
  countDispatches();
}

/** Replaces a method by one that calls it. */
function wrap<T extends object, K extends keyof T>(target: T, name: K, around: (original: T[K]) => unknown): void {
  Object.defineProperty(target, name, { value: around(target[name]), configurable: true, writable: true });
}

function watchDevices(): void {
  wrap(GPUAdapter.prototype, 'requestDevice', (original) => {
    return async function (this: GPUAdapter, descriptor?: GPUDeviceDescriptor) {
      const device = await original.call(this, descriptor);
      device.addEventListener('uncapturederror', ({ error }) => errors.push(error.message));
      return device;
    };
  });
}

function countBuffers(): void {
  const alive = new WeakMap<GPUBuffer, number>();
  wrap(GPUDevice.prototype, 'createBuffer', (original) => {
    return function (this: GPUDevice, descriptor: GPUBufferDescriptor) {
      const buffer = original.call(this, descriptor);
      alive.set(buffer, descriptor.size);
      counts.bufferBytes += descriptor.size;
      return buffer;
    };
  });
  wrap(GPUBuffer.prototype, 'destroy', (original) => {
    return function (this: GPUBuffer) {
      counts.bufferBytes -= alive.get(this) ?? 0;
      alive.delete(this);
      return original.call(this);
    };
  });
  wrap(GPUBuffer.prototype, 'mapAsync', (original) => {
    return function (this: GPUBuffer, mode: number, offset?: number, size?: number) {
      if (mode & GPUMapMode.READ) counts.bytesRead += size ?? this.size - (offset ?? 0);
      return original.call(this, mode, offset, size);
    };
  });
}

const labels = new WeakMap<GPUComputePipeline, string>();

function countPipelines(): void {
  const note = (pipeline: GPUComputePipeline, { label, compute }: GPUComputePipelineDescriptor) => {
    counts.pipelines++;
    labels.set(pipeline, label || compute.module.label || 'no label');
    return pipeline;
  };
  wrap(GPUDevice.prototype, 'createComputePipeline', (original) => {
    return function (this: GPUDevice, descriptor: GPUComputePipelineDescriptor) {
      return note(original.call(this, descriptor), descriptor);
    };
  });
  wrap(GPUDevice.prototype, 'createComputePipelineAsync', (original) => {
    return async function (this: GPUDevice, descriptor: GPUComputePipelineDescriptor) {
      return note(await original.call(this, descriptor), descriptor);
    };
  });
}

function countDispatches(): void {
  wrap(GPUComputePassEncoder.prototype, 'dispatchWorkgroups', (original) => {
    return function (this: GPUComputePassEncoder, x: number, y?: number, z?: number) {
      counts.dispatches++;
      return original.call(this, x, y ?? 1, z ?? 1);
    };
  });
  wrap(GPUCommandEncoder.prototype, 'beginComputePass', (original) => {
    return function (this: GPUCommandEncoder, descriptor?: GPUComputePassDescriptor) {
      if (!profile) return original.call(this, descriptor);
      return profile.pass(this, (timed) => original.call(this, timed));
    };
  });
}

/** Dispatches that one profile can hold; two timestamps each. */
const MAX_DISPATCHES = 2048;

/**
 * Runs `work` (which waits for its results) with every dispatch timed. The device needs the feature `timestamp-query`.
 *
 * @throws Error when the device has no timestamps
 */
export async function profileDispatches(device: GPUDevice, work: () => Promise<unknown>): Promise<GpuDispatch[]> {
  if (!device.features.has('timestamp-query')) throw new Error('profile: found a device without timestamp-query');
  profile = new Profile(device);
  const current = profile;
  try {
    await work();
  } finally {
    profile = null;
  }
  return current.read();
}

class Profile {
  readonly #device: GPUDevice;
  readonly #queries: GPUQuerySet;
  readonly #dispatches: Omit<GpuDispatch, 'ms'>[] = [];

  constructor(device: GPUDevice) {
    this.#device = device;
    this.#queries = device.createQuerySet({ type: 'timestamp', count: 2 * MAX_DISPATCHES });
  }

  /** Stands for a compute pass: state is kept here and set again in the pass that each dispatch gets. */
  pass(_encoder: GPUCommandEncoder, begin: (descriptor: GPUComputePassDescriptor) => GPUComputePassEncoder) {
    let pipeline: GPUComputePipeline | null = null;
    const groups = new Map<number, [GPUBindGroup, Iterable<number>?]>();
    return {
      setPipeline: (next: GPUComputePipeline) => {
        pipeline = next;
      },
      setBindGroup: (index: number, group: GPUBindGroup, offsets?: Iterable<number>) => {
        groups.set(index, [group, offsets]);
      },
      dispatchWorkgroups: (x: number, y = 1, z = 1) => {
        const index = this.#dispatches.length;
        if (index >= MAX_DISPATCHES) throw new Error(`profile: found more than ${MAX_DISPATCHES} dispatches`);
        this.#dispatches.push({ label: labels.get(pipeline!) ?? 'no label', workgroups: [x, y, z] });
        const pass = begin({
          timestampWrites: {
            querySet: this.#queries,
            beginningOfPassWriteIndex: 2 * index,
            endOfPassWriteIndex: 2 * index + 1,
          },
        });
        pass.setPipeline(pipeline!);
        for (const [slot, [group, offsets]] of groups) {
          if (offsets) pass.setBindGroup(slot, group, offsets);
          else pass.setBindGroup(slot, group);
        }
        pass.dispatchWorkgroups(x, y, z);
        pass.end();
      },
      pushDebugGroup: () => {},
      popDebugGroup: () => {},
      insertDebugMarker: () => {},
      end: () => {},
    };
  }

  async read(): Promise<GpuDispatch[]> {
    const size = this.#dispatches.length * 16;
    const resolved = this.#device.createBuffer({ size, usage: GPUBufferUsage.QUERY_RESOLVE | GPUBufferUsage.COPY_SRC });
    const host = this.#device.createBuffer({ size, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
    const encoder = this.#device.createCommandEncoder();
    encoder.resolveQuerySet(this.#queries, 0, this.#dispatches.length * 2, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, host, 0, size);
    this.#device.queue.submit([encoder.finish()]);
    await host.mapAsync(GPUMapMode.READ);
    const stamps = new BigUint64Array(host.getMappedRange().slice(0));
    for (const buffer of [resolved, host]) buffer.destroy();
    this.#queries.destroy();
    return this.#dispatches.map((dispatch, i) => ({
      ...dispatch,
      ms: Number(stamps[2 * i + 1] - stamps[2 * i]) / 1e6,
    }));
  }
}
