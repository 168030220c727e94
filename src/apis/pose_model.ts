/** A loaded model: MMPose's `nn.Module` with `cfg` and `dataset_meta` attached, plus the backend that it lives on. */
import type { Backend } from '../backend/init.js';
import { BackendError } from '../errors.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import type { BasePoseEstimator } from '../models/pose_estimators/index.js';
import type { TestCfg } from '../models/test_cfg.js';
import { FrameReader } from './frame.js';
import type { PoseConfig } from './model_config.js';
import type { ModelJit } from './model_jit.js';
import { TaskQueue } from './task_queue.js';

export interface PoseModelParts {
  readonly estimator: BasePoseEstimator;
  readonly config: PoseConfig;
  readonly metainfo: PoseMetaInfo;
  readonly backend: Backend;
  /** Whether the model takes the backend down with it. */
  readonly ownsBackend: boolean;
  readonly notices: readonly string[];
  /** The compiled form, on WebGPU. */
  readonly jit?: ModelJit | null;
  /** Loads the model once more, after the GPU was lost. */
  readonly reload?: () => Promise<LivingParts>;
}

/** What lives on the backend, and is lost with it. */
export type LivingParts = Pick<PoseModelParts, 'estimator' | 'backend' | 'jit'>;

/** Made by `initModel`. Keep one per network; calls on it queue. */
export class PoseModel {
  /** The whole config that the model was built from, MMPose's keys. */
  readonly config: PoseConfig;
  /** Names, flip pairs, skeleton, colours and sigmas of the keypoints. */
  readonly metainfo: PoseMetaInfo;
  /** Sentences for people about what had to be assumed while loading; mostly empty. */
  readonly notices: readonly string[];
  readonly frames = new FrameReader();
  readonly queue = new TaskQueue();
  readonly #ownsBackend: boolean;
  readonly #reload: (() => Promise<LivingParts>) | undefined;
  #living: LivingParts;
  #disposal: Promise<void> | null = null;

  constructor(parts: PoseModelParts) {
    this.config = parts.config;
    this.metainfo = parts.metainfo;
    this.notices = parts.notices;
    this.#living = parts;
    this.#ownsBackend = parts.ownsBackend;
    this.#reload = parts.reload;
  }

  get backend(): Backend {
    return this.#living.backend;
  }

  get estimator(): BasePoseEstimator {
    return this.#living.estimator;
  }

  /** The compiled form of the network, where the backend has one. */
  get jit(): ModelJit | null {
    return this.#living.jit ?? null;
  }

  /**
   * Loads the network again on a new backend when the GPU was lost (a driver restart, a laptop that changed its GPU). The call that
   * was running then has failed; the next one comes here first. A backend of the caller's own stays as it is.
   */
  async revive(): Promise<void> {
    if (!this.backend.lost || !this.#reload) return;
    const { testCfg } = this;
    const before = this.#living;
    this.#living = await this.#reload();
    this.testCfg = testCfg;
    before.estimator.dispose();
    await before.jit?.dispose();
    await before.backend.dispose();
  }

  /** Flip test, heatmap output and the like; may be replaced between calls. */
  get testCfg(): TestCfg {
    return this.estimator.testCfg;
  }

  set testCfg(testCfg: TestCfg) {
    this.estimator.testCfg = testCfg;
  }

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
      new BackendError('PoseModel: used after dispose(), or disposed while a call was running; create a new one.'),
    );
    this.estimator.dispose();
    this.frames.dispose();
    await ended;
    await this.jit?.dispose();
    if (this.#ownsBackend) await this.backend.dispose();
  }
}
