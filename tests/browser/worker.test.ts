/** Pose2DWorker from source: the page's own inferencer gives the numbers that the worker's must equal; MMPose's are in tests/bundle. */
import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { Pose3DInferencer, type Pose2DSource, type PoseDataSample } from '../../src/index.js';
import { CASES, detectorWeights, pictureOf } from '../support/rtmdet.js';
import { Pose2DWorker, type Pose2DWorkerOptions } from '../../src/worker/index.js';
import { smallLifter } from '../unit/pose_lifter_cases.js';
import {
  createNano,
  createTiny,
  nano,
  NANO_CONFIG,
  patternPixels,
  playing,
  TINY_CONFIG,
  TINY_WEIGHTS,
  toBlob,
  toCanvas,
  toImage,
} from './apis_support.js';

const pixels = patternPixels(120, 90);
const BOXES = [
  [10, 12, 60, 80],
  [50, 5.5, 118, 88],
];
const open: Pose2DWorker[] = [];
const keypoints = (sample: PoseDataSample) => [...sample.predInstances!.keypoints.data];

async function create(options: Pose2DWorkerOptions = {}): Promise<Pose2DWorker> {
  const worker = await Pose2DWorker.create({
    ...{ config: TINY_CONFIG, checkpoint: TINY_WEIGHTS, backend: 'wasm', ...options },
  });
  open.push(worker);
  return worker;
}

afterEach(async () => {
  for (const worker of open.splice(0)) await worker.dispose();
});

describe('results', () => {
  let expected: PoseDataSample;
  beforeAll(async () => {
    const inferencer = await createTiny({ backend: 'wasm' });
    expected = await inferencer.infer(pixels, { bboxes: BOXES, outputHeatmaps: true });
    await inferencer.dispose();
  });

  test('are those of the page, heatmaps included, and say where they come from', async () => {
    const worker = await create();
    const sample = await worker.infer(pixels, { bboxes: BOXES, outputHeatmaps: true });
    expect(sample).toEqual(expected);
    expect(worker.backend.name).toBe('wasm');
    expect(worker.metainfo.numKeypoints).toBe(17);
    expect(worker.takesBoxes).toBe(true);
    expect(worker.findsEverybody).toBe(false);
    expect(worker.timings.total).toBeGreaterThan(0);
    expect(pixels.data.byteLength).toBe(120 * 90 * 4);
  });

  test('are put into space like those of the page', async () => {
    const lifter = { ...(await smallLifter()), backend: 'wasm' as const };
    const lifted = async (pose2d: Pose2DSource) => {
      const inferencer = await Pose3DInferencer.create({ ...lifter, pose2d });
      const { pose3d } = await inferencer.infer(pixels, { bboxes: BOXES });
      await inferencer.dispose();
      return pose3d;
    };
    const page = await createTiny({ backend: 'wasm' });
    const pose3d = await lifted(page);
    await page.dispose();
    expect(pose3d.predInstances!.keypoints.shape).toEqual([2, 17, 3]);
    expect(await lifted(await create())).toEqual(pose3d);
  });

  test('of every kind of picture, in the order of the calls', async () => {
    const worker = await create();
    const canvas = toCanvas(pixels);
    const blob = await toBlob(canvas);
    const [bitmap, frame] = [await createImageBitmap(canvas), new VideoFrame(canvas, { timestamp: 0 })];
    const pictures = [blob, await toImage(blob), canvas, bitmap, pixels];
    const order: number[] = [];
    const samples = await Promise.all(
      pictures.map(async (picture, i) => {
        const sample = await worker.infer(picture, { bboxes: BOXES });
        order.push(i);
        return sample;
      }),
    );
    for (const sample of samples) expect(keypoints(sample)).toEqual(keypoints(expected));
    expect(order).toEqual([0, 1, 2, 3, 4]);
    // The caller's own are still the caller's.
    expect(bitmap.width).toBe(120);
    expect((await worker.infer(frame, { bboxes: BOXES })).predInstances!.keypoints.shape).toEqual([2, 17, 2]);
    expect(frame.displayWidth).toBe(120);
    frame.close();
  });
});

test.each(['webgpu', 'webgl'] as const)('%s in the worker agrees with wasm on the page', async (backend) => {
  const page = await createNano({ backend: 'wasm' });
  const expected = await page.infer(pixels, { bboxes: BOXES });
  await page.dispose();
  const worker = await create({ config: NANO_CONFIG, checkpoint: await nano(), backend, warmup: false });
  const found = await worker.infer(pixels, { bboxes: BOXES });
  expect(worker.backend.name).toBe(backend);
  for (const [i, value] of keypoints(expected).entries()) expect(keypoints(found)[i]).toBeCloseTo(value, 2);
});

test('with a detector: everybody, with ids that stay', async () => {
  const [c] = CASES;
  const detector = { detConfig: c.config, detCheckpoint: await detectorWeights(c) };
  const page = await createNano({ backend: 'wasm', ...detector });
  const expected = await page.infer(pictureOf(c));
  await page.dispose();
  const worker = await create({ config: NANO_CONFIG, checkpoint: await nano(), ...detector });
  expect(worker.findsEverybody).toBe(true);
  expect(await worker.infer(pictureOf(c))).toEqual(expected);
  const first = await worker.infer(pictureOf(c), { track: 'a', timestamp: 0 });
  const second = await worker.infer(pictureOf(c), { track: 'a', timestamp: 40 });
  const other = await worker.infer(pictureOf(c), { track: 'b', timestamp: 0 });
  const ids = (sample: PoseDataSample) => [...sample.predInstances!.trackIds!.data];
  expect(ids(first).length).toBeGreaterThan(1);
  // These weights are random: not everybody scores enough to be followed.
  expect(ids(second).length).toBeGreaterThan(1);
  expect(ids(first)).toEqual(expect.arrayContaining(ids(second)));
  expect(ids(other)).toEqual(ids(first));
});

test('the default model, found by itself', async () => {
  const worker = await Pose2DWorker.create({ backend: 'wasm' });
  open.push(worker);
  const sample = await worker.infer(pixels, { track: 'a' });
  expect(sample.predInstances!.keypoints.shape).toEqual([1, 17, 2]);
  expect(sample.predInstances!.trackIds).toBeDefined();
});

describe('a stream', () => {
  test('gives the newest frames until it is aborted', async () => {
    const worker = await create();
    const canvas = toCanvas(pixels);
    const video = await playing(canvas);
    const context = canvas.getContext('2d')!;
    const drawing = setInterval(() => context.fillRect(Math.random() * 100, Math.random() * 80, 5, 5), 20);
    const controller = new AbortController();
    const times: number[] = [];
    for await (const { metainfo } of worker.stream(video, { bboxes: [BOXES[0]], signal: controller.signal })) {
      times.push(metainfo.timestamp);
      if (times.length === 3) controller.abort();
    }
    clearInterval(drawing);
    for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
    expect(times.toSorted((a, b) => a - b)).toEqual(times);
    expect(new Set(times).size).toBe(3);
  });

  test('rejects when the worker is disposed', async () => {
    const worker = await create();
    const video = await playing(toCanvas(pixels));
    const consume = async () => {
      for await (const sample of worker.stream(video)) {
        expect(sample.predInstances!.trackIds).toBeDefined();
        void worker.dispose();
      }
    };
    await expect(consume()).rejects.toMatchObject({ code: 'BackendError' });
    for (const track of (video.srcObject as MediaStream).getTracks()) track.stop();
  });
});

describe('errors', () => {
  test('keep their class and their words', async () => {
    await expect(create({ config: { ...TINY_CONFIG, type: 'TopdownPoseEstimatr' } })).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining('Did you mean "TopdownPoseEstimator"?'),
    });
    const worker = await create();
    await expect(worker.infer(pixels, { bboxes: [[5, 5, 1, 1]] })).rejects.toMatchObject({ code: 'InputError' });
    await expect(worker.infer(null as unknown as Blob)).rejects.toMatchObject({ code: 'InputError' });
    await expect(worker.infer(pixels, { tracker: null } as object)).rejects.toMatchObject({ code: 'InputError' });
  });

  test('of options that cannot be copied', async () => {
    await expect(create({ fetch } as object)).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining('options.fetch'),
    });
    await expect(create({ backend: { name: 'wasm' } as never })).rejects.toMatchObject({ code: 'ConfigError' });
  });

  test('of a worker that cannot start', async () => {
    const script = URL.createObjectURL(new Blob(['throw new Error("no such luck")'], { type: 'text/javascript' }));
    await expect(create({ worker: () => new Worker(script) })).rejects.toMatchObject({
      code: 'BackendError',
      message: expect.stringContaining('no such luck'),
    });
    const refuse = () => {
      throw new Error('forbidden');
    };
    await expect(create({ worker: refuse })).rejects.toMatchObject({ code: 'BackendError' });
  });
});

describe('ending', () => {
  test('an aborted call rejects with the reason, and the next one works', async () => {
    const worker = await create();
    const controller = new AbortController();
    const first = worker.infer(pixels, { bboxes: BOXES, signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(first).rejects.toThrow('enough');
    await expect(worker.infer(pixels, { signal: controller.signal })).rejects.toThrow('enough');
    expect((await worker.infer(pixels, { bboxes: BOXES })).predInstances!.keypoints.shape).toEqual([2, 17, 2]);
  });

  test('loading can be aborted', async () => {
    const controller = new AbortController();
    const loading = create({ signal: controller.signal, onProgress: () => controller.abort(new Error('too slow')) });
    await expect(loading).rejects.toThrow('too slow');
  });

  test('dispose rejects what waits, and may be called twice', async () => {
    const worker = await create();
    const waiting = worker.infer(pixels, { bboxes: BOXES });
    const disposals = Promise.all([worker.dispose(), worker.dispose()]);
    await expect(waiting).rejects.toMatchObject({ code: 'BackendError' });
    await disposals;
    await expect(worker.infer(pixels)).rejects.toMatchObject({ code: 'BackendError' });
  });
});
