/**
 * Choosing and starting a tfjs backend: webgpu, webgl, wasm, cpu, in this order of preference, but never a software GPU before
 * wasm. The only file that names the backend packages; each is imported when it is tried, and not before.
 */
import { didYouMean } from '../config.js';
import { BackendError, ConfigError } from '../errors.js';
import { permanentFault } from './device_lost.js';
import type { EngineSwitch } from './engine_switch.js';
import { inTurn, pageBackend, removeIfUnused, startBackend } from './page_backends.js';
import { probe as probeBrowser, type Probe, type Usable } from './probe.js';
import { selfTest as runSelfTest } from './self_test.js';
import { configureWasm, type WasmPaths } from './wasm_paths.js';
import { createWebgpuBackend } from './webgpu_device.js';

export type BackendName = 'webgpu' | 'webgl' | 'wasm' | 'cpu';
/** One by name; or the best that works here, of all or of those in a list. */
export type BackendChoice = 'auto' | BackendName | readonly BackendName[];

/** In order of preference. */
export const BACKEND_NAMES: readonly BackendName[] = ['webgpu', 'webgl', 'wasm', 'cpu'];

/** A started backend. Several handles may share one tfjs backend; the last `dispose` takes it down. */
export interface Backend {
  readonly name: BackendName;
  /** Why this one, and what was tried before and passed over, in one readable line. */
  readonly reason: string;
  /** The hardware in the browser's words, `''` for wasm and cpu. */
  readonly adapter: string;
  /** The GPU was lost, with all that lay on it; only a new backend runs again. */
  readonly lost: boolean;
  /**
   * Runs a synchronous section on this backend and restores whichever the caller had, also when it throws. After an `await` the
   * caller's is active again, so call `run` again.
   *
   * @throws BackendError after `dispose`, or when the GPU was lost
   */
  run<T>(section: () => T): T;
  /** Safe to call twice. Dispose all tensors first: a backend that still holds any stays. */
  dispose(): Promise<void>;
}

export interface BackendOptions {
  /** Where tfjs's `.wasm` files are: a folder, or a URL per file. Default: beside the library's own files. */
  wasmPaths?: WasmPaths;
  signal?: AbortSignal;
  /** What the browser offers; replaced in tests. */
  probe?: (name: BackendName) => Promise<Probe>;
  /** Says what is wrong with a backend, or null; replaced in tests. */
  selfTest?: (run: Backend['run'], name: BackendName) => Promise<string | null>;
}

/**
 * Starts the backend asked for, or the best one that works here.
 *
 * @throws BackendError when the one asked for is missing or computes wrong numbers, with what to use instead
 * @throws ConfigError when there is no backend of that name
 */
export async function createBackend(choice: BackendChoice = 'auto', options: BackendOptions = {}): Promise<Backend> {
  if (choice === 'auto') return createBest(BACKEND_NAMES, options);
  checkNames(choice);
  if (typeof choice !== 'string') return createBest(choice, options);
  const found = await (options.probe ?? probeBrowser)(choice);
  if (!found.available) throw notUsable(choice, found.why);
  const note = found.software ? `; ${softwareGpu(found)}` : '';
  try {
    return await start(choice, found.adapter, `${choice}: asked for${note}`, options);
  } catch (error) {
    options.signal?.throwIfAborted();
    throw notUsable(choice, messageOf(error), error);
  }
}

function checkNames(choice: BackendName | readonly BackendName[]): void {
  const wrong = [choice].flat().find((name) => !BACKEND_NAMES.includes(name));
  if (wrong === undefined && choice.length > 0) return;
  const known = ['auto', ...BACKEND_NAMES];
  const hint = wrong === undefined ? '' : didYouMean(String(wrong), known);
  throw new ConfigError(
    `backend: found ${JSON.stringify(choice)}; expected one of ${known.join(', ')}, or a list of names.${hint}`,
  );
}

function notUsable(name: BackendName, why: string, cause?: unknown): BackendError {
  const instead = name === 'wasm' ? '"auto"' : '"auto" or "wasm"';
  return new BackendError(`backend "${name}": not usable here: ${why}; use backend ${instead}.`, { cause });
}

/**
 * Hardware GPUs, wasm, software GPUs (WebGL is the faster of the two), cpu. Each is looked at when those before it have failed: asking
 * a browser for WebGL may hold the page for a second, only to hear that its GPU is a program.
 */
async function createBest(among: readonly BackendName[], options: BackendOptions): Promise<Backend> {
  const problems = new Map<BackendName, string>();
  const software: BackendName[] = [];
  const attempt = async (name: BackendName, mayBeSoftware: boolean): Promise<Backend | null> => {
    options.signal?.throwIfAborted();
    const answer = await (options.probe ?? probeBrowser)(name);
    if (!answer.available) problems.set(name, answer.why);
    else if (answer.software && !mayBeSoftware) {
      problems.set(name, softwareGpu(answer));
      software.unshift(name);
    } else {
      const reason = `${name}: the best that works here${passedOver(problems, name)}`;
      try {
        return await start(name, answer.adapter, reason, options);
      } catch (error) {
        options.signal?.throwIfAborted();
        problems.set(name, messageOf(error));
      }
    }
    return null;
  };
  for (const name of ['webgpu', 'webgl', 'wasm'] as const) {
    const started = among.includes(name) && (await attempt(name, false));
    if (started) return started;
  }
  if (among.includes('cpu')) software.push('cpu');
  for (const name of software) {
    const started = await attempt(name, true);
    if (started) return started;
  }
  throw new BackendError(`backend "auto": none works here${passedOver(problems)}; use another browser.`);
}

/** Why it stands behind wasm. */
function softwareGpu({ software, adapter }: Usable): string {
  if (software === 'perhaps') return `perhaps a software GPU: this browser calls each "${adapter}"`;
  return `a software GPU, slower than wasm${adapter && `: ${adapter}`}`;
}

function passedOver(problems: ReadonlyMap<BackendName, string>, chosen?: BackendName): string {
  const lines = [...problems].filter(([name]) => name !== chosen).map(([name, why]) => `${name} (${why})`);
  return lines.length > 0 ? `; passed over: ${lines.join(', ')}` : '';
}

/** Starts `name`, tests it, and takes it down again when the test fails. */
function start(name: BackendName, adapter: string, reason: string, options: BackendOptions): Promise<Backend> {
  return inTurn(name, async () => {
    options.signal?.throwIfAborted();
    const record = pageBackend(name);
    try {
      const started = await startBackend(name, {
        load: PACKAGES[name],
        configure: () => configure(name, options),
        ...(name === 'webgpu' && { create: async () => createWebgpuBackend(await PACKAGES.webgpu()) }),
      });
      if (name === 'wasm') await addWasmKernels(started);
      if (record.tested !== started.instance || options.selfTest) await test(started, name, options);
      record.tested = started.instance;
      options.signal?.throwIfAborted();
      const handle = new StartedBackend(name, adapter, reason, started);
      record.users.add(handle);
      return handle;
    } catch (error) {
      removeIfUnused(name);
      throw error;
    }
  });
}

const PACKAGES = {
  webgpu: () => import('@tensorflow/tfjs-backend-webgpu'),
  webgl: () => import('@tensorflow/tfjs-backend-webgl'),
  wasm: () => import('@tensorflow/tfjs-backend-wasm'),
  cpu: () => import('@tensorflow/tfjs-backend-cpu'),
} as const satisfies Readonly<Record<BackendName, () => Promise<unknown>>>;

/** Only wasm has something to be told: where its files are. */
async function configure(name: BackendName, { wasmPaths, signal }: BackendOptions): Promise<void> {
  if (name === 'wasm') await configureWasm(await PACKAGES.wasm(), wasmPaths, signal);
}

async function addWasmKernels({ instance }: EngineSwitch): Promise<void> {
  const [{ installWasmKernels }, { getThreadsCount }] = await Promise.all([
    import('./wasm/install.js'),
    PACKAGES.wasm(),
  ]);
  await installWasmKernels(instance, getThreadsCount());
}

async function test(started: EngineSwitch, name: BackendName, options: BackendOptions): Promise<void> {
  const run: Backend['run'] = (section) => started.run(section);
  const problem = await (options.selfTest?.(run, name) ?? runSelfTest(run));
  if (problem !== null) throw new BackendError(problem);
}

class StartedBackend implements Backend {
  readonly name: BackendName;
  readonly adapter: string;
  readonly reason: string;
  readonly #switch: EngineSwitch;
  #disposed = false;

  constructor(name: BackendName, adapter: string, reason: string, started: EngineSwitch) {
    this.name = name;
    this.adapter = adapter;
    this.reason = reason;
    this.#switch = started;
  }

  get lost(): boolean {
    return permanentFault(this.#switch.instance) !== null;
  }

  run<T>(section: () => T): T {
    if (this.#disposed) throw new BackendError(`backend "${this.name}": used after dispose(); create a new one.`);
    this.#throwFault();
    try {
      return this.#switch.run(section);
    } catch (error) {
      // Some browsers give nothing at all from a lost context, which tfjs reports as whatever it wanted to make.
      this.#throwFault();
      throw error;
    }
  }

  #throwFault(): void {
    const fault = permanentFault(this.#switch.instance);
    if (fault) throw fault;
  }

  async dispose(): Promise<void> {
    if (this.#disposed) return;
    this.#disposed = true;
    await inTurn(this.name, async () => {
      pageBackend(this.name).users.delete(this);
      removeIfUnused(this.name);
    });
  }
}

/** Without the frame that our own messages have: it is put around the whole. */
function messageOf(error: unknown): string {
  const message = (error as { message?: unknown } | null)?.message;
  const text = typeof message === 'string' ? message : String(error);
  return text
    .trim()
    .replace(/^backend "\w+": /, '')
    .replace(/\.$/, '');
}
