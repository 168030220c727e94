/** Depthwise convolutions on tfjs's wasm backend by the library's own kernel: any filter size, in one pass over the map. */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import * as tf from '../../tf.js';
import type { KernelFunc, Tensor, Tensor1D, Tensor4D, TensorInfo } from '../../tf.js';
import { THREADS, type WasmActivation } from './conv2d.js';
import { activeWasmKernels, convOutputSize, keepsUp, registerWasm, type WasmBackend, type Windows } from './wasm_op.js';

const NAME = 'InposeWasmDepthwiseConv2d';
/** The kernel takes four channels at once. */
const FEWEST_CHANNELS = 4;

/** Whether the active backend is wasm with the library's kernels, and they are the faster ones for this. */
export function hasWasmDepthwise(channels: number): boolean {
  const installed = activeWasmKernels();
  return channels >= FEWEST_CHANNELS && installed !== null && keepsUp(installed, THREADS.other);
}

/** x [N, H, W, C], filter [kh, kw, C, 1] -> [N, H', W', C]. */
export function wasmDepthwiseConv2d(
  { x, filter, bias }: { x: Tensor4D; filter: Tensor4D; bias?: Tensor1D },
  geometry: Windows,
  activation: WasmActivation,
): Tensor4D {
  registerWasm(NAME, kernel);
  const named: tf.NamedTensorMap = bias ? { x, filter, bias } : { x, filter };
  const attrs = { geometry, activation } as unknown as tf.NamedAttrMap;
  const y = tf.engine().runKernel(NAME, named, attrs) as Tensor as Tensor4D;
  return activation === 'relu6' ? tf.clipByValue(y, 0, 6) : y;
}

const kernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const { geometry, activation } = attrs as unknown as { geometry: Windows; activation: WasmActivation };
  const [n, h, w, channels] = inputs.x!.shape;
  const [oh, ow] = convOutputSize([h, w], geometry);
  const { kernel: size, strides, padding } = geometry;
  const output = wasm.makeOutput([n, oh, ow, channels], 'float32');
  const at = (info: TensorInfo | undefined) => (info ? wasm.getMemoryOffset(info.dataId) : 0);
  const addresses = { input: at(inputs.x), filter: at(inputs.filter), bias: at(inputs.bias), output: at(output) };
  const shape = {
    ...{ n, h, w, channels, kh: size[0], kw: size[1], oh, ow },
    ...{ strideY: strides[0], strideX: strides[1], top: padding[0], left: padding[1] },
  };
  kernels.depthwise(addresses, shape, activation === 'relu');
  return output;
};
