/** Small weights files made on the spot: zips, pickles and the fixtures' folder. */
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { crc32 } from '../../src/checkpoint/crc32.js';

const FIXTURES = fileURLToPath(new URL('../fixtures/golden/checkpoints/', import.meta.url));

/** A recorded `.pth`. */
export function fixture(name: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(FIXTURES + name));
}

export function fixtureNames(): string[] {
  return readdirSync(FIXTURES).filter((name) => name.endsWith('.pth'));
}

export function fixturePath(name: string): string {
  return FIXTURES + name;
}

export type Part = Uint8Array | readonly number[] | string;

export function concat(...parts: readonly Part[]): Uint8Array<ArrayBuffer> {
  const bytes = parts.map((part) =>
    typeof part === 'string' ? new TextEncoder().encode(part) : Uint8Array.from(part),
  );
  const out = new Uint8Array(bytes.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of bytes) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function le(value: number, width: 2 | 4 | 8): number[] {
  return Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** i) % 256);
}

export interface ZipRecord {
  name: string;
  data: Uint8Array;
  /** Lies to tell instead of the truth. */
  flags?: number;
  method?: number;
  size?: number;
  compressedSize?: number;
  crc?: number;
  offset?: number;
  /** Sizes and offset in the zip64 extra field. */
  zip64?: boolean;
}

/** A zip archive of stored records. */
export function makeZip(records: readonly ZipRecord[]): Uint8Array<ArrayBuffer> {
  const files: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let at = 0;
  for (const record of records) {
    const { name, data, flags = 0, method = 0, offset = at, zip64 = false } = record;
    const { size = data.length, compressedSize = data.length, crc = crc32(data) } = record;
    const nameBytes = new TextEncoder().encode(name);
    const common = [...le(flags, 2), ...le(method, 2), 0, 0, 0, 0, ...le(crc, 4)];
    const sizes = zip64 ? [...le(0xffffffff, 4), ...le(0xffffffff, 4)] : [...le(compressedSize, 4), ...le(size, 4)];
    const extra = zip64 ? [1, 0, 24, 0, ...le(size, 8), ...le(compressedSize, 8), ...le(offset, 8)] : [];
    const local = concat('PK\x03\x04', le(20, 2), common, sizes, le(nameBytes.length, 2), le(0, 2), nameBytes, data);
    const tail = [...le(0, 2), ...le(0, 2), ...le(0, 2), ...le(0, 4), ...le(zip64 ? 0xffffffff : offset, 4)];
    const lengths = [...le(nameBytes.length, 2), ...le(extra.length, 2)];
    directory.push(concat('PK\x01\x02', le(20, 2), le(20, 2), common, sizes, lengths, tail, nameBytes, extra));
    files.push(local);
    at += local.length;
  }
  const entries = concat(...directory);
  const count = le(records.length, 2);
  return concat(...files, entries, 'PK\x05\x06', le(0, 4), count, count, le(entries.length, 4), le(at, 4), le(0, 2));
}

/** A `.pth` of the zip format with this pickle. */
export function makePth(
  pickle: Uint8Array,
  storages: Readonly<Record<string, Uint8Array>> = {},
): Uint8Array<ArrayBuffer> {
  const records = Object.entries(storages).map(([key, data]) => ({ name: `archive/data/${key}`, data }));
  return makeZip([{ name: 'archive/data.pkl', data: pickle }, ...records]);
}

function pickledText(value: string): Uint8Array<ArrayBuffer> {
  const utf8 = new TextEncoder().encode(value);
  return concat('X', le(utf8.length, 4), utf8);
}

/** A whole pickle: a dict with one float32 tensor over storage 0, which has `count` elements; `extra` follows as more items. */
export function statePickle(
  name: string,
  count: number,
  extra: Uint8Array = new Uint8Array(),
): Uint8Array<ArrayBuffer> {
  const id = concat('(', pickledText('storage'), 'ctorch\nFloatStorage\n', pickledText('0'), pickledText('cpu'));
  const storage = concat(id, 'J', le(count, 4), 'tQ');
  const view = concat('K', [0], '(J', le(count, 4), 't(K', [1], 't', [0x89], 'N');
  const tensor = concat('ctorch._utils\n_rebuild_tensor_v2\n(', storage, view, 'tR');
  return concat([0x80, 2], '}(', pickledText(name), tensor, extra, 'u.');
}
