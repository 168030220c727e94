/** What kernels in tfjs's WebAssembly memory share. */
import type { BackendInstance } from '../../backend/engine_switch.js';
import { wasmKernelsOf, type InstalledKernels } from '../../backend/wasm/installed.js';
import * as tf from '../../tf.js';
import type { KernelFunc, TensorInfo } from '../../tf.js';

/** Of tfjs's wasm backend. */
export interface WasmBackend extends BackendInstance {
  makeOutput(shape: readonly number[], dtype: 'float32'): TensorInfo;
  /** Address of a tensor's values. */
  getMemoryOffset(dataId: object): number;
}

/** The library's kernels, where wasm is the active backend and has them. */
export function activeWasmKernels(): InstalledKernels | null {
  return tf.getBackend() === 'wasm' ? wasmKernelsOf(tf.backend() as unknown as BackendInstance) : null;
}

/** Whether our kernels are no slower than tfjs's: with as many threads, or where one of ours keeps up with all of tfjs's. */
export function keepsUp({ kernels, threads }: InstalledKernels, perThread: number): boolean {
  return threads <= perThread * kernels.threads;
}

/** Not by `defineOp`, for kernels without a composed meaning: whoever runs one has seen that it is there. */
export function registerWasm(kernelName: string, kernelFunc: KernelFunc): void {
  if (!tf.getKernel(kernelName, 'wasm')) tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc });
}

/** Which pixels a convolution without dilation looks at. */
export interface Windows {
  readonly kernel: readonly [h: number, w: number];
  readonly strides: readonly [h: number, w: number];
  /** The same on both sides. */
  readonly padding: readonly [h: number, w: number];
}

/** PyTorch's size of a convolution's output. */
export function convOutputSize(size: readonly [h: number, w: number], { kernel, strides, padding }: Windows): number[] {
  return size.map((extent, k) => Math.floor((extent + 2 * padding[k] - kernel[k]) / strides[k]) + 1);
}
