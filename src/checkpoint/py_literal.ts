/**
 * Reads the config text that MMEngine stores in `meta.cfg`: Python assignments of literals. Strings, numbers, booleans, None, lists,
 * tuples, dicts and `dict()` calls are read; every name, operator or other call is an error. Nothing is evaluated.
 * Grammar: the Python reference, "Expressions" and "Lexical analysis", the part without expressions.
 */
import { ConfigError } from '../errors.js';
import { MAX_CONFIG_CHARACTERS, MAX_CONFIG_DEPTH } from './limits.js';
import { setOwn } from './plain.js';

/** Tuples become arrays, None becomes null, dict keys strings. */
export type PyLiteral = null | boolean | number | string | PyLiteral[] | { [key: string]: PyLiteral };

/**
 * Parses `name = value` lines.
 *
 * @param where - name of the text, for messages: `model.pth: meta.cfg`
 * @throws ConfigError with the line of the first thing that is no literal
 */
export function parsePythonConfig(text: string, where: string): Record<string, PyLiteral> {
  if (text.length > MAX_CONFIG_CHARACTERS) {
    throw new ConfigError(`${where}: found ${text.length} characters; expected at most ${MAX_CONFIG_CHARACTERS}.`);
  }
  return new Parser(text, where).file();
}

const NAME = /[\p{L}_][\p{L}\p{N}_]*/uy;
const NUMBER =
  /0[xX][\da-fA-F]+(?:_[\da-fA-F]+)*|0[oO][0-7]+|0[bB][01]+|(?:\d+(?:_\d+)*\.?(?:\d+(?:_\d+)*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const STRING_START = /([rRuU]?)('''|"""|'|")/y;
const CONSTANTS: ReadonlyMap<string, PyLiteral> = new Map<string, PyLiteral>([
  ['None', null],
  ['True', true],
  ['False', false],
]);
const ESCAPES: Readonly<Record<string, string>> = {
  '\n': '',
  '\\': '\\',
  "'": "'",
  '"': '"',
  a: '\x07',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
  v: '\v',
};
const ESCAPE = /\\(?:(\n|[\\'"abfnrtv])|([0-7]{1,3})|x([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([\s\S]))/g;

class Parser {
  readonly #text: string;
  readonly #where: string;
  #at = 0;
  #depth = 0;

  constructor(text: string, where: string) {
    // Python knows one line end; a byte order mark is not part of the text.
    [this.#text, this.#where] = [text.replace(/^\ufeff/, '').replace(/\r\n?/g, '\n'), where];
  }

  file(): Record<string, PyLiteral> {
    const out: Record<string, PyLiteral> = {};
    for (;;) {
      this.#skipBlankLines();
      if (this.#at >= this.#text.length) return out;
      const name = this.#name();
      this.#skipSpace(false);
      if (!this.#eat('=') || this.#text[this.#at] === '=') throw this.#error(`"=" after "${name}"`);
      setOwn(out, name, this.#statementValue());
      this.#skipSpace(false);
      if (this.#at < this.#text.length && !this.#eat('\n')) throw this.#error('the end of the line');
    }
  }

  /** A value, or several with commas: a tuple without parentheses. */
  #statementValue(): PyLiteral {
    const first = this.#value(false);
    this.#skipSpace(false);
    if (this.#text[this.#at] !== ',') return first;
    const items = [first];
    while (this.#eat(',')) {
      this.#skipSpace(false);
      if (this.#at >= this.#text.length || this.#text[this.#at] === '\n') break;
      items.push(this.#value(false));
      this.#skipSpace(false);
    }
    return items;
  }

  /** @param inBrackets - line ends are spaces there */
  #value(inBrackets: boolean): PyLiteral {
    this.#skipSpace(inBrackets);
    const char = this.#text[this.#at];
    if (char === '[') return this.#list('[', ']').items;
    if (char === '{') return this.#mapping();
    if (char === '(') return this.#parenthesis();
    if (char === '-' || char === '+') {
      this.#at++;
      this.#skipSpace(inBrackets);
      return char === '-' ? -this.#number() : this.#number();
    }
    if (/[\d.]/.test(char ?? '')) return this.#number();
    STRING_START.lastIndex = this.#at;
    return STRING_START.test(this.#text) ? this.#strings(inBrackets) : this.#named();
  }

  /** A constant or `dict(...)`. */
  #named(): PyLiteral {
    const start = this.#at;
    const name = this.#name();
    if (CONSTANTS.has(name)) return CONSTANTS.get(name)!;
    if (name === 'dict') return this.#dictCall();
    this.#at = start;
    throw this.#error('a literal');
  }

  #list(open: string, close: string): { items: PyLiteral[]; trailingComma: boolean } {
    this.#enter(open);
    const items: PyLiteral[] = [];
    let trailingComma = false;
    while (!this.#leave(close)) {
      if (items.length > 0 && !trailingComma) throw this.#error(`"," or "${close}"`);
      items.push(this.#value(true));
      this.#skipSpace(true);
      trailingComma = this.#eat(',');
    }
    return { items, trailingComma };
  }

  /** `(1)` is 1, `(1,)` and `()` are tuples. */
  #parenthesis(): PyLiteral {
    const { items, trailingComma } = this.#list('(', ')');
    return items.length === 1 && !trailingComma ? items[0] : items;
  }

  #mapping(): { [key: string]: PyLiteral } {
    const out: { [key: string]: PyLiteral } = {};
    this.#entries('{', '}', () => {
      const key = this.#value(true);
      if (key !== null && typeof key === 'object') throw this.#error('a string, number or constant as key');
      this.#skipSpace(true);
      if (!this.#eat(':')) throw this.#error('":" after a key');
      setOwn(out, String(key), this.#value(true));
    });
    return out;
  }

  /** `dict(a=1, b=2)`, and `dict({0: 1})`, which MMEngine writes where keys are no identifiers. */
  #dictCall(): { [key: string]: PyLiteral } {
    let out: { [key: string]: PyLiteral } = {};
    const seen = new Set<string>();
    this.#skipSpace(false);
    this.#entries('(', ')', () => {
      if (seen.size === 0 && this.#text[this.#at] === '{') {
        out = this.#mapping();
        seen.add('{');
        return;
      }
      const key = this.#name();
      if (seen.has(key)) throw this.#error(`"${key}" only once`);
      seen.add(key);
      this.#skipSpace(true);
      if (!this.#eat('=')) throw this.#error(`"=" after "${key}"`);
      setOwn(out, key, this.#value(true));
    });
    return out;
  }

  #entries(open: string, close: string, read: () => void): void {
    this.#enter(open);
    let separated = true;
    while (!this.#leave(close)) {
      if (!separated) throw this.#error(`"," or "${close}"`);
      read();
      this.#skipSpace(true);
      separated = this.#eat(',');
    }
  }

  #enter(open: string): void {
    if (!this.#eat(open)) throw this.#error(`"${open}"`);
    if (++this.#depth > MAX_CONFIG_DEPTH) throw this.#error(`at most ${MAX_CONFIG_DEPTH} levels of brackets`);
  }

  #leave(close: string): boolean {
    this.#skipSpace(true);
    if (!this.#eat(close)) return false;
    this.#depth--;
    return true;
  }

  #number(): number {
    NUMBER.lastIndex = this.#at;
    const digits = NUMBER.exec(this.#text)?.[0];
    if (digits === undefined) throw this.#error('a number');
    if (/^0\d*[1-9]\d*$/.test(digits)) throw this.#error('a number without leading zeros');
    const end = this.#at + digits.length;
    if (/[\p{L}\p{N}_]/u.test(this.#text[end] ?? '')) throw this.#error('a number');
    this.#at = end;
    return Number(digits.replaceAll('_', ''));
  }

  /** Neighbouring strings are one. */
  #strings(inBrackets: boolean): string {
    let out = '';
    for (;;) {
      STRING_START.lastIndex = this.#at;
      const start = STRING_START.exec(this.#text);
      if (!start) return out;
      out += this.#string(start[1].toLowerCase() === 'r', start[2], start[0].length);
      const end = this.#at;
      this.#skipSpace(inBrackets);
      STRING_START.lastIndex = this.#at;
      if (!STRING_START.test(this.#text)) this.#at = end;
    }
  }

  #string(raw: boolean, quote: string, startLength: number): string {
    const start = this.#at + startLength;
    let end = start;
    while (!this.#text.startsWith(quote, end)) {
      const char = this.#text[end];
      if (char === undefined || (char === '\n' && quote.length === 1))
        throw this.#error(`a string that ends with ${quote}`);
      end += char === '\\' ? 2 : 1;
    }
    const body = this.#text.slice(start, end);
    const value = raw ? body : this.#unescape(body);
    this.#at = end + quote.length;
    return value;
  }

  #unescape(body: string): string {
    return body.replace(ESCAPE, (all, simple, octal, hex, short, long, other) => {
      if (simple !== undefined) return ESCAPES[simple as string];
      if (octal !== undefined) return String.fromCodePoint(parseInt(octal as string, 8));
      const code = parseInt((hex ?? short ?? long ?? '') as string, 16);
      if (code <= 0x10ffff) return String.fromCodePoint(code);
      // Python refuses these; any other unknown escape it leaves as it is.
      if (!other || /[xuUN]/.test(other as string)) throw this.#error(`an escape that Python knows, not ${all}`);
      return all;
    });
  }

  #name(): string {
    NAME.lastIndex = this.#at;
    const name = NAME.exec(this.#text)?.[0];
    if (name === undefined) throw this.#error('a name');
    this.#at += name.length;
    return name;
  }

  #eat(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  /** Spaces, comments and joined lines; in brackets line ends as well. */
  #skipSpace(inBrackets: boolean): void {
    for (;;) {
      const char = this.#text[this.#at];
      if (char === ' ' || char === '\t' || char === '\f' || (inBrackets && char === '\n')) this.#at++;
      else if (char === '\\' && this.#text[this.#at + 1] === '\n') this.#at += 2;
      else if (char === '#') this.#at = this.#lineEnd();
      else return;
    }
  }

  /** Up to the first character of a statement, which stands at the start of its line. */
  #skipBlankLines(): void {
    while (this.#at < this.#text.length) {
      const end = this.#lineEnd();
      if (!/^[ \t\f]*(#|$)/.test(this.#text.slice(this.#at, end))) return;
      this.#at = Math.min(end + 1, this.#text.length);
    }
  }

  #lineEnd(): number {
    const end = this.#text.indexOf('\n', this.#at);
    return end < 0 ? this.#text.length : end;
  }

  #error(expected: string): ConfigError {
    const line = this.#text.slice(0, this.#at).split('\n').length;
    const found =
      this.#text
        .slice(this.#at)
        .match(/^[^\n]{1,40}/)?.[0]
        .trim() || 'the end of the line';
    return new ConfigError(
      `${this.#where}: line ${line}: found ${found}; expected ${expected}; configs are read as literals, never run.`,
    );
  }
}
