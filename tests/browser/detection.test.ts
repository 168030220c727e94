/** Detectors on every backend: PyTorch's boxes (rtmdet_reference.py), no tensor left behind, errors. */
import * as tf from '@tensorflow/tfjs-core';
import { describe, expect, test } from 'vitest';
import { inferenceDetector, initDetector } from '../../src/index.js';
import { CASES, checkBoxes, detectorWeights, pictureOf } from '../support/rtmdet.js';

const counts = () => tf.engine().state.numTensors;

describe.each(['wasm', 'webgl', 'webgpu'] as const)('%s', (backend) => {
  test.each(CASES)('$name', async (c) => {
    const model = await initDetector(c.config, await detectorWeights(c), { backend });
    const before = counts();
    const first = await inferenceDetector(model, pictureOf(c), { timestamp: 40 });
    expect(counts()).toBe(before);
    const [width, height] = c.picture;
    expect(first.metainfo).toMatchObject({ imgShape: [height, width], timestamp: 40 });
    checkBoxes(first.predInstances, c, 5e-3, 5e-5);
    checkBoxes((await inferenceDetector(model, pictureOf(c))).predInstances, c, 5e-3, 5e-5);
    expect(model.jit?.note ?? 'compiled').toMatch(/^compiled/);
    const running = inferenceDetector(model, pictureOf(c));
    await Promise.all([model.dispose(), expect(running).rejects.toThrow(/dispose/)]);
    expect(counts()).toBe(0);
  });
});

test('the eager network on WebGPU gives the same', async () => {
  const [c] = CASES;
  const model = await initDetector(c.config, await detectorWeights(c), { backend: 'webgpu', jit: false });
  checkBoxes((await inferenceDetector(model, pictureOf(c))).predInstances, c, 5e-3, 5e-5);
  await model.dispose();
});

test('errors', async () => {
  const [c, other] = CASES;
  await expect(initDetector(c.config, await detectorWeights(other), { backend: 'wasm' })).rejects.toThrow(
    /does not fit the model/,
  );
  const model = await initDetector(c.config, null, { backend: 'wasm' });
  await expect(inferenceDetector(model, pictureOf(c), { scoreThr: 2 })).rejects.toThrow(/scoreThr: found 2/);
  await expect(inferenceDetector(model, 'a.png' as never)).rejects.toThrow(/found a string/);
  await expect(inferenceDetector(model, pictureOf(c), { thr: 1 } as never)).rejects.toThrow(/unknown key "thr"/);
  await model.dispose();
  await model.dispose();
  await expect(inferenceDetector(model, pictureOf(c))).rejects.toThrow(/after dispose/);
  expect(counts()).toBe(0);
});
