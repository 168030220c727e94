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
import { sizeOf, type NdArray } from '../../src/ndarray.js';
import { transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor } from '../../src/tf.js';
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

test.each(['webgpu', 'webgl'] as const)(
  '%s: a model reads keypoints only, unless it is asked for heatmaps',
  async (name) => {
    const inferencer = await createNano({ backend: name });
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
  },
);
