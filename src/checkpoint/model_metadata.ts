/**
 * What inpose keeps in a safetensors file's `__metadata__` so that one file is one model: the config, the dataset's meta-info, and
 * the state_dict's versions. All strings of JSON, as the format demands.
 */
import { CheckpointError } from '../errors.js';
import { ndarray, type NdArray, type TypedArray } from '../ndarray.js';
import { setOwn, type PlainObject, type PlainValue } from './plain.js';
import type { StateDict, StateDictVersions } from './state_dict.js';

export const CONFIG_KEY = 'inpose.config';
export const DATASET_META_KEY = 'inpose.dataset_meta';
/** Without them an old-name conversion could not know that it is not needed. */
export const VERSIONS_KEY = 'inpose.state_dict_versions';

export interface ModelMetadata {
  readonly config: Readonly<Record<string, unknown>> | null;
  readonly datasetMeta: PlainObject | null;
  readonly versions: StateDictVersions;
}

/** The strings to write. Versions that no conversion asks for (1, and those of batch norms) are left out: there are hundreds. */
export function encodeModelMetadata(model: ModelMetadata & { readonly stateDict: StateDict }): Record<string, string> {
  const { config, datasetMeta, stateDict } = model;
  const versions = new Map(
    [...model.versions].filter(([path, version]) => version > 1 && !stateDict.has(`${path}.running_mean`)),
  );
  return {
    ...(config && { [CONFIG_KEY]: JSON.stringify(config) }),
    ...(datasetMeta && { [DATASET_META_KEY]: JSON.stringify(toJson(datasetMeta)) }),
    ...(versions.size > 0 && { [VERSIONS_KEY]: JSON.stringify(Object.fromEntries(versions)) }),
  };
}

/** @throws CheckpointError when one of the strings is no JSON object */
export function decodeModelMetadata(metadata: Readonly<Record<string, string>>, where: string): ModelMetadata {
  const versions = Object.entries(parse(metadata, VERSIONS_KEY, where) ?? {});
  const datasetMeta = parse(metadata, DATASET_META_KEY, where);
  return {
    config: parse(metadata, CONFIG_KEY, where),
    datasetMeta: datasetMeta && (fromJson(datasetMeta, where, 0) as PlainObject),
    versions: new Map(versions.filter((entry): entry is [string, number] => typeof entry[1] === 'number')),
  };
}

function parse(metadata: Readonly<Record<string, string>>, key: string, where: string): Record<string, unknown> | null {
  if (!Object.hasOwn(metadata, key)) return null;
  try {
    const value: unknown = JSON.parse(metadata[key]);
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  } catch (cause) {
    throw new CheckpointError(`${where}: __metadata__["${key}"] is no JSON; the file is corrupt.`, { cause });
  }
  throw new CheckpointError(`${where}: __metadata__["${key}"] is no JSON object; the file is corrupt.`);
}

// Arrays keep their type: { "$ndarray": "uint8", "shape": [17, 3], "data": [...] }.
const ARRAYS = {
  float32: Float32Array,
  float64: Float64Array,
  int8: Int8Array,
  int16: Int16Array,
  int32: Int32Array,
  uint8: Uint8Array,
  uint16: Uint16Array,
  uint32: Uint32Array,
} as const;

function isNdArray(value: object): value is NdArray<TypedArray> {
  return 'shape' in value && 'data' in value && ArrayBuffer.isView(value.data);
}

function toJson(value: PlainValue): unknown {
  if (typeof value === 'bigint') return Number(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  if (value === null || typeof value !== 'object') return value;
  if (value instanceof Uint8Array) return Array.from(value);
  if (Array.isArray(value)) return value.map(toJson);
  if (isNdArray(value)) return arrayToJson(value);
  return Object.fromEntries(Object.entries(value as PlainObject).map(([key, item]) => [key, toJson(item)]));
}

function arrayToJson({ data, shape }: NdArray<TypedArray>): unknown {
  const type = Object.entries(ARRAYS).find(([, TypedArrayOf]) => data instanceof TypedArrayOf)?.[0] ?? 'float64';
  return { $ndarray: type, shape, data: Array.from(data as Float64Array, Number) };
}

function fromJson(value: unknown, where: string, depth: number): PlainValue {
  if (depth > 64) throw new CheckpointError(`${where}: __metadata__["${DATASET_META_KEY}"] is nested too deeply.`);
  if (Array.isArray(value)) return value.map((item) => fromJson(item, where, depth + 1));
  if (value === null || typeof value !== 'object') return value as PlainValue;
  if ('$ndarray' in value) return arrayFromJson(value as Record<string, unknown>, where);
  const out: Record<string, PlainValue> = {};
  for (const [key, item] of Object.entries(value)) setOwn(out, key, fromJson(item, where, depth + 1));
  return out;
}

function arrayFromJson({ $ndarray: type, shape, data }: Record<string, unknown>, where: string): NdArray<TypedArray> {
  const known = typeof type === 'string' && Object.hasOwn(ARRAYS, type);
  const isNumbers = (list: unknown): list is number[] =>
    Array.isArray(list) && list.every((n) => typeof n === 'number');
  if (known && isNumbers(shape) && isNumbers(data) && data.length === shape.reduce((a, b) => a * b, 1)) {
    return ndarray<TypedArray>(new ARRAYS[type as keyof typeof ARRAYS](data), shape);
  }
  throw new CheckpointError(`${where}: __metadata__["${DATASET_META_KEY}"] holds a malformed array.`);
}
