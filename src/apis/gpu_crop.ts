/** All persons of a frame cut out and normalised on the GPU: the dispatch of `ops/webgpu/warp_affine.ts` with its buffers. */
import { compileProgram } from '../jit/compile_program.js';
import type { FillInput } from '../jit/compiler.js';
import type { PoseDataPreprocessor } from '../models/data_preprocessors/data_preprocessor.js';
import { cropWgsl, CROP_TILE, packTable, packTerms } from '../ops/webgpu/warp_affine.js';
import type { WarpTerms } from '../structures/warp_maps.js';
import type { GpuPicture } from './gpu_frame.js';

/** Persons that go through the network together. */
export interface CropBatch {
  /** One per person; all have the crop's size. */
  readonly terms: readonly WarpTerms[];
  /** Entries of the network's input; those beyond the persons repeat the last. */
  readonly batch: number;
}

/** Bytes; WebGPU's largest `minStorageBufferOffsetAlignment`. */
const ALIGNMENT = 256;

export class GpuCrop {
  readonly #device: GPUDevice;
  readonly #cropSize: readonly [w: number, h: number];
  readonly #inputSize: readonly [w: number, h: number];
  readonly #swap: boolean;
  readonly #border: readonly [number, number, number];
  readonly #table: GPUBuffer;
  readonly #pipelines = new Map<boolean, GPUComputePipeline>();
  #terms: GPUBuffer | null = null;

  /**
   * @param gpu - a `GPUDevice`, unnamed in published types
   * @param cropSize - [w, h] px, input space, before padding
   * @param border - RGB of everything outside the picture
   */
  constructor(
    gpu: unknown,
    cropSize: readonly [w: number, h: number],
    preprocessor: PoseDataPreprocessor,
    border: readonly [number, number, number] = [0, 0, 0],
  ) {
    const device = gpu as GPUDevice;
    this.#device = device;
    this.#cropSize = cropSize;
    this.#inputSize = preprocessor.paddedSize(cropSize);
    this.#border = border;
    this.#swap = preprocessor.channelOrder === 'bgr';
    const table = packTable(preprocessor.byteTables, preprocessor.padValue);
    this.#table = this.#buffer(table.byteLength);
    device.queue.writeBuffer(this.#table, 0, table);
  }

  #buffer(size: number): GPUBuffer {
    return this.#device.createBuffer({ size, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_DST, label: 'crop' });
  }

  /**
   * Compiles the shader for copied (`false`) or imported (`true`) pictures. Before the first `fills` of that kind.
   *
   * @throws BackendError when it does not compile
   */
  async prepare(external: boolean): Promise<void> {
    if (this.#pipelines.has(external)) return;
    const [cropSize, inputSize] = [this.#cropSize, this.#inputSize];
    const shape = { cropSize, inputSize, swap: this.#swap, border: this.#border, external };
    const label = external ? 'of imported pictures' : 'of copied pictures';
    this.#pipelines.set(external, await compileProgram(this.#device, { wgsl: cropWgsl(shape), label }, 'crop'));
  }

  /**
   * Uploads the terms of a frame and gives, per batch, the function that encodes its crops. Submit them before the next `fills`:
   * the terms of the next frame then arrive after this one's crops have been made.
   */
  fills({ resource, external }: GpuPicture, batches: readonly CropBatch[]): FillInput[] {
    const packed = batches.map(({ terms }) => packTerms(terms));
    const offsets = this.#uploadTerms(packed);
    const pipeline = this.#pipelines.get(external)!;
    const [width, height] = this.#inputSize;
    return batches.map(({ batch }, i) => (encoder, input) => {
      const pass = encoder as GPUComputePassEncoder;
      const terms = { buffer: this.#terms!, offset: offsets[i], size: packed[i].byteLength };
      const resources = [resource, terms, { buffer: this.#table }, input] as readonly GPUBindingResource[];
      pass.setPipeline(pipeline);
      pass.setBindGroup(
        0,
        this.#device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: resources.map((bound, binding) => ({ binding, resource: bound })),
        }),
      );
      pass.dispatchWorkgroups(Math.ceil(width / CROP_TILE), Math.ceil(height / CROP_TILE), batch);
    });
  }

  /** One upload for all; gives where each array begins, bytes. */
  #uploadTerms(packed: readonly Int32Array[]): number[] {
    const offsets: number[] = [];
    let end = 0;
    for (const { byteLength } of packed) {
      offsets.push(end);
      end += Math.ceil(byteLength / ALIGNMENT) * ALIGNMENT;
    }
    const all = new Int32Array(end / 4);
    for (const [i, part] of packed.entries()) all.set(part, offsets[i] / 4);
    if (!this.#terms || this.#terms.size < end) {
      this.#terms?.destroy();
      this.#terms = this.#buffer(end);
    }
    this.#device.queue.writeBuffer(this.#terms, 0, all);
    return offsets;
  }

  dispose(): void {
    this.#table.destroy();
    this.#terms?.destroy();
  }
}
