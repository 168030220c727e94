/**
 * Switching tfjs's active backend for the length of one synchronous section.
 *
 * tfjs keeps one engine per page, shared even between different copies of tfjs, and its active backend belongs to the page as
 * much as to us. `tf.setBackend` is no way to switch: it is asynchronous, and it runs every kernel's set-up again (about 150 for
 * wasm). What it leaves behind are four fields, so a section swaps these four and puts the caller's back, whatever they were:
 * also none at all, and also those of a backend that the page is still starting.
 */
import { BackendError } from '../errors.js';
import * as tf from '../tf.js';

/** tfjs's backends, as far as this folder needs to know them. */
export interface BackendInstance {
  dispose(): void;
  numDataIds(): number;
  /** Each backend's own fields: `device` (webgpu), `gpgpu` (webgl), ... */
  [field: string]: unknown;
}

export interface FactoryEntry {
  factory: () => unknown;
  priority: number;
}

/** The four fields that make a backend the active one. */
interface ActiveFields {
  backendName: string | null | undefined;
  backendInstance: BackendInstance | null | undefined;
  profiler: unknown;
  /** A start in progress; while it is set, every op throws "has not yet been initialized". */
  pendingBackendInit: Promise<boolean> | null | undefined;
}

/** tfjs's `Engine`, with the fields that its declarations call private. Unchanged since tfjs 2. */
export interface EngineInternals extends ActiveFields {
  readonly registry: Record<string, BackendInstance>;
  readonly registryFactory: Record<string, FactoryEntry>;
  setBackend(name: string): Promise<boolean>;
  setupRegisteredKernels(): void;
}

/** The page's engine. */
export function engineInternals(): EngineInternals {
  return tf.engine() as unknown as EngineInternals;
}

function activeFields(engine: EngineInternals): ActiveFields {
  const { backendName, backendInstance, profiler, pendingBackendInit } = engine;
  return { backendName, backendInstance, profiler, pendingBackendInit };
}

function activate(engine: EngineInternals, fields: ActiveFields): void {
  engine.backendName = fields.backendName;
  engine.backendInstance = fields.backendInstance;
  engine.profiler = fields.profiler;
  engine.pendingBackendInit = fields.pendingBackendInit;
}

/** Any kernel that every backend has. */
const WITNESS_KERNEL = 'Add';

/** One started backend, ready to be switched to. */
export class EngineSwitch {
  readonly name: string;
  readonly instance: BackendInstance;
  readonly #fields: ActiveFields;
  #witness: unknown;

  /** Sets up the kernels of `name`, whose instance must stand in the registry; the caller's backend stays active. */
  constructor(name: string) {
    const engine = engineInternals();
    const caller = activeFields(engine);
    this.name = name;
    this.instance = engine.registry[name];
    try {
      // Synchronous to its end here, since the instance exists.
      void engine.setBackend(name);
      this.#fields = { ...activeFields(engine), pendingBackendInit: null };
    } finally {
      activate(engine, caller);
    }
    this.#witness = tf.getKernel(WITNESS_KERNEL, name);
  }

  /** Whether the page has removed or replaced the backend since. */
  get isStale(): boolean {
    return engineInternals().registry[this.name] !== this.instance;
  }

  /**
   * Runs `section` with this backend active, and restores the caller's.
   *
   * @throws BackendError when the page has removed the backend, or when `section` is asynchronous
   */
  run<T>(section: () => T): T {
    if (this.isStale) {
      throw new BackendError(
        `backend "${this.name}": the page removed it from tfjs's registry; create the model again, and leave removing it to dispose().`,
      );
    }
    const engine = engineInternals();
    const caller = activeFields(engine);
    activate(engine, this.#fields);
    try {
      this.#setUpReplacedKernels(engine);
      return section();
    } finally {
      activate(engine, caller);
    }
  }

  /** A second copy of tfjs that the page loads later puts its own kernels in place of ours; wasm's need their set-up then. */
  #setUpReplacedKernels(engine: EngineInternals): void {
    const witness = tf.getKernel(WITNESS_KERNEL, this.name);
    if (witness === this.#witness) return;
    this.#witness = witness;
    engine.setupRegisteredKernels();
  }
}
