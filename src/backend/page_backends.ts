/**
 * Which backends stand in tfjs's registry, and whose they are. The page comes first: what it has registered is used as it is and
 * never removed; what we add ranks below the page's own; what we have added goes again when nobody needs it.
 */
import { BackendError } from '../errors.js';
import * as tf from '../tf.js';
import { permanentFault, watchFaults } from './device_lost.js';
import { EngineSwitch, engineInternals, type BackendInstance, type FactoryEntry } from './engine_switch.js';

/** What importing a backend package put into tfjs: modules run once, so removing and adding again needs it kept. */
interface Registration {
  readonly entry: FactoryEntry;
  readonly kernels: readonly tf.KernelConfig[];
}

/** Per page and backend; shared by all copies of this library on the page, like tfjs's engine itself. */
interface PageBackend {
  /** Handles in use. */
  readonly users: Set<object>;
  /** We registered it. */
  ours: boolean;
  registration: Registration | null;
  /** The instance that has passed its self-test. */
  tested: BackendInstance | null;
  /** Creating and removing happen one after the other. */
  queue: Promise<unknown>;
}

const PAGE_BACKENDS = Symbol.for('inpose.backends');

/** The page's record for `name`. */
export function pageBackend(name: string): PageBackend {
  const engine = engineInternals() as unknown as { [PAGE_BACKENDS]?: Map<string, PageBackend> };
  const all = (engine[PAGE_BACKENDS] ??= new Map());
  let found = all.get(name);
  if (!found) {
    found = { users: new Set(), ours: false, registration: null, tested: null, queue: Promise.resolve() };
    all.set(name, found);
  }
  return found;
}

/** Runs `work` when earlier creations and removals of the same backend are over. */
export function inTurn<T>(name: string, work: () => Promise<T>): Promise<T> {
  const record = pageBackend(name);
  const result = record.queue.then(work);
  record.queue = result.catch(() => {});
  return result;
}

/** How to get a backend that the page does not have. */
export interface BackendPackage {
  /** Imports the package, which registers the backend and its kernels. */
  load(): Promise<unknown>;
  /** Called before each start. */
  configure(): Promise<void>;
  /** Makes the backend in place of the package's own factory. */
  create?(): Promise<unknown>;
}

/** Makes sure that `name` is registered (through its package, if the page has not done so) and started. */
export async function startBackend(name: string, { load, configure, create }: BackendPackage): Promise<EngineSwitch> {
  const engine = engineInternals();
  const record = pageBackend(name);
  if (record.ours && engine.registry[name] && permanentFault(engine.registry[name])) removeDead(name);
  if (!(name in engine.registryFactory)) {
    record.ours = true;
    await register(name, load, create);
  }
  if (!(name in engine.registry)) {
    if (record.ours) await configure();
    await instantiate(name);
  }
  const started = new EngineSwitch(name);
  if (record.ours) silence(started.instance);
  watchFaults(started.instance, name, record.ours);
  return started;
}

async function register(name: string, load: () => Promise<unknown>, create?: () => Promise<unknown>): Promise<void> {
  const engine = engineInternals();
  const record = pageBackend(name);
  const pages = Object.entries(engine.registryFactory).filter(([other]) => !pageBackend(other).ours);
  if (!record.registration) {
    // Kernels of a backend that the page has removed: tfjs would warn about each one that comes again.
    const left = tf.getKernelsForBackend(name);
    unregisterKernels(left);
    await load();
    const entry = engine.registryFactory[name];
    if (!entry) {
      for (const kernel of left) tf.registerKernel(kernel);
      throw new BackendError(`backend "${name}": tfjs does not offer it here, or the page has removed it.`);
    }
    record.registration = {
      entry: { ...entry, ...(create && { factory: create as never }) },
      kernels: tf.getKernelsForBackend(name),
    };
  } else {
    for (const kernel of record.registration.kernels) {
      if (!tf.getKernel(kernel.kernelName, name)) tf.registerKernel(kernel);
    }
  }
  // Otherwise `tf.ready()` of a page that has not chosen yet would choose ours.
  const { factory, priority } = record.registration.entry;
  engine.registryFactory[name] = {
    factory,
    priority: Math.min(priority, ...pages.map(([, page]) => page.priority - 1)),
  };
}

/**
 * Starts the backend without tfjs's own way of doing it, during which every op of the page throws and whose failure is printed.
 * Afterwards the registered factory gives this instance, so that nothing starts a second one: kernels know only one.
 */
async function instantiate(name: string): Promise<void> {
  const engine = engineInternals();
  if (engine.backendName === name && engine.pendingBackendInit) {
    // The page is starting it right now.
    await engine.pendingBackendInit;
    if (engine.registry[name]) return;
  }
  const { factory, priority } = engine.registryFactory[name];
  const instance = (await callFactory(factory)) as BackendInstance;
  if (engine.registry[name]) return instance.dispose();
  engine.registry[name] = instance;
  engine.registryFactory[name] = { factory: () => instance, priority };
}

/** tfjs's WebGL refuses software renderers unless told otherwise; whether one is wanted was decided before. */
function callFactory(factory: () => unknown): unknown {
  const flag = 'SOFTWARE_WEBGL_ENABLED';
  const environment = tf.env() as unknown as { flagRegistry: Record<string, unknown> };
  if (!(flag in environment.flagRegistry)) return factory();
  const before = tf.env().getBool(flag);
  tf.env().set(flag, true);
  try {
    return factory();
  } finally {
    tf.env().set(flag, before);
  }
}

/** tfjs prints each of these once per instance, and remembers in these fields that it has. */
function silence(instance: BackendInstance): void {
  if ('firstUse' in instance) instance.firstUse = false; // cpu: its greeting in Node
  if ('warnedAboutMemory' in instance) instance.warnedAboutMemory = true; // webgl
  if ('hasReadSyncWarned' in instance) instance.hasReadSyncWarned = true; // webgpu
}

/** Takes `name` out of tfjs again, if we had put it there, nobody uses it, and nothing of the page's lies on it. */
export function removeIfUnused(name: string): void {
  const engine = engineInternals();
  const record = pageBackend(name);
  if (!record.ours || record.users.size > 0 || !(name in engine.registryFactory)) return;
  if (isAdopted(name)) {
    record.ours = false;
    return;
  }
  const instance = engine.registry[name];
  if (instance) {
    flush(instance);
    if (engine.backendName === name) return;
    // A lost device never lets go of its tensors.
    if (instance.numDataIds() > 0 && !permanentFault(instance)) return;
  }
  remove(name);
}

/**
 * Whether the page has loaded the same package since, as a second copy of tfjs: its kernels replaced ours, its backend was refused
 * because there was one already, and so it counts on ours from now on.
 */
function isAdopted(name: string): boolean {
  const kernels = pageBackend(name).registration?.kernels ?? [];
  return kernels.some((kernel) => tf.getKernel(kernel.kernelName, name) !== kernel);
}

/** Its tensors and its users are lost with it; they have their own error, and a new instance can start. */
function removeDead(name: string): void {
  pageBackend(name).users.clear();
  remove(name);
}

function remove(name: string): void {
  const record = pageBackend(name);
  const instance: BackendInstance | undefined = engineInternals().registry[name];
  if (instance) unbind(instance);
  tf.removeBackend(name);
  (instance?.device as { destroy?: () => void } | undefined)?.destroy?.();
  unregisterKernels(record.registration?.kernels ?? []);
  record.ours = false;
  record.tested = null;
}

/** WebGPU frees what its recorded but not yet submitted commands still use only when they are submitted. */
function flush(instance: BackendInstance): void {
  const gpu = instance as { commandEncoder?: unknown; endComputePassEncoder?: () => void; submitQueue?: () => void };
  if (!gpu.commandEncoder) return;
  gpu.endComputePassEncoder?.();
  gpu.submitQueue?.();
}

/** tfjs's WebGL prints a warning when it is disposed with its last output still bound, which is always. */
function unbind(instance: BackendInstance): void {
  const context = instance.gpgpu as { outputTexture?: unknown } | undefined;
  if (context) context.outputTexture = null;
}

function unregisterKernels(kernels: readonly tf.KernelConfig[]): void {
  for (const { kernelName, backendName } of kernels) {
    if (tf.getKernel(kernelName, backendName)) tf.unregisterKernel(kernelName, backendName);
  }
}
