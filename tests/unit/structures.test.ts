/** Properties of boxes, matrices, flips, NMS and samples that hold for any input. */
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nms, nmsTorch, nmsTorchGroups, oksNms, softOksNms } from '../../src/evaluation/functional/nms.js';
import { ndarray } from '../../src/ndarray.js';
import { argsort } from '../../src/structures/argsort.js';
import { bboxOverlaps } from '../../src/structures/bbox/bbox_overlaps.js';
import {
  bboxCs2xyxy,
  bboxXyxy2cs,
  flipBbox,
  getUdpWarpMatrix,
  getWarpMatrix,
  invertAffine,
  transformPoints,
} from '../../src/structures/bbox/transforms.js';
import { flipKeypoints } from '../../src/structures/keypoint/transforms.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import { toPoses } from '../../src/structures/poses.js';
import { mergeDataSamples, sliceInstances, splitInstances } from '../../src/structures/utils.js';

const px = (min: number, max: number) => fc.float({ min, max, noNaN: true });
const box = fc
  .tuple(px(-200, 200), px(-200, 200), px(1, 300), px(1, 300))
  .map(([x, y, w, h]) => Float32Array.of(x, y, x + w, y + h));
const boxes = fc.array(fc.tuple(box, px(0, 1)), { minLength: 1, maxLength: 40 });

function near(actual: ArrayLike<number>, expected: ArrayLike<number>, tolerance: number): void {
  for (let i = 0; i < expected.length; i++) expect(Math.abs(actual[i] - expected[i])).toBeLessThanOrEqual(tolerance);
}

describe('boxes', () => {
  it('come back from centre and size', () => {
    fc.assert(
      fc.property(box, px(1, 2), (data, padding) => {
        const { center, scale } = bboxXyxy2cs(ndarray(data, [1, 4]), padding);
        near(bboxCs2xyxy(center, scale, padding).data, data, 1e-3);
      }),
    );
  });

  it('come back from a second flip', () => {
    fc.assert(
      fc.property(box, fc.constantFrom('horizontal', 'vertical', 'diagonal'), (data, direction) => {
        const once = flipBbox(ndarray(data, [1, 4]), [640, 480], 'xyxy', direction);
        near(flipBbox(once, [640, 480], 'xyxy', direction).data, data, 1e-3);
      }),
    );
  });

  it('overlap themselves fully and others no more', () => {
    fc.assert(
      fc.property(box, box, (a, b) => {
        const self = bboxOverlaps(ndarray(a, [1, 4]), ndarray(a, [1, 4])).data[0];
        const other = bboxOverlaps(ndarray(a, [1, 4]), ndarray(b, [1, 4])).data[0];
        const giou = bboxOverlaps(ndarray(a, [1, 4]), ndarray(b, [1, 4]), { mode: 'giou' }).data[0];
        expect(self).toBeCloseTo(1, 5);
        expect(other >= 0 && other <= 1.000001).toBe(true);
        expect(giou <= other + 1e-6 && giou >= -1.000001).toBe(true);
      }),
    );
  });
});

describe('warp matrices', () => {
  const center = fc.tuple(px(-100, 700), px(-100, 500));
  const scale = fc.tuple(px(4, 900), px(4, 900));

  it('map back by their inverse, with and without UDP', () => {
    fc.assert(
      fc.property(center, scale, px(-180, 180), fc.boolean(), (c, s, rot, udp) => {
        const matrix = (udp ? getUdpWarpMatrix : getWarpMatrix)(c, s, rot, [192, 256]);
        const points = ndarray(Float64Array.of(0, 0, 50, 90, 192, 256), [3, 2]);
        near(transformPoints(transformPoints(points, invertAffine(matrix)), matrix).data, points.data, 1e-3);
      }),
    );
  });

  it('have their own inverse under inv', () => {
    fc.assert(
      fc.property(center, scale, px(-180, 180), (c, s, rot) => {
        const there = getWarpMatrix(c, s, rot, [48, 64]);
        const back = getWarpMatrix(c, s, rot, [48, 64], { inv: true });
        const points = ndarray(Float64Array.of(c[0], c[1], 3, 4), [2, 2]);
        near(transformPoints(transformPoints(points, there), back).data, points.data, 0.05);
      }),
    );
  });

  it('put the centre of the box into the middle of the input', () => {
    fc.assert(
      fc.property(center, scale, px(-180, 180), (c, s, rot) => {
        const [x, y] = transformPoints(
          ndarray(Float64Array.from(c), [1, 2]),
          getWarpMatrix(c, s, rot, [192, 256]),
        ).data;
        near([x, y], [96, 128], 0.05);
      }),
    );
  });
});

describe('flipped keypoints', () => {
  it('come back from a second flip, also where K equals D', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(px(0, 640), px(0, 480)), { minLength: 2, maxLength: 2 }),
        fc.constantFrom('horizontal', 'vertical', 'diagonal'),
        (points, direction) => {
          const keypoints = ndarray(Float32Array.from(points.flat()), [1, 2, 2]);
          const visible = ndarray(Float32Array.of(1, 0), [1, 2]);
          const once = flipKeypoints(keypoints, visible, [640, 480], [1, 0], direction);
          const twice = flipKeypoints(once.keypoints, once.keypointsVisible, [640, 480], [1, 0], direction);
          near(twice.keypoints.data, keypoints.data, 1e-3);
          expect(twice.keypointsVisible).toEqual(visible);
        },
      ),
    );
  });
});

describe('NMS', () => {
  it('keeps the best, no two that overlap more than the threshold, and drops nobody else', () => {
    fc.assert(
      fc.property(boxes, px(0.0625, 0.9375), (entries, threshold) => {
        const n = entries.length;
        const bboxes = ndarray(Float32Array.from(entries.flatMap(([b]) => [...b])), [n, 4]);
        const scores = entries.map(([, score]) => score);
        const keep = nmsTorch(bboxes, scores, threshold);
        const iou = bboxOverlaps(bboxes, bboxes).data;
        expect(scores[keep[0]]).toBe(Math.max(...scores));
        keep.forEach((i, a) =>
          keep.slice(a + 1).forEach((j) => expect(iou[i * n + j]).toBeLessThanOrEqual(Math.fround(threshold))),
        );
        const groups = nmsTorchGroups(bboxes, scores, threshold);
        expect(groups.flat().sort((a, b) => a - b)).toEqual(entries.map((_, i) => i));
        const dets = ndarray(Float32Array.from(entries.flatMap(([b, s]) => [...b, s])), [n, 5]);
        const kept = nms(dets, threshold).map((i) => scores[i]);
        expect(kept).toEqual([...kept].sort((a, b) => b - a));
      }),
    );
  });

  it('keeps one of identical poses, and all of distant ones', () => {
    const pose = (x: number, score: number) => ({
      keypoints: ndarray(
        Float32Array.from({ length: 51 }, (_, i) => (i % 3 === 0 ? x + i : i)),
        [17, 3],
      ),
      score,
      area: 1e4,
    });
    expect(oksNms([pose(0, 0.5), pose(0, 0.9), pose(0, 0.7)], 0.9)).toEqual([1]);
    expect(oksNms([pose(0, 0.5), pose(5000, 0.9)], 0.9)).toEqual([1, 0]);
    expect(softOksNms([pose(0, 0.5), pose(0, 0.9), pose(5000, 0.1)], 0.5, { maxDets: 2 })).toEqual([1, 2]);
    expect(oksNms([], 0.9)).toEqual([]);
  });
});

describe('argsort', () => {
  it('orders equal values as NumPy does', () => {
    const values = Array.from({ length: 40 }, (_, i) => (i * 7) % 5);
    expect(argsort(values)).toEqual([
      0, 20, 15, 30, 10, 25, 35, 5, 23, 8, 33, 28, 13, 3, 38, 18, 6, 21, 1, 36, 16, 26, 11, 31, 34, 29, 19, 14, 9, 4,
      24, 39, 27, 22, 17, 12, 32, 7, 2, 37,
    ]);
  });

  it('sorts, whatever the size and the ties', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 30 }), { maxLength: 300 }), (values) => {
        const order = argsort(values);
        expect(order.map((i) => values[i])).toEqual([...values].sort((a, b) => a - b));
        expect([...order].sort((a, b) => a - b)).toEqual(values.map((_, i) => i));
      }),
    );
  });
});

describe('samples', () => {
  const sample = (x: number): PoseDataSample => ({
    metainfo: {
      imgShape: [20, 30],
      inputSize: [8, 8],
      inputCenter: ndarray(Float32Array.of(x, 10), [1, 2]),
      inputScale: ndarray(Float32Array.of(8, 8), [1, 2]),
      flipIndices: [1, 0],
      timestamp: 0,
    },
    predInstances: {
      bboxes: ndarray(Float32Array.of(x - 4, 6, x + 4, 14), [1, 4]),
      bboxScores: ndarray(Float32Array.of(1), [1]),
      keypoints: ndarray(Float32Array.of(x, 10, x + 1, 11), [1, 2, 2]),
      keypointScores: ndarray(Float32Array.of(0.5, 1), [1, 2]),
      keypointsVisible: ndarray(Float32Array.of(0.5, 1), [1, 2]),
    },
    predFields: { heatmaps: ndarray(new Float32Array(32).fill(x), [2, 4, 4]) },
  });

  it('merge into one with all persons, and slice back', () => {
    const merged = mergeDataSamples([sample(8), sample(20)]);
    expect(merged.predInstances?.keypoints.shape).toEqual([2, 2, 2]);
    expect(merged.metainfo.inputCenter.data).toEqual(Float32Array.of(8, 10, 20, 10));
    expect(merged.predFields?.heatmaps.shape).toEqual([2, 20, 30]);
    expect(merged.predFields?.heatmaps.data[10 * 30 + 8]).toBe(8);
    expect(merged.predFields?.heatmaps.data[10 * 30 + 20]).toBe(20);
    expect(merged.predFields?.heatmaps.data[0]).toBe(0);
    const last = sliceInstances(merged.predInstances!, [-1]);
    expect(last).toEqual(sample(20).predInstances);
    expect(sliceInstances(merged.predInstances!, [false, true])).toEqual(last);
    expect(splitInstances(last)[0]).toMatchObject({ bbox: [16, 6, 24, 14], keypointScores: [0.5, 1] });
    expect(() => sliceInstances(last, [1])).toThrow(/index 1; expected 0\.\.0/);
  });

  it('become objects with names', () => {
    const names = { keypointId2name: ['nose', 'left_eye'] };
    const box = { xMin: 4, yMin: 6, xMax: 12, yMax: 14, width: 8, height: 8 };
    const keypoints = [
      { x: 8, y: 10, score: 0.5, name: 'nose' },
      { x: 9, y: 11, score: 1, name: 'left_eye' },
    ];
    expect(toPoses(sample(8), names)).toEqual([{ keypoints, score: 0.75, box }]);
    const { predInstances, metainfo } = mergeDataSamples([sample(8), sample(20)]);
    const tracked = { ...predInstances!, trackIds: ndarray(Int32Array.of(-1, 3), [2]) };
    expect(toPoses({ metainfo, predInstances: tracked }, names)).toMatchObject([{ id: 3, box: { xMin: 16 } }]);
    const space = ndarray(Float32Array.of(1, 2, 3, 4, 5, 6), [1, 2, 3]);
    const [lifted] = toPoses({ metainfo, predInstances: { ...sample(8).predInstances!, keypoints: space } }, names);
    expect(lifted.keypoints).toMatchObject([{ z: 3 }, { x: 4, z: 6, name: 'left_eye' }]);
    expect(toPoses({ metainfo }, names)).toEqual([]);
  });
});
