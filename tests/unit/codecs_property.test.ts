/** What must hold for every codec and size: decoding undoes encoding, lazy and full blur agree, nothing finite becomes NaN. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { KeypointCodec } from '../../src/codecs/base.js';
import { AssociativeEmbedding } from '../../src/codecs/associative_embedding.js';
import { MegviiHeatmap } from '../../src/codecs/megvii_heatmap.js';
import { MSRAHeatmap } from '../../src/codecs/msra_heatmap.js';
import { RegressionLabel } from '../../src/codecs/regression_label.js';
import { SimCCLabel } from '../../src/codecs/simcc_label.js';
import { SPR } from '../../src/codecs/spr.js';
import { UDPHeatmap } from '../../src/codecs/udp_heatmap.js';
import { BlurredMaps } from '../../src/codecs/utils/blurred_maps.js';
import { batchHeatmapNms, gaussianBlur, getHeatmapMaximum } from '../../src/codecs/utils/index.js';
import { munkres } from '../../src/codecs/utils/munkres.js';
import { topk } from '../../src/codecs/utils/topk.js';
import { type NdArray, ndarray, row, zeros } from '../../src/ndarray.js';

const RUNS = 60;
const unit = fc.double({ min: 0, max: 1, noNaN: true });

/** A codec's sizes and keypoints as fractions of the area in which its peak fits. */
const scene = fc.record({
  map: fc.tuple(fc.integer({ min: 12, max: 40 }), fc.integer({ min: 12, max: 40 })),
  stride: fc.constantFrom(1, 2, 4, 8),
  points: fc.array(fc.tuple(unit, unit), { minLength: 1, maxLength: 24 }),
});
type Scene = typeof scene extends fc.Arbitrary<infer T> ? T : never;

const inputOf = ({ map, stride }: Scene): [number, number] => [map[0] * stride, map[1] * stride];

/** Keypoints [1, K, 2], at least `margin` input pixels inside [0, limit]. */
function place(points: Scene['points'], limit: readonly [number, number], margin: number): NdArray {
  const data = points.flatMap((p) => p.map((u, d) => margin + u * (limit[d] - 2 * margin)));
  return ndarray(Float32Array.from(data), [1, points.length, 2]);
}

function roundTrip(codec: KeypointCodec, keypoints: NdArray, names: readonly string[]): ArrayLike<number> {
  const encoded = codec.encode(keypoints);
  return codec.decode(...names.map((name) => encoded[name] as NdArray)).keypoints.data;
}

/** Largest difference on one axis. */
function worst(found: ArrayLike<number>, wanted: ArrayLike<number>): number {
  expect(found.length).toBe(wanted.length);
  return Array.from(found, (value, i) => Math.abs(value - wanted[i])).reduce((a, b) => Math.max(a, b), 0);
}

const check = <T>(arbitrary: fc.Arbitrary<T>, property: (value: T) => void): void =>
  fc.assert(fc.property(arbitrary, property), { numRuns: RUNS });

describe('decode(encode(x)) stays within the quantisation', () => {
  test('MSRAHeatmap: half a map pixel', () => {
    check(scene, (s) => {
      const input = inputOf(s);
      const codec = new MSRAHeatmap({ input_size: input, heatmap_size: s.map, sigma: 2 });
      const keypoints = place(s.points, [input[0] - s.stride, input[1] - s.stride], 0);
      expect(worst(roundTrip(codec, keypoints, ['heatmaps']), keypoints.data)).toBeLessThanOrEqual(
        0.5 * s.stride + 1e-3,
      );
    });
  });

  test('MSRAHeatmap unbiased: a twentieth of a map pixel away from the border', () => {
    check(scene, (s) => {
      const input = inputOf(s);
      const codec = new MSRAHeatmap({
        input_size: input,
        heatmap_size: s.map,
        sigma: 1,
        unbiased: true,
        blur_kernel_size: 3,
      });
      const keypoints = place(s.points, [input[0] - s.stride, input[1] - s.stride], 5 * s.stride);
      expect(worst(roundTrip(codec, keypoints, ['heatmaps']), keypoints.data)).toBeLessThanOrEqual(0.05 * s.stride);
    });
  });

  test("UDPHeatmap: a tenth of a map pixel away from the border, in MMPose's stretched coordinates", () => {
    check(scene, (s) => {
      const [w, h] = inputOf(s);
      if (w === s.map[0]) return;
      const codec = new UDPHeatmap({ input_size: [w, h], heatmap_size: s.map, sigma: 2, blur_kernel_size: 3 });
      const keypoints = place(s.points, [w - 1, h - 1], 5.5 * s.stride);
      const wanted = keypoints.data.map((v, i) => (i % 2 === 0 ? (v * w) / (w - 1) : (v * h) / (h - 1)));
      expect(worst(roundTrip(codec, keypoints, ['heatmaps']), wanted)).toBeLessThanOrEqual(0.1 * s.stride);
    });
  });

  test("UDPHeatmap combined: rounding only, in MMPose's stretched coordinates", () => {
    check(scene, (s) => {
      const [w, h] = inputOf(s);
      const codec = new UDPHeatmap({
        input_size: [w, h],
        heatmap_size: s.map,
        heatmap_type: 'combined',
        radius_factor: 0.1,
      });
      const keypoints = place(s.points, [w - 1, h - 1], 0);
      const wanted = keypoints.data.map((v, i) => (i % 2 === 0 ? (v * w) / (w - 1) : (v * h) / (h - 1)));
      expect(worst(roundTrip(codec, keypoints, ['heatmaps']), wanted)).toBeLessThanOrEqual(1e-3);
    });
  });

  test('MegviiHeatmap: one map pixel', () => {
    check(scene, (s) => {
      const input = inputOf(s);
      const codec = new MegviiHeatmap({ input_size: input, heatmap_size: s.map, kernel_size: 5 });
      const keypoints = place(s.points, [input[0] - 1e-3, input[1] - 1e-3], 0);
      expect(worst(roundTrip(codec, keypoints, ['heatmaps']), keypoints.data)).toBeLessThanOrEqual(s.stride + 1e-3);
    });
  });

  const simcc = fc.record({
    scene,
    ratio: fc.constantFrom(1, 1.5, 2, 3),
    smoothing_type: fc.constantFrom('gaussian' as const, 'standard' as const),
    use_dark: fc.boolean(),
  });
  test('SimCCLabel: half a bin; with DARK away from the ends, where MMPose blurs zeros in', () => {
    check(simcc, ({ scene: s, ratio, smoothing_type, use_dark }) => {
      const dark = use_dark && smoothing_type === 'gaussian';
      const [w, h] = inputOf(s);
      const margin = dark ? 12 / ratio : 0;
      fc.pre(Math.min(w, h) - 1 > 2 * margin);
      const codec = new SimCCLabel({
        input_size: [w, h],
        smoothing_type,
        simcc_split_ratio: ratio,
        sigma: 2,
        use_dark: dark,
      });
      const keypoints = place(s.points, [w - 1, h - 1], margin);
      const found = roundTrip(codec, keypoints, ['keypoint_x_labels', 'keypoint_y_labels']);
      expect(worst(found, keypoints.data)).toBeLessThanOrEqual(0.5 / ratio + 1e-3);
    });
  });

  test('RegressionLabel: float32', () => {
    check(scene, (s) => {
      const input = inputOf(s);
      const keypoints = place(s.points, input, 0);
      const found = roundTrip(new RegressionLabel({ input_size: input }), keypoints, ['keypoint_labels']);
      expect(worst(found, keypoints.data)).toBeLessThanOrEqual(1e-4);
    });
  });

  test('SPR: displacements bring back the keypoints of one person', () => {
    check(scene, (s) => {
      if (s.points.length < 3) return;
      const input = inputOf(s);
      const codec = new SPR({ input_size: input, heatmap_size: s.map, sigma: 4, minimal_diagonal_length: 0 });
      const keypoints = place(s.points, [input[0] - s.stride, input[1] - s.stride], 0);
      const found = roundTrip(codec, keypoints, ['heatmaps', 'displacements']);
      expect(worst(found, keypoints.data)).toBeLessThanOrEqual(1e-3);
    });
  });
});

describe('AssociativeEmbedding', () => {
  const K = 5;
  const people = fc.record({
    places: fc.array(fc.tuple(unit, unit), { minLength: 4 * K, maxLength: 4 * K }),
    use_udp: fc.boolean(),
  });

  test('finds four persons with tags of their own', () => {
    check(people, ({ places, use_udp }) => {
      const codec = new AssociativeEmbedding({
        input_size: [160, 160],
        heatmap_size: [40, 40],
        sigma: 1,
        use_udp,
        decode_keypoint_order: [2, 0, 1, 4, 3],
      });
      // One person per quarter of the picture, whose tags are constant.
      const data = places.flatMap(([u, v], i) => {
        const person = Math.floor(i / K);
        return [20 + u * 40 + 80 * (person % 2), 20 + v * 40 + 80 * Math.floor(person / 2)];
      });
      const keypoints = ndarray(Float32Array.from(data), [4, K, 2]);
      const tags = zeros([K, 40, 40]);
      tags.data.forEach(
        (_, i) => (tags.data[i] = 3 * (Number(i % 40 >= 20) + 2 * Number(Math.floor(i / 40) % 40 >= 20))),
      );
      const found = codec.decode(codec.encode(keypoints).heatmaps as NdArray, tags);
      expect(found.keypoints.shape).toEqual([4, K, 2]);
      for (let n = 0; n < 4; n++) {
        const wanted = row(keypoints, n).data;
        const nearest = [0, 1, 2, 3].map((m) => worst(row(found.keypoints as NdArray, m).data, wanted));
        expect(Math.min(...nearest)).toBeLessThanOrEqual(0.75 * 4 + 1e-3);
      }
    });
  });
});

/** Maps [2, H, W] of very different kinds: noise, few pixels, plateaus, negative values. */
const maps = fc
  .record({
    size: fc.tuple(fc.integer({ min: 1, max: 34 }), fc.integer({ min: 1, max: 34 })),
    kind: fc.constantFrom('noise', 'sparse', 'steps', 'negative'),
    seed: fc.integer({ min: 1, max: 1e9 }),
  })
  .map(({ size: [h, w], kind, seed }) => {
    let state = seed;
    const random = (): number => (state = (Math.imul(state, 1664525) + 1013904223) >>> 0) / 2 ** 32;
    const make: Record<string, () => number> = {
      noise: random,
      sparse: () => (random() < 0.02 ? random() : 0),
      steps: () => Math.floor(random() * 2) / 2,
      negative: () => random() * 2 - 1.5,
    };
    return ndarray(new Float32Array(2 * h * w).map(make[kind]), [2, h, w]);
  });
const kernel = fc.constantFrom(3, 5, 7, 9, 11, 17, 23);

describe('utils', () => {
  test('BlurredMaps gives the bits that gaussianBlur leaves', () => {
    check(fc.tuple(maps, kernel), ([heatmaps, size]) => {
      const lazy = new BlurredMaps(heatmaps, size);
      const [count, height, width] = heatmaps.shape;
      const found = zeros(heatmaps.shape);
      for (let i = 0; i < found.data.length; i++) {
        found.data[i] = lazy.at(Math.floor(i / width / height) % count, Math.floor(i / width) % height, i % width);
      }
      const full = gaussianBlur({ data: heatmaps.data.slice(), shape: heatmaps.shape }, size);
      expect(found.data).toEqual(full.data);
    });
  });

  test('batchHeatmapNms keeps maxima, clears the rest, and changes nothing the second time', () => {
    check(fc.tuple(maps, fc.constantFrom(1, 3, 5)), ([heatmaps, size]) => {
      const once = batchHeatmapNms(heatmaps, size);
      once.data.forEach((value, i) => expect(value === 0 || value === heatmaps.data[i]).toBe(true));
      const { locs, vals } = getHeatmapMaximum(heatmaps);
      vals.data.forEach((value, k) => {
        if (value > 0)
          expect(once.data[(k * heatmaps.shape[1] + locs.data[2 * k + 1]) * heatmaps.shape[2] + locs.data[2 * k]]).toBe(
            value,
          );
      });
      const positive = { data: heatmaps.data.map(Math.abs), shape: heatmaps.shape };
      const kept = batchHeatmapNms(positive, size);
      expect(batchHeatmapNms(kept, size).data).toEqual(kept.data);
    });
  });

  test('topk gives the largest values in order, by both of its ways', () => {
    const values = fc.array(fc.integer({ min: -3, max: 6 }), { minLength: 1, maxLength: 700 });
    check(fc.tuple(values, fc.integer({ min: 1, max: 40 })), ([list, k]) => {
      const data = Float32Array.from(list);
      const found = topk(data, 0, data.length, k);
      expect(new Set(found).size).toBe(Math.min(k, list.length));
      expect(Array.from(found, (i) => data[i])).toEqual(list.toSorted((a, b) => b - a).slice(0, k));
    });
  });

  test('munkres finds a cheapest assignment', () => {
    const size = fc.integer({ min: 1, max: 5 });
    const matrix = fc.tuple(size, size).chain(([rows, columns]) => {
      const costs = fc.array(fc.integer({ min: -4, max: 9 }), { minLength: rows * columns, maxLength: rows * columns });
      return fc.record({ rows: fc.constant(rows), columns: fc.constant(columns), costs });
    });
    check(matrix, ({ rows, columns, costs }) => {
      const found = munkres(costs, rows, columns);
      const used = Array.from(found).filter((j) => j >= 0);
      expect(used.length).toBe(Math.min(rows, columns));
      expect(new Set(used).size).toBe(used.length);
      const total = Array.from(found).reduce((sum, j, i) => sum + (j < 0 ? 0 : costs[i * columns + j]), 0);
      expect(total).toBe(cheapest(costs, rows, columns));
    });
  });
});

/** Smallest total by trying everything; rows may stay empty only when there are more rows than columns. */
function cheapest(costs: readonly number[], rows: number, columns: number): number {
  const search = (i: number, taken: number, skips: number): number => {
    if (i === rows) return 0;
    let best = skips > 0 ? search(i + 1, taken, skips - 1) : Infinity;
    for (let j = 0; j < columns; j++) {
      if (taken & (1 << j)) continue;
      best = Math.min(best, costs[i * columns + j] + search(i + 1, taken | (1 << j), skips));
    }
    return best;
  };
  return search(0, 0, Math.max(0, rows - columns));
}

describe('finite maps give finite numbers', () => {
  const alive = maps.filter(({ data }) => {
    const half = data.length / 2;
    return Math.max(...data.subarray(0, half)) > 0.01 && Math.max(...data.subarray(half)) > 0.01;
  });
  const codecs = fc.constantFrom<(size: [number, number]) => KeypointCodec>(
    (size) => new MSRAHeatmap({ input_size: [64, 64], heatmap_size: size, sigma: 2 }),
    (size) => new MSRAHeatmap({ input_size: [64, 64], heatmap_size: size, sigma: 2, unbiased: true }),
    (size) => new UDPHeatmap({ input_size: [64, 64], heatmap_size: size }),
    (size) => new MegviiHeatmap({ input_size: [64, 64], heatmap_size: size, kernel_size: 11 }),
  );

  test('heatmaps with a positive pixel', () => {
    check(fc.tuple(alive, codecs), ([heatmaps, make]) => {
      const [height, width] = heatmaps.shape.slice(1);
      if (width < 2 || height < 2) return; // UDP divides by (size - 1)
      const { keypoints, scores } = make([width, height]).decode(heatmaps);
      expect(Array.from(keypoints.data).every(Number.isFinite)).toBe(true);
      expect(Array.from(scores.data).every(Number.isFinite)).toBe(true);
    });
  });

  test('an all-zero map is NaN where MMPose blurs (0 / 0), and -1 where it does not', () => {
    const empty = zeros([1, 16, 12]);
    const sizes = { input_size: [48, 64], heatmap_size: [12, 16] } as const;
    expect([...new UDPHeatmap(sizes).decode(empty).keypoints.data]).toEqual([NaN, NaN]);
    expect([...new MegviiHeatmap({ ...sizes, kernel_size: 11 }).decode(empty).scores.data]).toEqual([NaN]);
    expect([...new MSRAHeatmap({ ...sizes, sigma: 2 }).decode(empty).keypoints.data]).toEqual([-4, -4]);
  });

  test('SimCC vectors of any finite values without DARK', () => {
    const vector = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -9, max: 9 }), {
      minLength: 64,
      maxLength: 64,
    });
    check(fc.tuple(vector, vector, fc.boolean()), ([x, y, decode_visibility]) => {
      const codec = new SimCCLabel({ input_size: [32, 32], decode_visibility });
      const found = codec.decode(ndarray(Float32Array.from(x), [1, 1, 64]), ndarray(Float32Array.from(y), [1, 1, 64]));
      const numbers = [found.keypoints, found.scores, found.visible ?? found.scores].flatMap(({ data }) => [...data]);
      expect(numbers.every(Number.isFinite)).toBe(true);
    });
  });
});
