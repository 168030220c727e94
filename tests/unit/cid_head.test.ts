/** CID's person-wise layers against MMPose's own code (cid_head_reference.py): the golden network saturates, and its persons are ties. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import type { KeypointCodec } from '../../src/codecs/base.js';
import { CIDHead } from '../../src/models/heads/heatmap_heads/cid_head.js';
import { parseTestCfg } from '../../src/models/test_cfg.js';
import { zeros, type NdArray } from '../../src/ndarray.js';
import { disposeModule, namedParameters, prepareModule, transpose } from '../../src/nn/module.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import * as tf from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import reference from './cid_head_reference.json';

const [K, C, GFD, H, W] = [3, 6, 4, 10, 12];

const sample = { metainfo: { inputSize: [48, 30], flipIndices: [0, 2, 1] } } as unknown as PoseDataSample;

/** Keeps what it is given. */
class Spy {
  heatmaps: NdArray | null = null;
  scores: NdArray | null = null;

  decode(heatmaps: NdArray, scores: NdArray) {
    Object.assign(this, { heatmaps, scores });
    return { keypoints: zeros([heatmaps.shape[0], K, 2]), scores: zeros([heatmaps.shape[0], K]) };
  }
}

function features(name: string): Float32Array {
  return transpose(uniform(name, [1, C, H, W], -1, 1).data, [1, C, H, W], [0, 2, 3, 1]).data;
}

describe('CIDHead', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  it.each(reference)('$testCfg', async ({ testCfg: config, ...expected }) => {
    const before = backend.run(() => tf.memory().numTensors);
    const spy = new Spy();
    const options = { type: 'CIDHead', in_channels: C, gfd_channels: GFD, num_keypoints: K };
    const head = new CIDHead(options, spy as unknown as KeypointCodec);
    for (const [name, parameter] of namedParameters(head)) {
      parameter.value = uniform(name, parameter.shape, -0.5, 0.5).data;
    }
    const testCfg = parseTestCfg(config);
    const given = [...features('feats'), ...(testCfg.flipTest ? features('mirrored') : [])];
    const tensors = backend.run(() => {
      prepareModule(head);
      const x = tf.tensor4d(given, [testCfg.flipTest ? 2 : 1, H, W, C]);
      const outputs = tf.tidy(() => head.predictTensors([x], [sample], testCfg));
      x.dispose();
      return outputs;
    });
    const outputs = await Promise.all(tensors.map(async (t) => ({ data: await readTensor(t), shape: t.shape })));
    const { keypoints } = await head.predictPicture({ outputs, sample, testCfg, backend });
    const near = (found: ArrayLike<number>, wanted: readonly number[]) => {
      expect(found.length).toBe(wanted.length);
      for (const [i, value] of wanted.entries()) expect(found[i]).toBeCloseTo(value, 4);
    };
    const size = H * W;
    const { data } = spy.heatmaps!;
    near(spy.scores!.data, expected.scores);
    near(
      Array.from({ length: data.length / size }, (_, i) =>
        data.subarray(i * size, (i + 1) * size).reduce((a, b) => a + b, 0),
      ),
      expected.sums,
    );
    near(data.subarray(0, K * size), expected.first);
    near(data.subarray(data.length - K * size), expected.last);
    near(keypoints.data.subarray(0, 2), expected.shift);
    backend.run(() => tf.dispose(tensors));
    disposeModule(head);
    expect(backend.run(() => tf.memory().numTensors)).toBe(before);
  });
});
