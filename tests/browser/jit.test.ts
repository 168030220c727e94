/**
 * The jit on WebGPU: every layer of src/nn and small networks for its rewrites, compiled, against PyTorch's numbers; and kernels
 * chosen by measuring.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { JitCompiler } from '../../src/jit/compiler.js';
import { GpuTimer } from '../../src/jit/gpu_timer.js';
import { memoryStore, Tuner, whenIdle } from '../../src/jit/tune.js';
import { indexedDbStore } from '../../src/jit/winner_store.js';
import type { NdArray } from '../../src/ndarray.js';
import { disposeModule, prepareModule, transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import { NETWORKS } from './jit_networks.js';
import jitReference from './jit_reference.json';
import { fill, LAYERS, type ReferenceCase } from './nn_layers.js';
import nnReference from './nn_reference.json';

let backend: Backend;
let device: GPUDevice;
const faults: string[] = [];
const compilers: JitCompiler[] = [];

beforeAll(async () => {
  backend = await createBackend('webgpu');
  device = backend.run(() => (tf.backend() as unknown as { device: GPUDevice }).device);
  device.addEventListener('uncapturederror', ({ error }) => faults.push(error.message));
});
afterAll(async () => {
  for (const compiler of compilers) compiler.dispose();
  await backend.dispose();
  expect(faults).toEqual([]);
});

/** Compiles and runs once. */
async function runCompiled(x: NdArray, forward: (x: Tensor) => Tensor): Promise<NdArray> {
  const compiler = new JitCompiler(device);
  const network = await compiler.compile(x.shape, (input) => [forward(input)]);
  try {
    return (await network.run(x.data))[0];
  } finally {
    network.dispose();
    compiler.dispose();
  }
}

function compare(found: NdArray, shape: readonly number[], data: readonly number[]): void {
  expect(found.shape).toEqual(shape);
  const scale = Math.max(...data.map(Math.abs));
  const worst = data.reduce((most, value, i) => Math.max(most, Math.abs(value - found.data[i])), 0);
  expect(worst / scale).toBeLessThan(1e-5);
}

describe('compiled layers', () => {
  test.each(nnReference as unknown as ReferenceCase[])(
    '$name',
    async ({ name, layer, args, input, range, ...expected }) => {
      const module = LAYERS[layer](args);
      fill(module, name);
      backend.run(() => prepareModule(module));
      const nchw = uniform(`input:${name}`, input, ...range);
      const isMap = input.length === 4;
      try {
        const x = isMap ? transpose(nchw.data, input, [0, 2, 3, 1]) : nchw;
        const output = await runCompiled(x, (tensor) => module.forward(tensor) as Tensor);
        const found = isMap ? transpose(output.data, output.shape, [0, 3, 1, 2]) : output;
        compare(found, expected.shape, expected.data);
      } finally {
        backend.run(() => disposeModule(module));
      }
    },
  );
});

interface NetworkCase {
  readonly name: string;
  readonly input: readonly number[];
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

describe('compiled networks', () => {
  test.each(jitReference as NetworkCase[])('$name', async ({ name, input, shape, data }) => {
    const before = tf.memory().numTensors;
    compare(await runCompiled(uniform(`input ${name}`, input, -2, 2), NETWORKS[name]), shape, data);
    expect(tf.memory().numTensors).toBe(before);
  });

  test('every network has its numbers', () => {
    expect((jitReference as NetworkCase[]).map(({ name }) => name).sort()).toEqual(Object.keys(NETWORKS).sort());
  });
});

describe('kernels chosen by measuring', () => {
  const grouped = (nnReference as unknown as ReferenceCase[]).find(
    ({ layer, args }) => layer === 'Conv2d' && (args as { groups?: number }).groups === 2,
  )!;

  test('the network is replaced by one of the winners, and gives the same numbers', async () => {
    const { name, layer, args, input, range, shape, data } = grouped;
    const module = LAYERS[layer](args);
    fill(module, name);
    backend.run(() => prepareModule(module));
    const timed: string[] = [];
    const gpu = new GpuTimer(device);
    const winners = new Map<string, string>();
    const tuner = new Tuner({
      // Really run on the GPU, and then the last variant is said to be the fastest.
      timer: {
        time: async (choice, variant) => {
          expect(await gpu.time(choice, variant)).toBeGreaterThanOrEqual(0);
          timed.push(variant.name);
          return 1 / timed.length;
        },
      },
      ...{ store: memoryStore(winners), idle: whenIdle, budgetMs: 60_000 },
    });
    const compiler = new JitCompiler(device, { tuner });
    compilers.push(compiler);
    const x = transpose(uniform(`input:${name}`, input, ...range).data, input, [0, 2, 3, 1]);
    const network = await compiler.compile(x.shape, (tensor) => [module.forward(tensor as never) as Tensor]);
    const check = async () => {
      const [output] = await network.run(x.data);
      compare(transpose(output.data, output.shape, [0, 3, 1, 2]) as NdArray, shape, data);
    };
    await check();
    // A run that was issued before the swap still gives its numbers.
    const [, during] = await Promise.all([compiler.tune(network), network.run(x.data)]);
    expect(during[0].data.length).toBe(data.length);
    expect(timed.length).toBeGreaterThan(1);
    expect([...winners.values()]).toContain(timed.at(-1));
    await check();
    network.dispose();
    backend.run(() => disposeModule(module));
  });

  test('winners are kept in IndexedDB, per adapter and version', async () => {
    const store = indexedDbStore('adapter 1.0');
    await store.save('conv3x3', 'winograd');
    expect(await indexedDbStore('adapter 1.0').load()).toEqual(new Map([['conv3x3', 'winograd']]));
    expect(await indexedDbStore('adapter 1.1').load()).toEqual(new Map());
    // The new version has swept out what belonged to the old one.
    expect(await store.load()).toEqual(new Map());
  });
});
