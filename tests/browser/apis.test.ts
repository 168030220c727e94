/** initModel, inferenceTopdown and Pose2DInferencer on a small network: results, queue, errors, stream. */
import { afterEach, describe, expect, test } from 'vitest';
import { readbackStats } from '../../src/backend/readback.js';
import { inferenceTopdown, initModel, type Pose2DInferencer, type PoseDataSample } from '../../src/index.js';
import { createNano, createTiny, patternPixels, playing, TINY_CONFIG, TINY_WEIGHTS, toCanvas } from './apis_support.js';

const pixels = patternPixels(120, 90);
const BOXES = [
  [10, 12, 60, 80],
  [50, 5.5, 118, 88],
  [-20, 30, 40, 200],
];
const open: Pose2DInferencer[] = [];

afterEach(async () => {
  for (const inferencer of open.splice(0)) await inferencer.dispose();
});

async function create(...args: Parameters<typeof createTiny>): Promise<Pose2DInferencer> {
  const inferencer = await createTiny({ backend: 'wasm', ...args[0] });
  open.push(inferencer);
  return inferencer;
}

const keypoints = (sample: PoseDataSample) => [...sample.predInstances!.keypoints.data];

describe('results', () => {
  test('one sample per box, in order, equal to each box alone; one read per batch', async () => {
    const { model } = await create();
    const before = readbackStats();
    const all = await inferenceTopdown(model, pixels, BOXES);
    expect(readbackStats().reads - before.reads).toBe(1);
    expect(all).toHaveLength(3);
    for (const [i, box] of BOXES.entries()) {
      const [alone] = await inferenceTopdown(model, pixels, [box]);
      expect(keypoints(alone)).toEqual(keypoints(all[i]));
      expect([...all[i].predInstances!.bboxes.data]).toEqual(box);
      expect(all[i].predInstances!.keypoints.shape).toEqual([1, 17, 2]);
      expect(all[i].metainfo.imgShape).toEqual([90, 120]);
    }
  });

  test('more persons than one batch holds', async () => {
    const { model } = await create();
    const boxes = Array.from({ length: 11 }, (_, i) => [i * 3, i, i * 3 + 40, i + 50]);
    const all = await inferenceTopdown(model, pixels, boxes);
    const [last] = await inferenceTopdown(model, pixels, [boxes[10]]);
    expect(keypoints(all[10])).toEqual(keypoints(last));
  });

  test('xywh, scores, arrays and lists are the same boxes', async () => {
    const { model } = await create();
    const [expected] = await inferenceTopdown(model, pixels, [[10, 12, 60, 80]]);
    const asXywh = await inferenceTopdown(model, pixels, [[10, 12, 50, 68]], { bboxFormat: 'xywh' });
    const array = { data: Float32Array.of(10, 12, 60, 80, 0.5), shape: [1, 5] };
    const [scored] = await inferenceTopdown(model, pixels, array);
    expect(keypoints(asXywh[0])).toEqual(keypoints(expected));
    expect(keypoints(scored)).toEqual(keypoints(expected));
    expect(scored.predInstances!.bboxScores.data[0]).toBe(0.5);
  });

  test('no boxes: the whole picture; an empty list: nobody', async () => {
    const inferencer = await create();
    const whole = await inferencer.infer(pixels);
    expect([...whole.predInstances!.bboxes.data]).toEqual([0, 0, 120, 90]);
    const nobody = await inferencer.infer(pixels, { bboxes: [], timestamp: 40 });
    expect(nobody.predInstances!.keypoints.shape).toEqual([0, 17, 2]);
    expect(nobody.metainfo).toMatchObject({ imgShape: [90, 120], timestamp: 40 });
    expect(await inferenceTopdown(inferencer.model, pixels, [])).toEqual([]);
  });

  test('infer joins persons; flip test and heatmaps can be chosen per call', async () => {
    const inferencer = await create();
    const flipped = await inferencer.infer(pixels, { bboxes: BOXES });
    const plain = await inferencer.infer(pixels, { bboxes: BOXES, flipTest: false, outputHeatmaps: true });
    expect(flipped.predInstances!.keypoints.shape).toEqual([3, 17, 2]);
    expect(keypoints(plain)).not.toEqual(keypoints(flipped));
    expect(plain.predFields!.heatmaps.shape).toEqual([17, 90, 120]);
    expect(flipped.predFields).toBeUndefined();
    expect(keypoints(await inferencer.infer(pixels, { bboxes: BOXES }))).toEqual(keypoints(flipped));
    const { frame, crop, network, read, decode, total } = inferencer.timings;
    expect(Math.min(frame, crop, network, read, decode)).toBeGreaterThanOrEqual(0);
    expect(total).toBeGreaterThan(0);
    expect(inferencer.backend).toEqual({ name: 'wasm', reason: 'wasm: asked for' });
  });

  test("keypoints that MMPose's arithmetic cannot find (NaN) come out as score 0", async () => {
    // Without weights all maps are zero, and UDP's blur divides zero by zero.
    const decoder = { type: 'UDPHeatmap', input_size: [64, 64], heatmap_size: [16, 16], sigma: 2 };
    const config = { ...TINY_CONFIG, head: { ...TINY_CONFIG.head, decoder } };
    const inferencer = await create({ config, checkpoint: null });
    const { predInstances } = await inferencer.infer(pixels, { bboxes: [BOXES[0]] });
    for (const name of ['keypoints', 'keypointScores', 'keypointsVisible'] as const) {
      expect(
        predInstances![name].data.every((v) => v === 0),
        name,
      ).toBe(true);
    }
  });

  test.each(['webgl', 'webgpu'] as const)('%s agrees with wasm, also where its batch is padded', async (backend) => {
    const [gpu, wasm] = [await createNano({ backend }), await createNano({ backend: 'wasm' })];
    open.push(gpu, wasm);
    const [a, b] = [await gpu.infer(pixels, { bboxes: BOXES }), await wasm.infer(pixels, { bboxes: BOXES })];
    const scores = [a, b].map((sample) => sample.predInstances!.keypointScores.data);
    expect(scores[0]).toHaveLength(51);
    for (let i = 0; i < 51; i++) expect(Math.abs(scores[0][i] - scores[1][i])).toBeLessThan(1e-3);
  });
});

describe('loading', () => {
  test('reports progress; says when COCO had to be assumed', async () => {
    const stages = new Set<string>();
    let last = 0;
    const inferencer = await create({
      onProgress: ({ stage, loaded, total }) => {
        stages.add(stage);
        if (stage === 'weights') last = loaded / total;
      },
    });
    expect([...stages]).toEqual(['download', 'weights']);
    expect(last).toBe(1);
    expect(inferencer.metainfo.keypointId2name[0]).toBe('nose');
    for (const notice of inferencer.notices) expect(notice).toMatch(/COCO is assumed/);
  });

  test('a shared backend outlives the model', async () => {
    const first = await create();
    const second = await create({ backend: first.model.backend });
    await second.dispose();
    await first.infer(pixels);
  });

  test.each([0, 1, 30])('an abort after %s steps rejects with its reason', async (steps) => {
    const controller = new AbortController();
    const reason = new Error('enough');
    let seen = 0;
    if (steps === 0) controller.abort(reason);
    const loading = createTiny({
      signal: controller.signal,
      onProgress: () => {
        if (++seen === steps) controller.abort(reason);
      },
    });
    await expect(loading).rejects.toBe(reason);
  });

  test('errors name what is wrong', async () => {
    const head = { ...TINY_CONFIG.head, in_channels: 9 };
    const cases: [() => Promise<unknown>, RegExp][] = [
      [() => initModel({ ...TINY_CONFIG, head }, TINY_WEIGHTS), /Mismatched shapes[^]*head\.final_layer\.weight/],
      [() => initModel({ ...TINY_CONFIG, bakcbone: {} }, TINY_WEIGHTS), /unknown key "bakcbone"/],
      [() => initModel(TINY_CONFIG, TINY_WEIGHTS, { metainfo: 'halpe26' }), /17 outputs.*26 keypoints/],
      [() => initModel(TINY_CONFIG, TINY_WEIGHTS, { metainfo: 'cooc' }), /Did you mean "coco"/],
      [() => initModel(TINY_CONFIG, TINY_WEIGHTS, { backend: 'webgp' as 'webgpu' }), /Did you mean "webgpu"/],
      [() => initModel(TINY_CONFIG, '/no/such/file.pth'), /no\/such\/file\.pth/],
      [() => initModel('/no/such/config.json', TINY_WEIGHTS), /no\/such\/config\.json: .*config/],
      [() => initModel({ nothing: 1 }, TINY_WEIGHTS), /expected an MMPose config as JSON/],
      [() => initModel(null, null), /config: found none/],
      [() => initModel(TINY_CONFIG, TINY_WEIGHTS, { device: 'cuda' } as object), /unknown key "device"/],
    ];
    for (const [load, message] of cases) await expect(load()).rejects.toThrow(message);
  });
});

describe('calls', () => {
  test('queue in order; one that fails does not stop the next', async () => {
    const inferencer = await create();
    const ended: number[] = [];
    const calls = [0, 1, 2, 3].map((i) =>
      inferencer
        .infer(pixels, { bboxes: i === 1 ? [[5, 5, 5, 9]] : [BOXES[0]] })
        .finally(() => ended.push(i))
        .catch((error: Error) => error.message),
    );
    const results = await Promise.all(calls);
    expect(ended).toEqual([0, 1, 2, 3]);
    expect(results[1]).toMatch(/bboxes\[0\]/);
    expect(results[3]).toEqual(results[0]);
  });

  test('the picture is read when infer is called', async () => {
    const inferencer = await create();
    const expected = keypoints(await inferencer.infer(pixels));
    const canvas = toCanvas(pixels);
    const calls = [inferencer.infer(canvas), inferencer.infer(canvas)];
    canvas.getContext('2d')!.clearRect(0, 0, 120, 90);
    for (const call of calls) expect(keypoints(await call)).toEqual(expected);
  });

  test('dispose rejects running, waiting and later calls, and can be called twice', async () => {
    const inferencer = await create();
    const running = [inferencer.infer(pixels), inferencer.infer(pixels)];
    const gone = inferencer.dispose();
    for (const call of [...running, inferencer.infer(pixels)]) {
      await expect(call).rejects.toMatchObject({ code: 'BackendError', message: expect.stringContaining('dispose') });
    }
    await gone;
    await inferencer.dispose();
  });

  test('an abort rejects its own call only', async () => {
    const inferencer = await create();
    const controller = new AbortController();
    const calls = [inferencer.infer(pixels), inferencer.infer(pixels, { signal: controller.signal })];
    controller.abort(new Error('enough'));
    await expect(calls[1]).rejects.toThrow('enough');
    await calls[0];
    await inferencer.infer(pixels);
  });

  const badBoxes: [string, unknown, RegExp][] = [
    ['zero width', [BOXES[0], [30, 10, 30, 50]], /bboxes\[1\]: found \[30, 10, 30, 50\].*a width and a height above 0/],
    ['upside down', [[30, 50, 60, 10]], /bboxes\[0\].*above 0/],
    ['NaN', [[NaN, 0, 5, 5]], /bboxes\[0\].*finite/],
    ['infinite', [[0, 0, Infinity, 5]], /bboxes\[0\].*finite/],
    ['outside', [[130, 0, 150, 20]], /bboxes\[0\].*overlaps the picture. Picture: 120 x 90 px/],
    ['three numbers', [[1, 2, 3]], /4 numbers/],
    ['a flat list', [1, 2, 3, 4], /expected a list of boxes/],
    ['a wrong shape', { data: new Float32Array(6), shape: [2, 3] }, /bboxes\[0\].*4 numbers/],
  ];
  test.each(badBoxes)('a box with %s is an InputError that names the row', async (_, bboxes, message) => {
    const inferencer = await create();
    const call = inferencer.infer(pixels, { bboxes: bboxes as number[][] });
    await expect(call).rejects.toMatchObject({ code: 'InputError', message: expect.stringMatching(message) });
  });
});

describe('stream', () => {
  async function collect(hideCallbacks: boolean): Promise<PoseDataSample[]> {
    const inferencer = await create();
    const canvas = toCanvas(pixels);
    const video = await playing(canvas);
    if (hideCallbacks) Object.defineProperty(video, 'requestVideoFrameCallback', { value: undefined });
    const context = canvas.getContext('2d')!;
    const drawing = setInterval(() => context.fillRect(Math.random() * 100, Math.random() * 80, 5, 5), 20);
    const controller = new AbortController();
    const samples: PoseDataSample[] = [];
    for await (const sample of inferencer.stream(video, { bboxes: [BOXES[0]], signal: controller.signal })) {
      samples.push(sample);
      if (samples.length === 3) controller.abort();
    }
    clearInterval(drawing);
    (video.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
    return samples;
  }

  test.each([false, true])(
    'gives the newest frames until it is aborted (frame callbacks missing: %s)',
    async (hide) => {
      const samples = await collect(hide);
      expect(samples).toHaveLength(3);
      const times = samples.map(({ metainfo }) => metainfo.timestamp);
      expect(times.toSorted((a, b) => a - b)).toEqual(times);
      expect(new Set(times).size).toBe(3);
    },
  );

  test('rejects when the inferencer is disposed', async () => {
    const inferencer = await create();
    const video = await playing(toCanvas(pixels));
    const consume = async () => {
      for await (const sample of inferencer.stream(video)) {
        expect(sample.predInstances).toBeDefined();
        void inferencer.dispose();
      }
    };
    await expect(consume()).rejects.toMatchObject({ code: 'BackendError' });
    (video.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
  });
});
