/**
 * Strict loading, as PyTorch's `load_state_dict(strict=True)`: one walk over the fields, and everything that does not fit is
 * reported at once.
 */
import type { StateDict } from '../checkpoint/state_dict.js';
import { CheckpointError } from '../errors.js';
import type { TypedArray } from '../ndarray.js';
import { Slices } from '../slices.js';
import { namedParameters, type AnyModule } from './module.js';

/** Keys that only training needs; ignored by this list, not by leniency. */
export const IGNORED_KEYS: readonly RegExp[] = [
  /(^|\.)num_batches_tracked$/,
  /(^|\.)loss_module\./,
  /(^|\.)loss_oks\.sigmas$/,
  /^data_preprocessor\./,
  /(^|\.)relative_position_index$/,
];

export interface LoadReport {
  readonly missing: readonly string[];
  readonly unexpected: readonly string[];
  /** `key: checkpoint [a, b], model [c, d]` */
  readonly mismatched: readonly string[];
}

export interface LoadOptions {
  /** Called with the number of tensors read so far and in all. */
  onProgress?: (done: number, total: number) => void;
  signal?: AbortSignal;
  /** Name of the file, for messages. */
  source?: string;
}

/** Compares keys and shapes without reading a value. */
export function compareStateDict(root: AnyModule, stateDict: StateDict): LoadReport {
  const wanted = namedParameters(root);
  const missing: string[] = [];
  const mismatched: string[] = [];
  for (const [key, parameter] of wanted) {
    if (!parameter.persistent) continue;
    const found = stateDict.get(key);
    if (!found) missing.push(key);
    else if (found.shape.join() !== parameter.shape.join()) {
      mismatched.push(`${key}: checkpoint [${found.shape.join(', ')}], model [${parameter.shape.join(', ')}]`);
    }
  }
  const unexpected = [...stateDict.keys()].filter(
    (key) => !wanted.has(key) && !IGNORED_KEYS.some((re) => re.test(key)),
  );
  return { missing, unexpected, mismatched };
}

/**
 * Reads every parameter of `root` from `stateDict` (host values; call `prepareModule` afterwards).
 *
 * @throws CheckpointError listing all missing, unexpected and mismatched keys
 */
export async function loadStateDict(root: AnyModule, stateDict: StateDict, options: LoadOptions = {}): Promise<void> {
  const report = compareStateDict(root, stateDict);
  if (report.missing.length + report.unexpected.length + report.mismatched.length > 0) {
    throw new CheckpointError(describe(report, options.source ?? 'checkpoint'));
  }
  const parameters = [...namedParameters(root)].filter(([, parameter]) => parameter.persistent);
  const slices = new Slices();
  for (const [done, [key, parameter]] of parameters.entries()) {
    await slices.pause();
    options.signal?.throwIfAborted();
    parameter.value = toFloat32(await stateDict.get(key)!.read());
    options.onProgress?.(done + 1, parameters.length);
  }
}

function describe(report: LoadReport, source: string): string {
  const part = (title: string, keys: readonly string[]) =>
    keys.length > 0 ? `\n${title} (${keys.length}):\n  ${keys.join('\n  ')}` : '';
  return (
    `${source}: the checkpoint does not fit the model; use the config that it was trained with.` +
    part('Missing keys', report.missing) +
    part('Unexpected keys', report.unexpected) +
    part('Mismatched shapes', report.mismatched)
  );
}

/** Always a copy of its own when the source is float32: folding writes in place, and a file may share storages. */
function toFloat32(values: TypedArray): Float32Array {
  if (values instanceof BigInt64Array) return Float32Array.from(values, Number);
  return new Float32Array(values);
}
