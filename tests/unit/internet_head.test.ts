/** Both hands in space against MMPose's own codec and head (internet_head_reference.py), with a small network. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { buildCodec } from '../../src/codecs/index.js';
import type { ConfigDict } from '../../src/config.js';
import { buildHead } from '../../src/models/builder.js';
import { parseTestCfg } from '../../src/models/test_cfg.js';
import type { NdArray } from '../../src/ndarray.js';
import { disposeModule, namedParameters, prepareModule, transpose } from '../../src/nn/module.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import * as tf from '../../src/tf.js';
import { expectClose, values } from './pose_lifter_cases.js';
import reference from './internet_head_reference.json';

describe('Hand3DHeatmap', () => {
  test.each(reference.codecs)('encode: $people person(s)', async ({ config, people, encoded }) => {
    const codec = await buildCodec(config as unknown as ConfigDict);
    const [xy, depth] = [values('xy', [people, 4, 2], 14, 16), values('depth', [people, 4, 1], 230)];
    const keypoints = Float32Array.from({ length: 12 * people }, (_, i) => {
      return i % 3 === 2 ? depth.data[Math.floor(i / 3)] : xy.data[Math.floor(i / 3) * 2 + (i % 3)];
    });
    const seen = values('visible', [people, 4]);
    const visible = { data: seen.data.map((v) => (v > -0.5 ? 1 : 0)), shape: seen.shape };
    const labels = codec.encode({ data: keypoints, shape: [people, 4, 3] }, visible, {
      dataset_keypoint_weights: values('weights', [4], 1, 1.5),
      ...{ rel_root_depth: [90], rel_root_valid: [1], hand_type: [1, 0], hand_type_valid: [1] },
    });
    for (const [name, expected] of Object.entries(encoded)) expectClose(labels[name], expected, 1e-5);
  });

  it('says what is wrong', async () => {
    const [{ config }] = reference.codecs;
    const build = (more: object) => buildCodec({ ...config, ...more } as unknown as ConfigDict);
    await expect(build({ heatmap_size: [8, 6] })).rejects.toThrow(
      /heatmap_size: found \[8,6\]; expected \[width, height, depth\]/,
    );
    await expect(build({ sigma: 0 })).rejects.toThrow(/sigma: found 0/);
    const codec = await build({});
    expect(() => codec.encode(values('k', [1, 4, 3]))).toThrow(/rel_root_depth: found nothing/);
    expect(() => codec.decode(values('k', [7, 6, 8]), values('d', [1, 1]), values('t', [1, 2]))).toThrow(
      /found 7 planes/,
    );
  });
});

describe('InternetHead', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  const { config, outputs, preds, parameters } = reference.head;

  /** [N, h, w, C] */
  const features = () =>
    tf.tensor4d(transpose(values('features', [2, 6, 3, 4]).data, [2, 6, 3, 4], [0, 2, 3, 1]).data, [2, 3, 4, 6]);

  it('gives volumes, depth and type of the hands as MMPose does', async () => {
    const head = await buildHead(config as unknown as ConfigDict);
    const stored = [...namedParameters(head)].filter(([, { persistent }]) => persistent);
    expect(stored.map(([name, { shape }]) => [name, [...shape]]).sort()).toEqual([...parameters].sort());
    for (const [name, parameter] of stored) {
      const isScale = name.endsWith('running_var') || name.includes('deconv_layers.1.weight');
      parameter.value = values(name, parameter.shape, isScale ? 0.5 : 0.6, isScale ? 1 : 0).data;
    }
    backend.run(() => prepareModule(head));
    const raw = backend.run(() => tf.tidy(() => head.forward([features()])));
    const arrays: NdArray[] = [];
    for (const tensor of raw) arrays.push({ data: await readTensor(tensor), shape: tensor.shape });
    // [N, H, W, K d] -> [N, K d, H, W], which is MMPose's [N, K, d, H, W].
    const volumes = transpose(arrays[0].data, arrays[0].shape as number[], [0, 3, 1, 2]);
    expectClose({ data: volumes.data, shape: outputs[0].shape }, outputs[0], 1e-5);
    expectClose(arrays[1], outputs[1], 1e-5);
    expectClose(arrays[2], outputs[2], 1e-5);
    const samples = [{}, {}] as PoseDataSample[];
    const predictions = await backend.run(() => {
      const x = features();
      const predicted = head.predict([x], samples, parseTestCfg(null));
      x.dispose();
      return predicted;
    });
    predictions.forEach(({ keypoints, keypointScores, columns }, i) => {
      expectClose(keypoints, preds[i].keypoints);
      expectClose(keypointScores, preds[i].scores, 1e-5);
      expectClose(columns!.relRootDepth!, { ...preds[i].relRootDepth, shape: [1, 1] }, 1e-5);
      expectClose(columns!.handType!, preds[i].handType);
    });
    const flipped = [0, 1].map(() => ({ metainfo: { flipIndices: [2, 3, 0, 1] } }) as unknown as PoseDataSample);
    const mirror = parseTestCfg({ flip_test: true });
    expect(() => backend.run(() => tf.tidy(() => head.predictTensors([features()], flipped, mirror)))).toThrow(
      /flip_test/,
    );
    backend.run(() => {
      raw.forEach((tensor) => tensor.dispose());
      disposeModule(head);
    });
  });
});
