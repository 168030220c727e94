/** Means, gates, sums of two sizes and sigmoids on tfjs's wasm backend: one pass over a map each. */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import type { MapShape } from '../../backend/wasm/wasm_kernels.js';
import { sizeOf } from '../../ndarray.js';
import type { KernelFunc, TensorInfo } from '../../tf.js';
import type { WasmBackend } from './wasm_op.js';

function mapShapeOf({ shape: [n, h, w, channels] }: TensorInfo): MapShape {
  return { n, h, w, channels };
}

/** Kernels and output of one call, with a way to say where a tensor lies. */
function open(backend: unknown, shape: readonly number[]) {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const output = wasm.makeOutput(shape, 'float32');
  return { kernels, output, at: (info: TensorInfo) => wasm.getMemoryOffset(info.dataId) };
}

/** x [N, H, W, C] -> [N, H / kh, W / kw, C]. */
export const meanWindowsKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const x = inputs.x!;
  const [kh, kw] = attrs!.window as [number, number];
  const [n, h, w, channels] = x.shape;
  const { kernels, output, at } = open(backend, [n, h / kh, w / kw, channels]);
  kernels.meanWindows(at(x), at(output), mapShapeOf(x), kh, kw);
  return output;
};

/** map [N, H, W, C] and coarse [N, H / a, W / b, C] -> [N, H, W, C]. */
export const combineNearestKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const [map, coarse] = [inputs.map!, inputs.coarse!];
  const { kernels, output, at } = open(backend, map.shape);
  const [high, wide] = [1, 2].map((axis) => map.shape[axis] / coarse.shape[axis]);
  kernels.combine(at(map), at(coarse), at(output), mapShapeOf(map), high, wide, attrs!.how as 'plus' | 'times');
  return output;
};

/** x of any shape. */
export const sigmoidKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const x = inputs.x!;
  const { kernels, output, at } = open(backend, x.shape);
  kernels.sigmoid(at(x), at(output), sizeOf(x.shape), attrs!.timesInput as boolean);
  return output;
};
