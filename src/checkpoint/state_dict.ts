/** The shape of a loaded checkpoint: names mapped to tensors that are read from the file only when asked for. */
import type { TypedArray } from '../ndarray.js';

/** Element types that checkpoints hold, in PyTorch's words. */
export type CheckpointDtype =
  'float64' | 'float32' | 'float16' | 'bfloat16' | 'int64' | 'int32' | 'int16' | 'int8' | 'uint8' | 'bool';

/** A lazy slice of a file. */
export interface CheckpointTensor {
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /**
   * Contiguous, row-major values. float16 and bfloat16 come widened to Float32Array, int64 as BigInt64Array, bool as
   * Uint8Array; the rest in the typed array of their name.
   */
  read(): Promise<TypedArray>;
}

/** MMPose's own parameter names, in file order. */
export type StateDict = ReadonlyMap<string, CheckpointTensor>;

/** Versions of modules by path (`''` is the whole model), from the state_dict's `_metadata`. Old files have none. */
export type StateDictVersions = ReadonlyMap<string, number>;
