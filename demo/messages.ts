/** Errors as sentences: what went wrong in the title, what to do in the text, long lists folded away. */
import { InposeError } from 'inpose';
import type { InposeErrorCode } from 'inpose';

export interface Message {
  readonly title: string;
  readonly text: string;
  /** The whole message, when the text had to be cut. */
  readonly details?: string;
}

/** An error of the page itself, already worded for people. */
export class DemoError extends Error {
  readonly title: string;

  constructor(title: string, text: string) {
    super(text);
    this.title = title;
  }
}

const TITLES: Readonly<Record<InposeErrorCode, string>> = {
  ConfigError: 'The config cannot be used',
  CheckpointError: 'This checkpoint cannot be used',
  BackendError: 'This backend does not work here',
  InputError: 'This picture cannot be used',
};

/** Longer messages show their first sentence, the rest on demand. */
const SHORT_CHARACTERS = 260;

/** What to show for an error; null for a cancel, which needs no words. */
export function describeError(error: unknown): Message | null {
  if (error instanceof DOMException && error.name === 'AbortError') return null;
  if (error instanceof DemoError) return { title: error.title, text: error.message };
  const text = error instanceof Error ? error.message : String(error);
  const title = error instanceof InposeError ? TITLES[error.code] : 'Something went wrong';
  if (text.length <= SHORT_CHARACTERS && !text.includes('\n')) return { title, text };
  return { title, text: firstSentence(text), details: text };
}

function firstSentence(text: string): string {
  const line = text.split('\n', 1)[0];
  const cut = line.slice(0, SHORT_CHARACTERS);
  const end = Math.max(cut.lastIndexOf('. '), cut.lastIndexOf('; '));
  if (line.length <= SHORT_CHARACTERS) return line;
  return end > 60 ? cut.slice(0, end + 1) : `${cut.slice(0, cut.lastIndexOf(' '))} …`;
}
