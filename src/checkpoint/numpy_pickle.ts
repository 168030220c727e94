/**
 * NumPy arrays, dtypes and scalars as pickles build them (`numpy.core.multiarray._reconstruct` and a state). MMEngine's
 * `dataset_meta` holds colours and sigmas this way.
 */
import { CheckpointError } from '../errors.js';
import { sizeOf, type NdArray, type TypedArray } from '../ndarray.js';
import { swapBytes } from './dtype.js';
import { widenHalf } from './float16.js';
import { PyLatin1, textOf, type PyBuildable } from './pickle_values.js';

/** dtype codes of numbers: bytes of an element and how to read them. */
const NUMBERS: Readonly<Record<string, readonly [itemSize: number, read: (buffer: ArrayBuffer) => TypedArray]>> = {
  b1: [1, (b) => new Uint8Array(b)],
  i1: [1, (b) => new Int8Array(b)],
  u1: [1, (b) => new Uint8Array(b)],
  i2: [2, (b) => new Int16Array(b)],
  u2: [2, (b) => new Uint16Array(b)],
  i4: [4, (b) => new Int32Array(b)],
  u4: [4, (b) => new Uint32Array(b)],
  i8: [8, (b) => new BigInt64Array(b)],
  f2: [2, (b) => widenHalf(new Uint16Array(b))],
  f4: [4, (b) => new Float32Array(b)],
  f8: [8, (b) => new Float64Array(b)],
};

/** `numpy.dtype('f4')`, then the state `(3, '<', ...)`. */
export class NumpyDtype implements PyBuildable {
  readonly code: string;
  bigEndian: boolean;

  constructor(code: unknown) {
    const text = textOf(code) ?? '';
    this.code = text.replace(/^[<>|=]/, '');
    this.bigEndian = text.startsWith('>');
  }

  build(state: unknown): void {
    if (Array.isArray(state) && typeof state[1] === 'string') this.bigEndian = state[1] === '>';
  }

  /** Values of raw bytes, or null for text, objects and records. */
  decode(raw: Uint8Array, count: number, where: string): TypedArray | null {
    if (!(this.code in NUMBERS)) return null;
    const [itemSize, read] = NUMBERS[this.code];
    if (raw.length !== count * itemSize) {
      throw new CheckpointError(
        `${where}: found ${raw.length} bytes; expected ${count} elements of "${this.code}"; the file is corrupt.`,
      );
    }
    const bytes = raw.slice();
    if (this.bigEndian) swapBytes(bytes, itemSize);
    return read(bytes.buffer);
  }
}

/** `numpy.ndarray`, decoded when somebody asks: loss histories are long and of no use here. */
export class NumpyArray implements PyBuildable {
  #state: readonly unknown[] = [];
  #decoded: NdArray<TypedArray> | readonly unknown[] | null | undefined;

  /** @param state - `(version, shape, dtype, fortran_order, data)` */
  build(state: unknown): void {
    if (!Array.isArray(state) || state.length !== 5)
      throw new CheckpointError('found a numpy array without its state.');
    this.#state = state;
  }

  /** The array; a list for arrays of objects, null for other contents that are no numbers. */
  decode(where: string): NdArray<TypedArray> | readonly unknown[] | null {
    return (this.#decoded ??= this.#decode(where));
  }

  #decode(where: string): NdArray<TypedArray> | readonly unknown[] | null {
    const [, shape, dtype, fortran, data] = this.#state;
    if (Array.isArray(data)) return data;
    const raw = data instanceof PyLatin1 ? data.decode(where) : data;
    if (!isShape(shape) || !(dtype instanceof NumpyDtype) || !(raw instanceof Uint8Array)) return null;
    const values = dtype.decode(raw, sizeOf(shape), where);
    if (!values) return null;
    return { data: fortran === true ? toRowMajor(values, shape) : values, shape };
  }
}

/** `numpy.core.multiarray.scalar(dtype, bytes)` as a plain number; null when it is none. */
export function numpyScalar(args: readonly unknown[]): number | null {
  const [dtype, data] = args;
  const raw = data instanceof PyLatin1 ? data.decode('numpy scalar') : data;
  if (!(dtype instanceof NumpyDtype) || !(raw instanceof Uint8Array)) return null;
  const values = dtype.decode(raw, 1, 'numpy scalar');
  return values ? Number(values[0]) : null;
}

/** `numpy.core.numeric._frombuffer(buffer, dtype, shape, order)`, protocol 5. */
export function numpyFromBuffer(args: readonly unknown[]): NumpyArray {
  const [data, dtype, shape, order] = args;
  const array = new NumpyArray();
  array.build([1, shape, dtype, order === 'F', data]);
  return array;
}

function isShape(value: unknown): value is number[] {
  return Array.isArray(value) && value.length <= 64 && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

/** Column-major values in row-major order. */
function toRowMajor<T extends TypedArray>(values: T, shape: readonly number[]): T {
  const out = values.slice() as T;
  const index = new Array<number>(shape.length).fill(0);
  for (let i = 0; i < out.length; i++) {
    let at = 0;
    for (let d = shape.length - 1; d >= 0; d--) at = at * shape[d] + index[d];
    out[i] = values[at];
    for (let d = shape.length - 1; d >= 0 && ++index[d] === shape[d]; d--) index[d] = 0;
  }
  return out;
}
