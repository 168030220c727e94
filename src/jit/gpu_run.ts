/**
 * A frame on the GPU: one or more networks (the persons of a frame may take several batches) as one command buffer, and one
 * `mapAsync` for all their numbers.
 */
import type { GpuNetwork } from './gpu_network.js';

/** One network of a frame. */
export interface RunPart {
  readonly network: GpuNetwork;
  /** Encodes the dispatch that fills the input; left out when the input was written before. */
  readonly fill?: (pass: GPUComputePassEncoder, input: GPUBufferBinding) => void;
  /** How many entries of the outputs' first axis are wanted; the rest of a padded batch is not read. Default: all. */
  readonly rows?: number;
}

/** Bytes; a smaller buffer is not worth a size of its own. */
const SMALLEST_READBACK = 4096;

/** Buffers that results are mapped from. While one is read, the next frame takes another. */
export class ReadbackPool {
  readonly #device: GPUDevice;
  readonly #idle = new Map<number, GPUBuffer[]>();
  readonly #all = new Set<GPUBuffer>();

  constructor(device: GPUDevice) {
    this.#device = device;
  }

  /** Of all buffers, in use or not. */
  get bytes(): number {
    return [...this.#all].reduce((sum, buffer) => sum + buffer.size, 0);
  }

  /** A buffer of at least `bytes`. Sizes are powers of two, so that a handful serves every number of persons. */
  take(bytes: number): GPUBuffer {
    const size = 2 ** Math.ceil(Math.log2(Math.max(bytes, SMALLEST_READBACK)));
    const idle = this.#idle.get(size)?.pop();
    if (idle) return idle;
    const usage = GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST;
    const made = this.#device.createBuffer({ size, usage, label: 'result' });
    this.#all.add(made);
    return made;
  }

  giveBack(buffer: GPUBuffer): void {
    const idle = this.#idle.get(buffer.size);
    if (idle) idle.push(buffer);
    else this.#idle.set(buffer.size, [buffer]);
  }

  /** A buffer whose mapping failed. */
  drop(buffer: GPUBuffer): void {
    this.#all.delete(buffer);
    buffer.destroy();
  }

  dispose(): void {
    for (const buffer of this.#all) buffer.destroy();
    this.#all.clear();
    this.#idle.clear();
  }
}

/**
 * Runs the parts one after the other. Everything is issued before this returns; the promise waits for the numbers.
 *
 * @returns per part, the values of its outputs
 */
export function runTogether(
  device: GPUDevice,
  pool: ReadbackPool,
  parts: readonly RunPart[],
): Promise<Float32Array[][]> {
  const sizes = parts.map(outputBytes);
  const total = sizes.flat().reduce((a, b) => a + b, 0);
  const result = pool.take(total);
  const encoder = device.createCommandEncoder();
  let end = 0;
  for (const [i, { network, fill }] of parts.entries()) {
    const pass = encoder.beginComputePass();
    fill?.(pass, network.input(0));
    network.encode(pass);
    pass.end();
    for (const [o, bytes] of sizes[i].entries()) {
      const { buffer, offset } = network.output(o);
      encoder.copyBufferToBuffer(buffer, offset, result, end, bytes);
      end += bytes;
    }
  }
  device.queue.submit([encoder.finish()]);
  return read(pool, result, total, sizes);
}

/** Of each output, the bytes of the rows that are wanted. */
function outputBytes({ network, rows }: RunPart): number[] {
  return network.plan.outputs.map(({ shape, bytes }) => (rows === undefined ? bytes : (bytes / shape[0]) * rows));
}

async function read(
  pool: ReadbackPool,
  result: GPUBuffer,
  total: number,
  sizes: readonly (readonly number[])[],
): Promise<Float32Array[][]> {
  try {
    await result.mapAsync(GPUMapMode.READ, 0, total);
  } catch (error) {
    pool.drop(result);
    throw error;
  }
  const values = result.getMappedRange(0, total).slice(0);
  result.unmap();
  pool.giveBack(result);
  let start = 0;
  return sizes.map((outputs) =>
    outputs.map((bytes) => {
      const array = new Float32Array(values, start, bytes / 4);
      start += bytes;
      return array;
    }),
  );
}
