/**
 * The benchmark's ONNX export, run by onnxruntime-web's wasm build, against the numbers that MMPose gave for the same weights: a
 * peer that got another network would be no comparison.
 */
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-web';
import { expect, test } from 'vitest';
import { loadNetwork, personOf } from '../../bench/network.js';
import { exportOnnx } from '../../bench/onnx/export.js';
import { createBackend } from '../../src/backend/init.js';
import type { Graph } from '../../src/jit/graph.js';
import { trace } from '../../src/jit/trace.js';
import type { NdArray } from '../../src/ndarray.js';
import { prepareModule } from '../../src/nn/module.js';
import type { Tensor4D } from '../../src/tf.js';
import { networkTolerance } from '../golden/tolerances.js';

const FIXTURES = new URL('../fixtures/golden/models/', import.meta.url);

async function exported(fixture: string, persons: number) {
  const read = async (name: string) => new Uint8Array(await readFile(fileURLToPath(new URL(name, FIXTURES))));
  const network = await loadNetwork(fixture, { fixture, size: [64, 64] }, read);
  const backend = await createBackend('cpu');
  const estimator = await network.load();
  try {
    backend.run(() => prepareModule(estimator));
    const [h, w] = network.recordedSize;
    const graph = await trace([persons, h, w, 3], (x) => estimator.forward(x as Tensor4D));
    return { network, graph, bytes: exportOnnx(graph), input: network.input(persons, network.recordedSize) };
  } finally {
    estimator.dispose();
    await backend.dispose();
  }
}

async function run(bytes: Uint8Array, { data, shape }: NdArray): Promise<NdArray[]> {
  ort.env.wasm.numThreads = 1;
  const session = await ort.InferenceSession.create(bytes);
  try {
    const results = await session.run({ [session.inputNames[0]]: new ort.Tensor('float32', data, [...shape]) });
    return session.outputNames.map((name) => ({
      data: results[name].data as Float32Array,
      shape: results[name].dims,
    }));
  } finally {
    await session.release();
  }
}

test.each([
  // Residual blocks, exchange units, nearest up-sampling.
  ['hrnet_tiny', 1],
  // Transposed convolutions.
  ['resnet18_deconv', 1],
  // Depthwise, squeeze and excite, channel shuffle, bilinear resizing.
  ['litehrnet18_64', 2],
  // Attention, layer scale, SimCC.
  ['rtmpose_t_face6_64', 3],
])(
  "%s for %i persons gives MMPose's numbers in onnxruntime",
  async (fixture, persons) => {
    const { network, bytes, input } = await exported(fixture, persons);
    const outputs = await run(bytes, input);
    expect(outputs).toHaveLength(network.recorded.length);
    for (const [i, expected] of network.recorded.entries()) {
      const allowed = networkTolerance('wasm', network.float64Noise) * Math.max(...expected.data.map(Math.abs));
      for (const person of [0, persons - 1]) {
        const found = personOf(outputs[i], person);
        expect(found.shape).toEqual(expected.shape);
        const off = found.data.map((value, at) => Math.abs(value - expected.data[at]));
        expect(Math.max(...off)).toBeLessThanOrEqual(allowed);
      }
    }
  },
  30_000,
);

test('a kernel without an ONNX form is named', () => {
  const graph: Graph = {
    values: [
      { id: 0, shape: [1, 4], dtype: 'float32' },
      { id: 1, shape: [1, 4], dtype: 'float32' },
    ],
    nodes: [{ op: 'Cumsum', inputs: [0], attrs: {}, outputs: [1] }],
    inputs: [0],
    outputs: [1],
  };
  expect(() => exportOnnx(graph)).toThrow(/found the kernel Cumsum; expected one of /);
});
