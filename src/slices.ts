/**
 * Long work in slices, so that a page stays responsive: loading a large model is a second of work on the main thread, and browsers
 * call everything above 50 ms a long task. Such work is written as a generator that yields where it can be interrupted.
 */

/** Work that can be interrupted wherever it yields. */
export type Steps<T> = Generator<void, T, void>;

/** ms; leaves room for one step that takes long, and for slower devices. */
const SLICE_MS = 8;

/** Without interruption. */
export function atOnce<T>(steps: Steps<T>): T {
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
  }
}

/**
 * In slices, between which the page has its turn.
 *
 * @param around - runs each slice, such as a backend's `run`
 */
export async function inSlices<T>(steps: Steps<T>, around: <R>(slice: () => R) => R = (slice) => slice()): Promise<T> {
  for (;;) {
    const result = around(() => sliceOf(steps));
    if (result.done) return result.value;
    await turn();
  }
}

function sliceOf<T>(steps: Steps<T>): IteratorResult<void, T> {
  const end = performance.now() + SLICE_MS;
  let result = steps.next();
  while (!result.done && performance.now() < end) result = steps.next();
  return result;
}

/** For loops that await anyway: `await pause()` gives the page its turn whenever a slice is used up. */
export class Slices {
  #end = performance.now() + SLICE_MS;

  async pause(): Promise<void> {
    if (performance.now() < this.#end) return;
    await turn();
    this.#end = performance.now() + SLICE_MS;
  }
}

/** Resolves in a new task. A message is no timer, so it is neither stretched to 4 ms nor slowed down in hidden pages. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      resolve();
    });
    port1.start();
    port2.postMessage(null);
  });
}
