/** The status line (read aloud politely) and the error box (read aloud at once). */
import { byId } from './dom.js';
import { describeError } from './messages.js';

/** ms. Something that moves takes the processor from what is waited for; short waits do without. */
const STILL_MS = 2000;
let turning: ReturnType<typeof setTimeout> | undefined;

/** Says what the page is doing; `busy` shows that it takes a moment. */
export function say(text: string, busy = false): void {
  const status = byId('status', HTMLElement);
  if (busy !== status.classList.contains('busy')) {
    clearTimeout(turning);
    status.classList.remove('turning');
    if (busy) turning = setTimeout(() => status.classList.add('turning'), STILL_MS);
  }
  status.classList.toggle('busy', busy);
  // Screen readers repeat a live region whenever it is written.
  if (status.textContent !== text) status.textContent = text;
}

/** Shows an error in words; a cancel needs none. */
export function showError(error: unknown): void {
  const message = describeError(error);
  if (!message) return;
  byId('message', HTMLElement).hidden = false;
  byId('message-title', HTMLElement).textContent = message.title;
  byId('message-text', HTMLElement).textContent = message.text;
  const more = byId('message-more', HTMLDetailsElement);
  more.hidden = message.details === undefined;
  more.open = false;
  byId('message-details', HTMLElement).textContent = message.details ?? '';
}

export function hideError(): void {
  byId('message', HTMLElement).hidden = true;
}

/** Runs something a person asked for; whatever fails is said, nothing is swallowed. */
export async function attempt(action: () => Promise<void> | void): Promise<void> {
  hideError();
  try {
    await action();
  } catch (error) {
    say(describeError(error) ? '' : 'Cancelled.');
    showError(error);
  }
}
