/**
 * Every layer of src/nn against numbers of torch.nn (nn_reference.py), on every backend: tfjs's kernels differ between backends in
 * padding, dilation and rounding, and some are wrong for options that pose networks use.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, BACKEND_NAMES, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import { channelsFirst, channelsLast } from '../support/channels.js';
import { fill, isTurned, LAYERS, type ReferenceCase } from './nn_layers.js';
import references from './nn_reference.json';

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

  test.each(references as unknown as ReferenceCase[])('$name', async (reference) => {
    const { name, layer, args, input, range, shape, data } = reference;
    const before = tf.memory().numTensors;
    const module = LAYERS[layer](args);
    fill(module, name);
    const given = uniform(`input:${name}`, input, ...range);
    const x = isTurned(reference) ? channelsLast(given) : given;
    const output = backend.run(() => {
      prepareModule(module);
      return tf.tidy(() => tf.clone(module.forward(tf.tensor(x.data, [...x.shape])) as Tensor));
    });
    const values = { data: await readTensor(output), shape: output.shape };
    const found = isTurned(reference) ? channelsFirst(values, shape.length) : values;
    backend.run(() => {
      output.dispose();
      disposeModule(module);
    });
    expect(found.shape).toEqual(shape);
    const scale = Math.max(...data.map(Math.abs));
    const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0);
    expect(worst / scale).toBeLessThan(rounding(backendName, layer, args));
    expect(tf.memory().numTensors).toBe(before);
  });
});
