/** A shader as a pipeline; what is wrong with one that does not compile is in the error. */
import { BackendError } from '../errors.js';

/**
 * @param where - begins the message of the error
 * @throws BackendError (as a rejection) with the shader's first error
 */
export async function compileProgram(
  device: GPUDevice,
  { wgsl, label }: { readonly wgsl: string; readonly label: string },
  where = 'jit',
): Promise<GPUComputePipeline> {
  const module = device.createShaderModule({ code: wgsl, label });
  const compute = { module, entryPoint: 'main' };
  try {
    return await device.createComputePipelineAsync({ layout: 'auto', label, compute });
  } catch (error) {
    const why = (await firstError(module)) ?? String(error);
    throw new BackendError(`${where}: the shader "${label}" does not compile: ${why}`, { cause: error });
  }
}

/** What is wrong with a shader, where the device is there to say. */
async function firstError(module: GPUShaderModule): Promise<string | undefined> {
  const info = await module.getCompilationInfo().catch(() => null);
  const error = info?.messages.find(({ type }) => type === 'error');
  return error && `line ${error.lineNum}: ${error.message}`;
}
