/** Which backend instances have the library's own WebAssembly kernels. Apart from `install.ts`, which brings the kernels' bytes along. */
import type { BackendInstance } from '../engine_switch.js';
import type { WasmKernels } from './wasm_kernels.js';

/** The kernels of one backend instance. */
export interface InstalledKernels {
  readonly kernels: WasmKernels;
  /** Threads of tfjs's kernels. Ours have as many, or one where the browser gave no workers (`kernels.threads`). */
  readonly threads: number;
  /** Size of the memory, which never shrinks. */
  memoryBytes(): number;
  /** Address of at least `bytes` bytes for use until the next call. */
  workspace(bytes: number): number;
}

const installed = new WeakMap<BackendInstance, InstalledKernels>();

export function wasmKernelsOf(instance: BackendInstance): InstalledKernels | null {
  return installed.get(instance) ?? null;
}

export function setWasmKernels(instance: BackendInstance, kernels: InstalledKernels): void {
  installed.set(instance, kernels);
}
