/** The published stand-in for tfjs's types (`src/tf_public_types.d.ts`): tfjs's own tensors fit it. `npm run typecheck` is the test. */
import { expect, test } from 'vitest';
import * as tf from '../../src/tf.js';
import type * as Public from '../../src/tf_public_types.js';

test('tensors of tfjs are tensors of the published declarations', () => {
  const any: (x: Public.Tensor) => Public.DataType = (x) => x.dtype;
  const image: (x: Public.Tensor4D) => number = (x) => x.shape[3];
  const take = (x: tf.Tensor4D) => [any(x), image(x)];
  const kernels: readonly Public.KernelConfig[] = tf.getKernelsForBackend('none');
  expect([typeof take, kernels]).toEqual(['function', []]);
});
