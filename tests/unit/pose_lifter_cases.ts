/** What the tests of pose lifting share: values of the reference (pose_lifter_reference.py), its frames, and its networks. */
import { expect } from 'vitest';
import { normalizeConfig } from '../../src/apis/model_config.js';
import { PoseModel } from '../../src/apis/pose_model.js';
import type { Backend } from '../../src/backend/init.js';
import { encodeSafetensors } from '../../src/checkpoint/index.js';
import type { ConfigDict } from '../../src/config.js';
import { loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { zeros, type NdArray } from '../../src/ndarray.js';
import { namedParameters, prepareModule } from '../../src/nn/module.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import { uniform } from '../golden/formula.js';
import reference from './pose_lifter_reference.json';

export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export function expectClose(
  found: NdArray<Float32Array | Float64Array | Int32Array>,
  expected: Plain,
  tolerance = 1e-6,
): void {
  expect(found.shape).toEqual(expected.shape);
  const largest = Math.max(1, ...expected.data.map(Math.abs));
  const worst = Math.max(0, ...expected.data.map((v, i) => Math.abs(v - found.data[i])));
  expect(worst / largest).toBeLessThan(tolerance);
}

export function values(name: string, shape: readonly number[], scale = 1, offset = 0): NdArray {
  const { data } = uniform(name, shape, -1, 1);
  return { data: data.map((v) => offset + scale * v), shape };
}

/** A frame of the reference: its persons' keypoints follow from their ids. */
export function frameOf(index: number): PoseDataSample {
  const ids = reference.people[index];
  const people = ids.map((id) => values(`person ${id} frame ${index}`, [1, 17, 2], 100, 300).data);
  const keypoints = { data: Float32Array.from(people.flatMap((p) => [...p])), shape: [ids.length, 17, 2] };
  const scores = { data: new Float32Array(ids.length * 17).fill(1), shape: [ids.length, 17] };
  const boxes = people.flatMap((person) => {
    const [x, y] = [0, 1].map((axis) => person.filter((_, i) => i % 2 === axis));
    return [Math.min(...x) - 5, Math.min(...y) - 5, Math.max(...x) + 5, Math.max(...y) + 5];
  });
  return {
    metainfo: {
      imgShape: [480, 640],
      timestamp: index,
      inputCenter: zeros([ids.length, 2]),
      inputScale: zeros([ids.length, 2]),
    } as unknown as PoseDataSample['metainfo'],
    predInstances: {
      bboxes: { data: Float32Array.from(boxes), shape: [ids.length, 4] },
      bboxScores: { data: new Float32Array(ids.length).fill(1), shape: [ids.length] },
      keypoints,
      keypointScores: scores,
      keypointsVisible: scores,
      trackIds: { data: Int32Array.from(ids), shape: [ids.length] },
    },
  };
}

/** A network of the reference, with its weights. */
export async function loadLifter(config: unknown, backend: Backend): Promise<PoseModel> {
  const network = await buildPoseEstimator(config as ConfigDict);
  for (const [name, parameter] of namedParameters(network)) {
    if (!parameter.persistent) continue;
    const isScale = name.endsWith('running_var') || name.includes('.bn.weight');
    parameter.value = values(name, parameter.shape, isScale ? 0.5 : 0.3, isScale ? 1 : 0).data;
  }
  backend.run(() => prepareModule(network));
  const metainfo = await loadPoseMetainfo('h36m');
  return new PoseModel({
    network,
    config: normalizeConfig(config, 'config'),
    metainfo,
    backend,
    ownsBackend: false,
    notices: [],
  });
}

/** The network of the reference's inferencer, as options of `Pose3DInferencer`. */
export async function smallLifter() {
  const model = reference.inferencer.config as ConfigDict;
  const tensors = new Map(
    [...namedParameters(await buildPoseEstimator(model))].map(([name, { shape }]) => {
      const isScale = name.endsWith('running_var') || name.includes('.bn.weight');
      const { data } = values(name, shape, isScale ? 0.5 : 0.3, isScale ? 1 : 0);
      return [name, { name, dtype: 'float32' as const, shape, read: () => Promise.resolve(data) }];
    }),
  );
  return { config: { model, dataset_type: 'Human36mDataset' }, checkpoint: await encodeSafetensors(tensors) };
}
