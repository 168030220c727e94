/** Both hands in space on the backends of a page, the head's outputs against MMPose's own, and a whole model on all of them. */
import { expect, test } from 'vitest';
import { createBackend, encodeSafetensors, Pose2DInferencer, type ConfigDict } from '../../src/index.js';
import { readTensor } from '../../src/backend/readback.js';
import { buildHead, buildPoseEstimator } from '../../src/models/builder.js';
import { disposeModule, namedParameters, prepareModule, transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import { expectClose, values } from '../unit/pose_lifter_cases.js';
import reference from '../unit/internet_head_reference.json';
import { keepBackend, NANO_CONFIG, patternPixels } from './apis_support.js';

for (const name of ['webgl', 'webgpu'] as const) keepBackend(name);

const { config, outputs } = reference.head;

function valueOf(name: string, shape: readonly number[]): Float32Array {
  const isScale = name.endsWith('running_var') || name.includes('deconv_layers.1.weight');
  return values(name, shape, isScale ? 0.5 : 0.6, isScale ? 1 : 0).data;
}

test.each(['wasm', 'webgl', 'webgpu'] as const)('%s: volumes, depth and type', async (name) => {
  const backend = await createBackend(name);
  const head = await buildHead(config as unknown as ConfigDict);
  for (const [path, parameter] of namedParameters(head)) {
    if (parameter.persistent) parameter.value = valueOf(path, parameter.shape);
  }
  backend.run(() => prepareModule(head));
  const found = backend.run(() => {
    const x = transpose(values('features', [2, 6, 3, 4]).data, [2, 6, 3, 4], [0, 2, 3, 1]).data;
    const tensors = tf.tidy(() => head.forward([tf.tensor4d(x, [2, 3, 4, 6])]));
    return { tensors, reads: tensors.map((tensor) => readTensor(tensor)) };
  });
  const [volumes, depth, type] = await Promise.all(found.reads);
  const { data } = transpose(volumes, found.tensors[0].shape as number[], [0, 3, 1, 2]);
  expectClose({ data, shape: outputs[0].shape }, outputs[0], 1e-4);
  expectClose({ data: depth, shape: [2, 1] }, outputs[1], 1e-4);
  expectClose({ data: type, shape: [2, 2] }, outputs[2], 1e-4);
  backend.run(() => {
    found.tensors.forEach((tensor) => tensor.dispose());
    disposeModule(head);
  });
  await backend.dispose();
});

test('a whole model, from the picture to keypoints with depth', async () => {
  const codec = { ...config.decoder, image_size: [64, 64], heatmap_size: [32, 32, 4] };
  const keypointHead = { ...config.keypoint_head_cfg, in_channels: 8 };
  const head = {
    ...config,
    keypoint_head_cfg: keypointHead,
    root_head_cfg: { ...config.root_head_cfg, in_channels: 8 },
    hand_type_head_cfg: { ...config.hand_type_head_cfg, in_channels: 8 },
    decoder: codec,
  };
  const { type, backbone } = NANO_CONFIG;
  const model = { type, backbone, head };
  const network = await buildPoseEstimator(model);
  const tensors = [...namedParameters(network)].map(([name, { shape }]) => {
    return [name, { dtype: 'float32' as const, shape, read: () => Promise.resolve(valueOf(name, shape)) }] as const;
  });
  const checkpoint = await encodeSafetensors(new Map(tensors));
  const step = { type: 'TopdownAffine', input_size: [64, 64] };
  const whole = { model, test_pipeline: [{ type: 'GetBBoxCenterScale' }, step] };
  const metainfo = {
    dataset_name: 'hands',
    keypoint_info: Object.fromEntries(
      [0, 1, 2, 3].map((id) => [id, { name: `k${id}`, id, color: [0, 0, 0], swap: '' }]),
    ),
    ...{ skeleton_info: {}, joint_weights: [1, 1, 1, 1], sigmas: [] },
  };
  const results = [];
  for (const backend of ['wasm', 'webgl', 'webgpu'] as const) {
    const options = { config: whole as unknown as ConfigDict, checkpoint, metainfo, backend, warmup: false };
    const inferencer = await Pose2DInferencer.create(options as never);
    const { predInstances } = await inferencer.infer(patternPixels(120, 90), { bboxes: [[10, 12, 60, 80]] });
    if (backend === 'webgpu') expect(inferencer.backend.reason).toMatch(/compiled: /);
    expect(predInstances!.keypoints.shape).toEqual([1, 4, 3]);
    expect(predInstances!.handType!.shape).toEqual([1, 2]);
    results.push(predInstances!);
    await inferencer.dispose();
  }
  for (const { keypoints, relRootDepth } of results.slice(1)) {
    expectClose(keypoints, { ...results[0].keypoints, data: [...results[0].keypoints.data] }, 1e-4);
    expectClose(relRootDepth!, { ...results[0].relRootDepth!, data: [...results[0].relRootDepth!.data] }, 1e-4);
  }
});
