/** The default model as a page uses it: created without arguments, and one person found and followed by itself. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { defaultModelUrl } from '../../src/apis/default_model.js';
import { listModels } from '../../src/apis/zoo.js';
import { Pose2DInferencer } from '../../src/apis/inferencers/pose2d_inferencer.js';
import { initModel } from '../../src/apis/inference.js';
import { RoiTracker } from '../../src/tracking/roi.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import * as tf from '../../src/tf.js';
import { LEAST_PCK, samplePck } from '../support/sample_pck.js';
import { playing, toBlob, toImage } from './apis_support.js';

const SAMPLE = new URL('../../demo/public/sample.png', import.meta.url).href;

let inferencer: Pose2DInferencer;
let sample: HTMLImageElement;

beforeAll(async () => {
  sample = await toImage(await (await fetch(SAMPLE)).blob());
  inferencer = await Pose2DInferencer.create({ backend: 'wasm' });
});

afterAll(() => inferencer?.dispose());

/** The person's keypoints in the sample's own pixels, when it was drawn at `x`, `y`, `scale`. */
function inSample({ predInstances }: PoseDataSample, [x, y, scale]: readonly number[] = [0, 0, 1]): number[][] {
  const { data, shape } = predInstances!.keypoints;
  expect(shape[0]).toBe(1);
  return Array.from({ length: shape[1] }, (_, k) => [(data[2 * k] - x) / scale, (data[2 * k + 1] - y) / scale]);
}

const find = (found: PoseDataSample, placed?: readonly number[]) => samplePck(inSample(found, placed));

/** A wide picture with the sample in it; what is round it is the sample's own edge, smeared. */
function wide([x, y, scale]: readonly number[], canvas = document.createElement('canvas')): HTMLCanvasElement {
  if (canvas.width !== 1280) [canvas.width, canvas.height] = [1280, 720];
  const context = canvas.getContext('2d')!;
  context.filter = 'blur(30px)';
  context.drawImage(sample, 0, 0, canvas.width, canvas.height);
  context.filter = 'none';
  context.drawImage(sample, x, y, sample.naturalWidth * scale, sample.naturalHeight * scale);
  return canvas;
}

describe('a picture', () => {
  test('whole, as MMPose takes it', async () => {
    expect(find(await inferencer.infer(sample))).toBeGreaterThanOrEqual(LEAST_PCK);
  });

  test.each([
    ['at the left', [0, 0, 1.1]],
    ['at the right', [750, 10, 1.1]],
    ['smaller, in the middle', [450, 90, 0.85]],
  ])('16:9, the person %s: the tracker finds it in one call', async (_where, placed) => {
    const tracker = new RoiTracker();
    const canvas = wide(placed);
    expect(find(await inferencer.infer(canvas, { tracker }), placed)).toBeGreaterThanOrEqual(LEAST_PCK);
    expect(tracker.box).not.toBe(null);
  });

  test('of every kind is held while it is looked at', async () => {
    const placed = [750, 10, 1.1];
    const blob = await toBlob(wide(placed));
    const bitmap = await createImageBitmap(wide(placed));
    const canvas = wide(placed);
    const { width, height } = canvas;
    const pixels = canvas.getContext('2d')!.getImageData(0, 0, width, height);
    for (const picture of [
      blob,
      bitmap,
      canvas,
      pixels,
      { ...pixels, data: pixels.data, width, height, channels: 4 },
    ]) {
      const looking = inferencer.infer(picture as ImageBitmap, { tracker: new RoiTracker() });
      // Read when the call was made: what happens to it afterwards is the caller's business.
      if (picture === canvas) canvas.getContext('2d')!.clearRect(0, 0, width, height);
      if (picture === bitmap) bitmap.close();
      expect(find(await looking, placed)).toBeGreaterThanOrEqual(LEAST_PCK);
    }
  });

  test('of somebody who is followed is read at once, too', async () => {
    const placed = [0, 0, 1.1];
    const tracker = new RoiTracker();
    const canvas = wide(placed);
    await inferencer.infer(canvas, { tracker });
    const looking = inferencer.infer(canvas, { tracker });
    canvas.getContext('2d')!.clearRect(0, 0, canvas.width, canvas.height);
    expect(find(await looking, placed)).toBeGreaterThanOrEqual(LEAST_PCK);
  });

  test('that is none', async () => {
    const tracker = new RoiTracker();
    const call = (image: unknown) => inferencer.infer(image as Blob, { tracker });
    await expect(call(new Blob(['no picture']))).rejects.toMatchObject({ code: 'InputError' });
    await expect(call(new Image())).rejects.toMatchObject({ code: 'InputError' });
    await expect(call(null)).rejects.toMatchObject({ code: 'InputError' });
    await expect(inferencer.infer(sample, { tracker, bboxes: [[0, 0, 9, 9]] })).rejects.toThrow(/bboxes and a tracker/);
  });
});

describe('moving pictures', () => {
  test('stream follows the person by itself', async () => {
    const canvas = wide([0, 10, 1.1]);
    const video = await playing(canvas);
    const before = tf.memory().numTensors;
    const stop = new AbortController();
    const boxes: number[] = [];
    let x = 0;
    for await (const found of inferencer.stream(video, { signal: stop.signal })) {
      boxes.push(found.predInstances!.bboxes.data[0]);
      expect(found.predInstances!.trackIds!.data[0]).toBe(0);
      if (boxes.length === 12) stop.abort();
      // Firefox does not capture what is drawn while it tells of a frame.
      await new Promise((resolve) => setTimeout(resolve, 20));
      wide([(x += 20), 10, 1.1], canvas);
    }
    video.srcObject = null;
    expect(boxes.at(-1)!).toBeGreaterThan(boxes[0] + 60);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('stream without a tracker: the whole picture', async () => {
    const video = await playing(wide([0, 10, 1.1]));
    for await (const found of inferencer.stream(video, { tracker: null })) {
      expect([...found.predInstances!.bboxes.data]).toEqual([0, 0, 1280, 720]);
      break;
    }
    video.srcObject = null;
  });
});

test('the list of published models comes along', async () => {
  expect(await listModels()).toHaveLength(364);
});

describe('the file', () => {
  test('initModel loads it too', async () => {
    const model = await initModel(undefined, undefined, { backend: 'wasm' });
    expect(model.metainfo.numKeypoints).toBe(17);
    expect(model.notices).toEqual([]);
    await model.dispose();
  });

  test('comes through the caller’s fetch, or from where the caller says', async () => {
    const asked: string[] = [];
    const fetch = (url: string, init?: RequestInit) => {
      asked.push(url);
      return globalThis.fetch(url, init);
    };
    await (await Pose2DInferencer.create({ backend: 'wasm', fetch })).dispose();
    expect([...new Set(asked)]).toEqual([defaultModelUrl()]);
    const gone = { backend: 'wasm', checkpoint: '/elsewhere/inpose-default.safetensors' } as const;
    await expect(Pose2DInferencer.create(gone)).rejects.toThrow(/elsewhere\/inpose-default/);
  });
});
