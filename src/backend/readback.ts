/**
 * The only tensor-to-number reads of the library, so that each browser's cure for slow reads has one place, and so that tests
 * can count them: one frame should cost one read.
 */
import type { NdArray } from '../ndarray.js';
import * as tf from '../tf.js';
import type { Tensor } from '../tf.js';
import { watchedRead } from './device_lost.js';
import type { BackendInstance } from './engine_switch.js';

/** Reads since the page was loaded. */
export interface ReadbackStats {
  reads: number;
  bytes: number;
}

const stats: ReadbackStats = { reads: 0, bytes: 0 };
const readTimes = new WeakMap<Tensor, number>();

/** How often and how much was read so far; take the difference around what you measure. */
export function readbackStats(): Readonly<ReadbackStats> {
  return { ...stats };
}

/** How long the last read of this tensor took, ms: on a GPU, that includes waiting for the network to finish. */
export function readTime(tensor: Tensor): number {
  return readTimes.get(tensor) ?? 0;
}

/**
 * The tensor's values, row-major, as an array of the caller's own. Does not dispose the tensor. Any backend may be active: tfjs
 * asks the one that holds the data.
 *
 * @throws BackendError when the GPU reports an error or is lost before the values arrive
 */
export async function readTensor(tensor: Tensor): Promise<Float32Array> {
  const started = performance.now();
  const instance = backendOf(tensor);
  const values = await watchedRead(instance, () => read(tensor, instance));
  readTimes.set(tensor, performance.now() - started);
  stats.reads++;
  stats.bytes += tensor.size * 4;
  // The cpu backend and the caches of the GPU backends hand out the array that they keep themselves.
  return new Float32Array(values);
}

/**
 * The numbers of a compiled network, counted like a tensor's. `read` issues the work and maps its result.
 *
 * @throws BackendError when the GPU reports an error or is lost before the values arrive
 */
export async function readMapped<T extends readonly (NdArray | readonly NdArray[])[]>(
  instance: BackendInstance,
  read: () => Promise<T>,
): Promise<T> {
  const values = await watchedRead(instance, read);
  stats.reads++;
  for (const { data } of values.flat() as NdArray[]) stats.bytes += data.byteLength;
  return values;
}

async function read(tensor: Tensor, instance: BackendInstance | null): Promise<ArrayLike<number>> {
  const gl = (instance?.gpgpu as { gl?: WebGL2RenderingContext } | undefined)?.gl;
  if (gl && 'fenceSync' in gl) await gpuDone(gl);
  // tfjs would look for the end of its fence for ever.
  if (gl?.isContextLost()) throw new Error('the WebGL context was lost');
  return tensor.data() as Promise<ArrayLike<number>>;
}

/** The backend instance that holds the tensor's data. */
function backendOf(tensor: Tensor): BackendInstance | null {
  const { state } = tf.engine() as unknown as {
    state: { tensorInfo: WeakMap<object, { backend: BackendInstance }> };
  };
  return state.tensorInfo.get(tensor.dataId)?.backend ?? null;
}

/**
 * Waits until the GPU has done everything issued so far. tfjs would wait by itself, but in a chain of `setTimeout`, which browsers
 * stretch to 4 ms each from the sixth on; after this, its own wait is over at its first look.
 */
async function gpuDone(gl: WebGL2RenderingContext): Promise<void> {
  const sync = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
  if (!sync) return; // context lost
  gl.flush();
  try {
    while (gl.clientWaitSync(sync, 0, 0) === gl.TIMEOUT_EXPIRED) await unclampedTimeout();
  } finally {
    gl.deleteSync(sync);
  }
}

/** About 1 ms. A message is no timer, so the timer set while handling it counts as the first of its chain. */
function unclampedTimeout(): Promise<void> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.addEventListener('message', () => {
      port1.close();
      setTimeout(resolve, 0);
    });
    port1.start();
    port2.postMessage(null);
  });
}
