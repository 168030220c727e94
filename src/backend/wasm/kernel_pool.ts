/**
 * Threads for the library's wasm kernels: workers that have the same modules in the same shared memory, and wait there for work. A
 * page's own thread may not sleep, so it computes a part itself and then looks until the others are done.
 *
 * The control block, in int32: [0] number of the job, [1] workers that are done with it, [2] workers that failed; then, for each worker, a
 * row: the kernel's index in `POOL_KERNELS`, or -1 for none, the number of its arguments, and these.
 */

/** Kernels that may run on workers. */
export const POOL_KERNELS = ['conv', 'conv3x3', 'depthwise'] as const;
export type PoolKernel = (typeof POOL_KERNELS)[number];

const HEAD = 3;
const ROW = 32;
const [JOB, DONE, FAILED] = [0, 1, 2];

export function controlBytes(workers: number): number {
  return 4 * (HEAD + ROW * workers);
}

/** How long a worker looks for the next job before it sleeps, in turns of a loop: a few microseconds, since tfjs's threads want the cores. */
const SPINS = 300;
/** A browser that starts no workers within this time has its reasons. */
const START_TIMEOUT_MS = 3000;

/** The worker's script, as text: it must not depend on anything around it. Never returns to its event loop; `terminate` ends it. */
const SCRIPT = `
onmessage = async ({ data: { modules, memory, control, row } }) => {
  const loaded = await Promise.all(modules.map((module) => WebAssembly.instantiate(module, { env: { memory } })));
  const kernels = Object.assign({}, ...loaded.map(({ exports }) => exports));
  const names = ${JSON.stringify(POOL_KERNELS)};
  const ints = new Int32Array(memory.buffer, control, ${HEAD} + (row + 1) * ${ROW});
  const own = ${HEAD} + row * ${ROW};
  let seen = Atomics.load(ints, ${JOB});
  postMessage('ready');
  for (;;) {
    for (let i = 0; i < ${SPINS} && Atomics.load(ints, ${JOB}) === seen; i++);
    if (Atomics.load(ints, ${JOB}) === seen) Atomics.wait(ints, ${JOB}, seen);
    if (Atomics.load(ints, ${JOB}) === seen) continue;
    seen = Atomics.load(ints, ${JOB});
    try {
      if (ints[own] >= 0) kernels[names[ints[own]]](...ints.subarray(own + 2, own + 2 + ints[own + 1]));
    } catch {
      Atomics.add(ints, ${FAILED}, 1);
    }
    Atomics.add(ints, ${DONE}, 1);
  }
};`;

export class KernelPool {
  /** Workers and the calling thread. */
  readonly threads: number;
  readonly #workers: readonly Worker[];
  readonly #ints: Int32Array;

  private constructor(workers: readonly Worker[], ints: Int32Array) {
    this.threads = workers.length + 1;
    this.#workers = workers;
    this.#ints = ints;
  }

  /**
   * Starts `workers` workers; null where the browser does not let it.
   *
   * @param control - address of `controlBytes(workers)` bytes in `memory`, which is shared
   */
  static async start(
    modules: readonly WebAssembly.Module[],
    memory: WebAssembly.Memory,
    control: number,
    workers: number,
  ): Promise<KernelPool | null> {
    const ints = new Int32Array(memory.buffer, control, controlBytes(workers) / 4).fill(0);
    const url = URL.createObjectURL(new Blob([SCRIPT], { type: 'text/javascript' }));
    const started: Worker[] = [];
    try {
      for (let row = 0; row < workers; row++) started.push(new Worker(url, { name: 'inpose kernels' }));
      const answers = started.map((worker, row) => {
        const answer = firstAnswer(worker);
        worker.postMessage({ modules, memory, control, row }, []);
        return answer;
      });
      if ((await Promise.all(answers)).every(Boolean)) return new KernelPool(started, ints);
    } catch {
      // No workers from blobs here, as a Content-Security-Policy may say.
    } finally {
      URL.revokeObjectURL(url);
    }
    for (const worker of started) worker.terminate();
    return null;
  }

  /**
   * Runs the kernel once per list of arguments, of which there are at most `threads`: the first by `here`, the others on workers.
   *
   * @throws WebAssembly.RuntimeError when a worker's kernel failed
   */
  run(kernel: PoolKernel, parts: readonly (readonly number[])[], here: (args: readonly number[]) => void): void {
    const ints = this.#ints;
    for (let row = 0; row < this.#workers.length; row++) {
      const args = parts[row + 1];
      const at = HEAD + row * ROW;
      ints[at] = args ? POOL_KERNELS.indexOf(kernel) : -1;
      if (args) ints.set([args.length, ...args], at + 1);
    }
    Atomics.store(ints, DONE, 0);
    Atomics.add(ints, JOB, 1);
    Atomics.notify(ints, JOB);
    try {
      here(parts[0]);
    } finally {
      while (Atomics.load(ints, DONE) < this.#workers.length);
    }
    if (Atomics.load(ints, FAILED) > 0) throw new WebAssembly.RuntimeError(`${kernel}: failed on a worker`);
  }

  terminate(): void {
    for (const worker of this.#workers) worker.terminate();
  }
}

function firstAnswer(worker: Worker): Promise<boolean> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(false), START_TIMEOUT_MS);
    const settle = (ok: boolean) => {
      clearTimeout(timer);
      resolve(ok);
    };
    worker.addEventListener('message', () => settle(true), { once: true });
    worker.addEventListener('error', (event) => {
      event.preventDefault();
      settle(false);
    });
  });
}
