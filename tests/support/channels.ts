/** From PyTorch's order of axes to that of this library, and back. */
import type { NdArray } from '../../src/ndarray.js';
import { transpose } from '../../src/nn/module.js';

/** NCHW to NHWC, NCDHW to NDHWC, and NCT to N1TC: sequences are maps one pixel high here. */
export function channelsLast({ data, shape }: NdArray): NdArray {
  if (shape.length === 5) return transpose(data, shape, [0, 2, 3, 4, 1]);
  if (shape.length === 4) return transpose(data, shape, [0, 2, 3, 1]);
  const [n, channels, length] = shape;
  return transpose(data, [n, channels, 1, length], [0, 2, 3, 1]);
}

/** The way back, to the rank that PyTorch's output has. What is no map, volume or sequence here stays as it is. */
export function channelsFirst({ data, shape }: NdArray, rank: number): NdArray {
  if (shape.length === 5) return transpose(data, shape, [0, 4, 1, 2, 3]);
  if (shape.length !== 4) return { data, shape };
  const turned = transpose(data, shape, [0, 3, 1, 2]);
  const isSequence = rank === 3 && turned.shape[2] === 1;
  return isSequence ? { ...turned, shape: turned.shape.filter((_, axis) => axis !== 2) } : turned;
}
