/**
 * Dense convolutions on tfjs's wasm backend by the library's own kernels (`src/backend/wasm/`), which work in tfjs's memory: Winograd's
 * algorithm for 3 x 3, matrix products for the rest, fused multiply-add where the browser has it. tfjs's own (XNNPACK) has neither.
 */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import * as tf from '../../tf.js';
import type { KernelFunc, Tensor, Tensor1D, Tensor4D, TensorInfo } from '../../tf.js';
import { activeWasmKernels, convOutputSize, keepsUp, registerWasm, type WasmBackend, type Windows } from './wasm_op.js';

/** A dense convolution without its numbers. */
export interface ConvGeometry extends Windows {
  readonly inChannels: number;
  readonly outChannels: number;
}

export type WasmActivation = 'linear' | 'relu' | 'relu6';

/** The number says the layout of packed filters: another version of the library on the page may have another. */
const [PACK, CONV] = ['InposeWasmPackFilter1', 'InposeWasmConv2d1'];
/**
 * Bytes of a filter for Winograd, which is four times as large as the original: above, reading it takes the time that it saves; and
 * above the lower one only while tfjs's whole memory is small.
 */
const LARGEST_WINOGRAD = { always: 1.5e6, inSmallMemory: 6e6 };
const SMALL_MEMORY = 384e6;
/** Tiles of 4 x 4 pixels from which the products are large enough. */
const FEWEST_TILES = 6;

/** How many of tfjs's threads one of ours keeps up with (bench/README.md): by Winograd, and otherwise. */
export const THREADS = { winograd: 4, other: 2 };

/** Whether the active backend is wasm with the library's kernels, and they are the faster ones for this. */
export function hasWasmConv(geometry: ConvGeometry): boolean {
  const installed = activeWasmKernels();
  return installed !== null && keepsUp(installed, isWinogradShape(geometry) ? THREADS.winograd : THREADS.other);
}

/**
 * A filter [kh, kw, in, out] in the layout of the kernels, for maps of about the given size; it works for every other size, too.
 * The caller owns both.
 */
export function packWasmFilter(
  filter: Tensor4D,
  geometry: ConvGeometry,
  map: readonly [h: number, w: number],
): Tensor1D {
  registerWasm(PACK, packKernel);
  const attrs = { geometry, winograd: prefersWinograd(geometry, map) };
  return tf.engine().runKernel(PACK, { filter }, attrs as unknown as tf.NamedAttrMap) as Tensor as Tensor1D;
}

/** x [N, H, W, in] -> [N, H', W', out]. `packed`: of `packWasmFilter` with the same geometry; `residual`: added before ReLU. */
export function wasmConv2d(
  inputs: { x: Tensor4D; packed: Tensor1D; bias?: Tensor1D; residual?: Tensor4D },
  geometry: ConvGeometry,
  activation: WasmActivation,
): Tensor4D {
  registerWasm(CONV, convKernel);
  const named = Object.fromEntries(Object.entries(inputs).filter(([, tensor]) => tensor !== undefined));
  const attrs = { geometry, activation } as unknown as tf.NamedAttrMap;
  const y = tf.engine().runKernel(CONV, named, attrs) as Tensor as Tensor4D;
  return activation === 'relu6' ? tf.clipByValue(y, 0, 6) : y;
}

function isWinogradShape({ kernel, strides, padding }: ConvGeometry): boolean {
  return [...kernel, ...strides, ...padding].join() === '3,3,1,1,1,1';
}

function allowsWinograd(geometry: ConvGeometry): boolean {
  const { always, inSmallMemory } = LARGEST_WINOGRAD;
  const most = (activeWasmKernels()?.memoryBytes() ?? Infinity) < SMALL_MEMORY ? inSmallMemory : always;
  return isWinogradShape(geometry) && 36 * 4 * geometry.inChannels * geometry.outChannels <= most;
}

function prefersWinograd(geometry: ConvGeometry, [h, w]: readonly [h: number, w: number]): boolean {
  return allowsWinograd(geometry) && Math.ceil(h / 4) * Math.ceil(w / 4) >= FEWEST_TILES;
}

const packKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const { geometry, winograd } = attrs as unknown as { geometry: ConvGeometry; winograd: boolean };
  const { kernel, inChannels, outChannels } = geometry;
  const bytes = winograd
    ? kernels.packedSize3x3(inChannels, outChannels)
    : kernels.packedSize(...kernel, inChannels, outChannels);
  const packed = wasm.makeOutput([bytes / 4], 'float32');
  const [to, from] = [wasm.getMemoryOffset(packed.dataId), wasm.getMemoryOffset(inputs.filter!.dataId)];
  if (winograd) kernels.pack3x3(to, from, inChannels, outChannels);
  else kernels.pack(to, from, ...kernel, inChannels, outChannels);
  return packed;
};

const convKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as WasmBackend;
  const { kernels, workspace } = wasmKernelsOf(wasm)!;
  const { geometry, activation } = attrs as unknown as { geometry: ConvGeometry; activation: WasmActivation };
  const [n, h, w] = inputs.x!.shape;
  const { kernel, inChannels: cin, outChannels: cout, strides, padding } = geometry;
  const [oh, ow] = convOutputSize([h, w], geometry);
  const at = (info: TensorInfo | undefined) => (info ? wasm.getMemoryOffset(info.dataId) : 0);
  const winograd = isWinogradShape(geometry) && inputs.packed!.shape[0] * 4 === kernels.packedSize3x3(cin, cout);
  const map = { n, h, w, cin, cout };
  const [kh, kw] = kernel;
  const shape = { ...map, kh, kw, strideY: strides[0], strideX: strides[1], top: padding[0], left: padding[1], oh, ow };
  const space = workspace(winograd ? kernels.workspaceSize3x3(map) : kernels.workspaceSize(shape));
  const output = wasm.makeOutput([n, oh, ow, cout], 'float32');
  const addresses = {
    ...{ input: at(inputs.x), packed: at(inputs.packed), bias: at(inputs.bias), residual: at(inputs.residual) },
    output: at(output),
    workspace: space,
  };
  if (winograd) kernels.conv3x3(addresses, map, activation === 'relu');
  else kernels.conv(addresses, shape, activation === 'relu');
  return output;
};
