/** The frame path on WebGPU: what crosses to the CPU, calls that overlap, pictures that change or fail, a device that is lost. */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { keepsStraightAlpha } from '../../src/apis/straight_alpha.js';
import { readbackStats } from '../../src/backend/readback.js';
import { inferenceTopdown, type Pose2DInferencer, type PoseDataSample } from '../../src/index.js';
import {
  createNano,
  patternPixels,
  playing,
  taintedCanvas,
  TAINTS,
  toBlob,
  toCanvas,
  toImage,
} from './apis_support.js';

const pixels = patternPixels(120, 90);
const BOXES = [
  [10, 12, 60, 80],
  [50, 5.5, 118, 88],
  [-20, 30, 40, 200],
];
/** x, y and score of 17 keypoints as float32. */
const BYTES_PER_PERSON = 17 * 3 * 4;

let inferencer: Pose2DInferencer;

beforeAll(async () => {
  inferencer = await createNano({ backend: 'webgpu' });
});

afterAll(() => inferencer.dispose());
afterEach(() => vi.restoreAllMocks());

const keypoints = (sample: PoseDataSample) => [...sample.predInstances!.keypoints.data];

function deviceOf({ model }: Pose2DInferencer): GPUDevice {
  return (tf.findBackend(model.backend.name) as unknown as { device: GPUDevice }).device;
}

describe('one command buffer and one read per frame, of keypoints only,', () => {
  test.each([
    ['pixels', 1],
    ['an image', 3],
    ['a canvas', 2],
    ['a video', 1],
    ['pixels', 11],
  ])('from %s with %i persons', async (kind, count) => {
    const video = kind === 'a video' ? await playing(toCanvas(pixels)) : null;
    const source =
      video ??
      (kind === 'an image' ? await toImage(await toBlob(toCanvas(pixels))) : null) ??
      (kind === 'a canvas' ? toCanvas(pixels) : pixels);
    const bboxes = Array.from({ length: count }, (_, i) => [i * 3, i, i * 3 + 40, i + 50]);
    const device = deviceOf(inferencer);
    await inferencer.infer(source, { bboxes });
    const submits = vi.spyOn(device.queue, 'submit');
    const maps = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
    const canvases = vi.spyOn(OffscreenCanvasRenderingContext2D.prototype, 'getImageData');
    const before = readbackStats();
    const sample = await inferencer.infer(source, { bboxes });
    const after = readbackStats();
    expect(after.reads - before.reads).toBe(1);
    expect(after.bytes - before.bytes).toBe(count * BYTES_PER_PERSON);
    expect(submits.mock.calls.map(([buffers]) => [...buffers].length)).toEqual([1]);
    expect(maps.mock.calls).toEqual([[GPUMapMode.READ, 0, count * BYTES_PER_PERSON]]);
    const isReadHere = kind === 'an image' && !(await keepsStraightAlpha(device));
    expect(canvases).toHaveBeenCalledTimes(isReadHere ? 1 : 0);
    expect(sample.predInstances!.keypoints.shape).toEqual([count, 17, 2]);
    (video?.srcObject as MediaStream | undefined)?.getTracks().forEach((track) => track.stop());
  });
});

test('create compiles what the first call needs, says how far it is, and runs nothing that takes seconds', async () => {
  const stages: string[] = [];
  const maps = vi.spyOn(GPUBuffer.prototype, 'mapAsync');
  const own = await createNano({ backend: 'webgpu', warmup: true, onProgress: ({ stage }) => stages.push(stage) });
  expect(stages.at(-1)).toBe('compile');
  expect(own.backend.reason).toMatch(/compiled: \d+ dispatches/);
  expect(maps.mock.calls.filter(([, , bytes]) => bytes === BYTES_PER_PERSON)).toEqual([]);
  const compiles = vi.spyOn(deviceOf(own), 'createComputePipelineAsync');
  await own.infer(pixels, { bboxes: [BOXES[0]] });
  expect(compiles).not.toHaveBeenCalled();
  await own.dispose();
});

test('persons in several batches are those of each person alone', async () => {
  const bboxes = Array.from({ length: 11 }, (_, i) => [i * 3, i, i * 3 + 40, i + 50]);
  const all = await inferenceTopdown(inferencer.model, pixels, bboxes);
  for (const i of [0, 7, 8, 10]) {
    const [alone] = await inferenceTopdown(inferencer.model, pixels, [bboxes[i]]);
    expect(keypoints(alone)).toEqual(keypoints(all[i]));
  }
});

test('calls overlap, and each has its own picture and boxes; results come in order', async () => {
  const pictures = [pixels, patternPixels(80, 100, 'other'), patternPixels(120, 90, 'third')];
  const expected: number[][] = [];
  for (const [i, picture] of pictures.entries()) {
    expected.push(keypoints(await inferencer.infer(picture, { bboxes: BOXES.slice(0, i + 1) })));
  }
  const ended: number[] = [];
  let reading = 0;
  let most = 0;
  const mapAsync = GPUBuffer.prototype.mapAsync;
  vi.spyOn(GPUBuffer.prototype, 'mapAsync').mockImplementation(async function (this: GPUBuffer, ...args) {
    most = Math.max(most, ++reading);
    await mapAsync.apply(this, args);
    reading--;
  });
  const order = [0, 1, 2, 1, 0, 2];
  const calls = order.map((i, at) =>
    inferencer.infer(pictures[i], { bboxes: BOXES.slice(0, i + 1) }).finally(() => ended.push(at)),
  );
  for (const [at, call] of calls.entries()) expect(keypoints(await call)).toEqual(expected[order[at]]);
  expect(ended).toEqual([0, 1, 2, 3, 4, 5]);
  expect(most).toBe(2);
});

test('a stream with fixed boxes: newest frames in order, the next one issued while the last is read', async () => {
  const canvas = toCanvas(pixels);
  const video = await playing(canvas);
  const context = canvas.getContext('2d')!;
  const drawing = setInterval(() => context.fillRect(Math.random() * 100, Math.random() * 80, 5, 5), 10);
  const controller = new AbortController();
  const times: number[] = [];
  for await (const { metainfo } of inferencer.stream(video, { bboxes: [BOXES[0]], signal: controller.signal })) {
    times.push(metainfo.timestamp);
    if (times.length === 6) controller.abort();
  }
  clearInterval(drawing);
  (video.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
  expect(times.toSorted((a, b) => a - b)).toEqual(times);
  expect(new Set(times).size).toBe(6);
  // What was issued ahead and not asked for has ended, too.
  await inferencer.infer(pixels);
});

test('a call that fails does not disturb the one that is being read', async () => {
  const expected = keypoints(await inferencer.infer(pixels, { bboxes: [BOXES[0]] }));
  const calls = [BOXES[0], [5, 5, 5, 9], BOXES[0]].map((box) => inferencer.infer(pixels, { bboxes: [box] }));
  await expect(calls[1]).rejects.toThrow(/bboxes\[0\]/);
  expect(keypoints(await calls[0])).toEqual(expected);
  expect(keypoints(await calls[2])).toEqual(expected);
});

test('the picture is that of the moment when infer is called', async () => {
  const expected = keypoints(await inferencer.infer(pixels));
  const canvas = toCanvas(pixels);
  const frame = new VideoFrame(canvas, { timestamp: 0 });
  const bitmap = await createImageBitmap(canvas);
  const calls = [canvas, frame, bitmap, canvas].map((source) => inferencer.infer(source));
  frame.close();
  bitmap.close();
  canvas.getContext('2d')!.clearRect(0, 0, 120, 90);
  for (const call of calls) expect(keypoints(await call)).toEqual(expected);
});

test.runIf(TAINTS)('a picture of another origin is refused, and the next one is not', async () => {
  await expect(inferencer.infer(await taintedCanvas())).rejects.toMatchObject({
    code: 'InputError',
    message: expect.stringMatching(/comes from another origin.*CORS/),
  });
  await inferencer.infer(toCanvas(pixels));
});

test('heatmaps, which are read whole, and pictures too large for a texture', async () => {
  const sample = await inferencer.infer(pixels, { bboxes: BOXES, outputHeatmaps: true });
  expect(sample.predFields!.heatmaps.shape).toEqual([17, 90, 120]);
  const wide = { data: new Uint8Array(8200 * 40 * 3), width: 8200, height: 40, channels: 3 as const };
  wide.data.set(pixels.data.subarray(0, 3000));
  const box = [0, 0, 40, 40];
  const narrow = { ...wide, data: new Uint8Array(4100 * 40 * 3), width: 4100 };
  for (let y = 0; y < 40; y++) {
    narrow.data.set(wide.data.subarray(y * 8200 * 3, (y * 8200 + 4100) * 3), y * 4100 * 3);
  }
  const [a, b] = [await inferencer.infer(wide, { bboxes: [box] }), await inferencer.infer(narrow, { bboxes: [box] })];
  expect(keypoints(a)).toEqual(keypoints(b));
});

test('a device lost in mid-frame rejects the calls under way; the next call works on a rebuilt plan', async () => {
  const tensors = tf.engine().state.numTensors;
  const own = await createNano({ backend: 'webgpu' });
  const canvas = toCanvas(pixels);
  const before = await own.infer(canvas, { bboxes: BOXES });
  const device = deviceOf(own);
  const submitted = new Promise<void>((resolve) => {
    const { queue } = device;
    const submit = queue.submit.bind(queue);
    vi.spyOn(queue, 'submit').mockImplementation((buffers) => {
      submit(buffers);
      resolve();
    });
  });
  const pending = own.infer(canvas, { bboxes: BOXES });
  const next = own.infer(canvas, { bboxes: BOXES });
  const refused = [pending, next].map((call) => expect(call).rejects.toMatchObject({ code: 'BackendError' }));
  await submitted;
  device.destroy();
  await Promise.all(refused);
  // Firefox says so only when the GPU is done with what it had begun.
  await device.lost;
  const after = await own.infer(canvas, { bboxes: BOXES });
  expect(keypoints(after)).toEqual(keypoints(before));
  expect(deviceOf(own)).not.toBe(device);
  expect(before.predInstances!.keypointScores.data.some((score) => score !== 0)).toBe(true);
  await own.dispose();
  expect(tf.engine().state.numTensors).toBe(tensors);
});
