/**
 * Faults that GPUs report on the side, never to the call that caused them: WebGPU's `uncapturederror` and `device.lost`, WebGL's
 * lost context. They reject the read that is under way, or else the next one; a lost device rejects every later one.
 */
import { BackendError } from '../errors.js';
import type { BackendInstance } from './engine_switch.js';

const watches = new WeakMap<BackendInstance, FaultWatch>();

/**
 * Starts listening.
 *
 * @param ours - whether the library started the backend: its errors are then kept off the console, since they arrive as rejections
 */
export function watchFaults(instance: BackendInstance, name: string, ours: boolean): void {
  if (!watches.has(instance)) watches.set(instance, new FaultWatch(instance, name, ours));
}

/** The fault that makes the backend unusable for good, if any. */
export function permanentFault(instance: BackendInstance): BackendError | null {
  return watches.get(instance)?.permanent ?? null;
}

/** Starts `read` and waits for it, or for a fault. */
export function watchedRead<T>(instance: BackendInstance | null, read: () => Promise<T>): Promise<T> {
  const watch = instance && watches.get(instance);
  return watch ? watch.guard(read) : read();
}

const CONTEXT_LOST = 'the WebGL context was lost';
/** How long after a failed read the news of a lost device may take. */
const NEWS_MS = 250;

class FaultWatch {
  #permanent: BackendError | null = null;
  #unreported: BackendError | null = null;
  readonly #waiting = new Set<(fault: BackendError) => void>();
  readonly #name: string;
  readonly #gl: WebGLRenderingContext | undefined;
  #tellGone: () => void = () => {};
  readonly #gone = new Promise<void>((resolve) => {
    this.#tellGone = resolve;
  });

  constructor(instance: BackendInstance, name: string, ours: boolean) {
    this.#name = name;
    const device = instance.device as GPUDeviceLike | undefined;
    if (device) this.#watchDevice(device, ours);
    this.#gl = (instance.gpgpu as { gl?: WebGLRenderingContext } | undefined)?.gl;
    this.#gl?.canvas?.addEventListener?.('webglcontextlost', () => this.#lose(CONTEXT_LOST));
  }

  get permanent(): BackendError | null {
    // The event comes later than the loss.
    if (!this.#permanent && this.#gl?.isContextLost()) this.#lose(CONTEXT_LOST);
    return this.#permanent;
  }

  async guard<T>(read: () => Promise<T>): Promise<T> {
    this.#throwKnown();
    let onFault: (fault: BackendError) => void = () => {};
    const fault = new Promise<never>((_, reject) => {
      onFault = reject;
    });
    this.#waiting.add(onFault);
    try {
      return await Promise.race([this.#typed(read), fault]);
    } finally {
      this.#waiting.delete(onFault);
    }
  }

  /** A read that a lost device cuts off fails with the browser's AbortError, which must not pass for the caller's own abort. */
  async #typed<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      await this.#news();
      if (this.permanent) throw this.permanent;
      const found = error instanceof Error || error instanceof DOMException ? error.message : String(error);
      throw this.#error(
        `the result could not be read (${found})`,
        'try again, or dispose the model and create it again',
        error,
      );
    }
  }

  /** A read fails before the browser says that the device is gone: gives it time to say so. */
  async #news(): Promise<void> {
    await Promise.race([this.#gone, new Promise((resolve) => setTimeout(resolve, NEWS_MS))]);
  }

  #error(what: string, cure: string, cause?: unknown): BackendError {
    return new BackendError(`backend "${this.#name}": ${what}; ${cure}.`, { cause });
  }

  #throwKnown(): void {
    const known = this.permanent ?? this.#unreported;
    this.#unreported = null;
    if (known) throw known;
  }

  #watchDevice(device: GPUDeviceLike, ours: boolean): void {
    device.addEventListener('uncapturederror', (event) => {
      if (ours) event.preventDefault();
      this.#report(`WebGPU error: ${event.error.message.trim()}`);
    });
    void device.lost.then(({ reason, message }) => {
      this.#lose(
        reason === 'destroyed' ? 'the GPU device was destroyed' : `the GPU device was lost (${message.trim()})`,
      );
    });
  }

  #report(what: string): void {
    const error = this.#error(what, 'the result was dropped, try again or use backend "wasm"');
    if (this.#waiting.size === 0) this.#unreported ??= error;
    for (const reject of this.#waiting) reject(error);
  }

  #lose(what: string): void {
    this.#permanent ??= this.#error(what, 'call again, or dispose the model and create it again');
    this.#tellGone();
    for (const reject of this.#waiting) reject(this.#permanent);
  }
}

/** The two members of GPUDevice that this file uses; TypeScript's DOM library has no WebGPU yet. */
interface GPUDeviceLike {
  readonly lost: Promise<{ reason: string; message: string }>;
  addEventListener(
    type: 'uncapturederror',
    listener: (event: Event & { readonly error: { readonly message: string } }) => void,
  ): void;
}
