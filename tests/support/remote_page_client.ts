/** The page's half of `remote_page.ts`: asks the server for calls, makes them, and tells it everything that goes wrong. */
import { CALLS, decode, encode, REPORTS, type Call, type CallsReply, type Report } from './remote_messages.js';

const POLL_MS = 50;

function report(message: Report): Promise<unknown> {
  return fetch(REPORTS, { method: 'POST', body: encode(message) });
}

function problem(text: string): void {
  void report({ kind: 'problem', text });
}

function watch(): void {
  for (const level of ['error', 'warn'] as const) {
    const original = console[level].bind(console);
    console[level] = (...words: unknown[]) => {
      original(...words);
      problem(`console ${level === 'warn' ? 'warning' : level}: ${words.map(String).join(' ')}`);
    };
  }
  addEventListener(
    'error',
    // Scripts that do not load say so by an event that does not bubble.
    ({ message, target }) => problem(`page error: ${message ?? `could not load ${(target as HTMLScriptElement).src}`}`),
    true,
  );
  addEventListener('unhandledrejection', ({ reason }) => problem(`page error: ${messageOf(reason)}`));
  watchDevices();
}

/** What goes wrong in a GPU's queue throws nowhere, and browsers say it where scripts cannot read it. */
function watchDevices(): void {
  if (typeof GPUAdapter === 'undefined') return;
  const { requestDevice } = GPUAdapter.prototype;
  GPUAdapter.prototype.requestDevice = async function (this: GPUAdapter, ...args) {
    const device = await requestDevice.apply(this, args);
    device.addEventListener('uncapturederror', ({ error }) => problem(`WebGPU: ${error.message}`));
    return device;
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

async function serveCalls(): Promise<void> {
  await report({ kind: 'hello', agent: navigator.userAgent });
  for (;;) {
    const call = decode(await (await fetch(CALLS)).text()) as CallsReply;
    if (call === 'end') return;
    if (call) await report(await answer(call));
  }
}

async function answer({ id, name, args }: Call): Promise<Report> {
  try {
    return { kind: 'result', id, value: await (await functionNamed(name))(...args) };
  } catch (error) {
    return { kind: 'error', id, message: messageOf(error) };
  }
}

/** The page's own script may still be on its way. */
async function functionNamed(name: string): Promise<(...args: readonly unknown[]) => unknown> {
  for (;;) {
    const found = (window as unknown as Record<string, (() => unknown) | undefined>)[name];
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

watch();
window.reportProgress = (text) => void report({ kind: 'progress', text });
await serveCalls();
document.body.textContent = 'Done.';
