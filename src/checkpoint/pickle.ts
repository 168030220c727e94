/**
 * A pickle machine that cannot execute: protocols 0 to 5, a stack, a memo, and a caller's allowlist for every class and function
 * that the pickle names. Instructions that would need more (extension codes, out-of-band buffers) are refused.
 * Instruction set: CPython's `Lib/pickletools.py`.
 */
import { CheckpointError } from '../errors.js';
import {
  LAZY_STRING_BYTES,
  MAX_PICKLE_LINE_BYTES,
  MAX_PICKLE_MEMORY_BYTES,
  MAX_PICKLE_NUMBER_BYTES,
  MAX_PICKLE_OPCODES,
} from './limits.js';
import { PyDict, PyStub, PyText, decodeUtf8, isBuildable, isGlobal, type PyGlobal } from './pickle_values.js';

/** What the surrounding file format supplies. */
export interface PickleHost {
  /** File and record, for messages. */
  readonly where: string;
  /** The class or function of that name. Throws for what is not allowed. */
  global(module: string, name: string, where: string): PyGlobal;
  /** The object behind a persistent id: PyTorch's storages. */
  persistent(id: unknown, where: string): unknown;
}

/** The pickle needs bytes beyond those given; with more of the file it may be read again. */
export class PickleCutOff extends CheckpointError {}

/**
 * Reads one pickle from the start of `bytes`.
 *
 * @returns its value and the number of bytes that it took
 * @throws PickleCutOff when `bytes` ends inside it
 * @throws CheckpointError for anything malformed, forbidden or too large
 */
export function unpickle(bytes: Uint8Array, host: PickleHost): { value: unknown; length: number } {
  return new Machine(bytes, host).run();
}

// Estimated bytes of memory, for MAX_PICKLE_MEMORY_BYTES.
const COST = { slot: 16, object: 64, firstItem: 256, item: 48, memo: 48 } as const;

class Machine {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #host: PickleHost;
  readonly #memo = new Map<number, unknown>();
  readonly #stack: unknown[] = [];
  /** Stack heights at the open MARKs. */
  readonly #marks: number[] = [];
  /** Where the running instruction starts. */
  #opAt = 0;
  #at = 0;
  #spent = 0;

  constructor(bytes: Uint8Array, host: PickleHost) {
    [this.#bytes, this.#host] = [bytes, host];
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  run(): { value: unknown; length: number } {
    for (let count = 0; count < MAX_PICKLE_OPCODES; count++) {
      this.#opAt = this.#at;
      const op = this.#uint(1);
      if (op === 0x2e) return { value: this.#pop(), length: this.#at }; // STOP
      this.#step(op);
    }
    throw this.#error(`more than ${MAX_PICKLE_OPCODES} instructions`);
  }

  // ---- reading

  #take(length: number): number {
    const start = this.#at;
    if (start + length > this.#bytes.length) {
      throw new PickleCutOff(
        `${this.#where()}: the pickle ends in the middle; the file is truncated, download it again.`,
      );
    }
    this.#at = start + length;
    return start;
  }

  #uint(width: 1 | 2 | 4 | 8): number {
    const at = this.#take(width);
    if (width === 1) return this.#view.getUint8(at);
    if (width === 2) return this.#view.getUint16(at, true);
    return width === 4 ? this.#view.getUint32(at, true) : Number(this.#view.getBigUint64(at, true));
  }

  /** Bytes after their length; a view, so it costs nothing. */
  #blob(width: 1 | 4 | 8): Uint8Array {
    const length = this.#uint(width);
    const at = this.#take(length);
    return this.#bytes.subarray(at, at + length);
  }

  #text(bytes: Uint8Array): string | PyText {
    this.#spend(COST.object);
    if (bytes.length > LAZY_STRING_BYTES) return new PyText(bytes);
    this.#spend(2 * bytes.length);
    return decodeUtf8(bytes);
  }

  #line(): string {
    const end = this.#bytes.subarray(this.#at, this.#at + MAX_PICKLE_LINE_BYTES).indexOf(10);
    if (end < 0 && this.#at + MAX_PICKLE_LINE_BYTES <= this.#bytes.length) throw this.#error('a line without an end');
    const at = this.#take(end < 0 ? MAX_PICKLE_LINE_BYTES : end + 1);
    return decodeUtf8(this.#bytes.subarray(at, this.#at - 1));
  }

  // ---- stack, memo, budget

  #spend(bytes: number): void {
    this.#spent += bytes;
    if (this.#spent > MAX_PICKLE_MEMORY_BYTES) throw this.#error('more objects than any weights file has');
  }

  #push(value: unknown): void {
    this.#spend(COST.slot);
    this.#stack.push(value);
  }

  #pop(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.#error('an instruction on an empty stack');
    return this.#stack.pop();
  }

  #top(): unknown {
    if (this.#stack.length <= (this.#marks.at(-1) ?? 0)) throw this.#error('an instruction on an empty stack');
    return this.#stack[this.#stack.length - 1];
  }

  #popMark(): unknown[] {
    const height = this.#marks.pop();
    if (height === undefined) throw this.#error('an instruction without its MARK');
    return this.#stack.splice(height);
  }

  #memoPut(index: number): void {
    this.#spend(COST.memo);
    this.#memo.set(index, this.#top());
  }

  #memoGet(index: number): void {
    if (!this.#memo.has(index)) throw this.#error(`memo ${index}, which was never set`);
    this.#push(this.#memo.get(index));
  }

  #pushArray(items: unknown[]): void {
    this.#spend(COST.object + 8 * items.length);
    this.#push(items);
  }

  #pushTuple(count: number): void {
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.unshift(this.#pop());
    this.#pushArray(items);
  }

  #pushDict(items: readonly unknown[]): void {
    this.#spend(COST.object);
    this.#push(new PyDict());
    this.#setItems(items);
  }

  // ---- building objects

  #append(items: readonly unknown[]): void {
    const list = this.#top();
    if (list instanceof PyStub) return;
    if (!Array.isArray(list)) throw this.#error('items that are appended to what is no list');
    this.#spend(COST.slot * items.length);
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly unknown[]): void {
    const dict = this.#top();
    if (dict instanceof PyStub) return;
    if (!(dict instanceof PyDict) || items.length % 2 !== 0) throw this.#error('items that are set on what is no dict');
    if (dict.size === 0 && items.length > 0) this.#spend(COST.firstItem);
    this.#spend((COST.item * items.length) / 2);
    for (let i = 0; i < items.length; i += 2) {
      if (items[i] instanceof PyText) throw this.#error('a dict key of more than 1 KiB');
      dict.set(items[i], items[i + 1]);
    }
  }

  #pushGlobal(module: unknown, name: unknown): void {
    if (typeof module !== 'string' || typeof name !== 'string')
      throw this.#error('a class name that is no short string');
    this.#spend(COST.object);
    this.#push(this.#host.global(module, name, this.#where()));
  }

  #call(callee: unknown, args: unknown): void {
    if (!isGlobal(callee) || !callee.call || !Array.isArray(args)) {
      throw this.#error(`a call of ${isGlobal(callee) ? callee.name : 'something that is no class'}`);
    }
    this.#spend(COST.object);
    try {
      this.#push(callee.call(args));
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      throw new CheckpointError(`${this.#where()}: ${error.message}`, { cause: error });
    }
  }

  #build(): void {
    const state = this.#pop();
    const target = this.#top();
    if (target instanceof PyDict && (state instanceof PyDict || state === null)) target.attributes = state;
    else if (isBuildable(target)) target.build(state);
    else if (!(target instanceof PyStub)) throw this.#error('a state that is set on what takes none');
  }

  // ---- instructions

  /** One straight table, in the order of the opcodes' use. */
  #step(op: number): void {
    switch (op) {
      case 0x71: // q BINPUT
        return this.#memoPut(this.#uint(1));
      case 0x72: // r LONG_BINPUT
        return this.#memoPut(this.#uint(4));
      case 0x94: // MEMOIZE
        return this.#memoPut(this.#memo.size);
      case 0x68: // h BINGET
        return this.#memoGet(this.#uint(1));
      case 0x6a: // j LONG_BINGET
        return this.#memoGet(this.#uint(4));
      case 0x28: // ( MARK
        this.#spend(COST.slot);
        this.#marks.push(this.#stack.length);
        return;
      case 0x58: // X BINUNICODE
        return this.#push(this.#text(this.#blob(4)));
      case 0x8c: // SHORT_BINUNICODE
        return this.#push(this.#text(this.#blob(1)));
      case 0x8d: // BINUNICODE8
        return this.#push(this.#text(this.#blob(8)));
      case 0x4b: // K BININT1
        return this.#push(this.#uint(1));
      case 0x4d: // M BININT2
        return this.#push(this.#uint(2));
      case 0x4a: // J BININT
        return this.#push(this.#uint(4) | 0);
      case 0x47: // G BINFLOAT
        return this.#push(this.#view.getFloat64(this.#take(8)));
      case 0x4e: // N NONE
        return this.#push(null);
      case 0x88: // NEWTRUE
        return this.#push(true);
      case 0x89: // NEWFALSE
        return this.#push(false);
      case 0x29: // ) EMPTY_TUPLE
      case 0x5d: // ] EMPTY_LIST
      case 0x8f: // EMPTY_SET
        return this.#pushArray([]);
      case 0x7d: // } EMPTY_DICT
        return this.#pushDict([]);
      case 0x85: // TUPLE1
      case 0x86: // TUPLE2
      case 0x87: // TUPLE3
        return this.#pushTuple(op - 0x84);
      case 0x74: // t TUPLE
      case 0x6c: // l LIST
      case 0x91: // FROZENSET
        return this.#pushArray(this.#popMark());
      case 0x64: // d DICT
        return this.#pushDict(this.#popMark());
      case 0x61: // a APPEND
        return this.#append([this.#pop()]);
      case 0x65: // e APPENDS
      case 0x90: // ADDITEMS
        return this.#append(this.#popMark());
      case 0x73: {
        // s SETITEM
        const value = this.#pop();
        return this.#setItems([this.#pop(), value]);
      }
      case 0x75: // u SETITEMS
        return this.#setItems(this.#popMark());
      case 0x51: // Q BINPERSID
        return this.#push(this.#host.persistent(this.#pop(), this.#where()));
      case 0x50: // P PERSID
        return this.#push(this.#host.persistent(this.#line(), this.#where()));
      case 0x52: // R REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.#pop();
        return this.#call(this.#pop(), args);
      }
      case 0x92: {
        // NEWOBJ_EX
        const kwargs = this.#pop();
        const args = this.#pop();
        const callee = this.#pop();
        const plain = kwargs instanceof PyDict && kwargs.size === 0;
        if (!plain && !(isGlobal(callee) && callee.inert)) throw this.#error('a call with keywords');
        return this.#call(callee, args);
      }
      case 0x62: // b BUILD
        return this.#build();
      case 0x63: {
        // c GLOBAL
        const module = this.#line();
        return this.#pushGlobal(module, this.#line());
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = this.#pop();
        return this.#pushGlobal(this.#pop(), name);
      }
      case 0x69: {
        // i INST
        const module = this.#line();
        this.#pushGlobal(module, this.#line());
        const callee = this.#pop();
        return this.#call(callee, this.#popMark());
      }
      case 0x6f: {
        // o OBJ
        const [callee, ...args] = this.#popMark();
        return this.#call(callee, args);
      }
      case 0x80: {
        // PROTO
        const protocol = this.#uint(1);
        if (protocol > 5) throw this.#error(`pickle protocol ${protocol}; expected 0 to 5`);
        return;
      }
      case 0x95: // FRAME: only a hint for buffering
        this.#take(8);
        return;
      case 0x30: // 0 POP: also takes a MARK
        if (this.#marks.length > 0 && this.#marks.at(-1) === this.#stack.length) this.#marks.pop();
        else this.#pop();
        return;
      case 0x31: // 1 POP_MARK
        this.#popMark();
        return;
      case 0x32: // 2 DUP
        return this.#push(this.#top());
      default:
        return this.#stepRare(op);
    }
  }

  /** Numbers and strings of old protocols, and large ones. */
  #stepRare(op: number): void {
    switch (op) {
      case 0x8a: // LONG1
        return this.#push(this.#long(this.#blob(1)));
      case 0x8b: // LONG4
        return this.#push(this.#long(this.#blob(4)));
      case 0x49: // I INT
      case 0x4c: // L LONG
        return this.#push(this.#decimal(this.#line()));
      case 0x46: // F FLOAT
        return this.#push(this.#float(this.#line()));
      case 0x53: // S STRING
        return this.#push(this.#quoted(this.#line()));
      case 0x56: // V UNICODE
        return this.#push(this.#text(new TextEncoder().encode(rawUnicodeEscape(this.#line()))));
      case 0x55: // U SHORT_BINSTRING: Python 2's str
        return this.#push(this.#text(this.#blob(1)));
      case 0x54: // T BINSTRING
        return this.#push(this.#text(this.#blob(4)));
      case 0x43: // C SHORT_BINBYTES
        return this.#pushBytes(this.#blob(1));
      case 0x42: // B BINBYTES
        return this.#pushBytes(this.#blob(4));
      case 0x8e: // BINBYTES8
      case 0x96: // BYTEARRAY8
        return this.#pushBytes(this.#blob(8));
      case 0x67: // g GET
        return this.#memoGet(Number(this.#decimal(this.#line())));
      case 0x70: // p PUT
        return this.#memoPut(Number(this.#decimal(this.#line())));
      default:
        throw this.#error(`instruction 0x${op.toString(16).padStart(2, '0')}, which is not read here`);
    }
  }

  #pushBytes(bytes: Uint8Array): void {
    this.#spend(COST.object);
    this.#push(bytes);
  }

  /** Little-endian two's complement; a bigint only beyond 2^53. */
  #long(bytes: Uint8Array): number | bigint {
    if (bytes.length > MAX_PICKLE_NUMBER_BYTES) throw this.#error(`an integer of ${bytes.length} bytes`);
    let value = 0n;
    for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]);
    return narrow(BigInt.asIntN(8 * bytes.length, value));
  }

  /** `12`, `12L`; `00` and `01` are protocol 1's booleans. */
  #decimal(line: string): number | bigint | boolean {
    if (line === '00' || line === '01') return line === '01';
    if (line.length > MAX_PICKLE_NUMBER_BYTES || !/^-?\d+L?$/.test(line))
      throw this.#error('a line that is no integer');
    return narrow(BigInt(line.replace('L', '')));
  }

  #float(line: string): number {
    const word = /^([+-]?)(inf|nan)$/.exec(line);
    if (word) return word[2] === 'nan' ? NaN : word[1] === '-' ? -Infinity : Infinity;
    if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(line)) throw this.#error('a line that is no number');
    return Number(line);
  }

  #quoted(line: string): string {
    const body = /^(['"])(.*)\1$/.exec(line)?.[2];
    if (body === undefined) throw this.#error('a line that is no string');
    this.#spend(COST.object + 2 * body.length);
    const short: Record<string, string> = { n: '\n', r: '\r', t: '\t' };
    return body.replace(/\\(?:x([0-9a-f]{2})|([nrt\\'"]))/gi, (_, hex, char) =>
      hex ? String.fromCharCode(parseInt(hex, 16)) : (short[char] ?? char),
    );
  }

  #where(): string {
    return `${this.#host.where}: offset ${this.#opAt}`;
  }

  #error(what: string): CheckpointError {
    return new CheckpointError(`${this.#where()}: found ${what}; expected a pickle of weights; the file is corrupt.`);
  }
}

function narrow(value: bigint): number | bigint {
  return value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER ? Number(value) : value;
}

function rawUnicodeEscape(line: string): string {
  return line.replace(/\\u([0-9a-f]{4})|\\U([0-9a-f]{8})/gi, (all, short, long) => {
    const code = parseInt(short ?? long, 16);
    return code <= 0x10ffff ? String.fromCodePoint(code) : all;
  });
}
