/**
 * An op is a contract: a definition composed of tfjs ops, which runs everywhere and is the meaning, and kernels for the backends
 * where something faster was written. Kernels go through tfjs's own engine, so that `tidy`, `tf.profile` and `tf.memory` see them,
 * and nothing is registered on import: a kernel enters tfjs's registry when its backend first needs it.
 */
import * as tf from '../tf.js';
import type { KernelFunc, Tensor } from '../tf.js';

/** Inputs by name, as tfjs's kernels take them. */
export type OpInputs = Readonly<Record<string, Tensor>>;
/** Numbers, strings, booleans and lists of them. */
export type OpAttrs = Readonly<Record<string, unknown>>;

export interface OpSpec<I extends OpInputs, A extends OpAttrs, T extends Tensor> {
  /** Unique in tfjs's registry: begin with `Inpose`. */
  readonly name: string;
  /** The op in terms of tfjs's ops. Runs in a tidy; borrows its inputs. */
  composed(inputs: I, attrs: A): T;
  readonly webgpu?: KernelFunc;
  readonly webgl?: KernelFunc;
}

/**
 * Makes the function that runs the op on the active backend, by its kernel where it has one. tfjs passes `inputs` and `attrs`
 * to the kernel as they are.
 */
export function defineOp<I extends OpInputs, A extends OpAttrs, T extends Tensor = Tensor>(
  spec: OpSpec<I, A, T>,
): (inputs: I, attrs: A) => T {
  return (inputs, attrs) => {
    const backend = tf.getBackend();
    const kernel = backend === 'webgpu' ? spec.webgpu : backend === 'webgl' ? spec.webgl : undefined;
    if (!kernel) return tf.tidy(() => spec.composed(inputs, attrs));
    registerOnce(spec.name, backend, kernel);
    return tf
      .engine()
      .runKernel(spec.name, inputs as unknown as tf.NamedTensorMap, attrs as unknown as tf.NamedAttrMap) as T;
  };
}

/** The kernel goes with its backend when that is removed, and comes again with the next call. */
function registerOnce(kernelName: string, backendName: string, kernelFunc: KernelFunc): void {
  if (!tf.getKernel(kernelName, backendName)) tf.registerKernel({ kernelName, backendName, kernelFunc });
}
