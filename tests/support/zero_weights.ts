/** Weights of a model as its author would publish them, without their numbers. */
import { encodeSafetensors, type StateDict } from '../../src/checkpoint/index.js';
import type { ConfigDict } from '../../src/config.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { sizeOf } from '../../src/ndarray.js';
import { namedParameters } from '../../src/nn/module.js';

/** A `.safetensors` file without a config: all of the model's parameters, 16 bits each, and all zero. */
export async function zeroWeights(model: ConfigDict): Promise<Uint8Array<ArrayBuffer>> {
  const estimator = await buildPoseEstimator(model);
  const tensors: StateDict = new Map(
    [...namedParameters(estimator)].map(([key, { shape }]) => {
      const data = new Float32Array(sizeOf(shape));
      return [key, { dtype: 'float32', shape, read: () => Promise.resolve(data) }];
    }),
  );
  estimator.dispose();
  return encodeSafetensors(tensors, { floats: 'float16' });
}
