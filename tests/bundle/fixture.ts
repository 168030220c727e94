/**
 * What every application of these tests runs: RTMPose-m with the formula weights of a recorded case, one pattern picture, one box,
 * and the keypoints that MMPose found there. Written to disk as a user has them: weights, config, picture.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPoseEstimator } from '../../src/models/builder.js';
import type { NdArray } from '../../src/ndarray.js';
import { namedParameters } from '../../src/nn/module.js';
import { readGoldenFile, type GoldenCase } from '../golden/format.js';
import { weightTensor } from '../golden/formula.js';

const GOLDEN = fileURLToPath(new URL('../fixtures/golden', import.meta.url));
/** The same weights under the name by which MMPose published that network's, which says what its config is. */
export const PUBLISHED_FILE = 'rtmpose-m_simcc-coco_pt-aic-coco_420e-256x192-d8dd5ca4_20230127.safetensors';

const CASE = 'rtmpose_m_256x192/pattern:480x640/flip0';

/** What an application hands back: plain numbers. */
export interface Found {
  readonly backend: string;
  /** [K][x, y] px, image space. */
  readonly keypoints: readonly (readonly number[])[];
  readonly scores: readonly number[];
  /** How many published models are known by name; asked for with the default model. */
  readonly published?: number;
}

/** Fills `folder` with `model.safetensors`, `config.json` and `picture.json`; gives MMPose's answer. */
export async function writeFixture(folder: string): Promise<Omit<Found, 'backend'>> {
  const { params, inputs, outputs } = await recordedCase(CASE);
  const config = { model: { ...params.model, test_cfg: params.test_cfg }, test_pipeline: params.pipeline };
  const model = await buildPoseEstimator(config.model);
  const weights = new Map<string, NdArray>();
  for (const [name, { shape, persistent }] of namedParameters(model)) {
    if (persistent) weights.set(name, weightTensor(name, shape, params.weights));
  }
  await mkdir(folder, { recursive: true });
  const file = safetensors(weights);
  await writeFile(join(folder, 'model.safetensors'), file);
  await writeFile(join(folder, PUBLISHED_FILE), file);
  await writeFile(join(folder, 'config.json'), JSON.stringify(config));
  const [height, width] = inputs.image.shape;
  const bboxes = [[...inputs.bboxes_xyxy.data]];
  await writeFile(join(folder, 'picture.json'), JSON.stringify({ width, height, bboxes }));
  await writeFile(join(folder, 'picture.rgb'), inputs.image.data);
  return answerOf(outputs);
}

/** MMPose's answer for the same person with its flip test on. */
export async function flippedAnswer(): Promise<Omit<Found, 'backend'>> {
  return answerOf((await recordedCase(CASE.replace('flip0', 'flip1'))).outputs);
}

async function recordedCase(wanted: string): Promise<GoldenCase> {
  const file = await readGoldenFile(
    { read: (path) => readFile(join(GOLDEN, path)), readShared: async () => null },
    'e2e/topdown.json',
  );
  const raw = file?.cases.find(({ name }) => name === wanted);
  if (!file || !raw) throw new Error(`tests/fixtures/golden/e2e/topdown.json: no case ${wanted}`);
  return file.decode(raw);
}

function answerOf(outputs: GoldenCase['outputs']): Omit<Found, 'backend'> {
  const [{ keypoints, keypoint_scores: scores }] = outputs.instances;
  return { keypoints: pairs(keypoints.data), scores: [...scores.data] };
}

function pairs(data: ArrayLike<number>): number[][] {
  return Array.from({ length: data.length / 2 }, (_, k) => [data[2 * k], data[2 * k + 1]]);
}

/** The format by its definition: length of the header, the header as JSON, the tensors. Not the library's own writer. */
function safetensors(tensors: ReadonlyMap<string, NdArray>): Uint8Array {
  let size = 0;
  const header: Record<string, unknown> = {};
  for (const [name, { data, shape }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [size, size + data.byteLength] };
    size += data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const start = 8 + Math.ceil(text.length / 8) * 8;
  const bytes = new Uint8Array(start + size).fill(0x20, 8, start);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(start - 8), true);
  bytes.set(text, 8);
  let at = start;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return bytes;
}
