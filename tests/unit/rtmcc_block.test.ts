/** The gated attention unit against its definition in NumPy (rtmcc_block_reference.py), with every option. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { RTMCCBlock } from '../../src/models/utils/rtmcc_block.js';
import { disposeModule, namedParameters, prepareModule } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import reference from './rtmcc_block_reference.json';

describe('RTMCCBlock', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  it.each(reference)(
    '$config.actFn, bias $config.bias, useRelBias $config.useRelBias, posEnc $config.posEnc',
    async (c) => {
      const { numToken, inDims, outDims, ...options } = c.config;
      const before = backend.run(() => tf.memory().numTensors);
      const block = new RTMCCBlock(numToken, inDims, outDims, options);
      for (const [name, parameter] of namedParameters(block)) {
        if (parameter.persistent) parameter.value = uniform(name, parameter.shape, -1, 1).data;
      }
      const output = backend.run(() => {
        prepareModule(block);
        const { data } = uniform('input', [2, numToken, inDims], -1, 1);
        return tf.tidy(() => block.forward(tf.tensor3d(data, [2, numToken, inDims])));
      });
      const found = await readTensor(output);
      for (const [i, expected] of c.output.entries()) expect(found[i]).toBeCloseTo(expected, 4);
      output.dispose();
      disposeModule(block);
      expect(backend.run(() => tf.memory().numTensors)).toBe(before);
    },
  );

  it('keeps PyTorch parameter names', () => {
    const block = new RTMCCBlock(3, 4, 4, { s: 2, posEnc: true });
    const names = [...namedParameters(block)].filter(([, p]) => p.persistent).map(([name]) => name);
    expect(names.sort()).toEqual(['beta', 'gamma', 'ln.g', 'o.weight', 'res_scale.scale', 'uv.weight', 'w']);
  });
});
