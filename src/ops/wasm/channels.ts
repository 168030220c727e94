/** Splitting and shuffling channels: kernels for tfjs's wasm backend, whose own kernels for it are loops in JavaScript. */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import { sizeOf } from '../../ndarray.js';
import type { KernelFunc } from '../../tf.js';
import type { WasmBackend } from './wasm_op.js';

/** x [N, H, W, C] -> one map per size of `sizes`, whose sum is C. */
export const splitKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const { shape, dataId } = inputs.x!;
  const [channels, pixels] = [shape[3], sizeOf(shape.slice(0, 3))];
  let first = 0;
  return (attrs!.sizes as number[]).map((size) => {
    const part = wasm.makeOutput([...shape.slice(0, 3), size], 'float32');
    const from = wasm.getMemoryOffset(dataId) + 4 * first;
    kernels.copyRows(from, channels, wasm.getMemoryOffset(part.dataId), size, size, pixels);
    first += size;
    return part;
  });
};

/** a, b [N, H, W, C] -> [N, H, W, 2 C], channels in turns. */
export const interleaveKernel: KernelFunc = ({ inputs, backend }) => {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const [a, b] = [inputs.a!, inputs.b!];
  const output = wasm.makeOutput([...a.shape.slice(0, 3), 2 * a.shape[3]], 'float32');
  const [from, and, to] = [a, b, output].map((info) => wasm.getMemoryOffset(info.dataId));
  kernels.interleave(from, and, to, sizeOf(a.shape));
  return output;
};
