/** Weights of a model as its author would publish them, without their numbers. */
import { encodeSafetensors, type StateDict } from '../../src/checkpoint/index.js';
import { sizeOf } from '../../src/ndarray.js';
import { disposeModule, namedParameters, type AnyModule } from '../../src/nn/module.js';

/** A `.safetensors` file without a config: all of a network's parameters, 16 bits each, and all zero. Disposes the network. */
export async function zeroWeights(network: AnyModule): Promise<Uint8Array<ArrayBuffer>> {
  const tensors: StateDict = new Map(
    [...namedParameters(network)].map(([key, { shape }]) => {
      const data = new Float32Array(sizeOf(shape));
      return [key, { dtype: 'float32', shape, read: () => Promise.resolve(data) }];
    }),
  );
  disposeModule(network);
  return encodeSafetensors(tensors, { floats: 'float16' });
}
