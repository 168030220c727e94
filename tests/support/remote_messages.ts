/** What a page and our server say to each other when no driver is between them (`remote_page.ts`). */

/** Where the page asks for work, and where it says what became of it. */
export const CALLS = '/@page/calls';
export const REPORTS = '/@page/reports';

export interface Call {
  readonly id: number;
  /** A function on `window`. */
  readonly name: string;
  readonly args: readonly unknown[];
}

/** The answer to a page that asks; `null` after a while without work: ask again. */
export type CallsReply = Call | 'end' | null;

export type Report =
  | { readonly kind: 'hello'; readonly agent: string }
  | { readonly kind: 'result'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'error'; readonly id: number; readonly message: string }
  | { readonly kind: 'problem'; readonly text: string }
  | { readonly kind: 'progress'; readonly text: string };

/** JSON, with the numbers that JSON has not. */
export function encode(value: unknown): string {
  return JSON.stringify(value, (_key, v: unknown) =>
    typeof v === 'number' && !Number.isFinite(v) ? { [NUMBER]: String(v) } : v,
  );
}

export function decode(text: string): unknown {
  return JSON.parse(text, (_key, v: { [NUMBER]?: string } | null) =>
    v && typeof v === 'object' && NUMBER in v ? Number(v[NUMBER]) : v,
  );
}

const NUMBER = '$number';
