/**
 * Checks that the shipped file gives in TypeScript what it gives in PyTorch:
 * `npx tsx training/check_export.ts models/inpose-default.safetensors REFERENCE.json`, where `export.py --reference` wrote the latter.
 */
import { readFile } from 'node:fs/promises';
import '@tensorflow/tfjs-backend-cpu';
import { openCheckpoint } from '../src/checkpoint/index.js';
import type { ConfigDict } from '../src/config.js';
import { buildPoseEstimator } from '../src/models/builder.js';
import { loadStateDict } from '../src/nn/load_state_dict.js';
import { prepareModule } from '../src/nn/module.js';
import * as tf from '../src/tf.js';

interface Reference {
  /** [N, H, W, 3], normalised */
  readonly input: readonly number[];
  readonly inputShape: readonly [number, number, number, number];
  /** [N, h, w, 17] */
  readonly output: readonly number[];
}

const [file, referenceFile] = process.argv.slice(2);
const reference = JSON.parse(await readFile(referenceFile, 'utf8')) as Reference;
const bytes = await readFile(file);
const checkpoint = await openCheckpoint(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
await tf.setBackend('cpu');
const estimator = await buildPoseEstimator(checkpoint.config!.model as ConfigDict);
await loadStateDict(estimator, checkpoint.stateDict);
prepareModule(estimator);
const x = tf.tensor4d([...reference.input], [...reference.inputShape]);
const [maps] = estimator.head!.forward(estimator.extractFeat(x)) as [tf.Tensor4D];
const found = await maps.data();
const error = found.reduce((worst, value, i) => Math.max(worst, Math.abs(value - reference.output[i])), 0);
const peak = reference.output.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
console.log(
  `${found.length} of ${reference.output.length} values; largest difference ${error.toExponential(2)}, peak ${peak.toFixed(3)}`,
);
process.exitCode = found.length === reference.output.length && error < 1e-4 * peak ? 0 : 1;
