/** Python values as plain JavaScript ones, for `meta`: dicts as objects, tuples as arrays, NumPy arrays as NdArray. */
import { CheckpointError } from '../errors.js';
import type { NdArray, TypedArray } from '../ndarray.js';
import { MAX_META_DEPTH, MAX_META_VALUES } from './limits.js';
import { NumpyArray } from './numpy_pickle.js';
import { PyDict, PyLatin1, PyStub, PyText } from './pickle_values.js';

/** A value of `meta`. */
export type PlainValue =
  null | boolean | number | bigint | string | Uint8Array | NdArray<TypedArray> | readonly PlainValue[] | PlainObject;

export interface PlainObject {
  readonly [key: string]: PlainValue;
}

/**
 * Copies `value`. What has no plain form (foreign objects, tensors) is left out of dicts and null elsewhere.
 *
 * @throws CheckpointError when it is too large or too deep
 */
export function toPlain(value: unknown, where: string): PlainValue {
  return new Copier(where).copy(value, 0) ?? null;
}

/** Sets `object[key]`, also for a key like `__proto__`. */
export function setOwn(object: object, key: string, value: unknown): void {
  Object.defineProperty(object, key, { value, enumerable: true, configurable: true, writable: true });
}

class Copier {
  readonly #where: string;
  #count = 0;

  constructor(where: string) {
    this.#where = where;
  }

  copy(value: unknown, depth: number): PlainValue | undefined {
    if (++this.#count > MAX_META_VALUES || depth > MAX_META_DEPTH) {
      throw new CheckpointError(
        `${this.#where}: found more than ${MAX_META_VALUES} values or ${MAX_META_DEPTH} levels; the file is corrupt or hostile.`,
      );
    }
    if (Array.isArray(value)) return value.map((item) => this.copy(item, depth + 1) ?? null);
    if (value instanceof PyDict) return this.#copyDict(value, depth + 1);
    return this.#copyLeaf(value, depth);
  }

  #copyDict(dict: PyDict, depth: number): PlainObject {
    const out: Record<string, PlainValue> = {};
    for (const [key, item] of dict.entries()) {
      const copy = this.copy(item, depth);
      const isScalar = key === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof key);
      if (copy !== undefined && isScalar) setOwn(out, String(key), copy);
    }
    return out;
  }

  #copyLeaf(value: unknown, depth: number): PlainValue | undefined {
    if (value === null || ['string', 'number', 'bigint', 'boolean'].includes(typeof value)) return value as PlainValue;
    if (value instanceof PyText) return value.decode();
    if (value instanceof Uint8Array) return value.slice();
    if (value instanceof PyLatin1) return value.decode(this.#where);
    if (value instanceof NumpyArray) {
      const array = value.decode(this.#where);
      return Array.isArray(array) ? this.copy(array, depth + 1) : (array as NdArray<TypedArray> | null);
    }
    if (value instanceof PyStub) return undefined;
    return undefined;
  }
}
