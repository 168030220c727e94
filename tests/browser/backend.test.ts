/** Each backend starts, passes its self-test, and leaves the page's own tfjs alone. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { BACKEND_NAMES, createBackend, type Backend, type BackendName } from '../../src/backend/init.js';
import { readTensor, readbackStats } from '../../src/backend/readback.js';

const PRINTING = ['log', 'info', 'warn', 'error', 'debug'] as const;
const open: Backend[] = [];

beforeEach(() => {
  for (const method of PRINTING) vi.spyOn(console, method);
});

afterEach(async () => {
  for (const backend of open.splice(0)) await backend.dispose();
  for (const method of PRINTING) expect(console[method]).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

async function create(...args: Parameters<typeof createBackend>): Promise<Backend> {
  const backend = await createBackend(...args);
  open.push(backend);
  return backend;
}

function registered(): string[] {
  return tf.engine().backendNames().toSorted();
}

describe.each(BACKEND_NAMES)('%s', (name) => {
  test('starts, passes its self-test, computes, and is gone after dispose', async () => {
    const backend = await create(name);
    expect(backend.name).toBe(name);
    expect(backend.reason).toContain('asked for');
    expect(registered()).toEqual([name]);
    expect(tf.engine().backendName ?? null).toBe(null);

    const t = backend.run(() => {
      expect(tf.getBackend()).toBe(name);
      return tf.tidy(() => tf.add(tf.tensor([1, 2, 3]), 1));
    });
    expect(tf.engine().backendName ?? null).toBe(null);
    const before = readbackStats();
    expect([...(await readTensor(t))]).toEqual([2, 3, 4]);
    expect(readbackStats()).toEqual({ reads: before.reads + 1, bytes: before.bytes + 12 });
    t.dispose();

    await backend.dispose();
    await backend.dispose();
    expect(registered()).toEqual([]);
    expect(tf.getKernelsForBackend(name)).toEqual([]);
    expect(() => backend.run(() => 1)).toThrow(/used after dispose/);
  });

  test('starts again after it was removed', async () => {
    const backend = await create(name, { selfTest: async () => null });
    const t = backend.run(() => tf.tidy(() => tf.matMul(tf.ones([4, 4]), tf.ones([4, 4]))));
    expect((await readTensor(t)).every((v) => v === 4)).toBe(true);
    t.dispose();
  });

  test('is passed over and removed when its self-test fails', async () => {
    const selfTest = async () => 'self-test computed wrong numbers (off by 1)';
    await expect(createBackend(name, { selfTest })).rejects.toThrow(
      new RegExp(
        `backend "${name}": not usable here: self-test computed wrong numbers \\(off by 1\\); use backend "auto"`,
      ),
    );
    expect(registered()).toEqual([]);
    expect(tf.engine().state.numTensors).toBe(0);
  });
});

test('auto chooses wasm before a software GPU, and says why', async () => {
  const backend = await create('auto');
  expect(backend.name).toBe('wasm');
  expect(backend.reason).toMatch(
    /^wasm: the best that works here; passed over: webgpu \(.*\), webgl \((perhaps )?a software GPU.*\)$/,
  );
  expect(registered()).toEqual(['wasm']);
});

test('auto goes on to a software GPU when wasm fails, and says why', async () => {
  const selfTest = async (_: unknown, name: BackendName) => (name === 'wasm' ? 'wrong numbers' : null);
  const backend = await create('auto', { selfTest });
  expect(backend.name).toBe('webgl');
  expect(backend.reason).toMatch(/wasm \(wrong numbers\)/);
  expect(registered()).toEqual(['webgl']);
});

test('a hardware GPU comes first, the others are neither asked for nor touched', async () => {
  const probe = vi.fn(async () => ({ available: true, software: false, adapter: 'a GPU' }) as const);
  const selfTest = async () => null;
  const backend = await create('auto', { probe, selfTest });
  expect(backend.reason).toBe('webgpu: the best that works here');
  expect(probe.mock.calls).toEqual([['webgpu']]);
  expect(registered()).toEqual(['webgpu']);
});

test('of a list the best is taken, and the others are not asked for', async () => {
  const probe = vi.fn(
    async (name: BackendName) => ({ available: true, software: name !== 'wasm', adapter: '' }) as const,
  );
  const backend = await create(['cpu', 'wasm', 'webgpu'], { probe });
  expect(backend.reason).toMatch(/^wasm: the best that works here; passed over: webgpu \(a software GPU[^)]*\)$/);
  expect(probe.mock.calls).toEqual([['webgpu'], ['wasm']]);
  await expect(createBackend(['wasm', 'wsam' as BackendName])).rejects.toThrow(/found \["wasm","wsam"\].*"wasm"/);
  await expect(createBackend([])).rejects.toThrow(/expected one of auto, webgpu/);
});

test('runs while the page is still starting a backend of its own, which then becomes active', async () => {
  class PageBackend extends tf.KernelBackend {
    override dispose(): void {}
  }
  const backend = await create('cpu');
  let finish: (instance: tf.KernelBackend) => void = () => {};
  tf.registerBackend('page', () => new Promise<tf.KernelBackend>((resolve) => (finish = resolve)));
  const starting = tf.setBackend('page');
  const t = backend.run(() => tf.tidy(() => tf.add(tf.tensor([1]), 1)));
  expect(() => tf.backend()).toThrow(/has not yet been initialized/);
  finish(new PageBackend());
  await starting;
  expect(tf.getBackend()).toBe('page');
  expect([...(await readTensor(t))]).toEqual([2]);
  t.dispose();
  tf.removeBackend('page');
});

test('a page that has not chosen yet keeps its own first choice', async () => {
  class PageBackend extends tf.KernelBackend {
    override dispose(): void {}
  }
  tf.registerBackend('page', () => new PageBackend(), 1);
  await create('wasm');
  await tf.ready();
  expect(tf.getBackend()).toBe('page');
  tf.removeBackend('page');
});
