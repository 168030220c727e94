import { describe, expect, it } from 'vitest';
import { parsePythonConfig } from '../../src/checkpoint/py_literal.js';
import { ConfigError } from '../../src/errors.js';

const value = (text: string) => parsePythonConfig(`x = ${text}\n`, 'test').x;

describe('Python literals', () => {
  it.each<[string, unknown]>([
    ['1', 1],
    ['-2.5e-3', -0.0025],
    ['+.5', 0.5],
    ['1.', 1],
    ['1_000_000', 1e6],
    ['0x1F', 31],
    ['0o17', 15],
    ['0b101', 5],
    ['1e-05', 1e-5],
    ['True', true],
    ['None', null],
    ['\'a\' "b"', 'ab'],
    ["'it\\'s'", "it's"],
    ["'\\x41\\u00e9\\U0001F600\\101\\n'", 'A\u00e9\u{1F600}A\n'],
    ["'\\d'", '\\d'],
    ["r'\\d\\n'", '\\d\\n'],
    ["u'x'", 'x'],
    ['"""two\nlines"""', 'two\nlines'],
    ["'''it's'''", "it's"],
    ["('a'\n  # comment\n  'b')", 'ab'],
    ["['a', 'b'\n 'c']", ['a', 'bc']],
    ['()', []],
    ['(1)', 1],
    ['(1,)', [1]],
    ['(1, 2,)', [1, 2]],
    ['1, 2', [1, 2]],
    ['1,', [1]],
    ['[[1, (2,)], []]', [[1, [2]], []]],
    ['{}', {}],
    ["{'a': 1, 2: 'b', None: 3,}", { a: 1, 2: 'b', null: 3 }],
    ["dict(a=1, b=dict(c='d'),)", { a: 1, b: { c: 'd' } }],
    ["dict({0: 'a', 'b-c': 1})", { 0: 'a', 'b-c': 1 }],
    ['dict()', {}],
    ['dict(\n    type=\n    "X")', { type: 'X' }],
    ['1  # comment', 1],
    ['\\\n  7', 7],
  ])('%s', (text, expected) => {
    expect(value(text)).toEqual(expected);
  });

  it('reads several assignments, comments and Windows line ends', () => {
    const text = "# head\r\n\r\na = 1\r\nb = [\r\n  2,  # two\r\n]\r\n   # tail\r\nc = 'd'";
    expect(parsePythonConfig(text, 'test')).toEqual({ a: 1, b: [2], c: 'd' });
    expect(parsePythonConfig('', 'test')).toEqual({});
  });

  it('does not touch prototypes', () => {
    const config = parsePythonConfig("__proto__ = dict(polluted=True)\na = {'__proto__': 1}", 'test');
    expect(Object.keys(config)).toEqual(['__proto__', 'a']);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    expect(Object.getPrototypeOf(config)).toBe(Object.prototype);
  });

  it.each([
    ['a = b', 1],
    ['a = 1\nb = a', 2],
    ['a = 1\nb = [\n  1,\n  x,\n]', 4],
    ["a = __import__('os').system('ls')", 1],
    ['a = dict(**{})', 1],
    ['a = 1 + 1', 1],
    ["a = 'x'.upper()", 1],
    ['a = f"{x}"', 1],
    ['a = b"x"', 1],
    ['a = 1j', 1],
    ['a = 012', 1],
    ['a = {1, 2}', 1],
    ['a = [1 2]', 1],
    ['a = [1,, 2]', 1],
    ['a = [1', 1],
    ["a = 'x\n'", 1],
    ['a = dict(b=1, b=2)', 1],
    ['a = dict(1)', 1],
    ['a == 1', 1],
    ['a', 1],
    ['a += 1', 1],
    ['a.b = 1', 1],
    ['  a = 1', 1],
    ['a = 1 b = 2', 1],
    ['import os', 1],
    ['\n\nif True:\n  a = 1', 3],
    ['a = lambda: 1', 1],
    ['a = [i for i in x]', 1],
    ['a = int("3")', 1],
    ["a = '\\N{BULLET}'", 1],
    ['a = -True', 1],
    ['a = float("inf")', 1],
    ["a = {'b': }", 1],
    ["a = {['b']: 1}", 1],
  ])('refuses %j, naming the line', (text, line) => {
    expect(() => parsePythonConfig(text, 'f')).toThrow(ConfigError);
    expect(() => parsePythonConfig(text, 'f')).toThrow(new RegExp(`^f: line ${line}: found .*; expected `));
  });

  it('refuses brackets without end and texts without measure', () => {
    expect(() => value('['.repeat(100_000))).toThrow(/levels of brackets/);
    expect(() => parsePythonConfig('#'.repeat(5 << 20), 'f')).toThrow(ConfigError);
    expect(value(`[${'1,\n'.repeat(200_000)}]`)).toHaveLength(200_000);
  });
});
