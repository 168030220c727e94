/**
 * `.safetensors`, read and written; inpose's one-file model format. Eight bytes of header length, a JSON header, then the tensors.
 * Format: https://huggingface.co/docs/safetensors. Written by us, `__metadata__` holds the config and the dataset's meta-info.
 */
import { CheckpointError } from '../errors.js';
import { sizeOf, type TypedArray } from '../ndarray.js';
import type { ByteSource } from './byte_source.js';
import { ITEM_SIZES, isFloating, toTypedArray } from './dtype.js';
import { floatToHalf } from './float16.js';
import { MAX_SAFETENSORS_HEADER_BYTES, MAX_TENSOR_DIMS } from './limits.js';
import { setOwn } from './plain.js';
import type { CheckpointDtype, CheckpointTensor, StateDict } from './state_dict.js';

const DTYPES: Readonly<Record<string, CheckpointDtype>> = {
  F64: 'float64',
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I64: 'int64',
  I32: 'int32',
  I16: 'int16',
  I8: 'int8',
  U8: 'uint8',
  BOOL: 'bool',
};
const NAMES = Object.fromEntries(Object.entries(DTYPES).map(([name, dtype]) => [dtype, name])) as Readonly<
  Record<CheckpointDtype, string>
>;

export interface Safetensors {
  readonly stateDict: StateDict;
  /** `__metadata__`: strings only. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** Whether the first bytes (9 or more) of a file of `size` bytes are those of a safetensors file. */
export function looksLikeSafetensors(head: Uint8Array, size: number): boolean {
  if (head.length < 9 || head[8] !== 0x7b) return false;
  return new DataView(head.buffer, head.byteOffset).getBigUint64(0, true) <= BigInt(size - 8);
}

/**
 * Reads the header; tensors stay in the file.
 *
 * @throws CheckpointError when the header is malformed, too large, or its tensors do not fill the file exactly
 */
export async function readSafetensors(source: ByteSource): Promise<Safetensors> {
  const where = source.name ?? 'checkpoint';
  const head = await source.read(0, Math.min(8, source.size));
  if (head.length < 8)
    throw new CheckpointError(`${where}: found ${head.length} bytes; expected a safetensors header.`);
  const length = Number(new DataView(head.buffer, head.byteOffset).getBigUint64(0, true));
  if (length > MAX_SAFETENSORS_HEADER_BYTES || 8 + length > source.size) {
    throw new CheckpointError(
      `${where}: found a header of ${length} bytes; expected at most ${Math.min(MAX_SAFETENSORS_HEADER_BYTES, source.size - 8)}; the file is truncated or corrupt.`,
    );
  }
  const { __metadata__: metadata, ...entries } = parseHeader(await source.read(8, 8 + length), where);
  const tensors = Object.entries(entries).map(([key, entry]) => parseEntry(key, entry, `${where}: ${key}`));
  checkPlaces(tensors, source.size - 8 - length, where);
  const stateDict = new Map(tensors.map((tensor) => [tensor.key, lazyTensor(tensor, source, 8 + length)]));
  return { stateDict, metadata: parseMetadata(metadata, where) };
}

function parseHeader(bytes: Uint8Array, where: string): Record<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
    if (isObject(header)) return header;
  } catch (cause) {
    throw new CheckpointError(`${where}: offset 8: the header is no JSON; the file is corrupt.`, { cause });
  }
  throw new CheckpointError(`${where}: offset 8: the header is no JSON object; the file is corrupt.`);
}

function parseMetadata(metadata: unknown, where: string): Record<string, string> {
  const out: Record<string, string> = {};
  if (metadata === undefined) return out;
  if (!isObject(metadata)) throw new CheckpointError(`${where}: __metadata__ is no JSON object; the file is corrupt.`);
  for (const [key, value] of Object.entries(metadata)) {
    if (typeof value !== 'string') throw new CheckpointError(`${where}: __metadata__.${key} is no string.`);
    setOwn(out, key, value);
  }
  return out;
}

interface Entry {
  readonly key: string;
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  /** Bytes after the header. */
  readonly start: number;
  readonly end: number;
}

function parseEntry(key: string, entry: unknown, where: string): Entry {
  const { dtype: name, shape, data_offsets: offsets } = isObject(entry) ? entry : {};
  if (typeof name !== 'string' || !Object.hasOwn(DTYPES, name)) {
    throw new CheckpointError(
      `${where}: found dtype ${JSON.stringify(name)?.slice(0, 60)}; expected one of ${Object.keys(DTYPES).join(', ')}.`,
    );
  }
  if (!isCounts(shape) || shape.length > MAX_TENSOR_DIMS || !isCounts(offsets) || offsets.length !== 2) {
    throw new CheckpointError(`${where}: shape and data_offsets are not lists of whole numbers; the file is corrupt.`);
  }
  const dtype = DTYPES[name];
  const bytes = sizeOf(shape) * ITEM_SIZES[dtype];
  if (offsets[1] - offsets[0] !== bytes) {
    throw new CheckpointError(
      `${where}: found data_offsets [${offsets.join(', ')}]; expected ${bytes} bytes for ${name} [${shape.join(', ')}]; the file is corrupt.`,
    );
  }
  return { key, dtype, shape, start: offsets[0], end: offsets[1] };
}

/** As the format demands: no holes, no overlaps, nothing behind the last tensor. */
function checkPlaces(tensors: readonly Entry[], size: number, where: string): void {
  let at = 0;
  for (const { key, start, end } of [...tensors].sort((a, b) => a.start - b.start || a.end - b.end)) {
    if (start !== at) {
      throw new CheckpointError(
        `${where}: ${key}: found data_offsets from ${start}; expected ${at}; tensors overlap or leave a hole, the file is corrupt.`,
      );
    }
    at = end;
  }
  if (at === size) return;
  throw new CheckpointError(
    `${where}: found ${size} bytes of tensors; expected ${at}; the file is truncated or corrupt.`,
  );
}

function lazyTensor({ dtype, shape, start, end }: Entry, source: ByteSource, base: number): CheckpointTensor {
  return {
    dtype,
    shape,
    async read() {
      const bytes = await source.read(base + start, base + end);
      return toTypedArray(bytes.slice().buffer, dtype);
    },
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((n) => Number.isSafeInteger(n) && n >= 0);
}

// ---- writing

export interface WriteOptions {
  /** Type of all floating-point tensors; others keep theirs. Default: float32. */
  floats?: 'float32' | 'float16';
  /** Strings for `__metadata__`. `format: "pt"` is added. */
  metadata?: Readonly<Record<string, string>>;
  /** Bytes of tensors written so far and in all. */
  onProgress?: (writtenBytes: number, totalBytes: number) => void;
  signal?: AbortSignal;
}

/**
 * Writes a file piece by piece: the header, then one tensor after another, so that no second copy of the weights is ever held.
 * float16 is rounded to the nearest, ties to even; a tensor with numbers beyond float16's 65504 stays float32.
 */
export async function* writeSafetensors(
  stateDict: StateDict,
  options: WriteOptions = {},
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const plan = await planTensors(stateDict, options);
  yield makeHeader(plan, { format: 'pt', ...options.metadata });
  let written = 0;
  const total = plan.reduce((sum, { end }) => Math.max(sum, end), 0);
  options.onProgress?.(0, total);
  for (const { tensor, dtype } of [...plan].sort((a, b) => a.start - b.start || a.end - b.end)) {
    options.signal?.throwIfAborted();
    const bytes = toBytes(await tensor.read(), tensor.dtype, dtype);
    yield bytes;
    written += bytes.length;
    options.onProgress?.(written, total);
  }
}

/** The whole file in memory; for small models and tests. */
export async function encodeSafetensors(
  stateDict: StateDict,
  options: WriteOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  for await (const piece of writeSafetensors(stateDict, options)) pieces.push(piece);
  const out = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    out.set(piece, at);
    at += piece.length;
  }
  return out;
}

interface PlannedTensor extends Entry {
  readonly tensor: CheckpointTensor;
}

/** Larger elements first, so that every tensor is aligned; otherwise in the order of the state_dict. */
async function planTensors(
  stateDict: StateDict,
  { floats = 'float32', signal }: WriteOptions,
): Promise<PlannedTensor[]> {
  const typed: { key: string; tensor: CheckpointTensor; dtype: CheckpointDtype }[] = [];
  for (const [key, tensor] of stateDict) {
    signal?.throwIfAborted();
    const keepsWide = floats === 'float16' && isFloating(tensor.dtype) && !(await fitsHalf(tensor));
    typed.push({ key, tensor, dtype: !isFloating(tensor.dtype) ? tensor.dtype : keepsWide ? 'float32' : floats });
  }
  const starts = new Map<string, number>();
  let at = 0;
  for (const { key, tensor, dtype } of [...typed].sort((a, b) => ITEM_SIZES[b.dtype] - ITEM_SIZES[a.dtype])) {
    starts.set(key, at);
    at += sizeOf(tensor.shape) * ITEM_SIZES[dtype];
  }
  return typed.map(({ key, tensor, dtype }) => {
    const start = starts.get(key)!;
    return { key, tensor, dtype, shape: tensor.shape, start, end: start + sizeOf(tensor.shape) * ITEM_SIZES[dtype] };
  });
}

/** Whether no finite number would become infinite. */
async function fitsHalf(tensor: CheckpointTensor): Promise<boolean> {
  if (tensor.dtype === 'float16') return true;
  const values = (await tensor.read()) as Float32Array;
  for (let i = 0; i < values.length; i++) {
    const size = Math.abs(values[i]);
    if (size >= 65520 && size < Infinity) return false;
  }
  return true;
}

/** Text by text, not by `JSON.stringify` of an object, which would move keys like "0" to the front. */
function makeHeader(
  plan: readonly PlannedTensor[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array<ArrayBuffer> {
  const entries = plan.map(({ key, dtype, shape, start, end }) => {
    const entry = { dtype: NAMES[dtype], shape, data_offsets: [start, end] };
    return `${JSON.stringify(key)}:${JSON.stringify(entry)}`;
  });
  const json = new TextEncoder().encode(`{${[`"__metadata__":${JSON.stringify(metadata)}`, ...entries].join(',')}}`);
  const length = Math.ceil(json.length / 8) * 8;
  if (length > MAX_SAFETENSORS_HEADER_BYTES) {
    throw new CheckpointError(
      `safetensors: the header would have ${length} bytes; expected at most ${MAX_SAFETENSORS_HEADER_BYTES}; leave out metadata.`,
    );
  }
  const out = new Uint8Array(8 + length).fill(0x20);
  out.set(json, 8);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  return out;
}

/** `values` of a tensor of type `from`, as the bytes of type `to`. Typed arrays are little-endian wherever browsers and Node run. */
function toBytes(values: TypedArray, from: CheckpointDtype, to: CheckpointDtype): Uint8Array<ArrayBuffer> {
  let out: TypedArray = values;
  if (to === 'float16') out = Uint16Array.from(values as Float32Array, floatToHalf);
  else if (to === 'float32' && from === 'float64') out = Float32Array.from(values as Float64Array);
  return new Uint8Array(out.buffer as ArrayBuffer, out.byteOffset, out.byteLength);
}
