/** Bottom-up models from the application's side: everybody in a picture without boxes, in the picture's own pixels, on each backend. */
import { afterEach, describe, expect, test } from 'vitest';
import {
  BACKBONES,
  BottomupHead,
  ConfigError,
  HEADS,
  inferenceBottomup,
  inferenceTopdown,
  InputError,
  initModel,
  Module,
  Pose2DInferencer,
  RoiTracker,
  type Feats,
  type InstanceData,
  type PictureOutputs,
  type PicturePrediction,
  type PoseDataSample,
} from '../../src/index.js';
import * as tf from '../../src/tf.js';
import type { Tensor, Tensor4D } from '../../src/tf.js';
import { TINY_EDPOSE } from '../support/tiny_edpose.js';
import { formulaWeights, TINY_RTMO, tinyRtmoWeights } from '../support/tiny_rtmo.js';
import { createNano, keepBackend, patternPixels, playing, toCanvas } from './apis_support.js';

keepBackend('webgpu');

const open: { dispose(): Promise<void> }[] = [];

afterEach(async () => {
  for (const one of open.splice(0)) await one.dispose();
});

function kept<T extends { dispose(): Promise<void> }>(one: T): T {
  open.push(one);
  return one;
}

/** The picture itself as features. */
class Glass extends Module<Tensor4D, Feats> {
  override forward(x: Tensor4D): Feats {
    return [tf.add(x, 0)];
  }
}

/** Finds the pixels with the most of a colour: one person per colour, of one keypoint. */
class BrightestPixels extends BottomupHead {
  static seen: number[] = [];

  constructor() {
    super(null, 'model.head');
  }

  override forward([map]: readonly Tensor[]): Tensor[] {
    return [tf.add(map, 0)];
  }

  override predictPicture({ outputs: [{ data, shape }] }: PictureOutputs): Promise<PicturePrediction> {
    BrightestPixels.seen = [...data.slice(-3)];
    const [, , width, channels] = shape;
    const keypoints = new Float32Array(2 * channels);
    for (let c = 0; c < channels; c++) {
      let best = c;
      for (let i = c; i < data.length; i += channels) if (data[i] > data[best]) best = i;
      const pixel = Math.floor(best / channels);
      keypoints.set([(pixel % width) + 0.5, Math.floor(pixel / width) + 0.5], 2 * c);
    }
    const ones = { data: new Float32Array(channels).fill(1), shape: [channels, 1] };
    return Promise.resolve({ keypoints: { data: keypoints, shape: [channels, 1, 2] }, keypointScores: ones });
  }
}

BACKBONES.register('Glass', () => Promise.resolve(Glass));
HEADS.register('BrightestPixels', () => Promise.resolve(BrightestPixels));

const ONE_POINT = {
  ...{ dataset_name: 'spot', joint_weights: [1], sigmas: [0.025], skeleton_info: {} },
  keypoint_info: { 0: { name: 'spot', id: 0, color: [255, 0, 0] as const, type: '', swap: '' } },
} as const;

const SPOTS = {
  model: {
    type: 'BottomupPoseEstimator',
    data_preprocessor: { type: 'PoseDataPreprocessor', pad_size_divisor: 32, mean: [0, 0, 0], std: [1, 1, 1] },
    ...{ backbone: { type: 'Glass' }, head: { type: 'BrightestPixels' } },
  },
  test_pipeline: [{ type: 'LoadImage' }, { type: 'BottomupResize', input_size: [64, 64], pad_val: [114, 114, 114] }],
};

/** Grey, with a square of 4 px of each colour around these middles. */
const PLACES = { red: [20, 14], green: [100, 40], blue: [60, 61] } as const;

function spots(): { data: Uint8Array; width: number; height: number; channels: 3 } {
  const [width, height] = [128, 64];
  const data = new Uint8Array(width * height * 3).fill(60);
  for (const [c, [x, y]] of Object.values(PLACES).entries()) {
    for (let dy = -2; dy < 2; dy++) for (let dx = -2; dx < 2; dx++) data[((y + dy) * width + x + dx) * 3 + c] = 250;
  }
  return { data, width, height, channels: 3 };
}

function checkSpots({ data, shape }: InstanceData['keypoints']): void {
  expect(shape).toEqual([3, 1, 2]);
  for (const [i, [x, y]] of [PLACES.blue, PLACES.green, PLACES.red].entries()) {
    expect(Math.abs(data[2 * i] - x)).toBeLessThanOrEqual(2);
    expect(Math.abs(data[2 * i + 1] - y)).toBeLessThanOrEqual(2);
  }
}

describe.each(['wasm', 'webgl', 'webgpu'] as const)('a picture without boxes, %s', (backend) => {
  keepBackend(backend);

  test('is resized with margins, and what is found lies in its own pixels', async () => {
    const inferencer = kept(
      await Pose2DInferencer.create({ config: SPOTS, checkpoint: null, backend, metainfo: ONE_POINT }),
    );
    const { metainfo, predInstances } = await inferencer.infer(spots(), { timestamp: 40 });
    expect(metainfo).toMatchObject({ imgShape: [64, 128], inputSize: [64, 64], timestamp: 40 });
    // The picture is twice as wide as high, so the lower quarter of the input is margin; BGR, since no conversion is asked for.
    expect(BrightestPixels.seen).toEqual([114, 114, 114]);
    checkSpots(predInstances!.keypoints);
    expect(predInstances!.bboxes.shape).toEqual([3, 4]);
  });

  test("is resized without margins, as ED-Pose's are", async () => {
    const step = { type: 'BottomupRandomChoiceResize', scales: [[32, 90]], keep_ratio: true, backend: 'pillow' };
    const config = { ...SPOTS, test_pipeline: [{ type: 'LoadImage' }, step] };
    const inferencer = kept(await Pose2DInferencer.create({ config, checkpoint: null, backend, metainfo: ONE_POINT }));
    const { metainfo, predInstances } = await inferencer.infer(spots());
    expect(metainfo).toMatchObject({ imgShape: [64, 128], inputSize: [64, 32] });
    expect(BrightestPixels.seen).toEqual([60, 60, 60]);
    checkSpots(predInstances!.keypoints);
  });
});

let rtmoWeights: Promise<Uint8Array<ArrayBuffer>> | undefined;

async function createRtmo(backend: 'wasm' | 'webgpu' = 'wasm'): Promise<Pose2DInferencer> {
  rtmoWeights ??= tinyRtmoWeights();
  return kept(
    await Pose2DInferencer.create({
      config: TINY_RTMO,
      checkpoint: await rtmoWeights,
      backend,
      warmup: backend === 'wasm',
    }),
  );
}

const pixels = patternPixels(200, 150);

/** Formula weights find nobody in particular: what holds for all pictures is checked, the numbers are the golden data's. */
function checkCrowd({ predInstances }: PoseDataSample, scoreThr: number): void {
  const { keypoints, keypointScores, bboxes, bboxScores } = predInstances!;
  const n = bboxScores.data.length;
  expect(keypoints.shape).toEqual([n, 17, 2]);
  expect(keypointScores.shape).toEqual([n, 17]);
  expect(bboxes.shape).toEqual([n, 4]);
  expect([...bboxScores.data]).toEqual([...bboxScores.data].sort((a, b) => b - a));
  for (const score of bboxScores.data) expect(score).toBeGreaterThan(scoreThr);
  expect(keypoints.data.every(Number.isFinite)).toBe(true);
}

describe('RTMO', () => {
  test('gives everybody as one sample, and nothing is left behind', async () => {
    const inferencer = await createRtmo();
    const first = await inferencer.infer(pixels);
    const before = tf.memory().numTensors;
    const [again] = await inferenceBottomup(inferencer.model, pixels);
    expect(tf.memory().numTensors).toBe(before);
    checkCrowd(first, 0.1);
    expect(first.predInstances!.bboxScores.data.length).toBeGreaterThan(1);
    expect(again.predInstances!.keypoints).toEqual(first.predInstances!.keypoints);
    expect(inferencer.timings.total).toBeGreaterThan(0);
  });

  test('is compiled on WebGPU and finds the same', async () => {
    const onCpu = await (await createRtmo()).infer(pixels);
    const inferencer = await createRtmo('webgpu');
    const onGpu = await inferencer.infer(pixels);
    expect(inferencer.backend.reason).toContain('compiled');
    const counts = [onCpu, onGpu].map(({ predInstances }) => predInstances!.bboxScores.data.length);
    // A candidate at a threshold may fall on either side.
    expect(Math.abs(counts[0] - counts[1])).toBeLessThanOrEqual(1);
    checkCrowd(onGpu, 0.1);
  });

  test('nobody: an empty sample', async () => {
    const inferencer = await createRtmo();
    inferencer.model.testCfg = { ...inferencer.model.testCfg, scoreThr: 0.999 };
    const { predInstances } = await inferencer.infer(pixels);
    expect(predInstances!.keypoints.shape).toEqual([0, 17, 2]);
    expect(predInstances!.bboxes.shape).toEqual([0, 4]);
  });

  test('follows a video without boxes', async () => {
    const inferencer = await createRtmo();
    const video = await playing(toCanvas(pixels));
    for await (const sample of inferencer.stream(video)) {
      checkCrowd(sample, 0.1);
      const { trackIds, bboxScores } = sample.predInstances!;
      expect([...trackIds!.data]).toEqual(Array.from(bboxScores.data, (_, i) => i));
      break;
    }
    (video.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
  });

  test('refuses boxes, trackers, a flip test and the top-down function, and says why', async () => {
    const inferencer = await createRtmo();
    const boxes = [[0, 0, 50, 50]];
    await expect(inferencer.infer(pixels, { bboxes: boxes })).rejects.toThrow(InputError);
    await expect(inferencer.infer(pixels, { bboxes: boxes })).rejects.toThrow(/finds everybody.*leave bboxes out/);
    await expect(inferencer.infer(pixels, { tracker: new RoiTracker() })).rejects.toThrow(/tracker/);
    await expect(inferencer.infer(pixels, { flipTest: true })).rejects.toThrow(/flip test/);
    await expect(inferenceTopdown(inferencer.model, pixels)).rejects.toThrow(/inferenceBottomup/);
    checkCrowd(await inferencer.infer(pixels), 0.1);
  });

  test('top-down models are refused by inferenceBottomup; wrong parts by the config', async () => {
    const { model } = kept(await createNano({ backend: 'wasm' }));
    await expect(inferenceBottomup(model, pixels)).rejects.toThrow(ConfigError);
    const topdown = { ...TINY_RTMO.model, type: 'TopdownPoseEstimator' };
    const wrong = kept(await initModel(topdown, null, { backend: 'wasm' }).catch(() => ({ dispose: async () => {} })));
    if ('estimator' in wrong) await expect(inferenceTopdown(wrong, pixels)).rejects.toThrow(/BottomupPoseEstimator/);
  });
});

describe('ED-Pose', () => {
  let weights: Promise<Uint8Array<ArrayBuffer>> | undefined;

  async function create(backend: 'wasm' | 'webgpu'): Promise<Pose2DInferencer> {
    weights ??= formulaWeights(TINY_EDPOSE.model);
    return kept(await Pose2DInferencer.create({ config: TINY_EDPOSE, checkpoint: await weights, backend }));
  }

  // WebGL has its parts in nn.test.ts; the whole takes a software WebGL 20 s.
  test.each(['wasm', 'webgpu'] as const)('gives as many as it is asked for, %s', async (backend) => {
    const inferencer = await create(backend);
    if (backend === 'webgpu') expect(inferencer.backend.reason).toContain('compiled');
    const first = await inferencer.infer(pixels);
    const before = tf.memory().numTensors;
    const [{ metainfo, predInstances }] = await inferenceBottomup(inferencer.model, pixels);
    expect(tf.memory().numTensors).toBe(before);
    // 200 x 150 px to a shorter side of 64.
    expect(metainfo.inputSize).toEqual([85, 64]);
    const { keypoints, keypointScores, bboxes } = predInstances!;
    expect([keypoints.shape, keypointScores.shape, bboxes.shape]).toEqual([
      [3, 17, 2],
      [3, 17],
      [3, 4],
    ]);
    expect(keypoints).toEqual(first.predInstances!.keypoints);
    // Fractions of the picture, so all lie in it.
    for (const [i, value] of keypoints.data.entries()) {
      expect(value).toBeGreaterThanOrEqual(0);
      expect(value).toBeLessThanOrEqual(i % 2 === 0 ? 201 : 151);
    }
    const scores = [0, 17, 34].map((i) => keypointScores.data[i]);
    expect(scores).toEqual([...scores].sort((a, b) => b - a));
    for (const score of scores) expect(score > 0 && score < 1).toBe(true);
  });

  test('refuses pictures with fewer pixels of maps than queries, margins and a flip test', async () => {
    const inferencer = await create('wasm');
    const strip = { data: new Uint8Array(3 * 8 * 128), width: 128, height: 8, channels: 3 as const };
    await expect(inferencer.infer(strip)).rejects.toThrow(/pixels of feature maps for 40 queries/);
    await expect(inferencer.infer(pixels, { flipTest: true })).rejects.toThrow(/flip test/);
    const { model } = TINY_EDPOSE;
    const padded = { ...model, data_preprocessor: { ...model.data_preprocessor, pad_size_divisor: 32 } };
    await expect(initModel(padded, null, { backend: 'wasm' })).rejects.toThrow(/pad_size_divisor: found 32/);
  });
});
