/** What must hold for any data: a second flip undoes the first wherever the meta-info's flip indices undo themselves; poses after NMS. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { DATASET_METAINFO, loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import type { PoseMetaInfo } from '../../src/datasets/metainfo/types.js';
import { nearbyJointsNms, oksIou, oksNms, softOksNms } from '../../src/evaluation/functional/nms.js';
import { flipCoordinates, flipHeatmaps, flipVectors, flipVisibility } from '../../src/models/utils/tta.js';
import { ndarray } from '../../src/ndarray.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';

let backend: Backend;
const involutions: PoseMetaInfo[] = [];
beforeAll(async () => {
  backend = await createBackend('cpu');
  for (const name of DATASET_METAINFO.types()) {
    const meta = await loadPoseMetainfo(name);
    if (meta.flipIndices.every((j, i) => meta.flipIndices[j] === i)) involutions.push(meta);
  }
});
afterAll(() => backend.dispose());

/** Gives what `section` gives, as numbers. */
async function values(section: () => Tensor): Promise<Float32Array> {
  const tensor = backend.run(() => tf.tidy(section));
  const read = await readTensor(tensor);
  tensor.dispose();
  return read;
}

/** Data [shape] of any seed, a meta-info and sizes. */
const scenes = fc.record({
  set: fc.nat(),
  seed: fc.nat(),
  n: fc.integer({ min: 1, max: 3 }),
  h: fc.integer({ min: 1, max: 6 }),
  w: fc.integer({ min: 1, max: 7 }),
});
type Scene = typeof scenes extends fc.Arbitrary<infer T> ? T : never;

const indicesOf = ({ set }: Scene): readonly number[] => involutions[set % involutions.length].flipIndices;
const dataOf = ({ seed }: Scene, shape: number[]): Float32Array => uniform(`flip:${seed}`, shape, -2, 2).data;

/** `twice` applied to data [shape] gives the data back. */
async function comesBack(scene: Scene, shape: number[], twice: (x: Tensor) => Tensor, digits = 6): Promise<void> {
  const data = dataOf(scene, shape);
  const back = await values(() => twice(tf.tensor(data, shape)));
  const worst = data.reduce((most, v, i) => Math.max(most, Math.abs(v - back[i])), 0);
  expect(worst).toBeLessThan(10 ** -digits);
}

const check = (property: (scene: Scene) => Promise<void>): Promise<void> =>
  fc.assert(fc.asyncProperty(scenes, property), { numRuns: 40 });

describe('a second flip undoes the first', () => {
  test.each([
    ['heatmap', 1],
    ['udp_combined', 3],
    ['offset', 2],
  ] as const)('flipHeatmaps, %s', async (flipMode, channels) => {
    await check((scene) => {
      const flipIndices = indicesOf(scene);
      const flip = (x: Tensor) => flipHeatmaps(x as tf.Tensor4D, { flipIndices, flipMode, shiftHeatmap: false });
      const shape = [scene.n, scene.h, scene.w, channels * flipIndices.length];
      return comesBack(scene, shape, (x) => flip(flip(x)));
    });
  });

  test('flipVectors', async () => {
    await check(async (scene) => {
      const flipIndices = indicesOf(scene);
      const k = flipIndices.length;
      const twice = (which: 0 | 1) => (x: Tensor) => {
        const other = tf.zeros<tf.Rank.R3>([scene.n, k, scene.h]);
        const pair = which === 0 ? ([x, other] as const) : ([other, x] as const);
        const once = flipVectors(pair[0] as tf.Tensor3D, pair[1] as tf.Tensor3D, flipIndices);
        return flipVectors(...once, flipIndices)[which];
      };
      await comesBack(scene, [scene.n, k, scene.w], twice(0));
      await comesBack(scene, [scene.n, k, scene.w], twice(1));
    });
  });

  test('flipCoordinates and flipVisibility', async () => {
    await check(async (scene) => {
      const flipIndices = indicesOf(scene);
      const flip = (x: Tensor) => flipCoordinates(x as tf.Tensor3D, flipIndices, false, [64, 64]);
      const columns = 2 + (scene.w % 3);
      await comesBack(scene, [scene.n, flipIndices.length, columns], (x) => flip(flip(x)), 5);
      const flipSeen = (x: Tensor) => flipVisibility(x as tf.Tensor2D, flipIndices);
      await comesBack(scene, [scene.n, flipIndices.length], (x) => flipSeen(flipSeen(x)));
    });
  });

  test('of a symmetric picture changes nothing', async () => {
    await check(async (scene) => {
      const flipIndices = indicesOf(scene);
      const shape = [scene.n, scene.h, scene.w, flipIndices.length];
      const data = dataOf(scene, shape);
      const difference = await values(() => {
        const x = tf.tensor<tf.Rank.R4>(data, shape as [number, number, number, number]);
        const flip = (y: tf.Tensor4D) => flipHeatmaps(y, { flipIndices, shiftHeatmap: false });
        const symmetric = tf.add<tf.Tensor4D>(x, flip(x));
        return tf.max(tf.abs(tf.sub(flip(symmetric), symmetric)));
      });
      expect(difference[0]).toBeLessThan(1e-6);
    });
  });
});

describe('NMS of poses', () => {
  const K = 17;
  const poses = fc.array(
    fc.record({
      x: fc.integer({ min: 0, max: 60 }),
      y: fc.integer({ min: 0, max: 60 }),
      score: fc.integer({ min: 1, max: 1000 }),
      seed: fc.nat({ max: 5 }),
    }),
    { minLength: 1, maxLength: 12 },
  );
  const candidatesOf = (list: typeof poses extends fc.Arbitrary<infer T> ? T : never) =>
    list.map(({ x, y, score, seed }) => {
      const data = uniform(`pose:${seed}`, [K, 3], 0, 40).data.slice();
      for (let i = 0; i < data.length; i += 3) {
        data[i] += x;
        data[i + 1] += y;
        data[i + 2] = 1;
      }
      return { keypoints: ndarray(data, [K, 3]), score: score / 1000, area: 1600 };
    });

  test('oksNms keeps a best one, none too similar to a better one, and drops only such', () => {
    fc.assert(
      fc.property(poses, fc.integer({ min: 5, max: 95 }), (list, percent) => {
        const candidates = candidatesOf(list);
        const threshold = Math.fround(percent / 100);
        const keep = oksNms(candidates, threshold);
        const similarity = (i: number, j: number) => {
          const other = ndarray(candidates[j].keypoints.data, [1, K * 3]);
          return oksIou(candidates[i].keypoints.data, other, 1600, Float32Array.of(1600))[0];
        };
        expect(candidates[keep[0]].score).toBe(Math.max(...candidates.map(({ score }) => score)));
        keep.forEach((i, a) =>
          keep.slice(a + 1).forEach((j) => expect(similarity(i, j)).toBeLessThanOrEqual(threshold)),
        );
        const dropped = candidates.map((_, i) => i).filter((i) => !keep.includes(i));
        const reason = (i: number) =>
          keep.some((j) => candidates[j].score >= candidates[i].score && similarity(j, i) > threshold);
        expect(dropped.filter((i) => !reason(i))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  test('softOksNms and nearbyJointsNms keep different candidates, a best one first, and no more than asked for', () => {
    fc.assert(
      fc.property(poses, fc.integer({ min: 1, max: 8 }), (list, maxDets) => {
        const candidates = candidatesOf(list);
        const best = Math.max(...candidates.map(({ score }) => score));
        for (const keep of [softOksNms(candidates, 0.5, { maxDets }), nearbyJointsNms(candidates, { maxDets })]) {
          expect(new Set(keep).size).toBe(keep.length);
          expect(keep.length).toBeLessThanOrEqual(maxDets);
          expect(candidates[keep[0]].score).toBe(best);
        }
      }),
      { numRuns: 60 },
    );
  });
});
