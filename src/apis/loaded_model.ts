/** What a pose model and a detector have in common: a network on a backend, calls that queue, an end. */
import type { Backend } from '../backend/init.js';
import { BackendError } from '../errors.js';
import { FrameReader } from './frame.js';
import type { PoseConfig } from './model_config.js';
import { TaskQueue } from './task_queue.js';

interface Disposable {
  dispose(): void | Promise<void>;
}

/** What lives on the backend, and is lost with it. */
export interface Living<Network extends Disposable, Jit extends Disposable> {
  readonly network: Network;
  readonly backend: Backend;
  /** The compiled form, on WebGPU. */
  readonly jit?: Jit | null;
}

export interface LoadedModelParts<Network extends Disposable, Jit extends Disposable> extends Living<Network, Jit> {
  readonly config: PoseConfig;
  /** Whether the model takes the backend down with it. */
  readonly ownsBackend: boolean;
  /** Loads the model once more, after the GPU was lost. */
  readonly reload?: () => Promise<Living<Network, Jit>>;
}

export abstract class LoadedModel<Network extends Disposable, Jit extends Disposable> {
  /** The whole config that the model was built from, under the names of MMPose or MMDetection. */
  readonly config: PoseConfig;
  readonly frames = new FrameReader();
  readonly queue = new TaskQueue();
  readonly #name: string;
  readonly #ownsBackend: boolean;
  readonly #reload: LoadedModelParts<Network, Jit>['reload'];
  #living: Living<Network, Jit>;
  #disposal: Promise<void> | null = null;

  /** @param name - of the class, for its errors */
  constructor(name: string, parts: LoadedModelParts<Network, Jit>) {
    this.#name = name;
    this.config = parts.config;
    this.#living = parts;
    this.#ownsBackend = parts.ownsBackend;
    this.#reload = parts.reload;
  }

  get backend(): Backend {
    return this.#living.backend;
  }

  protected get network(): Network {
    return this.#living.network;
  }

  /** The compiled form of the network, where the backend has one. */
  get jit(): Jit | null {
    return this.#living.jit ?? null;
  }

  /**
   * Loads the network again on a new backend when the GPU was lost (a driver restart, a laptop that changed its GPU). The call that
   * was running then has failed; the next one comes here first. A backend of the caller's own stays as it is.
   */
  async revive(): Promise<void> {
    if (!this.backend.lost || !this.#reload) return;
    const before = this.#living;
    this.#living = await this.#reload();
    this.revived(before.network);
    before.network.dispose();
    await before.jit?.dispose();
    await before.backend.dispose();
  }

  /** Takes over what callers had set on the network that was lost. */
  protected revived(_before: Network): void {}

  get disposed(): boolean {
    return this.#disposal !== null;
  }

  /**
   * Frees everything; running and waiting calls are rejected with a BackendError at once. Safe to call twice. Resolves when the
   * GPU has let go of the last call's tensors.
   */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    const ended = this.queue.close(
      new BackendError(`${this.#name}: used after dispose(), or disposed while a call was running; create a new one.`),
    );
    this.network.dispose();
    this.frames.dispose();
    await ended;
    await this.jit?.dispose();
    if (this.#ownsBackend) await this.backend.dispose();
  }
}
