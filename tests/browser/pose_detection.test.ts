/** pose-detection's API on this library's models: what its users write, with the default model, a detector and errors. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import * as poseDetection from '../../src/apis/pose_detection.js';
import { CASES, detectorWeights, pictureOf } from '../support/rtmdet.js';
import { LEAST_PCK, samplePck } from '../support/sample_pck.js';
import { nano, NANO_CONFIG, patternPixels, playing, toImage } from './apis_support.js';

const { createDetector, movenet, SupportedModels, util } = poseDetection;
const SAMPLE = new URL('../../demo/public/sample.png', import.meta.url).href;

const found = ({ keypoints }: poseDetection.Pose) => samplePck(keypoints.map(({ x, y }) => [x, y]));

describe('one person, by the default model', () => {
  let detector: poseDetection.PoseDetector;
  let sample: HTMLImageElement;
  let canvas: HTMLCanvasElement;

  beforeAll(async () => {
    sample = await toImage(await (await fetch(SAMPLE)).blob());
    canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [sample.naturalWidth, sample.naturalHeight];
    canvas.getContext('2d')!.drawImage(sample, 0, 0);
    detector = await createDetector(SupportedModels.MoveNet, {
      modelType: movenet.modelType.SINGLEPOSE_THUNDER,
      backend: 'wasm',
    });
  });

  afterAll(() => detector?.dispose());

  test('in a picture: keypoints with names, a score, a box', async () => {
    const [pose, ...others] = await detector.estimatePoses(sample);
    expect(others).toEqual([]);
    expect(found(pose)).toBeGreaterThanOrEqual(LEAST_PCK);
    expect(pose.keypoints.map(({ name }) => name).slice(0, 4)).toEqual(['nose', 'left_eye', 'right_eye', 'left_ear']);
    expect(pose.score).toBeGreaterThan(0.5);
    expect(pose.box.width).toBeCloseTo(pose.box.xMax - pose.box.xMin, 3);
  });

  test('mirrored: x turned round, names kept', async () => {
    const [plain] = await detector.estimatePoses(sample);
    const [turned] = await detector.estimatePoses(sample, { flipHorizontal: true });
    const last = sample.naturalWidth - 1;
    plain.keypoints.forEach(({ x, y, name }, k) => {
      expect(turned.keypoints[k]).toMatchObject({ x: last - x, y, name });
    });
    expect(turned.box).toMatchObject({ xMin: last - plain.box.xMax, xMax: last - plain.box.xMin });
  });

  test('in a video: followed, and a frame is looked at once', async () => {
    canvas.getContext('2d')!.drawImage(sample, 0, 0); // a still canvas sends no frame
    const video = await playing(canvas);
    await vi.waitFor(() => expect(video.videoWidth).toBe(canvas.width));
    video.pause();
    const infer = vi.spyOn(detector.inferencer, 'infer');
    const [first, again] = await Promise.all([detector.estimatePoses(video), detector.estimatePoses(video)]);
    expect(infer).toHaveBeenCalledTimes(1);
    expect(again).toEqual(first);
    expect(found(first[0])).toBeGreaterThanOrEqual(LEAST_PCK);
    expect(first[0].id).toBe(0);
    detector.reset();
    await detector.estimatePoses(video);
    expect(infer).toHaveBeenCalledTimes(2);
    infer.mockRestore();
    for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
  });

  test('one picture after the other', async () => {
    const infer = vi.spyOn(detector.inferencer, 'infer');
    const first = detector.estimatePoses(canvas, {}, 1000);
    const second = detector.estimatePoses(canvas, {}, 1033);
    expect(infer).toHaveBeenCalledTimes(1);
    await first;
    await second;
    expect(infer.mock.calls.map(([, options]) => options!.timestamp)).toEqual([1000, 1033]);
    infer.mockRestore();
  });

  test('a frame that failed is asked for again', async () => {
    const video = document.createElement('video');
    await expect(detector.estimatePoses(video)).rejects.toThrow(/HTMLVideoElement/);
    const infer = vi.spyOn(detector.inferencer, 'infer');
    await expect(detector.estimatePoses(video)).rejects.toThrow(/HTMLVideoElement/);
    expect(infer).toHaveBeenCalledTimes(1);
    infer.mockRestore();
  });

  test('nobody in a grey picture, and in none', async () => {
    const grey = { data: new Uint8ClampedArray(90 * 120 * 4).fill(128), width: 120, height: 90, channels: 4 } as const;
    expect(await detector.estimatePoses(grey)).toEqual([]);
    expect(await detector.estimatePoses(null)).toEqual([]);
  });

  test('pictures with a time are smoothed, unless that is switched off', async () => {
    const shifted = document.createElement('canvas');
    [shifted.width, shifted.height] = [canvas.width, canvas.height];
    shifted.getContext('2d')!.drawImage(canvas, 3, 0);
    const rough = await createDetector(SupportedModels.MoveNet, { backend: 'wasm', enableSmoothing: false });
    const steps: number[] = [];
    for (const each of [detector, rough]) {
      each.reset();
      const [a] = await each.estimatePoses(canvas, {}, 0);
      const [b] = await each.estimatePoses(shifted, {}, 33);
      steps.push(b.keypoints[0].x - a.keypoints[0].x);
    }
    await rough.dispose();
    expect(steps[0]).toBeGreaterThan(0);
    expect(steps[0]).toBeLessThan(0.8 * steps[1]);
  });
});

describe('several people, by a detector', () => {
  const [, c] = CASES;
  let detector: poseDetection.PoseDetector;

  beforeAll(async () => {
    detector = await createDetector(SupportedModels.MoveNet, {
      ...{ modelType: movenet.modelType.MULTIPOSE_LIGHTNING, enableTracking: true },
      ...{ trackerType: poseDetection.TrackerType.BoundingBox, trackerConfig: { maxAge: 500, maxTracks: 18 } },
      ...{ config: NANO_CONFIG, checkpoint: await nano(), backend: 'wasm', warmup: false },
      ...{ detConfig: c.config, detCheckpoint: await detectorWeights(c) },
    });
  });

  afterAll(() => detector?.dispose());

  test('best first, at most as many as asked for', async () => {
    const poses = await detector.estimatePoses(pictureOf(c));
    expect(poses.length).toBeGreaterThan(1);
    const scores = poses.map(({ score }) => score);
    expect(scores).toEqual(scores.toSorted((a, b) => b - a));
    expect(await detector.estimatePoses(pictureOf(c), { maxPoses: 1 })).toEqual(poses.slice(0, 1));
  });

  test('keep their ids from picture to picture', async () => {
    const before = tf.memory().numTensors;
    const ids = async (timestamp: number) =>
      (await detector.estimatePoses(pictureOf(c), {}, timestamp)).map(({ id }) => id);
    const first = await ids(0);
    expect(new Set(first).size).toBe(first.length);
    expect(first).not.toContain(undefined);
    // These weights see one person in many places, and the tracker who was seen twice.
    const second = await ids(40);
    expect(second.length).toBeGreaterThan(1);
    expect(first).toEqual(expect.arrayContaining(second));
    expect(tf.memory().numTensors).toBe(before);
  });
});

test('facts about the keypoints', () => {
  expect(util.getKeypointIndexByName(SupportedModels.MoveNet)).toMatchObject({ nose: 0, right_ankle: 16 });
  expect(util.getKeypointIndexBySide(SupportedModels.MoveNet)).toEqual({
    left: [1, 3, 5, 7, 9, 11, 13, 15],
    right: [2, 4, 6, 8, 10, 12, 14, 16],
    middle: [0],
  });
  const pairs = util.getAdjacentPairs(SupportedModels.PoseNet);
  expect(pairs).toContainEqual([5, 7]);
  expect(pairs).toHaveLength(19);
});

describe('errors', () => {
  const wasm = { backend: 'wasm' } as const;

  test.each([
    ['a model with other keypoints', 'BlazePose', wasm, /model: found "BlazePose"; expected MoveNet, PoseNet/],
    ['an unknown modelType', 'MoveNet', { ...wasm, modelType: 'Fast' }, /modelType: found "Fast"; expected SinglePose/],
    ['a key of nobody', 'MoveNet', { ...wasm, modelUrl: '/model.json' }, /unknown key "modelUrl"/],
    ['several people without a detector', 'MoveNet', { ...wasm, modelType: 'MultiPose.Lightning' }, /detCheckpoint/],
  ])('%s', async (_what, model, config, message) => {
    const before = tf.memory().numTensors;
    await expect(createDetector(model as 'MoveNet', config as poseDetection.DetectorConfig)).rejects.toThrow(message);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('a picture that is none', async () => {
    const detector = await createDetector('PoseNet', { config: NANO_CONFIG, checkpoint: await nano(), ...wasm });
    await expect(detector.estimatePoses('photo.png' as never)).rejects.toThrow(/found a string/);
    await detector.dispose();
    await expect(detector.estimatePoses(patternPixels(8, 8))).rejects.toThrow(/dispose/);
  });
});
