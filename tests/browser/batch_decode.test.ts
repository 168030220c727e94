/**
 * `batchDecode` of every codec that has it, on every backend, against MMPose's recorded numbers and against `decode`, with the reads
 * counted. Composed ops run on wasm, our GLSL on webgl, our WGSL on webgpu: none is compared with another.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { readbackStats, readTensor } from '../../src/backend/readback.js';
import type { KeypointCodec } from '../../src/codecs/base.js';
import { buildCodec, loadBatchDecode } from '../../src/codecs/index.js';
import { JitCompiler } from '../../src/jit/compiler.js';
import type { ConfigDict } from '../../src/config.js';
import { sizeOf, type NdArray } from '../../src/ndarray.js';
import { transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
import { uniform } from '../golden/formula.js';
import { hessianDet } from '../golden/hessian_det.js';
import { createNano, patternPixels } from './apis_support.js';
import { readGoldenFile, type GoldenCase, type GoldenSource } from '../golden/format.js';
import { MIN_HESSIAN_DET } from '../golden/tolerances.js';

const CODECS = [
  'MSRAHeatmap',
  'UDPHeatmap',
  'MegviiHeatmap',
  'SimCCLabel',
  'RegressionLabel',
  'IntegralRegressionLabel',
] as const;

/** px */
const TOLERANCE = 1e-3;
const SCORE_TOLERANCE = 1e-5;

const bin = (name: string) => new URL(`../fixtures/golden/codecs/${name}.bin`, import.meta.url);

/** Of the folder `codecs`; the test server answers requests for JSON in its own way, so that is imported. */
const source: GoldenSource = {
  read: async (path) => {
    const [, name, ending] = /(\w+)\.(\w+)$/.exec(path)!;
    if (ending === 'bin') return new Uint8Array(await (await fetch(bin(name))).arrayBuffer());
    const json: { default: unknown } = await import(`../fixtures/golden/codecs/${name}.json`);
    return new TextEncoder().encode(JSON.stringify(json.default));
  },
  readShared: async () => null,
};

/** Decoding cases of one file; the list of a test file must not wait for files, so it is made per codec. */
async function decodeCases(name: string): Promise<GoldenCase[]> {
  const file = await readGoldenFile(source, `codecs/${name}.json`);
  return file!.cases.filter(({ op }) => op === `${name}.decode`).map((raw) => file!.decode(raw));
}

/** One sample's arrays, in the layout of `decode`. */
type Sample = readonly NdArray[];

/** The arrays of several samples as the network would give them. */
function toTensors(samples: readonly Sample[]): Tensor[] {
  return samples[0].map(({ shape }, i) => {
    const isMaps = shape.length === 3 && samples[0].length === 1 && samples[0][0].shape[0] !== 1;
    const parts = samples.map((sample) => (isMaps ? transpose(sample[i].data, shape, [1, 2, 0]) : sample[i]));
    const data = new Float32Array(sizeOf(shape) * samples.length);
    parts.forEach((part, n) => data.set(part.data, n * sizeOf(shape)));
    return tf.tensor(
      data,
      isMaps ? [samples.length, ...parts[0].shape] : [samples.length * shape[0], ...shape.slice(1)],
    );
  });
}

/** The same maps in another order, so that a batch holds different samples; other arrays stay. */
function reversed(sample: Sample): Sample {
  if (sample.length !== 1 || sample[0].shape[0] === 1) return sample;
  const [{ data, shape }] = sample;
  const size = shape[1] * shape[2];
  const out = new Float32Array(data.length);
  for (let k = 0; k < shape[0]; k++) out.set(data.subarray(k * size, (k + 1) * size), (shape[0] - 1 - k) * size);
  return [{ data: out, shape }];
}

interface Expected {
  readonly keypoints: ArrayLike<number>;
  readonly scores: ArrayLike<number>;
  readonly visible?: ArrayLike<number>;
  /** 0 where refinement amplifies rounding. */
  readonly keep: ArrayLike<number> | null;
}

function comparePacked(packed: Float32Array, columns: number, { keypoints, scores, visible, keep }: Expected): void {
  const problems: string[] = [];
  const check = (what: string, found: number, expected: number, tolerance: number) => {
    const same = Number.isNaN(expected) ? Number.isNaN(found) : Math.abs(found - expected) <= tolerance;
    if (!same) problems.push(`${what}: found ${found}, expected ${expected}`);
  };
  for (let k = 0; k < scores.length; k++) {
    if (!keep || keep[k]) {
      for (let axis = 0; axis < 2; axis++) {
        check(`keypoint ${k}[${axis}]`, packed[columns * k + axis], keypoints[2 * k + axis], TOLERANCE);
      }
    }
    if (visible) check(`visible ${k}`, packed[columns * k + 2], visible[k], SCORE_TOLERANCE * 10);
    const score = scores[k];
    check(`score ${k}`, packed[columns * (k + 1) - 1], score, SCORE_TOLERANCE * Math.max(1, Math.abs(score)));
  }
  expect(problems).toEqual([]);
}

const keepOf = (det: ArrayLike<number> | null | undefined): number[] | null =>
  det ? Array.from(det, (d) => (Math.abs(d) <= MIN_HESSIAN_DET ? 0 : 1)) : null;

interface OtherSize {
  readonly config: ConfigDict;
  /** Of the map, or of the input for SimCC. */
  readonly w: number;
  readonly h: number;
  readonly k: number;
}

/** Sizes down to where nothing has room for its neighbours. */
const OTHER_SIZES: readonly OtherSize[] = (
  [
    [9, 7, 8],
    [33, 21, 19],
    [4, 3, 9],
    [72, 96, 17],
  ] as const
).flatMap(([w, h, k]) => {
  const map = { input_size: [4 * w, 4 * h], heatmap_size: [w, h] };
  const simcc = { type: 'SimCCLabel', input_size: [w, h], sigma: [2.5, 3] };
  const configs: ConfigDict[] = [
    { type: 'MSRAHeatmap', ...map, sigma: 2 },
    { type: 'MSRAHeatmap', ...map, sigma: 2, unbiased: true, blur_kernel_size: 7 },
    { type: 'UDPHeatmap', ...map },
    { type: 'UDPHeatmap', ...map, heatmap_type: 'combined', blur_kernel_size: 3 },
    { type: 'MegviiHeatmap', ...map, kernel_size: 5 },
    { ...simcc, simcc_split_ratio: 2 },
    { ...simcc, use_dark: true, decode_visibility: true },
  ];
  return configs.map((config) => ({ config, w, h, k }));
});

/** Values of one map or vector: a peak, zeros, a constant, negatives, two equal peaks, one pixel, noise, and hardly anything. */
function oneKind(kind: number, [w, h]: readonly [number, number], seed: string): Float32Array {
  const random = uniform(seed, [h, w], 0, 1).data;
  const [px, py] = [Math.floor(random[0] * w), Math.floor(random[random.length - 1] * h)];
  const bump = (x: number, y: number) => Math.exp(-((x - px - 0.3) ** 2 + (y - py + 0.2) ** 2) / 8);
  const kinds = [bump, () => 0, () => 0.25, () => -0.5, bump, () => 0, () => 0, () => 0];
  const out = Float32Array.from({ length: w * h }, (_, i) => kinds[kind](i % w, Math.floor(i / w)));
  if (kind === 4) out[(py * w + px + Math.floor(out.length / 2)) % out.length] = out[py * w + px] = 2;
  if (kind === 5) out[py * w + px] = 0.75;
  if (kind === 6) out.set(random);
  if (kind === 7) out.set(random.map((v) => v * 2e-3 - 1e-4));
  return out;
}

/** The arrays of one sample, in the layout of `decode`. */
function kindsOfData(config: ConfigDict, [w, h]: readonly [number, number], k: number, seed: number): NdArray[] {
  const all = (count: number, size: readonly [number, number], name: string) => {
    const data = new Float32Array(count * size[0] * size[1]);
    for (let i = 0; i < count; i++)
      data.set(oneKind((i + seed * 3) % 8, size, `${name}:${seed}:${i}`), i * size[0] * size[1]);
    return data;
  };
  if (config.type !== 'SimCCLabel') {
    const count = config.heatmap_type === 'combined' ? 3 * k : k;
    return [{ data: all(count, [w, h], 'map'), shape: [count, h, w] }];
  }
  const ratio = (config.simcc_split_ratio as number | undefined) ?? 2;
  return [w, h].map((size, i) => ({ data: all(k, [size * ratio, 1], `simcc${i}`), shape: [1, k, size * ratio] }));
}

describe.each(['webgpu', 'webgl', 'wasm'] as const)('%s', (backendName) => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend(backendName);
    await loadBatchDecode();
  });
  afterAll(() => backend.dispose());

  /** Decodes in one synchronous section and one read; gives the numbers and their columns per keypoint. */
  async function decodeBatch(codec: KeypointCodec, samples: readonly Sample[]): Promise<[Float32Array, number]> {
    const before = backend.run(() => tf.memory().numTensors);
    const packed = backend.run(() => {
      const tensors = toTensors(samples);
      const result = codec.batchDecode!(...tensors);
      for (const tensor of tensors) tensor.dispose();
      return result;
    });
    const reads = readbackStats();
    const values = await readTensor(packed);
    const after = readbackStats();
    const [rows, keypoints, columns] = packed.shape;
    backend.run(() => packed.dispose());
    expect(after.reads - reads.reads).toBe(1);
    expect(after.bytes - reads.bytes).toBeLessThanOrEqual(16 * rows * keypoints);
    expect(backend.run(() => tf.memory().numTensors)).toBe(before);
    return [values, columns];
  }

  test.each(CODECS)('%s as MMPose', async (name) => {
    for (const { params, inputs, outputs, error, hessian_det: det } of await decodeCases(name)) {
      const codec = await buildCodec({ type: name, ...params.codec });
      const sample = Object.values(inputs) as NdArray[];
      if (error) {
        expect(() => backend.run(() => tf.tidy(() => codec.batchDecode!(...toTensors([sample]))))).toThrow(
          /expected \[N, K/,
        );
        continue;
      }
      const [packed, columns] = await decodeBatch(codec, [sample]);
      comparePacked(packed, columns, {
        keypoints: outputs.keypoints.data,
        scores: outputs.scores.data,
        visible: outputs.visibility?.data,
        keep: keepOf(det?.data),
      });
    }
  });

  test.each(OTHER_SIZES)(
    '$config.type, $w x $h, $k keypoints, of all kinds of data, as decode',
    async ({ config, w, h, k }) => {
      const codec = await buildCodec(config);
      const samples = [0, 1].map((seed) => kindsOfData(config, [w, h], k, seed));
      const [packed, columns] = await decodeBatch(codec, samples);
      samples.forEach((one, n) => {
        const copies = one.map(({ data, shape }) => ({ data: data.slice(), shape }));
        const { keypoints, scores, visible } = codec.decode(...copies);
        const size = packed.length / 2;
        comparePacked(packed.subarray(n * size, (n + 1) * size), columns, {
          keypoints: keypoints.data,
          scores: scores.data,
          visible: visible?.data,
          keep: keepOf(one.length === 1 ? hessianDet(config, one[0]) : null),
        });
      });
    },
  );

  test.each(CODECS)('%s: two different samples as decode', async (name) => {
    for (const { params, inputs, error } of await decodeCases(name)) {
      if (error) continue;
      const config = { type: name, ...params.codec };
      const codec = await buildCodec(config);
      const sample = Object.values(inputs) as NdArray[];
      const samples = [reversed(sample), sample];
      const [packed, columns] = await decodeBatch(codec, samples);
      samples.forEach((one, n) => {
        const { keypoints, scores, visible } = codec.decode(
          ...one.map(({ data, shape }) => ({ data: data.slice(), shape })),
        );
        const size = packed.length / 2;
        const keep = keepOf(one[0].shape.length === 3 && one.length === 1 ? hessianDet(config, one[0]) : null);
        comparePacked(packed.subarray(n * size, (n + 1) * size), columns, {
          keypoints: keypoints.data,
          scores: scores.data,
          visible: visible?.data,
          keep,
        });
      });
    }
  });

  if (backendName === 'wasm') return;
  test('a model reads keypoints only, unless it is asked for heatmaps', async () => {
    const inferencer = await createNano({ backend: backendName });
    const pixels = patternPixels(120, 90);
    const bboxes = [
      [10, 12, 60, 80],
      [50, 5.5, 118, 88],
    ];
    const before = readbackStats();
    await inferencer.infer(pixels, { bboxes });
    const after = readbackStats();
    expect(after.reads - before.reads).toBe(1);
    expect(after.bytes - before.bytes).toBeLessThanOrEqual(16 * 17 * bboxes.length);
    const { predFields } = await inferencer.infer(pixels, { bboxes, outputHeatmaps: true });
    expect(predFields?.heatmaps.shape[0]).toBe(17);
    await inferencer.dispose();
  });
});

describe('compiled by the jit', () => {
  let backend: Backend;
  let compiler: JitCompiler;
  beforeAll(async () => {
    backend = await createBackend('webgpu');
    compiler = new JitCompiler(backend.run(() => tf.backend() as unknown as { device: unknown }).device);
    await loadBatchDecode();
  });
  afterAll(async () => {
    compiler.dispose();
    await backend.dispose();
  });

  test.each(CODECS)('%s as MMPose', async (name) => {
    for (const { params, inputs, outputs, error, hessian_det: det } of await decodeCases(name)) {
      if (error) continue;
      const codec = await buildCodec({ type: name, ...params.codec });
      const { data, shape, split } = joined(toPlain(Object.values(inputs) as NdArray[]));
      // A plan has one input that nothing else may write: a product, as a network would end in.
      const network = await compiler.compile(shape, (x) => [codec.batchDecode!(...split(tf.mul(x, 1)))]);
      const [packed] = await network.run(data);
      network.dispose();
      comparePacked(packed.data, packed.shape[2], {
        keypoints: outputs.keypoints.data,
        scores: outputs.scores.data,
        visible: outputs.visibility?.data,
        keep: keepOf(det?.data),
      });
    }
  });

  /** One sample in the network's layout. */
  function toPlain(sample: Sample): NdArray[] {
    const [{ data, shape }] = sample;
    if (sample.length !== 1 || shape[0] === 1) return [...sample];
    const maps = transpose(data, shape, [1, 2, 0]);
    return [{ data: maps.data, shape: [1, ...maps.shape] }];
  }

  /** All arrays as one, since a plan has one input, and how to take it apart again. */
  function joined(arrays: readonly NdArray[]): NdArray & { split: (x: Tensor) => Tensor[] } {
    if (arrays.length === 1) return { ...arrays[0], split: (x) => [x] };
    const sizes = arrays.map(({ shape }) => shape[2]);
    const [n, k] = arrays[0].shape;
    const width = sizes[0] + sizes[1];
    const data = new Float32Array(n * k * width);
    for (let row = 0; row < n * k; row++) {
      data.set(arrays[0].data.subarray(row * sizes[0], (row + 1) * sizes[0]), row * width);
      data.set(arrays[1].data.subarray(row * sizes[1], (row + 1) * sizes[1]), row * width + sizes[0]);
    }
    return { data, shape: [n, k, width], split: (x) => tf.split(x, sizes, 2) };
  }
});
