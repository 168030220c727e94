/**
 * Every layer of src/nn against numbers of torch.nn (nn_reference.py), on every backend: tfjs's kernels differ between backends in
 * padding, dilation and rounding, and some are wrong for options that pose networks use.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, BACKEND_NAMES, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { disposeModule, prepareModule, transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import { fill, LAYERS, type ReferenceCase } from './nn_layers.js';
import reference from './nn_reference.json';

/** What sums in another order may cost, of the largest output. */
function rounding(backend: string, layer: string, args: ReferenceCase['args']): number {
  if (backend === 'webgpu' || backend === 'webgl') return 1e-5;
  // Winograd's sums have larger terms.
  const winograd = layer === 'Conv2d' && args.kernel === 3 && backend === 'wasm';
  return winograd ? 4e-6 : 1e-6;
}

describe.each(BACKEND_NAMES)('%s', (backendName) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend(backendName);
  });
  afterAll(() => backend.dispose());

  test.each(reference as unknown as ReferenceCase[])(
    '$name',
    async ({ name, layer, args, input, range, shape, data }) => {
      const before = tf.memory().numTensors;
      const module = LAYERS[layer](args);
      fill(module, name);
      const nchw = uniform(`input:${name}`, input, ...range);
      const isMap = input.length === 4;
      const nhwc = isMap ? transpose(nchw.data, input, [0, 2, 3, 1]) : nchw;
      const output = backend.run(() => {
        prepareModule(module);
        return tf.tidy(() => tf.clone(module.forward(tf.tensor(nhwc.data, [...nhwc.shape])) as Tensor));
      });
      const values = await readTensor(output);
      const found = isMap ? transpose(values, output.shape, [0, 3, 1, 2]) : { data: values, shape: output.shape };
      backend.run(() => {
        output.dispose();
        disposeModule(module);
      });
      expect(found.shape).toEqual(shape);
      const scale = Math.max(...data.map(Math.abs));
      const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0);
      expect(worst / scale).toBeLessThan(rounding(backendName, layer, args));
      expect(tf.memory().numTensors).toBe(before);
    },
  );
});
