/** What kernels in tfjs's WebAssembly memory share. */
import type { BackendInstance } from '../../backend/engine_switch.js';
import { wasmKernelsOf, type InstalledKernels } from '../../backend/wasm/installed.js';
import * as tf from '../../tf.js';
import type { TensorInfo } from '../../tf.js';

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
