/**
 * The jit on WebGPU: every layer of src/nn and small networks for its rewrites, compiled, against PyTorch's numbers (those with a
 * convolution in jit_variants.test.ts); and kernels chosen by measuring.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { JitCompiler } from '../../src/jit/compiler.js';
import { GpuTimer } from '../../src/jit/gpu_timer.js';
import { memoryStore, Tuner, whenIdle } from '../../src/jit/tune.js';
import { indexedDbStore } from '../../src/jit/winner_store.js';
import * as tf from '../../src/tf.js';
import { LAYER_REFERENCES, layerCase, NETWORK_REFERENCES, networkCase, type JitCase } from './jit_cases.js';
import { NETWORKS } from './jit_networks.js';

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
async function runCompiled({ x, forward, check }: JitCase): Promise<void> {
  const compiler = new JitCompiler(device);
  const network = await compiler.compile(x.shape, forward);
  try {
    check((await network.run(x.data))[0]);
  } finally {
    network.dispose();
    compiler.dispose();
  }
}

describe('compiled layers', () => {
  test.each(LAYER_REFERENCES.plain)('$name', async (reference) => {
    const layer = layerCase(backend, reference);
    try {
      await runCompiled(layer);
    } finally {
      layer.dispose();
    }
  });
});

describe('compiled networks', () => {
  test.each(NETWORK_REFERENCES.plain)('$name', async (reference) => {
    const before = tf.memory().numTensors;
    await runCompiled(networkCase(reference));
    expect(tf.memory().numTensors).toBe(before);
  });

  test('every network has its numbers', () => {
    const { plain, convolving } = NETWORK_REFERENCES;
    expect([...plain, ...convolving].map(({ name }) => name).sort()).toEqual(Object.keys(NETWORKS).sort());
  });
});

describe('kernels chosen by measuring', () => {
  const grouped = LAYER_REFERENCES.convolving.find(
    ({ layer, args }) => layer === 'Conv2d' && (args as { groups?: number }).groups === 2,
  )!;

  test('the network is replaced by one of the winners, and gives the same numbers', async () => {
    const subject = layerCase(backend, grouped);
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
    const { x, forward } = subject;
    const network = await compiler.compile(x.shape, forward);
    const check = async () => subject.check((await network.run(x.data))[0]);
    await check();
    // A run that was issued before the swap still gives its numbers.
    const [, during] = await Promise.all([compiler.tune(network), network.run(x.data)]);
    subject.check(during[0]);
    expect(timed.length).toBeGreaterThan(1);
    expect([...winners.values()]).toContain(timed.at(-1));
    await check();
    network.dispose();
    subject.dispose();
  });

  test('winners are kept in IndexedDB, per adapter, version and precision', async () => {
    const store = indexedDbStore('adapter 1.0', 'f32');
    const half = indexedDbStore('adapter 1.0', 'f16');
    await store.save('conv3x3', 'winograd');
    await half.save('conv3x3', 'direct');
    expect(await indexedDbStore('adapter 1.0', 'f32').load()).toEqual(new Map([['conv3x3', 'winograd']]));
    expect(await indexedDbStore('adapter 1.0', 'f16').load()).toEqual(new Map([['conv3x3', 'direct']]));
    expect(await indexedDbStore('adapter 1.1', 'f32').load()).toEqual(new Map());
    // The new version has swept out what belonged to the old one.
    expect(await store.load()).toEqual(new Map());
    expect(await half.load()).toEqual(new Map());
  });
});
