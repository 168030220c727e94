/** Networks against numbers of MMPose's own modules (mmpose_reference.py), on every backend, for configs that the golden set has no case of. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, BACKEND_NAMES, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import type { ConfigDict } from '../../src/config.js';
import { buildBackbone } from '../../src/models/builder.js';
import { disposeModule, prepareModule, type AnyModule } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import { channelsFirst, channelsLast } from '../support/channels.js';
import { fill } from './nn_layers.js';
import reference from './mmpose_reference.json';

interface NetworkCase {
  readonly name: string;
  readonly config: ConfigDict;
  readonly input: readonly number[];
  readonly range: readonly [number, number];
  readonly outputs: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}

/** What sums in another order may cost, of the largest output. */
const ROUNDING = 1e-5;

describe.each(BACKEND_NAMES)('%s', (backendName) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend(backendName);
  });
  afterAll(() => backend.dispose());

  test.each(reference as unknown as NetworkCase[])('$name', async ({ name, config, input, range, outputs }) => {
    const before = tf.memory().numTensors;
    const network: AnyModule = await buildBackbone(config);
    fill(network, name);
    const { data, shape } = channelsLast(uniform(`input:${name}`, input, ...range));
    const found = backend.run(() => {
      prepareModule(network);
      return tf.tidy(() => [...(network.forward(tf.tensor(data, [...shape])) as Tensor[])]);
    });
    expect(found.length).toBe(outputs.length);
    for (const [i, expected] of outputs.entries()) {
      const output = channelsFirst({ data: await readTensor(found[i]), shape: found[i].shape }, expected.shape.length);
      expect(output.shape).toEqual(expected.shape);
      const scale = Math.max(...expected.data.map(Math.abs));
      const worst = expected.data.reduce((most, value, j) => Math.max(most, Math.abs(value - output.data[j])), 0);
      expect(worst / scale).toBeLessThan(ROUNDING);
    }
    backend.run(() => {
      tf.dispose(found);
      disposeModule(network);
    });
    expect(tf.memory().numTensors).toBe(before);
  });
});
