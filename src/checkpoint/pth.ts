/**
 * PyTorch's `.pth`: the zip format (torch 1.6 and later) and the legacy one (three small pickles, the object, then raw storages).
 * The object is read by the restricted pickle machine; tensors stay in the file until they are asked for.
 * Format: torch/serialization.py, torch/_utils.py.
 */
import { CheckpointError } from '../errors.js';
import { sizeOf, type TypedArray } from '../ndarray.js';
import { allowedGlobal } from './allowlist.js';
import type { ByteSource } from './byte_source.js';
import { ITEM_SIZES, swapBytes, toTypedArray } from './dtype.js';
import { MAX_EXPANDED_ELEMENTS, MAX_PICKLE_BYTES, MAX_TENSOR_DIMS } from './limits.js';
import { PickleCutOff, unpickle, type PickleHost } from './pickle.js';
import { textOf, type PyGlobal } from './pickle_values.js';
import type { CheckpointDtype, CheckpointTensor } from './state_dict.js';
import { openZip, type ZipArchive } from './zip.js';

const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_PROTOCOL = 1001;
const FIRST_PREFIX_BYTES = 1 << 20;

/**
 * Reads the object that `torch.save` was given.
 *
 * @returns a tree of `pickle_values.ts`, with `PthTensor` for tensors
 * @throws CheckpointError for files that are truncated, malformed, forbidden or too large
 */
export async function readPth(source: ByteSource): Promise<unknown> {
  const head = await source.read(0, Math.min(4, source.size));
  const isZip = head[0] === 0x50 && head[1] === 0x4b && head[2] <= 8 && head[3] <= 8;
  return isZip ? readZipFormat(source) : readLegacyFormat(source);
}

// ---- storages and tensors

/** The bytes of one storage, wherever they are. */
interface StorageBytes {
  /** For messages: `model.pth: archive/data/3`. */
  readonly where: string;
  read(start: number, end: number): Promise<Uint8Array>;
  readonly bigEndian?: boolean;
}

/** A storage as the pickle names it: element type and number, `offset` elements into its bytes. */
class Storage {
  readonly bytes: StorageBytes;
  readonly dtype: CheckpointDtype | 'untyped';
  readonly length: number;
  readonly offset: number;

  constructor(bytes: StorageBytes, dtype: CheckpointDtype | 'untyped', length: number, offset = 0) {
    [this.bytes, this.dtype, this.length, this.offset] = [bytes, dtype, length, offset];
  }
}

/** A view of a storage, as `torch._utils._rebuild_tensor_v2` makes it. Strides and offset count elements. */
export class PthTensor implements CheckpointTensor {
  readonly dtype: CheckpointDtype;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly storageOffset: number;
  readonly #storage: Storage;

  /** @throws CheckpointError when the view does not lie in its storage */
  constructor(storage: Storage, offset: unknown, shape: unknown, stride: unknown, dtype: CheckpointDtype) {
    checkSizes(offset, shape, stride);
    [this.#storage, this.dtype, this.shape, this.stride] = [storage, dtype, shape as number[], stride as number[]];
    this.storageOffset = offset as number;
    const numel = sizeOf(this.shape);
    const available = storage.dtype === 'untyped' ? Math.floor(storage.length / ITEM_SIZES[dtype]) : storage.length;
    if (numel > 0 && this.storageOffset + this.#extent() > available) {
      throw viewError(this, available, 'a view that ends beyond it');
    }
    if (numel > available && numel > MAX_EXPANDED_ELEMENTS) {
      throw viewError(this, available, 'a view that repeats it more than any weight does');
    }
  }

  async read(): Promise<TypedArray> {
    const itemSize = ITEM_SIZES[this.dtype];
    const numel = sizeOf(this.shape);
    if (numel === 0) return toTypedArray(new ArrayBuffer(0), this.dtype);
    const start = (this.#storage.offset + this.storageOffset) * itemSize;
    const raw = await this.#storage.bytes.read(start, start + this.#extent() * itemSize);
    // Always a copy: callers may write to it, and views share storages.
    const bytes = this.#isContiguous() ? raw.slice() : gather(raw, this.shape, this.stride, itemSize);
    if (this.#storage.bytes.bigEndian) swapBytes(bytes, itemSize);
    return toTypedArray(bytes.buffer, this.dtype);
  }

  /** Elements from the first to the last one used. */
  #extent(): number {
    return this.shape.reduce((sum, n, d) => sum + (n - 1) * this.stride[d], 1);
  }

  #isContiguous(): boolean {
    let step = 1;
    for (let d = this.shape.length - 1; d >= 0; d--) {
      if (this.shape[d] !== 1 && this.stride[d] !== step) return false;
      step *= this.shape[d];
    }
    return true;
  }
}

function checkSizes(offset: unknown, shape: unknown, stride: unknown): void {
  const isCount = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
  const isSizes = (sizes: unknown) => Array.isArray(sizes) && sizes.length <= MAX_TENSOR_DIMS && sizes.every(isCount);
  const fits = isSizes(shape) && isSizes(stride) && (shape as unknown[]).length === (stride as unknown[]).length;
  if (fits && isCount(offset) && Number.isSafeInteger(sizeOf(shape as number[]))) return;
  const found = [offset, shape, stride].map((value) => String(value).slice(0, 60));
  throw new CheckpointError(
    `found a tensor with offset ${found[0]}, shape [${found[1]}] and stride [${found[2]}]; expected non-negative sizes; the file is corrupt.`,
  );
}

function viewError(tensor: PthTensor, available: number, what: string): CheckpointError {
  return new CheckpointError(
    `found ${what}: offset ${tensor.storageOffset}, shape [${tensor.shape}], stride [${tensor.stride}] over ${available} elements; the file is corrupt.`,
  );
}

/** The elements of a strided view, in row-major order. `raw` starts at the view's first element. */
function gather(raw: Uint8Array, shape: readonly number[], stride: readonly number[], itemSize: number) {
  const out = new Uint8Array(sizeOf(shape) * itemSize);
  const index = new Array<number>(shape.length).fill(0);
  let from = 0;
  for (let to = 0; to < out.length; to += itemSize) {
    for (let b = 0; b < itemSize; b++) out[to + b] = raw[from * itemSize + b];
    for (let d = shape.length - 1; d >= 0; d--) {
      from += stride[d];
      if (++index[d] < shape[d]) break;
      from -= stride[d] * shape[d];
      index[d] = 0;
    }
  }
  return out;
}

// ---- the names that PyTorch's pickles use

/** Storage classes, as `torch.FloatStorage` or `torch.cuda.FloatStorage`. */
const STORAGE_DTYPES: Readonly<Record<string, CheckpointDtype | 'untyped'>> = {
  DoubleStorage: 'float64',
  FloatStorage: 'float32',
  HalfStorage: 'float16',
  BFloat16Storage: 'bfloat16',
  LongStorage: 'int64',
  IntStorage: 'int32',
  ShortStorage: 'int16',
  CharStorage: 'int8',
  ByteStorage: 'uint8',
  BoolStorage: 'bool',
  UntypedStorage: 'untyped',
  _UntypedStorage: 'untyped',
};

/** `torch.float32`, as `_rebuild_tensor_v3` names it. */
const TORCH_DTYPES: Readonly<Record<string, CheckpointDtype>> = {
  ...(Object.fromEntries(Object.keys(ITEM_SIZES).map((name) => [name, name])) as Record<string, CheckpointDtype>),
  double: 'float64',
  float: 'float32',
  half: 'float16',
  long: 'int64',
  int: 'int32',
  short: 'int16',
};

const REBUILDS: Readonly<Record<string, NonNullable<PyGlobal['call']>>> = {
  'torch._utils._rebuild_tensor': ([storage, offset, shape, stride]) => rebuild(storage, offset, shape, stride),
  'torch._utils._rebuild_tensor_v2': ([storage, offset, shape, stride]) => rebuild(storage, offset, shape, stride),
  'torch._utils._rebuild_tensor_v3': ([storage, offset, shape, stride, , , dtype]) =>
    rebuild(storage, offset, shape, stride, torchDtype(dtype)),
  'torch._utils._rebuild_parameter': ([data]) => tensorOf(data),
  'torch._utils._rebuild_parameter_with_state': ([data]) => tensorOf(data),
  'torch.nn.parameter.Parameter': ([data]) => tensorOf(data),
  'torch._tensor._rebuild_from_type_v2': ([rebuildFunction, , args]) => {
    const name = (rebuildFunction as PyGlobal | null)?.name ?? '';
    if (!Object.hasOwn(REBUILDS, name) || name.endsWith('_type_v2') || !Array.isArray(args)) throw notATensor();
    return REBUILDS[name](args);
  },
};

function rebuild(
  storage: unknown,
  offset: unknown,
  shape: unknown,
  stride: unknown,
  dtype?: CheckpointDtype,
): PthTensor {
  if (!(storage instanceof Storage)) throw notATensor();
  const type = dtype ?? (storage.dtype === 'untyped' ? 'uint8' : storage.dtype);
  return new PthTensor(storage, offset, shape, stride, type);
}

function tensorOf(data: unknown): PthTensor {
  if (data instanceof PthTensor) return data;
  throw notATensor();
}

function torchDtype(value: unknown): CheckpointDtype {
  const name = (value as PyGlobal | null)?.name?.replace(/^torch\./, '') ?? '';
  if (Object.hasOwn(TORCH_DTYPES, name)) return TORCH_DTYPES[name];
  throw new CheckpointError(`found element type "${name}"; expected one of ${Object.keys(ITEM_SIZES).join(', ')}.`);
}

function notATensor(): CheckpointError {
  return new CheckpointError('found a tensor without a storage; the file is corrupt.');
}

/** PyTorch's part of the allowlist. */
function torchGlobal(name: string): PyGlobal | undefined {
  if (Object.hasOwn(REBUILDS, name)) return { kind: 'global', name, call: REBUILDS[name] };
  const isStorage = /^torch\.(cuda\.|storage\.)?\w+Storage$/.test(name);
  const isDtype = name.startsWith('torch.') && /^(q?u?int\d+|complex\d+|float\w*)$/.test(name.slice(6));
  const isKnown = isStorage || isDtype || Object.hasOwn(TORCH_DTYPES, name.slice(6));
  if (name.startsWith('torch.') && (isKnown || name === 'torch.Tensor')) return { kind: 'global', name };
  return undefined;
}

/** `('storage', class, key, location, length, view)`: what both formats use as persistent id. The location is of no interest. */
interface StorageId {
  readonly key: string;
  readonly dtype: CheckpointDtype | 'untyped';
  readonly length: number;
  /** Legacy only: `(key, offset, length)` of a part of the storage. */
  readonly part: readonly unknown[] | null;
}

function parseStorageId(id: unknown, where: string): StorageId {
  const [kind, type, key, , length, part] = Array.isArray(id) ? id : [];
  const className = (type as PyGlobal | null)?.name?.replace(/^.*\./, '') ?? '';
  const keyText = typeof key === 'number' ? String(key) : textOf(key);
  if (textOf(kind) !== 'storage' || keyText === undefined || !Number.isSafeInteger(length) || (length as number) < 0) {
    throw new CheckpointError(`${where}: found a reference to something that is no storage; the file is corrupt.`);
  }
  if (!Object.hasOwn(STORAGE_DTYPES, className)) {
    throw new CheckpointError(
      `${where}: found ${className || 'an unknown storage'}; expected one of ${Object.keys(STORAGE_DTYPES).slice(0, 10).join(', ')}; convert the tensors before saving.`,
    );
  }
  return {
    key: keyText,
    dtype: STORAGE_DTYPES[className],
    length: length as number,
    part: Array.isArray(part) ? part : null,
  };
}

function bytesOf(id: StorageId): number {
  return id.length * (id.dtype === 'untyped' ? 1 : ITEM_SIZES[id.dtype]);
}

// ---- zip format

async function readZipFormat(source: ByteSource): Promise<unknown> {
  const where = source.name ?? 'checkpoint';
  const zip = await openZip(source);
  const name = [...zip.entries.keys()].find((entry) => /^[^/]+\/data\.pkl$/.test(entry));
  const record = name === undefined ? undefined : zip.entries.get(name);
  if (!name || !record) {
    throw new CheckpointError(
      `${where}: found a zip archive without data.pkl; expected a PyTorch checkpoint; if it is a packed .pth, unpack it first.`,
    );
  }
  if (record.size > MAX_PICKLE_BYTES)
    throw new CheckpointError(`${where}: ${name} of ${record.size} bytes is too large.`);
  const root = name.slice(0, -'data.pkl'.length);
  const bigEndian = await isBigEndian(zip, root);
  const host: PickleHost = {
    where: `${where}: ${name}`,
    global: (module, className, at) => allowedGlobal(module, className, at, torchGlobal),
    persistent: (id, at) => zipStorage(zip, `${root}data/`, parseStorageId(id, at), where, bigEndian),
  };
  return unpickle(await zip.read(record), host).value;
}

async function isBigEndian(zip: ZipArchive, root: string): Promise<boolean> {
  const record = zip.entries.get(`${root}byteorder`);
  if (!record) return false;
  return new TextDecoder().decode(await zip.read(record, 0, Math.min(record.size, 8))) === 'big';
}

function zipStorage(zip: ZipArchive, folder: string, id: StorageId, file: string, bigEndian: boolean): Storage {
  const where = `${file}: ${folder}${id.key}`;
  const record = zip.entries.get(folder + id.key);
  if (!record) {
    throw new CheckpointError(`${where}: the record of a tensor is missing; the file is corrupt, download it again.`);
  }
  if (record.size !== bytesOf(id)) {
    throw new CheckpointError(
      `${where}: found ${record.size} bytes; expected ${bytesOf(id)} for ${id.length} elements of ${id.dtype}; the file is corrupt.`,
    );
  }
  const read = (start: number, end: number) => zip.read(record, start, end);
  return new Storage({ where, read, bigEndian }, id.dtype, id.length);
}

// ---- legacy format

async function readLegacyFormat(source: ByteSource): Promise<unknown> {
  const where = source.name ?? 'checkpoint';
  const pickles = new PickleSequence(source);
  const storages = new Map<string, LegacyStorage>();
  const host: PickleHost = {
    where,
    global: (module, className, at) => allowedGlobal(module, className, at, torchGlobal),
    persistent: (id, at) => legacyStorage(storages, source, parseStorageId(id, at), where),
  };
  await readMagic(pickles, host);
  await pickles.next(host); // sys_info: byte order and type sizes of the writer, always the same in practice
  const value = await pickles.next(host);
  const keys = await pickles.next(host);
  placeStorages(storages, keys, pickles.position, source, where);
  return value;
}

async function readMagic(pickles: PickleSequence, host: PickleHost): Promise<void> {
  const magic = await pickles.next(host).catch((error: unknown) => {
    // A name that is not allowed is worth saying; anything else is just not a pickle.
    if (error instanceof CheckpointError && !/found "/.test(error.message)) throw notACheckpoint(host.where, error);
    throw error;
  });
  if (magic !== LEGACY_MAGIC) throw notACheckpoint(host.where);
  const protocol = await pickles.next(host);
  if (protocol === LEGACY_PROTOCOL) return;
  throw new CheckpointError(`${host.where}: found legacy protocol ${String(protocol)}; expected ${LEGACY_PROTOCOL}.`);
}

function notACheckpoint(where: string, cause?: unknown): CheckpointError {
  return new CheckpointError(
    `${where}: this is neither a PyTorch checkpoint nor a safetensors file; check that the download gave the file and not a web page.`,
    { cause },
  );
}

/** Pickles one after another from the start of a file whose pickled part has no stated length. */
class PickleSequence {
  position = 0;
  readonly #source: ByteSource;
  #bytes = new Uint8Array();

  constructor(source: ByteSource) {
    this.#source = source;
  }

  /** Reads the next pickle, with more of the file as long as it is cut off. */
  async next(host: PickleHost): Promise<unknown> {
    for (;;) {
      try {
        const { value, length } = unpickle(this.#bytes.subarray(this.position), host);
        this.position += length;
        return value;
      } catch (error) {
        const limit = Math.min(this.#source.size, MAX_PICKLE_BYTES);
        if (!(error instanceof PickleCutOff) || this.#bytes.length >= limit) throw error;
        const end = Math.min(limit, Math.max(FIRST_PREFIX_BYTES, 8 * this.#bytes.length));
        this.#bytes = (await this.#source.read(0, end)) as Uint8Array<ArrayBuffer>;
      }
    }
  }
}

/** A storage whose place is known only after all pickles: they follow each other in the order of a list of keys. */
interface LegacyStorage extends StorageBytes {
  readonly id: StorageId;
  /** Of its 8-byte length; -1 until placed. */
  at: number;
}

function legacyStorage(storages: Map<string, LegacyStorage>, source: ByteSource, id: StorageId, file: string): Storage {
  let bytes = storages.get(id.key);
  if (!bytes) {
    bytes = newLegacyStorage(source, id, `${file}: storage ${id.key}`);
    storages.set(id.key, bytes);
  }
  if (bytes.id.dtype !== id.dtype || bytes.id.length !== id.length) {
    throw new CheckpointError(`${bytes.where}: found two sizes or types for one storage; the file is corrupt.`);
  }
  if (!id.part) return new Storage(bytes, id.dtype, id.length);
  const [, offset, length] = id.part as number[];
  const fits = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (fits && offset + length <= id.length) return new Storage(bytes, id.dtype, length, offset);
  throw new CheckpointError(`${bytes.where}: found a part that is not in it; the file is corrupt.`);
}

function newLegacyStorage(source: ByteSource, id: StorageId, where: string): LegacyStorage {
  let checked = false;
  return {
    where,
    id,
    at: -1,
    async read(start, end) {
      if (!checked) {
        const header = await source.read(this.at, this.at + 8);
        const length = new DataView(header.buffer, header.byteOffset).getBigInt64(0, true);
        if (length !== BigInt(id.length)) {
          throw new CheckpointError(
            `${where}: offset ${this.at}: found length ${length}; expected ${id.length} elements; the file is corrupt.`,
          );
        }
        checked = true;
      }
      return source.read(this.at + 8 + start, this.at + 8 + end);
    },
  };
}

function placeStorages(
  storages: Map<string, LegacyStorage>,
  keys: unknown,
  start: number,
  source: ByteSource,
  where: string,
): void {
  let at = start;
  for (const key of Array.isArray(keys) ? keys : []) {
    const storage = storages.get(String(textOf(key) ?? key));
    if (!storage || storage.at >= 0)
      throw new CheckpointError(`${where}: offset ${at}: found a storage that no tensor uses.`);
    storage.at = at;
    at += 8 + bytesOf(storage.id);
  }
  const lost = [...storages.values()].find((storage) => storage.at < 0);
  if (lost) throw new CheckpointError(`${lost.where}: the storage is not in the file; the file is corrupt.`);
  if (at <= source.size) return;
  throw new CheckpointError(
    `${where}: found ${source.size} bytes; expected ${at}; the file is truncated, download it again.`,
  );
}
