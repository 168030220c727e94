/** Splitting and shuffling channels on tfjs's wasm backend, whose own kernels for it are loops in JavaScript. */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import { sizeOf } from '../../ndarray.js';
import * as tf from '../../tf.js';
import type { KernelFunc, Tensor, Tensor4D } from '../../tf.js';
import { activeWasmKernels, registerWasm, type WasmBackend } from './wasm_op.js';

const [SPLIT, INTERLEAVE] = ['InposeWasmSplitChannels1', 'InposeWasmInterleave1'];

export function hasWasmChannels(): boolean {
  return activeWasmKernels() !== null;
}

/** x [N, H, W, C] -> one map per size, whose sum is C. */
export function wasmSplitChannels(x: Tensor4D, sizes: readonly number[]): Tensor4D[] {
  registerWasm(SPLIT, splitKernel);
  return tf.engine().runKernel(SPLIT, { x }, { sizes } as unknown as tf.NamedAttrMap) as Tensor[] as Tensor4D[];
}

/** a, b [N, H, W, C] -> [N, H, W, 2 C], channels in turns. */
export function wasmInterleave(a: Tensor4D, b: Tensor4D): Tensor4D {
  registerWasm(INTERLEAVE, interleaveKernel);
  return tf.engine().runKernel(INTERLEAVE, { a, b }) as Tensor as Tensor4D;
}

const splitKernel: KernelFunc = ({ inputs, backend, attrs }) => {
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

const interleaveKernel: KernelFunc = ({ inputs, backend }) => {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const [a, b] = [inputs.a!, inputs.b!];
  const output = wasm.makeOutput([...a.shape.slice(0, 3), 2 * a.shape[3]], 'float32');
  const [from, and, to] = [a, b, output].map((info) => wasm.getMemoryOffset(info.dataId));
  kernels.interleave(from, and, to, sizeOf(a.shape));
  return output;
};
