/** Pose lifting on the backends of a page, against MMPose's own numbers. */
import * as tf from '@tensorflow/tfjs-core';
import { expect, test } from 'vitest';
import { createBackend, inferencePoseLifterModel } from '../../src/index.js';
import { expectClose, frameOf, loadLifter } from '../unit/pose_lifter_cases.js';
import { keepBackend } from './apis_support.js';
import reference from '../unit/pose_lifter_reference.json';

/** Where a software GPU runs them; all of them pass there, too. */
const FEW = { webgl: ['video'], webgpu: ['video', 'motion, one frame, mirrored too'] };
const cases = (['wasm', 'webgl', 'webgpu'] as const).flatMap((backend) =>
  reference.lifted
    .filter(({ name }) => backend === 'wasm' || FEW[backend].includes(name))
    .map((lifted) => ({ backend, ...lifted })),
);

keepBackend('webgpu');

test.each(cases)('$backend: $name', async ({ backend: name, config, frames, withTrackId, normPose2d, keypoints }) => {
  const backend = await createBackend(name);
  const model = await loadLifter(config, backend);
  const people = await inferencePoseLifterModel(model, frames.map(frameOf), { withTrackId, normPose2d });
  expect(people).toHaveLength(keypoints.length);
  people.forEach(({ predInstances }, i) => expectClose(predInstances!.keypoints, keypoints[i], 1e-4));
  await model.dispose();
  await backend.dispose();
  expect(tf.engine().state.numTensors).toBe(0);
});
