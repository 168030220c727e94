/**
 * `openCheckpoint`: one door for `.pth` and `.safetensors`, from memory, a picked file or a URL. Reads names, shapes, meta and config;
 * tensors stay where they are until asked for.
 */
import { CheckpointError, type ConfigError } from '../errors.js';
import type { ByteSource, ByteSourceLike, ByteSourceOptions } from './byte_source.js';
import { findConfig, type ConfigOrigin, type WholeConfig } from './config_source.js';
import { decodeModelMetadata } from './model_metadata.js';
import { openByteSource } from './open_byte_source.js';
import { toPlain, type PlainObject } from './plain.js';
import { PyDict } from './pickle_values.js';
import { readPth } from './pth.js';
import { looksLikeSafetensors, readSafetensors } from './safetensors.js';
import { findStateDicts, stripModulePrefix, type StoredStateDict } from './select_state_dict.js';
import type { StateDict, StateDictVersions } from './state_dict.js';

export interface OpenCheckpointOptions extends ByteSourceOptions {
  /** The config to use, whatever the file holds: an object, JSON text or Python literals. */
  config?: WholeConfig | string;
  /** The config file that lies beside the checkpoint, where it cannot be fetched: picked by the user, say. */
  sidecar?: WholeConfig | string;
  /** Gives the config of a file by its name or URL where nothing else does, as `publishedConfig` does for MMPose's own files. */
  published?: (name: string) => Promise<WholeConfig | null>;
}

/** An open weights file. */
export interface Checkpoint {
  readonly format: 'pth' | 'safetensors';
  /** File name or URL, for messages. */
  readonly name: string;
  /** What a model is loaded from: MMEngine's choice, names without `module.`. */
  readonly stateDict: StateDict;
  /** Module versions of `stateDict`, for `convertStateDict`. */
  readonly versions: StateDictVersions;
  /** Every state_dict in the file with its names as saved; the first is `stateDict`'s. */
  readonly stored: readonly StoredStateDict[];
  /** `meta` of a `.pth`, `__metadata__` of a safetensors file. */
  readonly meta: PlainObject;
  /** The whole MMPose config, or null when none was found. */
  readonly config: WholeConfig | null;
  readonly configOrigin: ConfigOrigin | null;
  /** A config was found but could not be read. */
  readonly configProblem: ConfigError | null;
  /** `meta.dataset_meta`: MMPose's parsed meta-info, keys verbatim, NumPy arrays as NdArray. */
  readonly datasetMeta: PlainObject | null;
}

/**
 * Opens a checkpoint.
 *
 * @param source - bytes, a `Blob` or `File`, a URL (a string is one), or any `ByteSource`
 * @throws CheckpointError when it is no checkpoint, broken, or not safe to read
 * @throws ConfigError when a config passed in cannot be read
 */
export async function openCheckpoint(source: ByteSourceLike, options: OpenCheckpointOptions = {}): Promise<Checkpoint> {
  const bytes = await openByteSource(source, options);
  try {
    return await readCheckpoint(bytes, options);
  } catch (error) {
    bytes.cancel?.();
    throw error;
  }
}

async function readCheckpoint(bytes: ByteSource, options: OpenCheckpointOptions): Promise<Checkpoint> {
  const name = bytes.name ?? 'checkpoint';
  if (bytes.size === 0) {
    throw new CheckpointError(`${name}: the file is empty; download it again.`);
  }
  const head = await bytes.read(0, Math.min(9, bytes.size));
  const contents = looksLikeSafetensors(head, bytes.size)
    ? await openSafetensors(bytes, name)
    : await openPth(bytes, name);
  options.signal?.throwIfAborted();
  const { safetensorsConfig, ...rest } = contents;
  const sidecar = async () => options.sidecar ?? (await bytes.sidecar?.()) ?? null;
  const published = async () => (await options.published?.(name)) ?? null;
  const cfgText = typeof rest.meta.cfg === 'string' && rest.format === 'pth' ? rest.meta.cfg : null;
  const sources = { explicit: options.config, safetensors: safetensorsConfig, cfgText, sidecar, published };
  const found = await findConfig(sources, name);
  return { ...rest, name, config: found.config, configOrigin: found.origin, configProblem: found.problem };
}

type Contents = Pick<Checkpoint, 'format' | 'stateDict' | 'versions' | 'stored' | 'meta' | 'datasetMeta'> & {
  readonly safetensorsConfig: WholeConfig | null;
};

async function openPth(source: ByteSource, name: string): Promise<Contents> {
  const root = await readPth(source);
  const stored = findStateDicts(root, name);
  const { stateDict, versions } = stripModulePrefix(stored[0]);
  const meta = readMeta(root, name);
  return {
    format: 'pth',
    stateDict,
    versions,
    stored,
    meta,
    datasetMeta: asObject(meta.dataset_meta),
    safetensorsConfig: null,
  };
}

function readMeta(root: unknown, name: string): PlainObject {
  const meta = root instanceof PyDict ? root.get('meta') : undefined;
  return meta instanceof PyDict ? (toPlain(meta, `${name}: meta`) as PlainObject) : {};
}

async function openSafetensors(source: ByteSource, name: string): Promise<Contents> {
  const { stateDict: tensors, metadata } = await readSafetensors(source);
  if (tensors.size === 0) throw new CheckpointError(`${name}: found no tensors; expected weights.`);
  const { config, datasetMeta, versions } = decodeModelMetadata(metadata, name);
  const stored: StoredStateDict = { path: [], stateDict: tensors, versions };
  const stripped = stripModulePrefix(stored);
  return {
    format: 'safetensors',
    stateDict: stripped.stateDict,
    versions: stripped.versions,
    stored: [stored],
    meta: metadata,
    datasetMeta,
    safetensorsConfig: config,
  };
}

function asObject(value: unknown): PlainObject | null {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
  return isObject ? (value as PlainObject) : null;
}
