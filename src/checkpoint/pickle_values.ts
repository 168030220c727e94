/**
 * What a pickle turns into. Lists, tuples and sets are arrays; dicts keep their order and any key; text that nobody may ever ask
 * for stays bytes; objects of foreign classes are inert. Nothing here runs anything.
 */
import { CheckpointError } from '../errors.js';

/** A Python dict (or OrderedDict, defaultdict...) in its order. */
export class PyDict {
  /** Made with the first item: an empty Map is large, and one byte of a pickle makes an empty dict. */
  #items: Map<unknown, unknown> | null = null;
  /** `__dict__` of a subclass: PyTorch keeps a state_dict's versions in `_metadata`. */
  attributes: PyDict | null = null;

  get size(): number {
    return this.#items?.size ?? 0;
  }

  get(key: unknown): unknown {
    return this.#items?.get(key);
  }

  set(key: unknown, value: unknown): void {
    (this.#items ??= new Map()).set(key, value);
  }

  entries(): Iterable<[unknown, unknown]> {
    return this.#items ?? [];
  }
}

/** A long string, not decoded yet. */
export class PyText {
  readonly #utf8: Uint8Array;
  #text: string | undefined;

  constructor(utf8: Uint8Array) {
    this.#utf8 = utf8;
  }

  decode(): string {
    // Kept: a hostile pickle may name one long text a million times.
    return (this.#text ??= decodeUtf8(this.#utf8));
  }
}

/** Python writes lone surrogates as they are (`surrogatepass`); here they become U+FFFD. */
export function decodeUtf8(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
}

/** Bytes that were pickled as text of the same code points, as protocol 2 has to: `_codecs.encode(text, 'latin1')`. */
export class PyLatin1 {
  readonly text: string | PyText;

  constructor(text: string | PyText) {
    this.text = text;
  }

  /** @throws CheckpointError for text beyond U+00FF */
  decode(where: string): Uint8Array {
    const text = textOf(this.text)!;
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code > 0xff) throw new CheckpointError(`${where}: found character ${code} in text that stands for bytes.`);
      bytes[i] = code;
    }
    return bytes;
  }
}

/** An instance of a class that has no meaning here. It holds nothing and does nothing. */
export class PyStub {
  readonly className: string;

  constructor(className: string) {
    this.className = className;
  }
}

/** A class or function that a pickle names. Only `allowlist.ts` makes them. */
export interface PyGlobal {
  readonly kind: 'global';
  /** `module.name` */
  readonly name: string;
  /** What calling it gives; absent when it cannot be called. */
  readonly call?: (args: readonly unknown[]) => unknown;
  /** A class of which only inert stubs are made. */
  readonly inert?: boolean;
}

export function isGlobal(value: unknown): value is PyGlobal {
  return (value as PyGlobal | null)?.kind === 'global';
}

/** Takes a pickle's `__setstate__` value. */
export interface PyBuildable {
  build(state: unknown): void;
}

export function isBuildable(value: unknown): value is PyBuildable {
  return typeof (value as PyBuildable | null)?.build === 'function';
}

/** The string, decoded if need be, or undefined when it is none. */
export function textOf(value: unknown): string | undefined {
  if (value instanceof PyText) return value.decode();
  return typeof value === 'string' ? value : undefined;
}
