/** The library's own WebAssembly kernels beside tfjs's wasm backend, in its memory. */
import { BackendError } from '../../errors.js';
import type { BackendInstance } from '../engine_switch.js';
import { loadWasmKernels } from './wasm_kernels.js';
import { wasmKernelsOf, setWasmKernels } from './installed.js';
import { checkWasmKernels } from './self_check.js';

/** What of tfjs's Emscripten module is needed: `malloc`, and the memory, which the build with threads imports and the others export. */
export interface EmscriptenModule {
  readonly asm?: { readonly memory?: WebAssembly.Memory };
  readonly wasmMemory?: WebAssembly.Memory;
  _malloc(bytes: number): number;
  _free(at: number): void;
}

/**
 * Adds the kernels to a started backend. Without SIMD, or where the page's Content-Security-Policy has let only tfjs's module in, or
 * where they compute wrong numbers, tfjs's own kernels stay in use.
 */
export async function installWasmKernels(instance: BackendInstance, threads: number): Promise<void> {
  const module = instance.wasm as EmscriptenModule | undefined;
  const memory = module?.wasmMemory ?? module?.asm?.memory;
  if (!module || !memory || wasmKernelsOf(instance)) return;
  try {
    const reserve = (bytes: number) => module._malloc(bytes);
    const kernels = await loadWasmKernels(memory, { threads: Math.min(threads, MOST_THREADS), reserve });
    if (!checkWasmKernels(kernels, memory, module)) return kernels.terminate();
    setWasmKernels(instance, {
      ...{ kernels, threads, workspace: workspaceOf(module) },
      memoryBytes: () => memory.buffer.byteLength,
    });
    endWith(instance, () => kernels.terminate());
  } catch (error) {
    if (!(error instanceof WebAssembly.CompileError || error instanceof WebAssembly.LinkError)) throw error;
  }
}

/** More have not been tried. */
const MOST_THREADS = 8;

/** Workers wait in the backend's memory and go with it. */
function endWith(instance: BackendInstance, end: () => void): void {
  const dispose = instance.dispose.bind(instance);
  instance.dispose = () => {
    end();
    dispose();
  };
}

/** One reserved piece that grows; it goes with the backend's memory. */
function workspaceOf(module: EmscriptenModule): (bytes: number) => number {
  let [at, size] = [0, 0];
  return (bytes) => {
    if (bytes > size) {
      if (at) module._free(at);
      [at, size] = [module._malloc(bytes), bytes];
      if (at === 0) {
        size = 0;
        throw new BackendError(
          `backend "wasm": found no room for ${bytes} bytes; use a smaller model or fewer persons.`,
        );
      }
    }
    return at;
  };
}
