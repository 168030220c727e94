/** Runs a recorded network the way the library would on WebGPU: compiled, or eagerly when an operation has no shader. */
import { JitCompiler, whyNotCompiled, type CompiledNetwork } from '../../src/jit/compiler.js';
import type { NdArray } from '../../src/ndarray.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { goldenBackend } from './page_backend.js';
import type { CaseContext } from './runner.js';

/**
 * Outputs of `forward` for the input `x` (NHWC) through the jit; null on other backends, and for a model that cannot be compiled.
 * Notes in the case's report which it was.
 */
export async function runCompiled(
  ctx: CaseContext,
  x: NdArray,
  forward: (x: Tensor) => readonly Tensor[],
): Promise<NdArray[] | null> {
  if (ctx.backend !== 'webgpu') return null;
  const backend = await goldenBackend(ctx.backend);
  const { device } = backend.run(() => tf.backend()) as unknown as { device: unknown };
  const compiler = new JitCompiler(device);
  let network: CompiledNetwork | null = null;
  try {
    network = await compiler.compile(x.shape, forward);
    const outputs = await network.run(x.data);
    ctx.notes.add('jit');
    return outputs;
  } catch (error) {
    const why = whyNotCompiled(error);
    ctx.notes.add(why === null ? 'failed' : `eager: ${why}`);
    if (why === null) throw error;
    return null;
  } finally {
    network?.dispose();
    compiler.dispose();
  }
}
