/** RTMDet against PyTorch's numbers (rtmdet_reference.py): raw outputs, and the boxes that come of them. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { inferenceDetector, initDetector } from '../../src/apis/detection.js';
import { Letterbox } from '../../src/apis/detector_config.js';
import type { PoseConfig } from '../../src/apis/model_config.js';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { buildDetector } from '../../src/models/detectors/build_detector.js';
import { namedParameters } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor4D } from '../../src/tf.js';
import { fnv1a } from '../golden/formula.js';
import { rtmdetConfig } from '../../models/rtmdet_configs.js';
import { CASES, checkBoxes, detectorWeights, pictureOf } from '../support/rtmdet.js';

describe('RTMDet', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  it.each(CASES)('$name: outputs and boxes', async (c) => {
    const before = backend.run(() => tf.memory().numTensors);
    const model = await initDetector(c.config, await detectorWeights(c), { backend });
    const { image } = model.letterbox.transform(pictureOf(c));
    const { inputs } = model.detector.dataPreprocessor.forward([image]);
    const output = backend.run(() =>
      tf.tidy(() => model.detector.forward(tf.tensor(inputs.data, inputs.shape as Tensor4D['shape']))),
    );
    const raw = await readTensor(output);
    output.dispose();
    expect(raw).toHaveLength(c.raw.length);
    for (const [i, expected] of c.raw.entries()) {
      expect(Math.abs(raw[i] - expected) / Math.max(1, Math.abs(expected))).toBeLessThan(2e-6);
    }
    checkBoxes((await inferenceDetector(model, pictureOf(c))).predInstances, c, 2e-3, 2e-5);
    await model.dispose();
    expect(backend.run(() => tf.memory().numTensors)).toBe(before);
  });

  it.each(CASES)('$name: parameters are named as in MMDetection', async (c) => {
    const detector = await buildDetector(c.config.model);
    const names = [...namedParameters(detector).keys()].sort();
    expect([names.length, fnv1a(names.join('\n'))]).toEqual(c.keys);
  });

  test('a higher threshold gives the same boxes, fewer of them', async () => {
    const [, c] = CASES;
    const model = await initDetector(c.config, await detectorWeights(c), { backend });
    const { predInstances } = await inferenceDetector(model, pictureOf(c), { scoreThr: c.scores[9] - 1e-4 });
    const n = predInstances.scores.shape[0];
    expect(n).toBeGreaterThanOrEqual(10);
    expect(n).toBeLessThan(c.scores.length);
    checkBoxes(predInstances, { ...c, scores: c.scores.slice(0, n), labels: c.labels.slice(0, n) }, 2e-3, 2e-5);
    await model.dispose();
  });

  // Parameters in millions, convolutions that levels share counted once, as MMDetection's README lists them.
  test.each([
    ['nano', 0.99], // of one class, and nothing in it is shared
    ['tiny', 4.8],
    ['s', 8.89],
    ['m', 24.71],
    ['l', 52.3],
    ['x', 94.86],
  ] as const)('RTMDet-%s has %s million parameters', async (size, millions) => {
    const detector = await buildDetector(rtmdetConfig(size).model);
    const shared = /bbox_head\.(cls|reg)_convs\.[12]\..*\.conv\.weight$/;
    let count = 0;
    for (const [name, { shape }] of namedParameters(detector)) {
      const isShared = size !== 'nano' && shared.test(name);
      if (!/running_/.test(name) && !isShared) count += shape.reduce((a, b) => a * b, 1);
    }
    expect(Math.abs(count / 1e6 - millions)).toBeLessThan(0.1);
  });
});

describe('errors', () => {
  const { config } = CASES[0];
  const model = config.model as Record<string, unknown>;
  const head = model.bbox_head as Record<string, unknown>;
  const withHead = (change: object) => ({ ...model, type: 'RTMDet', bbox_head: { ...head, ...change } });

  test.each([
    [{ ...model, type: 'TopdownPoseEstimator' }, /found "TopdownPoseEstimator", a pose estimator; expected a detector/],
    [{ ...model, type: 'YOLOX' }, /model\.type: "YOLOX" is not in DETECTORS/],
    [withHead({ type: 'YOLOXHead' }), /model\.bbox_head\.type: "YOLOXHead" is not in BBOX_HEADS/],
    [withHead({ num_classes: 0 }), /bbox_head\.num_classes: found 0; expected a whole number from 1/],
    [withHead({ use_depthwise: true }), /share_conv: found true with use_depthwise/],
    [withHead({ anchor_generator: { type: 'AnchorGenerator' } }), /anchor_generator\.type: found "AnchorGenerator"/],
    [withHead({ anchor_generator: { type: 'MlvlPointGenerator', strides: [[8, 4]] } }), /strides: found \[\[8,4\]\]/],
    [withHead({ bbox_coder: { type: 'TBLRBBoxCoder' } }), /bbox_coder\.type: found "TBLRBBoxCoder"/],
    [withHead({ width: 3 }), /model\.bbox_head: unknown key "width"/],
    [{ ...model, test_cfg: { nms: { type: 'soft_nms' } } }, /test_cfg\.nms\.type: found "soft_nms"; expected "nms"/],
    [{ ...model, test_cfg: { score_thr: 'high' } }, /test_cfg/],
  ])('model %#', async (node, message) => {
    await expect(buildDetector(node as never)).rejects.toThrow(message);
  });

  test('a detector where a pose model is expected', async () => {
    await expect(buildPoseEstimator(config.model)).rejects.toThrow(/found "RTMDet", a detector;.* detCheckpoint/);
  });

  const pipeline = (...test_pipeline: object[]) => new Letterbox({ ...config, test_pipeline } as PoseConfig, 32);
  const resize = { type: 'Resize', scale: [64, 64], keep_ratio: true };

  test.each([
    [[], /no test_pipeline with a Resize/],
    [[{ ...resize, scale: 64 }], /Resize\.scale: found 64; expected \[width, height\]/],
    [[{ ...resize, interpolation: 'area' }], /interpolation: found "area"/],
    [[resize, { type: 'Pad' }], /neither size nor size_divisor/],
    [[resize, { type: 'Pad', size: [64, 64], pad_val: { img: [1, 2] } }], /pad_val: found/],
  ])('pipeline %#', (steps, message) => {
    expect(() => pipeline(...steps)).toThrow(message);
  });

  test('an input that the network cannot take', () => {
    const frame = { data: new Uint8Array(40 * 30 * 3), width: 40, height: 30, channels: 3 as const };
    expect(() => pipeline(resize).transform(frame)).toThrow(/64 x 48 px; expected multiples of 32/);
    expect(() => pipeline(resize, { type: 'Pad', size: [32, 32] }).transform(frame)).toThrow(/at least that size/);
    expect(pipeline(resize, { type: 'Pad', size_divisor: 32 }).transform(frame).inputSize).toEqual([64, 64]);
  });
});
