import { describe, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/index.js';
import { unpickle, type PickleHost } from '../../src/checkpoint/pickle.js';
import { PyDict } from '../../src/checkpoint/pickle_values.js';
import { allowedGlobal } from '../../src/checkpoint/allowlist.js';
import { toPlain } from '../../src/checkpoint/plain.js';
import { CheckpointError } from '../../src/errors.js';
import { concat, le, makePth, statePickle, type Part } from './checkpoint_files.js';

const HOST: PickleHost = {
  where: 'test',
  global: (module, name, where) => allowedGlobal(module, name, where, () => undefined),
  persistent: () => null,
};
const load = (...parts: Part[]) => unpickle(concat(...parts), HOST).value;
const plain = (...parts: Part[]) => toPlain(load(...parts), 'test');

describe('pickle values', () => {
  it.each<[string, unknown, ...Part[]]>([
    ['protocol 0 integers', [7, -7, 12345678901234567890n, true], '(lI7\naI-7\naL12345678901234567890L\naI01\na.'],
    ['protocol 0 floats', [1.5, -Infinity, 1e-300], '(lF1.5\naF-inf\naF1e-300\na.'],
    ['protocol 0 strings', ["a\nb'", 'caf\u00e9'], "(lS'a\\nb\\''\naVcaf\\u00e9\na."],
    [
      'LONG1',
      [0, 255, -1, 1099511627779],
      '(',
      [0x8a, 0, 0x8a, 2, 255, 0, 0x8a, 1, 255, 0x8a, 6, 3, 0, 0, 0, 0, 1],
      'l.',
    ],
    ['big-endian doubles', 3.25, 'G', [0x40, 0x0a, 0, 0, 0, 0, 0, 0], '.'],
    ['dict of protocol 0', { a: 1 }, "(dS'a'\nI1\ns."],
    ['sets', [1, 2], [0x80, 4, 0x8f], '(K', [1], 'K', [2], [0x90], '.'],
    ['memo, DUP and POP', [[], []], '(]q', [0], 'h', [0], 'h', [0], '0l.'],
    ['integer keys', { 3: 'x' }, "}I3\nS'x'\ns."],
    ['__proto__ is a key like any other', JSON.parse('{"__proto__": 1}'), "}S'__proto__'\nI1\ns."],
  ])('%s', (_name, expected, ...parts) => {
    expect(plain(...parts)).toEqual(expected);
  });

  it('keeps the attributes of an OrderedDict apart from its items', () => {
    const dict = load("ccollections\nOrderedDict\n)R}S'_metadata'\n}sb.", []) as PyDict;
    expect(dict.size).toBe(0);
    expect(dict.attributes?.get('_metadata')).toBeInstanceOf(PyDict);
  });

  it('reads numpy arrays of protocol 2 and 4, and scalars', () => {
    const dtype = (code: string) => `cnumpy\ndtype\n(S'${code}'\nI00\nI01\ntR(I3\nS'<'\nNNNI-1\nI-1\nI0\ntb`;
    const start = 'cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC';
    const array = plain(
      start,
      [1],
      `btR(I1\n(I2\nI2\nt${dtype('f4')}I00\nC`,
      [16],
      new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer),
      'tb.',
    );
    expect(array).toEqual({ data: Float32Array.of(1, 2, 3, 4), shape: [2, 2] });
    const fortran = plain(start, [1], `btR(I1\n(I2\nI2\nt${dtype('u1')}I01\nC`, [4, 1, 2, 3, 4], 'tb.');
    expect(fortran).toEqual({ data: Uint8Array.of(1, 3, 2, 4), shape: [2, 2] });
    expect(plain(`cnumpy._core.multiarray\nscalar\n(${dtype('f8')}C`, [8, 0, 0, 0, 0, 0, 0, 0xe0, 0x3f], 'tR.')).toBe(
      0.5,
    );
  });
});

describe('hostile pickles', () => {
  it.each([
    ['os.system', 'cos\nsystem\n.'],
    ['builtins.exec', 'cbuiltins\nexec\n.'],
    ['builtins.__import__', 'c__builtin__\n__import__\n.'],
    ['numpy.load', 'cnumpy\nload\n.'],
    ['torch.load', 'ctorch\nload\n.'],
    ['torch.storage._load_from_bytes', 'ctorch.storage\n_load_from_bytes\n.'],
    ['dotted names', 'cmmengine.config\nConfig.fromfile\n.'],
    ['subprocess through INST', "(S'ls'\nisubprocess\nPopen\n."],
  ])('refuses %s', (_name, pickle) => {
    expect(() => load(pickle)).toThrow(CheckpointError);
    expect(() => load(pickle)).toThrow(/expected only classes that weights need/);
  });

  it('refuses getattr on anything but an inert class', () => {
    expect(() => load("cbuiltins\ngetattr\n(ccollections\nOrderedDict\nS'fromkeys'\ntR.")).toThrow(CheckpointError);
    const stub = 'cmmengine.logging.history_buffer\nHistoryBuffer\nS';
    expect(() => load(`cbuiltins\ngetattr\n(${stub}'__init__'\ntR.`)).toThrow(CheckpointError);
    expect(() => load(`cbuiltins\ngetattr\n(${stub}'mean'\ntR.`)).not.toThrow();
    expect(() => load('ccopyreg\n_reconstructor\n(cbuiltins\ngetattr\nNNtR.')).toThrow(CheckpointError);
  });

  it.each<[string, ...Part[]]>([
    ['protocol 6', [0x80, 6], 'N.'],
    ['extension codes', [0x82, 1], '.'],
    ['out-of-band buffers', [0x97], '.'],
    ['a memo that was never set', 'h', [3], '.'],
    ['TUPLE2 over a MARK', 'N(N', [0x86], '.'],
    ['APPEND to a number', 'I1\nI2\na.'],
    ['SETITEMS of an odd number', '}(I1\nu.'],
    ['a call of a string', "S'x'\n)R."],
    ['BUILD of a number', 'I1\nNb.'],
    ['a string longer than the file', 'X', le(0xffffffff, 4), 'x'],
    ['a 64-bit length', [0x8e], le(2 ** 52, 8), 'x'],
    ['an integer of 4 GB', [0x8b], le(0xffffffff, 4)],
    ['a line without an end', 'I', new Uint8Array(100_000).fill(0x31)],
    ['integers of words', 'Iabc\n.'],
  ])('refuses %s', (_name, ...parts) => {
    expect(() => load(...parts)).toThrow(CheckpointError);
  });

  it.each([
    ['dicts', [0x7d]],
    ['lists', [0x5d]],
    ['marks', [0x28]],
    ['memo entries', [0x4e, 0x94]],
    ['NONE and POP', [0x4e, 0x30]],
  ])('stops soon at 40 MB of %s', (_name, unit) => {
    const bytes = new Uint8Array(40 << 20);
    for (let i = 0; i < bytes.length; i++) bytes[i] = unit[i % unit.length];
    const before = process.memoryUsage().rss;
    const start = performance.now();
    expect(() => unpickle(bytes, HOST)).toThrow(CheckpointError);
    expect(performance.now() - start).toBeLessThan(5000); // a second on a machine of its own
    expect(process.memoryUsage().rss - before).toBeLessThan(256 << 20);
  });

  it('refuses meta that is too deep or too large as a plain value', () => {
    expect(() => toPlain(load(']'.repeat(100), 'a'.repeat(99), '.'), 'test')).toThrow(/64 levels/);
    const laughs = `${']'}${Array.from({ length: 8 }, (_, i) => `p${i}\n0](${`g${i}\n`.repeat(10)}e`).join('')}.`;
    expect(() => toPlain(load(laughs), 'test')).toThrow(CheckpointError);
  });
});

describe('a minimal file', () => {
  const storage = new Uint8Array(Float32Array.of(1, 2, 3).buffer);

  it('opens', async () => {
    const { stateDict } = await openCheckpoint(makePth(statePickle('w', 3), { 0: storage }));
    expect([...stateDict.keys()]).toEqual(['w']);
    expect(await stateDict.get('w')!.read()).toEqual(Float32Array.of(1, 2, 3));
  });

  it('names file, record and offset in its errors', async () => {
    const file = makePth(statePickle('w', 4), { 0: storage });
    await expect(openCheckpoint(file, { name: 'a.pth' })).rejects.toThrow(
      /^a\.pth: archive\/data\/0: found 12 bytes; expected 16/,
    );
    const evil = makePth(concat([0x80, 2], 'cos\nsystem\n.'));
    await expect(openCheckpoint(evil, { name: 'a.pth' })).rejects.toThrow(
      /^a\.pth: archive\/data\.pkl: offset 2: found "os\.system"/,
    );
  });
});
