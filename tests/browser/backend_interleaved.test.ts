/**
 * A page with a tfjs of its own on webgl, and two inferencers on wasm and webgpu, calls interleaved: everybody keeps backend and
 * numbers, and nothing is printed. The page's tfjs is a second copy, from script tags, as on real pages.
 */
import { afterAll, beforeAll, beforeEach, expect, test, vi, type MockInstance } from 'vitest';
import type * as Tf from '@tensorflow/tfjs-core';
import type { Pose2DInferencer, PoseDataSample } from '../../src/index.js';
import { createNano, patternPixels } from './apis_support.js';
import coreUrl from '../../node_modules/@tensorflow/tfjs-core/dist/tf-core.min.js?url';
import webglUrl from '../../node_modules/@tensorflow/tfjs-backend-webgl/dist/tf-backend-webgl.min.js?url';
import cpuUrl from '../../node_modules/@tensorflow/tfjs-backend-cpu/dist/tf-backend-cpu.min.js?url';
import wasmUrl from '../../node_modules/@tensorflow/tfjs-backend-wasm/dist/tf-backend-wasm.min.js?url';

declare global {
  interface Window {
    tf: typeof Tf;
  }
}

const PRINTING = ['log', 'info', 'warn', 'error', 'debug'] as const;
const spies: MockInstance[] = [];
const pixels = patternPixels(120, 90);
const options = { bboxes: [[10, 12, 60, 80]] };
let wasm: Pose2DInferencer;
let webgpu: Pose2DInferencer;

beforeAll(async () => {
  for (const url of [coreUrl, cpuUrl, webglUrl]) await loadScript(url);
  window.tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
  await window.tf.setBackend('webgl');
  for (const method of PRINTING) spies.push(vi.spyOn(console, method).mockImplementation(() => {}));
  [wasm, webgpu] = [await createNano({ backend: 'wasm' }), await createNano({ backend: 'webgpu' })];
});

beforeEach(() => expectPageUntouched());

afterAll(async () => {
  await Promise.all([wasm.dispose(), webgpu.dispose()]);
  expectPageUntouched();
  // It counts on the wasm backend that was there when it loaded its own.
  expect(window.tf.engine().backendNames().toSorted()).toEqual(['cpu', 'wasm', 'webgl']);
  for (const spy of spies) expect(spy).not.toHaveBeenCalled();
});

function loadScript(src: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const script = Object.assign(document.createElement('script'), { src });
    script.addEventListener('load', () => resolve());
    script.addEventListener('error', () => reject(new Error(src)));
    document.head.append(script);
  });
}

function expectPageUntouched(): void {
  const { tf } = window;
  expect(tf.getBackend()).toBe('webgl');
  expect(tf.backend()).toBe(tf.findBackend('webgl'));
}

/** The page's own work: on webgl, and right. */
async function pageWork(): Promise<void> {
  const { tf } = window;
  const product = tf.tidy(() => {
    const a = tf.tensor2d([1, 2, 3, 4], [2, 2]);
    return tf.matMul(a, a);
  });
  expectPageUntouched();
  expect([...(await product.data())]).toEqual([7, 10, 15, 22]);
  product.dispose();
}

const keypoints = (sample: PoseDataSample) => [...sample.predInstances!.keypoints.data];

test('the two inferencers are where they were asked to be', () => {
  expect([wasm.backend.name, webgpu.backend.name]).toEqual(['wasm', 'webgpu']);
});

test('interleaved calls keep their numbers, and the page its backend', async () => {
  const alone = [keypoints(await wasm.infer(pixels, options)), keypoints(await webgpu.infer(pixels, options))];
  await pageWork();
  const tensors = window.tf.memory().numTensors;
  for (let round = 0; round < 3; round++) {
    const calls = [wasm.infer(pixels, options), webgpu.infer(pixels, options)];
    const work = [pageWork(), pageWork()];
    expectPageUntouched();
    calls.push(wasm.infer(pixels, options));
    const [a, b, c] = await Promise.all(calls);
    await Promise.all(work);
    expect(keypoints(a)).toEqual(alone[0]);
    expect(keypoints(b)).toEqual(alone[1]);
    expect(keypoints(c)).toEqual(alone[0]);
    expectPageUntouched();
  }
  expect(window.tf.memory().numTensors).toBe(tensors);
});

test("an error in a section gives the page's backend back", async () => {
  expect(() =>
    wasm.model.backend.run(() => {
      throw new Error('in between');
    }),
  ).toThrow('in between');
  expectPageUntouched();
});

test("the page's webgl is used as it is, and stays", async () => {
  const instance = window.tf.backend();
  const kernel = window.tf.getKernel('Add', 'webgl');
  const inferencer = await createNano({ backend: 'webgl' });
  await inferencer.infer(pixels, options);
  expect(window.tf.backend()).toBe(instance);
  await inferencer.dispose();
  expect(window.tf.getKernel('Add', 'webgl')).toBe(kernel);
  await pageWork();
});

test('a page that loads its own wasm backend later does not break ours', async () => {
  const before = keypoints(await wasm.infer(pixels, options));
  // tfjs tells the page about each kernel that is replaced; that is the page's doing.
  await loadScript(wasmUrl);
  for (const spy of spies) spy.mockClear();
  expect(keypoints(await wasm.infer(pixels, options))).toEqual(before);
  await window.tf.setBackend('wasm');
  const sum = window.tf.tidy(() => window.tf.add(window.tf.tensor1d([1, 2]), 1));
  expect(keypoints(await wasm.infer(pixels, options))).toEqual(before);
  expect([...(await sum.data())]).toEqual([2, 3]);
  sum.dispose();
  await window.tf.setBackend('webgl');
});
