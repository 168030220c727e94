/**
 * Row-major arrays with a shape, and the few NumPy-like helpers that the ports need. Data only, no methods, so that results
 * cross worker borders by transfer.
 */
import { InputError } from './errors.js';

export type TypedArray =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigInt64Array;

/** A row-major array: `data.length` is the product of `shape`. */
export interface NdArray<T extends TypedArray = Float32Array> {
  readonly data: T;
  readonly shape: readonly number[];
}

/** Number of elements of a shape; 1 for a scalar's empty shape. */
export function sizeOf(shape: readonly number[]): number {
  let size = 1;
  for (const n of shape) size *= n;
  return size;
}

/**
 * Wraps `data` with a shape, without a copy.
 *
 * @throws InputError when the sizes differ
 */
export function ndarray<T extends TypedArray>(data: T, shape: readonly number[]): NdArray<T> {
  if (data.length !== sizeOf(shape)) {
    throw new InputError(
      `ndarray: found ${data.length} elements; expected ${sizeOf(shape)} for shape [${shape.join(', ')}].`,
    );
  }
  return { data, shape };
}

/** A float32 array of zeros. */
export function zeros(shape: readonly number[]): NdArray {
  return { data: new Float32Array(sizeOf(shape)), shape };
}

/** A float32 array with every element `value`. */
export function full(shape: readonly number[], value: number): NdArray {
  return { data: new Float32Array(sizeOf(shape)).fill(value), shape };
}

/** Sub-arrays along the first axis as views (no copy): `row(a, i)` is `a[i]` in NumPy. */
export function row<T extends TypedArray>(array: NdArray<T>, index: number): NdArray<T> {
  const shape = array.shape.slice(1);
  const size = sizeOf(shape);
  return { data: array.data.subarray(index * size, (index + 1) * size) as T, shape };
}

/** Joins arrays of equal trailing shape along the first axis (copies). */
export function concatRows(arrays: readonly NdArray[]): NdArray {
  const rows = arrays.reduce((sum, a) => sum + a.shape[0], 0);
  const out = zeros([rows, ...(arrays[0]?.shape.slice(1) ?? [])]);
  let offset = 0;
  for (const { data } of arrays) {
    out.data.set(data, offset);
    offset += data.length;
  }
  return out;
}
