/** Memory: calls leave no tensor behind, and dispose leaves nothing at all. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, expect, test, vi } from 'vitest';
import type { BackendName } from '../../src/index.js';
import { createNano, patternPixels } from './apis_support.js';

const pixels = patternPixels(120, 90);
const BOXES = [
  [10, 12, 60, 80],
  [50, 5.5, 118, 88],
];

afterEach(() => vi.restoreAllMocks());

/** tfjs's own counts; `tf.memory()` itself needs an active backend, and the page has none. */
function counts(): { numTensors: number; numDataBuffers: number; numBytes: number } {
  const { numTensors, numDataBuffers, numBytes } = tf.engine().state;
  return { numTensors, numDataBuffers, numBytes };
}

/** What is left on the backend itself, past tfjs's counting. */
function backendIds(name: BackendName): number {
  return (tf.findBackend(name) as unknown as { numDataIds(): number }).numDataIds();
}

test.each([
  ['wasm', 200],
  ['webgl', 24],
  ['webgpu', 12],
] as const)('%s: %i calls leave tf.memory() flat, and dispose returns to zero', async (backend, calls) => {
  const warnings = vi.spyOn(console, 'warn');
  const nothing = { numTensors: 0, numDataBuffers: 0, numBytes: 0 };
  expect(counts()).toEqual(nothing);
  const inferencer = await createNano({ backend });
  const memory = () => inferencer.model.backend.run(() => tf.memory());
  await inferencer.infer(pixels, { bboxes: BOXES });
  const before = memory();
  const ids = backendIds(backend);
  for (let i = 1; i < calls; i++) {
    // Failing and aborted calls must not leak either.
    if (i % 5 === 0) await inferencer.infer(pixels, { bboxes: [[0, 0, 0, 0]] }).catch(() => {});
    await inferencer.infer(pixels, { bboxes: BOXES });
  }
  const after = memory();
  expect(after.numTensors).toBe(before.numTensors);
  expect(after.numDataBuffers).toBe(before.numDataBuffers);
  expect(after.numBytes).toBe(before.numBytes);
  expect(backendIds(backend)).toBe(ids);
  const running = inferencer.infer(pixels, { bboxes: BOXES });
  await Promise.all([inferencer.dispose(), expect(running).rejects.toThrow(/dispose/)]);
  expect(counts()).toEqual(nothing);
  expect(tf.engine().backendNames()).toEqual([]);
  expect(warnings).not.toHaveBeenCalled();
});

test('a load that fails leaves nothing behind', async () => {
  const weights = await fetch(new URL('../fixtures/golden/checkpoints/hrnet_tiny_model.pth', import.meta.url));
  await expect(createNano({ backend: 'wasm', checkpoint: await weights.arrayBuffer() })).rejects.toThrow(
    /does not fit/,
  );
  expect(counts().numTensors).toBe(0);
  expect(tf.engine().backendNames()).toEqual([]);
});
