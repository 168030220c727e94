/** GPUs that fail on the side, and wasm files that are not there: a BackendError with a cure, and a way to go on. */
import * as tf from '@tensorflow/tfjs-core';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { createNano, patternPixels } from './apis_support.js';

const PRINTING = ['log', 'info', 'warn', 'error'] as const;
const open: Backend[] = [];

beforeEach(() => {
  for (const method of PRINTING) vi.spyOn(console, method);
});

afterEach(async () => {
  for (const backend of open.splice(0)) await backend.dispose();
  for (const method of PRINTING) expect(console[method]).not.toHaveBeenCalled();
  vi.restoreAllMocks();
});

/** Without the self-test, which takes software GPUs seconds; a model that is created then shares it. */
async function create(...[name, options]: Parameters<typeof createBackend>): Promise<Backend> {
  const backend = await createBackend(name, { selfTest: async () => null, ...options });
  open.push(backend);
  return backend;
}

/** Fields of tfjs's backend objects that tests use to break them. */
interface Breakable {
  readonly device: EventTarget & {
    readonly lost: Promise<unknown>;
    destroy(): void;
    createBuffer(options: { size: number; usage: number }): unknown;
  };
  readonly gpgpu: { readonly gl: WebGL2RenderingContext };
}

function instanceOf(backend: Backend): Breakable {
  return tf.findBackend(backend.name) as unknown as Breakable;
}

/** 64 x 64 fours; tfjs computes small tensors on the CPU, whatever the backend. */
const four = (backend: Backend) => backend.run(() => tf.tidy(() => tf.matMul(tf.ones([64, 4]), tf.ones([4, 64]))));

function expectFours(values: Float32Array): void {
  expect(values).toHaveLength(4096);
  expect(values.every((v) => v === 4)).toBe(true);
}

test('webgpu: an error on the side rejects the next read, and only that one', async () => {
  const backend = await create('webgpu');
  const t = four(backend);
  const everyUsage = 0xffff;
  const { device } = instanceOf(backend);
  const reported = new Promise((resolve) => device.addEventListener('uncapturederror', resolve));
  device.createBuffer({ size: 16, usage: everyUsage });
  await reported;
  await expect(readTensor(t)).rejects.toMatchObject({
    code: 'BackendError',
    message: expect.stringMatching(/backend "webgpu": WebGPU error: .*; the result was dropped/s),
  });
  expectFours(await readTensor(t));
  t.dispose();
});

test('webgpu: a lost device rejects what waits and what comes; a new backend starts', async () => {
  const backend = await create('webgpu');
  const t = four(backend);
  const { device } = instanceOf(backend);
  const waiting = readTensor(t);
  device.destroy();
  await expect(waiting).rejects.toMatchObject({ code: 'BackendError' });
  await device.lost;
  await expect(readTensor(t)).rejects.toThrow(/the GPU device was destroyed; call again, or dispose the model/);
  expect(() => backend.run(() => 1)).toThrow(/the GPU device was destroyed/);
  const again = await create('webgpu');
  const u = four(again);
  expectFours(await readTensor(u));
  u.dispose();
});

test('webgl: a lost context rejects; a new backend starts', async () => {
  const backend = await create('webgl');
  const t = four(backend);
  const { gl } = instanceOf(backend).gpgpu;
  gl.getExtension('WEBGL_lose_context')!.loseContext();
  await new Promise((resolve) => setTimeout(resolve, 100));
  await expect(readTensor(t)).rejects.toThrow(/the WebGL context was lost; call again, or dispose the model/);
  const again = await create('webgl');
  const u = four(again);
  expectFours(await readTensor(u));
  u.dispose();
});

/** Resolves when a result is being waited for. */
function readBegins(gl: WebGL2RenderingContext): Promise<void> {
  return new Promise((resolve) => {
    const fenceSync = gl.fenceSync.bind(gl);
    vi.spyOn(gl, 'fenceSync').mockImplementation((...args) => {
      resolve();
      return fenceSync(...args);
    });
  });
}

test('an infer that has not begun when the GPU is lost runs on a new backend', async () => {
  await create('webgl');
  const inferencer = await createNano({ backend: 'webgl' });
  const waiting = inferencer.infer(patternPixels(64, 64));
  const { gl } = instanceOf(inferencer.model.backend).gpgpu;
  gl.getExtension('WEBGL_lose_context')!.loseContext();
  expect((await waiting).predInstances!.keypointScores.data.some((score) => score !== 0)).toBe(true);
  expect(instanceOf(inferencer.model.backend).gpgpu.gl).not.toBe(gl);
  await inferencer.dispose();
});

// WebGPU's is in gpu_frame.test.ts.
test('webgl: after the loss the next infer works on a new backend, weights included', async () => {
  const tensors = tf.engine().state.numTensors;
  await create('webgl');
  const inferencer = await createNano({ backend: 'webgl' });
  const picture = patternPixels(96, 80);
  const before = await inferencer.infer(picture);
  const { gl } = instanceOf(inferencer.model.backend).gpgpu;
  const begun = readBegins(gl);
  const running = inferencer.infer(picture);
  await begun;
  gl.getExtension('WEBGL_lose_context')!.loseContext();
  await expect(running).rejects.toMatchObject({ code: 'BackendError' });
  const after = await inferencer.infer(picture);
  expect(after.predInstances!.keypoints.data).toEqual(before.predInstances!.keypoints.data);
  expect(before.predInstances!.keypointScores.data.some((score) => score !== 0)).toBe(true);
  await inferencer.dispose();
  expect(tf.engine().state.numTensors).toBe(tensors);
});

test('wasm files that are not there: the URL is named, and the right ones work afterwards', async () => {
  const nowhere = '/no/such/folder/file.wasm';
  const wasmPaths = {
    'tfjs-backend-wasm.wasm': nowhere,
    'tfjs-backend-wasm-simd.wasm': nowhere,
    'tfjs-backend-wasm-threaded-simd.wasm': nowhere,
  };
  await expect(createBackend('wasm', { wasmPaths })).rejects.toThrow(
    /backend "wasm": not usable here: .*\/no\/such\/folder\/file\.wasm: .*wasmPaths/,
  );
  expect(tf.engine().backendNames()).toEqual([]);
  const backend = await create('wasm');
  const t = four(backend);
  expectFours(await readTensor(t));
  t.dispose();
});

test('webgpu where the browser has none: why, and what to use', async () => {
  const probe = async () => ({ available: false, why: 'this browser has no navigator.gpu' }) as const;
  await expect(createBackend('webgpu', { probe })).rejects.toThrow(
    'backend "webgpu": not usable here: this browser has no navigator.gpu; use backend "auto" or "wasm".',
  );
});

test('two handles share one backend; the last one takes it down', async () => {
  const [a, b] = await Promise.all([create('cpu'), create('cpu')]);
  expect(tf.engine().backendNames()).toEqual(['cpu']);
  await a.dispose();
  expect(b.run(() => tf.getBackend())).toBe('cpu');
  await b.dispose();
  expect(tf.engine().backendNames()).toEqual([]);
});
