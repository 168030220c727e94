/**
 * Reads zip archives: central directory, stored and deflated records, zip64. Made for PyTorch's files and for hostile ones: sizes
 * are checked before anything is allocated, names may not leave the archive, records may not overlap. Writes nothing, and knows
 * neither encryption nor multi-part archives.
 */
import { CheckpointError } from '../errors.js';
import type { ByteSource } from './byte_source.js';
import { crc32 } from './crc32.js';
import { MAX_FREE_INFLATED_BYTES, MAX_INFLATE_RATIO, MAX_ZIP_DIRECTORY_BYTES, MAX_ZIP_ENTRIES } from './limits.js';

const END_SIGNATURE = 0x06054b50;
const ENTRY_SIGNATURE = 0x02014b50;
const LOCAL_SIGNATURE = 0x04034b50;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_END_SIGNATURE = 0x06064b50;
const [END_BYTES, ENTRY_BYTES, LOCAL_BYTES, LOCATOR_BYTES, ZIP64_END_BYTES] = [22, 46, 30, 20, 56];
const [STORED, DEFLATED] = [0, 8];

/** One record of an archive. Sizes and offsets in bytes. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  readonly compressedSize: number;
  readonly deflated: boolean;
  /** 0 when the writer did not compute it (PyTorch can be told not to). */
  readonly crc: number;
  /** Of the local header. */
  readonly offset: number;
}

/** An open archive. */
export interface ZipArchive {
  readonly entries: ReadonlyMap<string, ZipEntry>;
  /** The bytes `start`..`end` of a record; the whole record is checked against its CRC. */
  read(entry: ZipEntry, start?: number, end?: number): Promise<Uint8Array>;
}

/**
 * Reads the central directory.
 *
 * @throws CheckpointError when the archive is truncated, malformed, or fails a limit
 */
export async function openZip(source: ByteSource): Promise<ZipArchive> {
  const where = source.name ?? 'checkpoint';
  const end = await findEnd(source, where);
  if (end.count > MAX_ZIP_ENTRIES || end.size > MAX_ZIP_DIRECTORY_BYTES) {
    throw new CheckpointError(`${where}: a zip directory of ${end.count} records (${end.size} bytes) is too large.`);
  }
  if (end.offset + end.size > end.at) {
    throw broken(where, end.at, 'the zip directory does not lie in the file');
  }
  const directory = await source.read(end.offset, end.offset + end.size);
  const entries = parseDirectory(directory, end, where);
  checkPlaces([...entries.values()], end.offset, where);
  return {
    entries,
    read: (entry, from = 0, to = entry.size) => readEntry(source, entry, from, to, `${where}: ${entry.name}`),
  };
}

interface DirectoryEnd {
  readonly at: number;
  readonly count: number;
  readonly size: number;
  readonly offset: number;
}

/** The end record is the last thing in the file, before a comment of at most 65535 bytes. */
async function findEnd(source: ByteSource, where: string): Promise<DirectoryEnd> {
  const start = Math.max(0, source.size - END_BYTES - 0xffff);
  const tail = view(await source.read(start, source.size));
  for (let i = tail.byteLength - END_BYTES; i >= 0; i--) {
    if (tail.getUint32(i, true) !== END_SIGNATURE) continue;
    if (i + END_BYTES + tail.getUint16(i + 20, true) !== tail.byteLength) continue;
    const at = start + i;
    const end = {
      at,
      count: tail.getUint16(i + 10, true),
      size: tail.getUint32(i + 12, true),
      offset: tail.getUint32(i + 16, true),
    };
    const isZip64 = end.count === 0xffff || end.size === 0xffffffff || end.offset === 0xffffffff;
    return isZip64 ? findZip64End(source, end, where) : end;
  }
  throw new CheckpointError(
    `${where}: the zip archive has no directory at its end (${source.size} bytes); the file is truncated, download it again.`,
  );
}

async function findZip64End(source: ByteSource, end: DirectoryEnd, where: string): Promise<DirectoryEnd> {
  const at = end.at - LOCATOR_BYTES;
  const locator = at >= 0 ? view(await source.read(at, end.at)) : null;
  if (locator?.getUint32(0, true) !== ZIP64_LOCATOR_SIGNATURE) return end; // exactly 65535 entries, or a plain lie
  const recordAt = uint64(locator, 8);
  if (recordAt + ZIP64_END_BYTES > at) throw broken(where, at, 'the zip64 directory does not lie in the file');
  const record = view(await source.read(recordAt, recordAt + ZIP64_END_BYTES));
  if (record.getUint32(0, true) !== ZIP64_END_SIGNATURE) throw broken(where, recordAt, 'no zip64 end record');
  return { at: recordAt, count: uint64(record, 32), size: uint64(record, 40), offset: uint64(record, 48) };
}

function parseDirectory(bytes: Uint8Array, end: DirectoryEnd, where: string): Map<string, ZipEntry> {
  const directory = view(bytes);
  const entries = new Map<string, ZipEntry>();
  let at = 0;
  for (let i = 0; i < end.count; i++) {
    if (at + ENTRY_BYTES > bytes.length || directory.getUint32(at, true) !== ENTRY_SIGNATURE) {
      throw broken(where, end.offset + at, `record ${i} of the zip directory is missing`);
    }
    const nameLength = directory.getUint16(at + 28, true);
    const extraLength = directory.getUint16(at + 30, true);
    const next = at + ENTRY_BYTES + nameLength + extraLength + directory.getUint16(at + 32, true);
    if (next > bytes.length) throw broken(where, end.offset + at, `record ${i} of the zip directory is cut off`);
    const name = recordName(bytes.subarray(at + ENTRY_BYTES, at + ENTRY_BYTES + nameLength), end.offset + at, where);
    if (entries.has(name)) throw broken(where, end.offset + at, `two records are called "${name}"`);
    entries.set(name, parseEntry(directory, at, name, extraLength, where));
    at = next;
  }
  return entries;
}

/** Names are plain relative paths; PyTorch never writes others, and nothing here may point out of the archive. */
function recordName(bytes: Uint8Array, offset: number, where: string): string {
  const name = new TextDecoder().decode(bytes);
  const parts = name.replace(/\/$/, '').split('/');
  // oxlint-disable-next-line no-control-regex -- that is what is looked for
  if (name !== '' && !/[\\\0-\x1f\ufffd]/.test(name) && parts.every((part) => !/^\.{0,2}$/.test(part))) return name;
  throw broken(where, offset, `${JSON.stringify(name.slice(0, 80))} is not a record name`);
}

function parseEntry(directory: DataView, at: number, name: string, extraLength: number, where: string): ZipEntry {
  const flags = directory.getUint16(at + 8, true);
  const method = directory.getUint16(at + 10, true);
  if (flags & 1) throw new CheckpointError(`${where}: ${name} is encrypted; save the checkpoint without a password.`);
  if (method !== STORED && method !== DEFLATED) {
    throw new CheckpointError(
      `${where}: ${name} has compression method ${method}; expected stored (0) or deflated (8).`,
    );
  }
  const sizes = [24, 20, 42].map((field) => directory.getUint32(at + field, true));
  const nameLength = directory.getUint16(at + 28, true);
  widen64(sizes, directory, at + ENTRY_BYTES + nameLength, extraLength);
  const [size, compressedSize, offset] = sizes;
  const deflated = method === DEFLATED;
  if (!deflated && size !== compressedSize) {
    throw new CheckpointError(`${where}: ${name} is stored as ${compressedSize} bytes but should have ${size}.`);
  }
  return { name, size, compressedSize, deflated, crc: directory.getUint32(at + 16, true), offset };
}

/** Fields of 0xffffffff stand in the zip64 extra field (id 1), in this order, as 64-bit numbers. */
function widen64(fields: number[], directory: DataView, start: number, length: number): void {
  let at = start;
  while (at + 4 <= start + length) {
    const [id, bytes] = [directory.getUint16(at, true), directory.getUint16(at + 2, true)];
    const stop = Math.min(at + 4 + bytes, start + length);
    let from = at + 4;
    for (let i = 0; i < fields.length; i++) {
      if (id !== 1 || fields[i] !== 0xffffffff || from + 8 > stop) continue;
      fields[i] = uint64(directory, from);
      from += 8;
    }
    at += 4 + bytes;
  }
}

/** Every record before the directory, none over another (archives of overlapping records inflate without bound). */
function checkPlaces(entries: ZipEntry[], limit: number, where: string): void {
  let free = 0;
  for (const entry of entries.sort((a, b) => a.offset - b.offset)) {
    if (entry.offset < free) throw broken(where, entry.offset, `record ${entry.name} overlaps another`);
    free = entry.offset + LOCAL_BYTES + entry.compressedSize;
    if (free > limit) throw broken(where, entry.offset, `record ${entry.name} does not lie in the file`);
    if (entry.size > MAX_FREE_INFLATED_BYTES && entry.size > entry.compressedSize * MAX_INFLATE_RATIO) {
      throw new CheckpointError(
        `${where}: record ${entry.name} would inflate from ${entry.compressedSize} to ${entry.size} bytes; that is no weights file.`,
      );
    }
  }
}

async function readEntry(source: ByteSource, entry: ZipEntry, from: number, to: number, where: string) {
  if (from < 0 || from > to || to > entry.size) {
    throw new CheckpointError(`${where}: bytes ${from}..${to} are wanted of a record of ${entry.size}.`);
  }
  const start = await dataOffset(source, entry, where);
  if (!entry.deflated) {
    const bytes = await source.read(start + from, start + to);
    if (from === 0 && to === entry.size) checkCrc(bytes, entry, where);
    return bytes;
  }
  const packed = await source.read(start, start + entry.compressedSize);
  const bytes = await inflate(packed, entry.size, where);
  checkCrc(bytes, entry, where);
  return bytes.subarray(from, to);
}

/** Local headers pad as they like (PyTorch aligns to 64 bytes), so the data's place is known only from them. */
async function dataOffset(source: ByteSource, entry: ZipEntry, where: string): Promise<number> {
  const header = view(await source.read(entry.offset, entry.offset + LOCAL_BYTES));
  if (header.getUint32(0, true) !== LOCAL_SIGNATURE) throw broken(where, entry.offset, 'no zip record starts here');
  const start = entry.offset + LOCAL_BYTES + header.getUint16(26, true) + header.getUint16(28, true);
  if (start + entry.compressedSize > source.size) throw broken(where, entry.offset, 'the record is cut off');
  return start;
}

function checkCrc(bytes: Uint8Array, entry: ZipEntry, where: string): void {
  if (entry.crc === 0 || crc32(bytes) === entry.crc) return;
  throw broken(where, entry.offset, 'the checksum does not fit the data');
}

/** Inflates to exactly `size` bytes. */
async function inflate(packed: Uint8Array, size: number, where: string): Promise<Uint8Array> {
  const out = new Uint8Array(size);
  const stream = new Blob([packed as Uint8Array<ArrayBuffer>]).stream();
  const reader = stream.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  let filled = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (filled + value.length <= size) out.set(value, filled);
      filled += value.length;
      if (filled > size) break;
    }
  } catch (cause) {
    throw new CheckpointError(`${where}: the compressed data is corrupt; download the file again.`, { cause });
  } finally {
    reader.cancel().catch(() => {}); // rejects when the stream has failed: already reported
  }
  if (filled === size) return out;
  const found = filled > size ? 'more' : filled;
  throw new CheckpointError(`${where}: found ${found} bytes; expected ${size}; the record is corrupt.`);
}

function uint64(data: DataView, offset: number): number {
  // Above 2^53 the number is inexact, but then far beyond any file's size as well.
  return Number(data.getBigUint64(offset, true));
}

function view(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function broken(where: string, offset: number, what: string): CheckpointError {
  return new CheckpointError(`${where}: offset ${offset}: ${what}; the file is corrupt, download it again.`);
}
