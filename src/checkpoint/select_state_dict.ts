/**
 * Finds the weights in what `torch.save` was given: a whole MMEngine checkpoint (`state_dict` beside `meta`) or a bare state_dict.
 * Corresponds to mmengine/runner/checkpoint.py, `_load_checkpoint_to_model`.
 */
import { CheckpointError } from '../errors.js';
import type { TypedArray } from '../ndarray.js';
import { PyDict } from './pickle_values.js';
import { PthTensor } from './pth.js';
import type { CheckpointDtype, CheckpointTensor, StateDict, StateDictVersions } from './state_dict.js';

/** One state_dict of a file, its names as they were saved. */
export interface StoredStateDict {
  /** Keys that lead to it; empty when the file is the state_dict itself. */
  readonly path: readonly string[];
  readonly stateDict: StateDict;
  readonly versions: StateDictVersions;
}

/**
 * Every state_dict of a file, the one that a model is loaded from first: `state_dict`, as MMEngine does, also in files with an
 * exponential moving average. (Its EMAHook has exchanged the two when it saved, so `state_dict` is the average and
 * `ema_state_dict` the raw weights.) A file that has only `ema_state_dict` gives that.
 *
 * @throws CheckpointError when there is none
 */
export function findStateDicts(root: unknown, where: string): StoredStateDict[] {
  if (!(root instanceof PyDict)) {
    throw new CheckpointError(`${where}: found ${describe(root)}; expected a dict with weights; save a state_dict.`);
  }
  const found: StoredStateDict[] = [];
  for (const key of ['state_dict', 'ema_state_dict']) {
    const nested = root.get(key);
    if (nested instanceof PyDict && hasTensors(nested)) found.push(readStateDict(nested, [key], where));
  }
  if (found.length === 0 && hasTensors(root)) found.push(readStateDict(root, [], where));
  if (found.length > 0) return found;
  const keys = [...root.entries()].map(([key]) => String(key)).slice(0, 10);
  throw new CheckpointError(
    `${where}: found a dict without weights (keys: ${keys.join(', ') || 'none'}); expected "state_dict" or tensors by name; save a state_dict.`,
  );
}

/** Names without a leading `module.`, which data-parallel training adds; their versions follow. */
export function stripModulePrefix({ path, stateDict, versions }: StoredStateDict): StoredStateDict {
  const strip = (key: string) => key.replace(/^module\./, '');
  if (![...stateDict.keys()].some((key) => key.startsWith('module.'))) return { path, stateDict, versions };
  return {
    path,
    stateDict: new Map([...stateDict].map(([key, tensor]) => [strip(key), tensor])),
    // MMEngine leaves these as they are, so it sees such a file as one without versions and converts it once more.
    versions: new Map([...versions].map(([key, version]) => [key === 'module' ? '' : strip(key), version])),
  };
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return `a list of ${value.length} items`;
  return value === null ? 'None' : value instanceof PthTensor ? 'a single tensor' : `a ${typeof value}`;
}

function hasTensors(dict: PyDict): boolean {
  for (const [, value] of dict.entries()) if (value instanceof PthTensor) return true;
  return false;
}

function readStateDict(dict: PyDict, path: readonly string[], where: string): StoredStateDict {
  const stateDict = new Map<string, CheckpointTensor>();
  for (const [key, value] of dict.entries()) {
    if (typeof key === 'string' && value instanceof PthTensor) stateDict.set(key, new NamedTensor(value, key, where));
  }
  return { path, stateDict, versions: readVersions(dict) };
}

function readVersions(dict: PyDict): StateDictVersions {
  const versions = new Map<string, number>();
  const metadata = dict.attributes?.get('_metadata');
  for (const [key, entry] of metadata instanceof PyDict ? metadata.entries() : []) {
    const version = entry instanceof PyDict ? entry.get('version') : undefined;
    if (typeof key === 'string' && typeof version === 'number') versions.set(key, version);
  }
  return versions;
}

/** A tensor that says its name when it cannot be read. */
class NamedTensor implements CheckpointTensor {
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /** As in the file, in elements. */
  readonly stride: readonly number[];
  readonly storageOffset: number;
  readonly #tensor: PthTensor;
  readonly #key: string;
  readonly #where: string;

  constructor(tensor: PthTensor, key: string, where: string) {
    [this.dtype, this.shape, this.stride, this.storageOffset] = [
      tensor.dtype,
      tensor.shape,
      tensor.stride,
      tensor.storageOffset,
    ];
    [this.#tensor, this.#key, this.#where] = [tensor, key, where];
  }

  async read(): Promise<TypedArray> {
    try {
      return await this.#tensor.read();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      const prefix = `${this.#where}: `;
      const message = error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message;
      throw new CheckpointError(`${prefix}${this.#key}: ${message}`, { cause: error });
    }
  }
}
