/** Pose lifting against MMPose's own codecs, sequences and PoseLifter (pose_lifter_reference.py), with a small network. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { inferencePoseLifterModel } from '../../src/apis/pose_lifting.js';
import { Pose3DInferencer, type LiftedPoses } from '../../src/apis/inferencers/pose3d_inferencer.js';
import { collatePoseSequence, convertKeypointDefinition, extractPoseSequence } from '../../src/apis/pose_sequences.js';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { buildCodec } from '../../src/codecs/index.js';
import type { ConfigDict } from '../../src/config.js';
import { loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import type { PoseMetaInfo } from '../../src/datasets/metainfo/types.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import type { NdArray } from '../../src/ndarray.js';
import { namedParameters } from '../../src/nn/module.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import * as tf from '../../src/tf.js';
import { expectClose, frameOf, loadLifter, values, smallLifter } from './pose_lifter_cases.js';
import reference from './pose_lifter_reference.json';

function binary({ data, shape }: NdArray, threshold: number): NdArray {
  return { data: data.map((v) => (v > threshold ? 1 : 0)), shape };
}

describe('codecs', () => {
  test.each(reference.codecs.map((c) => [c.config.type, JSON.stringify(c.config).slice(0, 90), c] as const))(
    '%s %s',
    async (_type, _config, { config, frames, encoded, decoded, relative }) => {
      const codec = await buildCodec(config as unknown as ConfigDict);
      const k = config.num_keypoints;
      const labels = codec.encode(
        values('keypoints', [frames, k, 2], 90, 100),
        binary(values('visible', [frames, k]), -0.5),
        {
          lifting_target: values('target', [1, k, 3]),
          lifting_target_visible: binary(values('seen', [1, k, 1]), 0),
          img_shape: [150, 200],
        },
      );
      for (const [name, expected] of Object.entries(encoded)) expectClose(labels[name], expected);
      const [, poses, columns] = relative.shape;
      const pose = values('pose', [1, poses, columns]);
      expectClose(codec.decode(pose, values('root', [1, 3])).keypoints, decoded);
      expectClose(codec.decode(pose).keypoints, relative);
    },
  );

  test.each(reference.motionbert.map((c) => [JSON.stringify(c.config), c] as const))(
    '%s',
    async (_config, { config, frames, encoded, moved, plain }) => {
      const codec = await buildCodec(config as unknown as ConfigDict);
      const k = config.num_keypoints;
      const labels = codec.encode(
        values('keypoints', [frames, k, 2], 90, 100),
        binary(values('visible', [frames, k]), -0.5),
        {
          lifting_target: values('target', [frames, k, 3]),
          lifting_target_visible: binary(values('seen', [frames, k, 1]), 0),
          img_shape: [150, 200],
        },
      );
      for (const [name, expected] of Object.entries(encoded)) expectClose(labels[name], expected);
      const poses = values('poses', [frames, k, 3], 100);
      const one = (value: number): NdArray => ({ data: Float32Array.of(value), shape: [1] });
      expectClose(codec.decode(poses, one(200), one(150), one(4)).keypoints, moved);
      expectClose(codec.decode(poses).keypoints, plain);
      expect(() => codec.decode(poses, values('w', [7]), values('h', [7]))).toThrow(/w: found 7 numbers/);
    },
  );

  it('says what is wrong', async () => {
    const build = (config: object) => buildCodec({ type: 'VideoPoseLifting', num_keypoints: 5, ...config });
    await expect(build({ root_index: 5 })).rejects.toThrow(/root_index: found 5; expected keypoints from 0 to 4/);
    await expect(build({ num_keypoints: 0 })).rejects.toThrow(/num_keypoints: found 0/);
    const codec = await build({});
    const keypoints = values('keypoints', [1, 5, 2]);
    expect(() => codec.encode(keypoints)).toThrow(/lifting_target/);
    expect(() => codec.encode(keypoints, undefined, { lifting_target: values('target', [1, 5, 3]) })).toThrow(
      /img_shape/,
    );
    expect(() => codec.decode(values('pose', [2, 5, 3]), values('root', [3, 3]))).toThrow(
      /target_root: found shape \[3, 3\]/,
    );
    const image = {
      type: 'ImagePoseLifting',
      num_keypoints: 2,
      keypoints_mean: [
        [1, 2],
        [3, 4],
      ],
      keypoints_std: [[1, 1]],
    };
    await expect(buildCodec(image)).rejects.toThrow(/keypoints_mean, _std: found 4 and 2 numbers/);
  });
});

describe('sequences', () => {
  test.each(Object.entries(reference.conversions))('%s to h36m', (name, expected) => {
    const k = { aic: 14, crowdpose: 14 }[name] ?? 17;
    expectClose(convertKeypointDefinition(values(name, [2, k, 3], 100), name), expected);
  });

  it('knows no other definitions', () => {
    expect(() => convertKeypointDefinition(values('x', [1, 17, 2]), 'mpii')).toThrow(/found "mpii" to "h36m"/);
  });

  test.each(reference.sequences)(
    'of $seqLen frames round frame $frameIdx',
    ({ frames, frameIdx, found, ...options }) => {
      const samples = Array.from({ length: frames }, (_, i) => ({ metainfo: { timestamp: i } }) as PoseDataSample);
      const sequence = extractPoseSequence(samples, frameIdx, options);
      expect(sequence.map(({ metainfo }) => metainfo.timestamp)).toEqual(found);
    },
  );

  it('repeats the last pose before a gap, on both sides', () => {
    const at = (frame: number, ids: readonly number[]) => {
      const sample = frameOf(0);
      const keypoints = Float32Array.from(ids.flatMap((id) => Array<number>(34).fill(10 * id + frame)));
      const trackIds = { data: Int32Array.from(ids), shape: [ids.length] };
      return {
        ...sample,
        predInstances: {
          ...sample.predInstances!,
          keypoints: { data: keypoints, shape: [ids.length, 17, 2] },
          trackIds,
        },
      };
    };
    const frames = [at(0, [1, 2]), at(1, [2]), at(2, [2, 1]), at(3, [1, 2]), at(4, [1]), at(5, [1, 2])];
    const sequences = collatePoseSequence(frames, 3, true);
    const firsts = sequences.map(({ keypoints }) => [...keypoints.data].filter((_, i) => i % 34 === 0));
    expect(firsts).toEqual([
      [12, 12, 12, 13, 14, 15],
      [20, 21, 22, 23, 23, 23],
    ]);
  });
});

describe('PoseLifter', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  test.each(reference.lifted)('$name: parameters', async ({ config, parameters }) => {
    const network = await buildPoseEstimator(config as ConfigDict);
    const stored = [...namedParameters(network)].filter(([, { persistent }]) => persistent);
    expect(stored.map(([name, { shape }]) => [name, [...shape]]).sort()).toEqual([...parameters].sort());
  });

  test.each(reference.lifted)('$name', async ({ config, frames, withTrackId, normPose2d, keypoints }) => {
    const before = backend.run(() => tf.memory().numTensors);
    const model = await loadLifter(config, backend);
    const people = await inferencePoseLifterModel(model, frames.map(frameOf), { withTrackId, normPose2d });
    expect(people).toHaveLength(keypoints.length);
    people.forEach(({ predInstances }, i) => {
      expectClose(predInstances!.keypoints, keypoints[i], 1e-5);
      const target = frames[config.backbone.causal ? frames.length - 1 : Math.floor(frames.length / 2)];
      expect(predInstances!.trackIds!.data).toEqual(Int32Array.of(reference.people[target][i]));
      expect(predInstances!.keypointScores.shape).toEqual([1, 17]);
    });
    await model.dispose();
    expect(backend.run(() => tf.memory().numTensors)).toBe(before);
  });

  it('says what is wrong', async () => {
    const [{ config }] = reference.lifted;
    const model = await loadLifter(config, backend);
    await expect(inferencePoseLifterModel(model, [])).rejects.toThrow(/found no frames/);
    await expect(inferencePoseLifterModel(model, [frameOf(0)])).rejects.toThrow(/receptive field/);
    await expect(
      inferencePoseLifterModel(
        model,
        Array.from({ length: 11 }, () => frameOf(0)),
      ),
    ).rejects.toThrow(/found 3 poses for a sequence of 11 frames/);
    const frames = [...Array.from({ length: 8 }, () => frameOf(0)), frameOf(2)];
    await expect(inferencePoseLifterModel(model, frames, { withTrackId: false })).rejects.toThrow(
      /found 1 persons in frame 8; expected 2/,
    );
    await model.dispose();
    await expect(inferencePoseLifterModel(model, frames)).rejects.toThrow(/used after dispose/);
    const flipped = await loadLifter({ ...config, test_cfg: { flip_test: true } }, backend);
    await expect(inferencePoseLifterModel(flipped, frames)).rejects.toThrow(/flip_test/);
    await flipped.dispose();
  });
});

describe('Pose3DInferencer', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  const { keypoints, aroundPelvis } = reference.inferencer;

  /** The frames of the reference as a 2-D model would give them. */
  function pose2dOf(metainfo: PoseMetaInfo) {
    return {
      metainfo,
      backend: { name: 'cpu' as const, reason: 'asked for' },
      infer: () => Promise.resolve(frameOf(4)),
      async *stream() {
        for (let frame = 0; frame < 5; frame++) yield Promise.resolve(frameOf(frame));
      },
      dispose: () => Promise.reject(new Error('found the 2-D model disposed; expected it to outlive the inferencer')),
    };
  }

  async function create(metainfo: PoseMetaInfo) {
    return Pose3DInferencer.create({
      ...(await smallLifter()),
      pose2d: pose2dOf(metainfo),
      backend,
    });
  }

  it('follows people through a stream, as MMPose does', async () => {
    const inferencer = await create(await loadPoseMetainfo('coco'));
    for (const [rebaseKeypointHeight, expected] of [
      [true, keypoints],
      [false, aroundPelvis],
    ] as const) {
      const frames: LiftedPoses[] = [];
      for await (const lifted of inferencer.stream(null as never, { rebaseKeypointHeight })) frames.push(lifted);
      expect(frames).toHaveLength(5);
      const { pose2d, pose3d } = frames[4];
      expectClose(pose3d.predInstances!.keypoints, expected, 1e-5);
      expect(pose3d.predInstances!.trackIds).toEqual(pose2d.predInstances!.trackIds);
      expect(pose2d.predInstances!.keypoints.shape).toEqual([3, 17, 2]);
    }
    await inferencer.dispose();
  });

  it('says what is wrong', async () => {
    await expect(create(await loadPoseMetainfo('mpii'))).rejects.toThrow(/found "mpii" to "h36m"/);
  });
});
