/** Detectors on every backend: PyTorch's boxes (rtmdet_reference.py), no tensor left behind, errors. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { inferenceDetector, initDetector } from '../../src/index.js';
import { readbackStats } from '../../src/backend/readback.js';
import {
  inferenceTopdown,
  PoseTracker,
  type Pose2DInferencer,
  type Pose2DInferencerOptions,
  type PoseDataSample,
} from '../../src/index.js';
import { createNano, keepBackend, playing, toBlob, toCanvas } from './apis_support.js';
import { CASES, checkBoxes, detectorWeights, pictureOf } from '../support/rtmdet.js';

const counts = () => tf.engine().state.numTensors;

keepBackend('webgpu');

describe.each(['wasm', 'webgl', 'webgpu'] as const)('%s', (backend) => {
  // The others have the same operations, and a software WebGL takes 9 s for each.
  test.each(backend === 'webgl' ? CASES.slice(0, 1) : CASES)('$name', async (c) => {
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

describe('Pose2DInferencer with a detector', () => {
  const [, c] = CASES;
  const picture = pictureOf(c);
  const open: Pose2DInferencer[] = [];
  const create = async (options: Pose2DInferencerOptions) => {
    const detector = { detConfig: c.config, detCheckpoint: await detectorWeights(c) };
    return createNano({ backend: 'wasm', ...detector, ...options });
  };
  const withDetector = async (options: Pose2DInferencerOptions = {}) => {
    const inferencer = await create(options);
    open.push(inferencer);
    return inferencer;
  };
  afterEach(async () => {
    for (const inferencer of open.splice(0)) await inferencer.dispose();
  });
  const people = (sample: PoseDataSample) => sample.predInstances!.keypoints.shape[0];
  const boxesOf = ({ predInstances }: PoseDataSample) =>
    Array.from({ length: predInstances!.bboxes.shape[0] }, (_, i) => [
      ...predInstances!.bboxes.data.subarray(i * 4, i * 4 + 4),
    ]);

  describe.each(['wasm', 'webgpu'] as const)('%s', (backend) => {
    let inferencer: Pose2DInferencer;
    beforeAll(async () => {
      inferencer = await create({ backend, detScoreThr: c.scores[5] - 1e-3 });
    });
    afterAll(async () => {
      await inferencer.dispose();
      expect(counts()).toBe(0);
    });

    test('everybody, as with the boxes given', async () => {
      const before = counts();
      const reads = readbackStats().reads;
      const found = await inferencer.infer(picture, { timestamp: 7 });
      expect(inferencer.timings.detect).toBeGreaterThan(0);
      const boxes = boxesOf(found);
      // Best first, and each in PyTorch's list, of which MMPose's NMS at 0.3 leaves these.
      expect(boxes.length).toBeGreaterThan(1);
      expect(Math.abs(found.predInstances!.bboxScores.data[0] - c.scores[0])).toBeLessThan(5e-5);
      for (const box of boxes) {
        const near = c.scores.some((_, i) => box.every((v, k) => Math.abs(v - c.bboxes[i * 4 + k]) < 5e-3));
        expect(near).toBe(true);
      }
      // One of the detector, and one of the poses; on wasm one per batch of four.
      expect(readbackStats().reads - reads).toBe(backend === 'wasm' ? 1 + Math.ceil(boxes.length / 4) : 2);
      const given = await inferencer.infer(picture, { bboxes: boxes });
      const keypoints = [...given.predInstances!.keypoints.data];
      for (const [i, value] of keypoints.entries()) {
        expect(Math.abs(found.predInstances!.keypoints.data[i] - value)).toBeLessThan(backend === 'wasm' ? 1e-9 : 0.01);
      }
      expect(found.metainfo.timestamp).toBe(7);
      expect(counts()).toBe(before);
    });

    test('a tracker keeps ids, and the detector rests', async () => {
      const detects: boolean[] = [];
      const tracker = new PoseTracker({ detInterval: 3, minScore: 0 });
      const before = counts();
      const ids: number[][] = [];
      for (let i = 0; i < 4; i++) {
        const { predInstances, metainfo } = await inferencer.infer(picture, { tracker, timestamp: 40 * i });
        detects.push(inferencer.timings.detect > 0);
        ids.push([...predInstances!.trackIds!.data]);
        expect(predInstances!.trackIds!.shape).toEqual([predInstances!.keypoints.shape[0]]);
        expect(metainfo.timestamp).toBe(40 * i);
      }
      expect(detects[0]).toBe(true);
      expect(detects).toContain(false);
      expect(ids[0].length).toBeGreaterThan(0);
      expect(ids.every((row) => row.join() === [...row].sort((a, b) => a - b).join())).toBe(true);
      expect(counts()).toBe(before);
    });
  });

  test('stream: everybody with ids, smoothed unless told not to', async () => {
    const inferencer = await withDetector({ detScoreThr: c.scores[5] - 1e-3 });
    const data = new Uint8ClampedArray(picture.width * picture.height * 4).fill(255);
    for (let i = 0; i < data.length / 4; i++) data.set(picture.data.subarray(i * 3, i * 3 + 3), i * 4);
    const canvas = toCanvas({ ...picture, data, channels: 4 });
    for (const smoothing of [undefined, false, 'strong'] as const) {
      // A video without a first picture does not play.
      const repaint = setInterval(
        () => canvas.getContext('2d')!.fillRect(Math.random() * picture.width, Math.random() * picture.height, 2, 2),
        20,
      );
      const video = await playing(canvas);
      const samples: PoseDataSample[] = [];
      for await (const sample of inferencer.stream(video, {
        detInterval: 2,
        ...(smoothing !== undefined && { smoothing }),
      })) {
        samples.push(sample);
        if (samples.length === 3) break;
      }
      clearInterval(repaint);
      for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
      for (const { predInstances } of samples) {
        expect(predInstances!.trackIds!.data).toHaveLength(people({ predInstances } as PoseDataSample));
      }
      expect(people(samples[0])).toBeGreaterThan(0);
    }
    const wrong = inferencer.stream(document.createElement('video'), { smoothing: 'none' as never });
    await expect(wrong.next()).rejects.toThrow(/smoothing: found "none"/);
  });

  test('nobody has no ids; trackers and boxes exclude each other', async () => {
    const inferencer = await withDetector({ detScoreThr: 0.9 });
    const tracker = new PoseTracker();
    const { predInstances } = await inferencer.infer(picture, { tracker });
    expect(predInstances!.trackIds).toEqual({ data: new Int32Array(), shape: [0] });
    await expect(inferencer.infer(picture, { tracker, bboxes: [[1, 2, 3, 4]] })).rejects.toThrow(
      /expected one of them/,
    );
    const without = await createNano({ backend: 'wasm' });
    await expect(without.infer(picture, { tracker })).rejects.toThrow(/PoseTracker needs a detector/);
    const stream = without.stream(document.createElement('video'), { detInterval: 3 });
    await expect(stream.next()).rejects.toThrow(/detInterval without a detector/);
    await without.dispose();
  });

  test('boxes given win; null is the whole picture, an empty list nobody', async () => {
    const inferencer = await withDetector();
    expect(boxesOf(await inferencer.infer(picture, { bboxes: [[3, 4, 30, 40]] }))).toEqual([[3, 4, 30, 40]]);
    expect(boxesOf(await inferencer.infer(picture, { bboxes: null }))).toEqual([[0, 0, ...c.picture]]);
    expect(people(await inferencer.infer(picture, { bboxes: [] }))).toBe(0);
    expect(inferencer.detModel!.classes).toBeNull();
    await inferencer.dispose();
  });

  test('nobody above the threshold', async () => {
    const inferencer = await withDetector({ detScoreThr: 0.9 });
    const nobody = await inferencer.infer(picture, { timestamp: 9 });
    expect(nobody.predInstances!.keypoints.shape).toEqual([0, 17, 2]);
    expect(nobody.metainfo).toMatchObject({ timestamp: 9, imgShape: [c.picture[1], c.picture[0]] });
    await inferencer.dispose();
  });

  test('a file, and several calls at once', async () => {
    const inferencer = await withDetector();
    const data = new Uint8ClampedArray(picture.width * picture.height * 4).fill(255);
    for (let i = 0; i < data.length / 4; i++) data.set(picture.data.subarray(i * 3, i * 3 + 3), i * 4);
    const file = await toBlob(toCanvas({ ...picture, data, channels: 4 }));
    const [a, b, one] = await Promise.all([
      inferencer.infer(file),
      inferencer.infer(picture),
      inferenceTopdown(inferencer.model, picture, [[3, 4, 30, 40]]),
    ]);
    expect(boxesOf(a)).toEqual(boxesOf(b));
    expect(one).toHaveLength(1);
    const running = inferencer.infer(picture);
    await Promise.all([inferencer.dispose(), expect(running).rejects.toThrow(/dispose/)]);
    expect(counts()).toBe(0);
  });

  test.each([
    [{ detCatIds: 1 }, /detCatIds: found 1; expected labels from 0 to 0/],
    [{ detCatIds: [] }, /detCatIds: found an empty list/],
    [{ detScoreThr: 2 }, /detScoreThr: found 2; expected a number from 0 to 1/],
    [{ nmsThr: NaN }, /nmsThr: found NaN/],
    [{ detConfig: { model: { type: 'RTMDet' } } }, /"backbone" is missing/],
  ])('wrong options %#', async (options, message) => {
    await expect(withDetector(options as Pose2DInferencerOptions)).rejects.toThrow(message);
    expect(counts()).toBe(0);
  });
});
