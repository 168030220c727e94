import { assert, float, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { floatToHalf, halfToFloat } from '../../src/checkpoint/float16.js';
import { openCheckpoint, type StateDict } from '../../src/checkpoint/index.js';
import { encodeSafetensors } from '../../src/checkpoint/safetensors.js';
import { CheckpointError } from '../../src/errors.js';
import { concat, fixture, le } from './checkpoint_files.js';

function file(header: unknown, data: Uint8Array = new Uint8Array()): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  return concat(le(json.length, 8), json, data);
}

async function readAll(stateDict: StateDict): Promise<Record<string, unknown>> {
  const out: Record<string, unknown> = {};
  for (const [key, tensor] of stateDict) out[key] = { shape: tensor.shape, values: await tensor.read() };
  return out;
}

describe('float16', () => {
  it('widens and rounds every half to itself', () => {
    for (let half = 0; half < 65536; half++) {
      const value = halfToFloat(half);
      if (Number.isNaN(value)) expect(Number.isNaN(halfToFloat(floatToHalf(value)))).toBe(true);
      else if (floatToHalf(value) !== half) throw new Error(`${half} became ${floatToHalf(value)}`);
    }
  });

  it.each([
    [65504, 0x7bff],
    [65519.996, 0x7bff],
    [65520, 0x7c00],
    [-1e30, 0xfc00],
    [1 + 2 ** -11, 0x3c00], // a tie: even below
    [1 + 3 * 2 ** -11, 0x3c02], // a tie: even above
    [1 + 2 ** -11 + 2 ** -20, 0x3c01],
    [2 ** -24, 1],
    [2 ** -25, 0], // a tie: even is zero
    [2 ** -25 * 1.0001, 1],
    [1.5 * 2 ** -24, 2],
    [2 ** -14 - 2 ** -26, 0x0400], // carries into the normal numbers
    [-0, 0x8000],
  ])('rounds %d to the nearest, ties to even', (value, half) => {
    expect(floatToHalf(value)).toBe(half);
  });

  it('is the nearest half for any number', () => {
    assert(
      property(float({ min: -65504, max: 65504, noNaN: true }), (value) => {
        const half = floatToHalf(value);
        const error = Math.abs(halfToFloat(half) - value);
        for (const other of [half - 1, half + 1]) {
          const neighbour = halfToFloat(other & 0xffff);
          if (Number.isFinite(neighbour)) expect(Math.abs(neighbour - value)).toBeGreaterThanOrEqual(error);
        }
      }),
    );
  });
});

describe('writing safetensors', () => {
  it.each([
    'dtypes.pth',
    'views_and_shared_storage.pth',
    'mmpose1x_published.pth',
    'hrnet_tiny_model.pth',
    'legacy_format.pth',
  ])('gives the tensors of %s back, in order, as float32', async (name) => {
    const source = await openCheckpoint(fixture(name));
    const copy = await openCheckpoint(await encodeSafetensors(source.stateDict));
    expect(copy.format).toBe('safetensors');
    expect([...copy.stateDict.keys()]).toEqual([...source.stateDict.keys()]);
    const [from, to] = [await readAll(source.stateDict), await readAll(copy.stateDict)];
    if (name === 'dtypes.pth') (from.f64 as { values: unknown }).values = (to.f32 as { values: unknown }).values;
    expect(to).toEqual(from);
  });

  it('rounds to float16, leaves integers alone, and keeps a tensor that would overflow', async () => {
    const tensor = (dtype: 'float32' | 'int64', values: Float32Array | BigInt64Array) => ({
      dtype,
      shape: [values.length],
      read: async () => values,
    });
    const stateDict: StateDict = new Map([
      ['0', tensor('float32', Float32Array.of(0.1, 1 + 2 ** -11, Infinity))],
      ['count', tensor('int64', BigInt64Array.of(2n ** 60n))],
      ['big', tensor('float32', Float32Array.of(1e6))],
    ]);
    const { stateDict: copy } = await openCheckpoint(await encodeSafetensors(stateDict, { floats: 'float16' }));
    expect([...copy].map(([key, { dtype }]) => [key, dtype])).toEqual([
      ['0', 'float16'],
      ['count', 'int64'],
      ['big', 'float32'],
    ]);
    expect(await copy.get('0')!.read()).toEqual(Float32Array.of(halfToFloat(floatToHalf(0.1)), 1, Infinity));
    expect(await copy.get('count')!.read()).toEqual(BigInt64Array.of(2n ** 60n));
  });

  it('aligns the data and fills the file exactly, as the format demands', async () => {
    const { stateDict } = await openCheckpoint(fixture('dtypes.pth'));
    const bytes = await encodeSafetensors(stateDict, { metadata: { note: 'x' } });
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
    expect(header.__metadata__).toEqual({ format: 'pt', note: 'x' });
    const sizes: Record<string, number> = {
      F64: 8,
      I64: 8,
      F32: 4,
      I32: 4,
      F16: 2,
      BF16: 2,
      I16: 2,
      I8: 1,
      U8: 1,
      BOOL: 1,
    };
    delete header.__metadata__;
    const entries = Object.values<{ dtype: string; data_offsets: [number, number] }>(header);
    for (const { dtype, data_offsets: offsets } of entries) expect(offsets[0] % sizes[dtype]).toBe(0);
    expect(Math.max(...entries.map((entry) => entry.data_offsets[1]))).toBe(bytes.length - 8 - length);
  });

  it('reports progress in bytes and stops on abort', async () => {
    const { stateDict } = await openCheckpoint(fixture('mmpose1x_published.pth'));
    const seen: [number, number][] = [];
    await encodeSafetensors(stateDict, { onProgress: (...at) => seen.push(at) });
    expect(seen.at(-1)).toEqual([1612, 1612]);
    await expect(encodeSafetensors(stateDict, { signal: AbortSignal.abort(new Error('stop')) })).rejects.toThrow(
      'stop',
    );
  });
});

describe('hostile safetensors', () => {
  const data = new Uint8Array(16);
  const entry = { dtype: 'F32', shape: [4], data_offsets: [0, 16] };

  it.each<[string, unknown, RegExp, Uint8Array?]>([
    ['no JSON', '{"a":', /no JSON/],
    ['a list', '[1]', /neither/],
    ['an unknown dtype', { a: { ...entry, dtype: 'F8_E4M3' } }, /found dtype "F8_E4M3"/],
    ['a dtype of Object.prototype', { a: { ...entry, dtype: 'constructor' } }, /found dtype/],
    ['a negative dimension', { a: { ...entry, shape: [-4] } }, /not lists of whole numbers/],
    ['a fractional dimension', { a: { ...entry, shape: [1.5] } }, /not lists of whole numbers/],
    ['huge dimensions', { a: { ...entry, shape: [2 ** 31, 2 ** 31] } }, /data_offsets/],
    ['65 dimensions', { a: { ...entry, shape: new Array(65).fill(1) } }, /not lists of whole numbers/],
    ['three offsets', { a: { ...entry, data_offsets: [0, 8, 16] } }, /not lists of whole numbers/],
    ['offsets backwards', { a: { ...entry, data_offsets: [16, 0] } }, /data_offsets/],
    ['overlapping tensors', { a: entry, b: entry }, /overlap/],
    ['a hole', { a: { ...entry, shape: [1], data_offsets: [8, 12] } }, /hole/],
    ['data past the end', { a: entry }, /found 8 bytes of tensors/, new Uint8Array(8)],
    ['data behind the last tensor', { a: entry }, /found 17 bytes/, new Uint8Array(17)],
    ['metadata that is no string', { __metadata__: { a: 1 }, a: entry }, /no string/],
    ['metadata that is no object', { __metadata__: 'x', a: entry }, /no JSON object/],
    ['a config that is no JSON', { __metadata__: { 'inpose.config': '{' }, a: entry }, /inpose\.config.*no JSON/],
    ['no tensors', { __metadata__: {} }, /no tensors/, new Uint8Array()],
    ['entries of other kinds', { a: 7 }, /found dtype/],
  ])('refuses %s', async (_name, header, message, bytes = data) => {
    await expect(openCheckpoint(file(header, bytes))).rejects.toThrow(message);
    await expect(openCheckpoint(file(header, bytes))).rejects.toThrow(CheckpointError);
  });

  it('refuses a header that is longer than the file or the limit', async () => {
    await expect(openCheckpoint(concat(le(1000, 8), '{}'))).rejects.toThrow(CheckpointError);
    await expect(openCheckpoint(concat(le(9 << 20, 8), '{', new Uint8Array(9 << 20)))).rejects.toThrow(
      /header of 9437184/,
    );
  });
});
