/** Names of constant data, by which it is uploaded once. */
import type { TypedArray } from '../ndarray.js';

/** Lists up to this long are named by what they hold: scalars and index lists are made anew by every trace. */
const BY_CONTENT = 256;

const keys = new WeakMap<TypedArray, string>();
let nextKey = 0;

/**
 * A name for constant data by identity: weights are the same arrays in the graphs of all batch sizes, and uploaded once. Data
 * made from them is named after its source: `winograd ${constantKey(weights)}`.
 */
export function constantKey(data: TypedArray): string {
  const known = keys.get(data);
  if (known) return known;
  const key =
    data.length <= BY_CONTENT
      ? `${data.BYTES_PER_ELEMENT} ${data.constructor.name} ${data.join()}`
      : `constant ${nextKey++}`;
  keys.set(data, key);
  return key;
}
