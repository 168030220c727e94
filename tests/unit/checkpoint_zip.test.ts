import { describe, expect, it } from 'vitest';
import { openByteSource } from '../../src/checkpoint/open_byte_source.js';
import { crc32 } from '../../src/checkpoint/crc32.js';
import { openZip } from '../../src/checkpoint/zip.js';
import { CheckpointError } from '../../src/errors.js';
import { concat, le, makeZip, type ZipRecord } from './checkpoint_files.js';

const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
const open = async (records: readonly ZipRecord[]) => openZip(await openByteSource(makeZip(records)));

it('computes CRC-32', () => {
  expect(crc32(new TextEncoder().encode('123456789'))).toBe(0xcbf43926);
  expect(crc32(new Uint8Array())).toBe(0);
});

describe('zip archives', () => {
  it('reads records, parts of them, and sizes of zip64', async () => {
    const zip = await open([
      { name: 'a/x', data },
      { name: 'a/y', data: data.subarray(0, 10), zip64: true },
    ]);
    expect(await zip.read(zip.entries.get('a/x')!)).toEqual(data);
    expect(await zip.read(zip.entries.get('a/x')!, 5, 8)).toEqual(data.slice(5, 8));
    expect(await zip.read(zip.entries.get('a/y')!)).toEqual(data.slice(0, 10));
  });

  it('finds the directory through a zip64 end record, and before a comment', async () => {
    const plain = makeZip([{ name: 'a/x', data }]);
    const end = plain.length - 22;
    const view = new DataView(plain.buffer);
    const [size, offset] = [view.getUint32(end + 12, true), view.getUint32(end + 16, true)];
    const record = concat(
      'PK\x06\x06',
      le(44, 8),
      le(45, 2),
      le(45, 2),
      le(0, 8),
      le(1, 8),
      le(1, 8),
      le(size, 8),
      le(offset, 8),
    );
    const locator = concat('PK\x06\x07', le(0, 4), le(end, 8), le(1, 4));
    const tail = concat(
      'PK\x05\x06',
      le(0, 4),
      le(0xffff, 2),
      le(0xffff, 2),
      le(0xffffffff, 4),
      le(0xffffffff, 4),
      le(3, 2),
      'abc',
    );
    const zip = await openZip(await openByteSource(concat(plain.subarray(0, end), record, locator, tail)));
    expect(await zip.read(zip.entries.get('a/x')!)).toEqual(data);
  });

  it('inflates, and refuses what inflates to another size', async () => {
    const stream = new Blob([data]).stream().pipeThrough(new CompressionStream('deflate-raw'));
    const packed = new Uint8Array(await new Response(stream).arrayBuffer());
    const record = { name: 'a/x', data: packed, method: 8, size: 1000, crc: crc32(data) };
    const zip = await open([record]);
    expect(await zip.read(zip.entries.get('a/x')!, 3, 9)).toEqual(data.slice(3, 9));
    for (const lie of [{ size: 999 }, { size: 1001 }, { crc: 1 }, { data: packed.subarray(0, 20) }]) {
      const bad = await open([{ ...record, ...lie }]);
      await expect(bad.read(bad.entries.get('a/x')!)).rejects.toThrow(CheckpointError);
    }
  });

  it.each<[string, ZipRecord[], RegExp]>([
    ['encrypted records', [{ name: 'a', data, flags: 1 }], /encrypted/],
    ['unknown methods', [{ name: 'a', data, method: 12 }], /method 12/],
    ['stored records of two sizes', [{ name: 'a', data, size: 5000 }], /stored as 1000/],
    ['records past the end', [{ name: 'a', data, size: 5000, compressedSize: 5000 }], /not lie in the file/],
    [
      'overlaps',
      [
        { name: 'a', data },
        { name: 'b', data, offset: 0 },
      ],
      /overlaps/,
    ],
    [
      'one name twice',
      [
        { name: 'a', data },
        { name: 'a', data },
      ],
      /two records/,
    ],
    ['bombs', [{ name: 'a', data, method: 8, size: 2 ** 31 }], /would inflate/],
    ...['../a', 'a/../../b', '/a', 'a\\b', 'a//b', './a', '', 'a\0b'].map((name): [string, ZipRecord[], RegExp] => [
      `the name ${JSON.stringify(name)}`,
      [{ name, data }],
      /not a record name/,
    ]),
  ])('refuses %s', async (_name, records, message) => {
    await expect(open(records)).rejects.toThrow(message);
    await expect(open(records)).rejects.toThrow(CheckpointError);
  });

  it('notices a changed byte of a whole record', async () => {
    const zip = await open([{ name: 'a', data, crc: 12345 }]);
    await expect(zip.read(zip.entries.get('a')!)).rejects.toThrow(/checksum/);
    const unchecked = await open([{ name: 'a', data, crc: 0 }]);
    expect(await unchecked.read(unchecked.entries.get('a')!)).toEqual(data);
  });
});
