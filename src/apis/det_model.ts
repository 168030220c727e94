/** A loaded detector: MMDetection's `nn.Module` with `cfg` and `dataset_meta` attached, plus the backend that it lives on. */
import type { Backend } from '../backend/init.js';
import { BackendError } from '../errors.js';
import type { RTMDet } from '../models/detectors/index.js';
import type { Letterbox } from './detector_config.js';
import type { DetectorJit } from './detector_jit.js';
import { FrameReader } from './frame.js';
import type { PoseConfig } from './model_config.js';
import { TaskQueue } from './task_queue.js';

/** What lives on the backend, and is lost with it. */
export interface LivingDetector {
  readonly detector: RTMDet;
  readonly backend: Backend;
  /** The compiled form, on WebGPU. */
  readonly jit: DetectorJit | null;
}

export interface DetModelParts extends LivingDetector {
  readonly config: PoseConfig;
  readonly letterbox: Letterbox;
  readonly classes: readonly string[] | null;
  /** Whether the model takes the backend down with it. */
  readonly ownsBackend: boolean;
  /** Loads the model once more, after the GPU was lost. */
  readonly reload?: () => Promise<LivingDetector>;
}

/** Made by `initDetector`. Keep one per network; calls on it queue. */
export class DetModel {
  /** The whole config that the model was built from, MMDetection's keys. */
  readonly config: PoseConfig;
  /** Names of the classes, by label; null where the checkpoint does not say. */
  readonly classes: readonly string[] | null;
  readonly letterbox: Letterbox;
  readonly frames = new FrameReader();
  readonly queue = new TaskQueue();
  readonly #ownsBackend: boolean;
  readonly #reload: (() => Promise<LivingDetector>) | undefined;
  #living: LivingDetector;
  #disposal: Promise<void> | null = null;

  constructor(parts: DetModelParts) {
    this.config = parts.config;
    this.classes = parts.classes;
    this.letterbox = parts.letterbox;
    this.#living = parts;
    this.#ownsBackend = parts.ownsBackend;
    this.#reload = parts.reload;
  }

  get backend(): Backend {
    return this.#living.backend;
  }

  get detector(): RTMDet {
    return this.#living.detector;
  }

  /** The compiled form of the network, where the backend has one. */
  get jit(): DetectorJit | null {
    return this.#living.jit;
  }

  /** Loads the network again on a new backend when the GPU was lost, as `PoseModel.revive`. */
  async revive(): Promise<void> {
    if (!this.backend.lost || !this.#reload) return;
    const before = this.#living;
    this.#living = await this.#reload();
    before.detector.dispose();
    await before.jit?.dispose();
    await before.backend.dispose();
  }

  get disposed(): boolean {
    return this.#disposal !== null;
  }

  /** Frees everything; running and waiting calls are rejected with a BackendError at once. Safe to call twice. */
  dispose(): Promise<void> {
    this.#disposal ??= this.#dispose();
    return this.#disposal;
  }

  async #dispose(): Promise<void> {
    const ended = this.queue.close(
      new BackendError('DetModel: used after dispose(), or disposed while a call was running; create a new one.'),
    );
    this.detector.dispose();
    this.frames.dispose();
    await ended;
    await this.jit?.dispose();
    if (this.#ownsBackend) await this.backend.dispose();
  }
}
