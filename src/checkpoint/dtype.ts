/** Element types of stored tensors: their sizes, and raw little-endian bytes turned into typed arrays. */
import type { TypedArray } from '../ndarray.js';
import { widenBfloat16, widenHalf } from './float16.js';
import type { CheckpointDtype } from './state_dict.js';

/** Bytes of one element. */
export const ITEM_SIZES: Readonly<Record<CheckpointDtype, 1 | 2 | 4 | 8>> = {
  float64: 8,
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int64: 8,
  int32: 4,
  int16: 2,
  int8: 1,
  uint8: 1,
  bool: 1,
};

/** Whether `dtype` is a floating-point type. */
export function isFloating(dtype: CheckpointDtype): boolean {
  return dtype.includes('float');
}

/** Turns `buffer` (which the result may keep) into the typed array that `CheckpointTensor.read` promises. */
export function toTypedArray(buffer: ArrayBuffer, dtype: CheckpointDtype): TypedArray {
  switch (dtype) {
    case 'float64':
      return new Float64Array(buffer);
    case 'float32':
      return new Float32Array(buffer);
    case 'float16':
      return widenHalf(new Uint16Array(buffer));
    case 'bfloat16':
      return widenBfloat16(new Uint16Array(buffer));
    case 'int64':
      return new BigInt64Array(buffer);
    case 'int32':
      return new Int32Array(buffer);
    case 'int16':
      return new Int16Array(buffer);
    case 'int8':
      return new Int8Array(buffer);
    case 'uint8':
    case 'bool':
      return new Uint8Array(buffer);
    default:
      return dtype satisfies never;
  }
}

/** Reverses the bytes of every element, in place. */
export function swapBytes(bytes: Uint8Array, itemSize: number): void {
  for (let at = 0; at + itemSize <= bytes.length; at += itemSize) bytes.subarray(at, at + itemSize).reverse();
}
