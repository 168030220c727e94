/** One dense convolution, by the fastest kernel that the active backend has. */
import { hasWasmConv, packWasmFilter, wasmConv2d, type ConvGeometry } from '../ops/wasm/conv2d.js';
import * as tf from '../tf.js';
import type { Tensor1D, Tensor4D } from '../tf.js';
import type { FusedActivation } from './act.js';
import type { Parameter } from './module.js';

type ExplicitPadding = [[number, number], [number, number], [number, number], [number, number]];

/**
 * tfjs's form of symmetric padding: one number where it can, so that 1 x 1 kernels stay matrix products. It can only where both axes
 * are alike, since tfjs then counts the windows of both with the height of the kernel and the first stride.
 */
export function tfPadding(
  [h, w]: readonly [number, number],
  kernel: readonly [h: number, w: number],
  { strides, dilations }: Pick<DenseConvOptions, 'strides' | 'dilations'>,
): number | 'valid' | ExplicitPadding {
  const isSquare = [kernel, strides, dilations].every(([onHeight, onWidth]) => onHeight === onWidth);
  if (h === w && isSquare) return h;
  if (h === 0 && w === 0) return 'valid';
  const [none, high, wide]: [number, number][] = [
    [0, 0],
    [h, h],
    [w, w],
  ];
  return [none, high, wide, none];
}

export interface DenseConvOptions {
  readonly strides: readonly [h: number, w: number];
  /** The same on both sides. */
  readonly padding: readonly [h: number, w: number];
  readonly dilations: readonly [h: number, w: number];
  readonly activation: FusedActivation;
  /** Of the output's shape, added before the activation. */
  readonly residual?: Tensor4D;
}

/**
 * x [N, H, W, I] -> [N, H', W', O]. `weight`: uploaded as [kh, kw, I, O], which is `shape` here; on wasm it takes the form of the
 * library's kernel in its first call.
 */
export function denseConv2d(
  x: Tensor4D,
  weight: Parameter,
  shape: readonly [kh: number, kw: number, inputs: number, outputs: number],
  bias: Tensor1D | undefined,
  { strides, padding, dilations, activation, residual }: DenseConvOptions,
): Tensor4D {
  const [kh, kw, inChannels, outChannels] = shape;
  const geometry: ConvGeometry = { kernel: [kh, kw], inChannels, outChannels, strides, padding };
  if (dilations.every((d) => d === 1) && hasWasmConv(geometry)) {
    const packed = weight.arranged((filter) => packWasmFilter(filter as Tensor4D, geometry, [x.shape[1], x.shape[2]]));
    return wasmConv2d({ x, packed, bias, residual }, geometry, activation);
  }
  const y = tf.fused.conv2d({
    x,
    filter: weight.tensor as Tensor4D,
    bias,
    strides: strides as [number, number],
    pad: tfPadding(padding, [kh, kw], { strides, dilations }),
    dilations: dilations as [number, number],
    activation: residual ? 'linear' : activation,
  });
  return residual ? activate(tf.add(y, residual), activation) : y;
}

/** An activation by itself that other convolutions fuse. */
export function activate(x: Tensor4D, activation: FusedActivation): Tensor4D {
  if (activation === 'linear') return x;
  return activation === 'relu' ? tf.relu(x) : tf.relu6(x);
}
