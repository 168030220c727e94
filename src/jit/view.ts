/**
 * Where a value lies: a window onto a storage. Rows (everything but the last axis) are `rowStride` elements apart, so that the parts
 * of a concatenation or a split along channels need no copy of their own.
 */
import { sizeOf } from '../ndarray.js';
import type { ValueId } from './graph.js';

export interface View {
  /** The value whose storage this is. */
  readonly storage: ValueId;
  readonly shape: readonly number[];
  /** First element, counted from the start of the storage. */
  readonly offset: number;
  /** Elements from one row to the next; `shape.at(-1)` when contiguous. */
  readonly rowStride: number;
  /** The first of four axes is the batch: indexed by picture, also when a batch holds one. False for constants. */
  readonly batched: boolean;
}

/** Size of the last axis; 1 for a scalar. */
export function channels(view: View): number {
  return view.shape.at(-1) ?? 1;
}

/** Number of rows. */
export function rows(view: View): number {
  return sizeOf(view.shape.slice(0, -1));
}

export function isContiguous(view: View): boolean {
  return view.rowStride === channels(view) || rows(view) === 1;
}

/** Whether four neighbouring channels are always four neighbouring elements at a multiple of four. */
export function isVec4(view: View): boolean {
  return channels(view) % 4 === 0 && view.offset % 4 === 0 && view.rowStride % 4 === 0;
}

/** `[n, h, w, c]`, with ones in front of a smaller rank. Ranks above 4 must be contiguous and come as `[1, 1, rows, c]`. */
export function shape4(view: View): readonly [n: number, h: number, w: number, c: number] {
  const { shape } = view;
  if (shape.length > 4) return [1, 1, rows(view), channels(view)];
  return [...Array.from({ length: 4 - shape.length }, () => 1), ...shape] as unknown as [
    number,
    number,
    number,
    number,
  ];
}
