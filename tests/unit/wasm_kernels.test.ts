/** The wasm convolutions, both variants and both kinds of memory, against sums written out in double precision. */
import { setFlagsFromString } from 'node:v8';
import { describe, expect, test } from 'vitest';
import { hashOfSources } from '../../build_wasm_kernels.js';
import {
  loadWasmKernels,
  type ConvShape,
  type DepthwiseShape,
  type WasmKernels,
} from '../../src/backend/wasm/wasm_kernels.js';
import { KERNEL_SOURCES } from '../../src/backend/wasm/kernel_bytes.js';
import { uniform } from '../golden/formula.js';

// Node 20 has relaxed SIMD behind a flag; browsers need none.
setFlagsFromString('--experimental-wasm-relaxed-simd');

test('the compiled kernels are those of the sources (else: npm run build:wasm-kernels)', () => {
  expect(KERNEL_SOURCES).toBe(hashOfSources());
});

/** Which parts of the epilogue are asked for. */
interface Epilogue {
  readonly bias: boolean;
  readonly residual: boolean;
  readonly relu: boolean;
}
const ALL: Epilogue = { bias: true, residual: true, relu: true };
const NONE: Epilogue = { bias: false, residual: false, relu: false };

const PAGES = 128;
/** Stands before and behind every array: a kernel that writes beyond its own is found out. */
const GUARD = -7;

class Arena {
  readonly memory: WebAssembly.Memory;
  readonly #guards: number[] = [];
  #top = 1024;

  constructor(memory: WebAssembly.Memory) {
    this.memory = memory;
    this.floats().fill(NaN);
  }

  floats(): Float32Array {
    return new Float32Array(this.memory.buffer);
  }

  reserve(bytes: number): number {
    this.#guard();
    const at = this.#top;
    this.#top += bytes;
    this.#guard();
    return at;
  }

  put(data: Float32Array): number {
    const at = this.reserve(data.byteLength);
    this.floats().set(data, at / 4);
    return at;
  }

  intact(): boolean {
    const floats = this.floats();
    return this.#guards.every((at) => floats[at / 4] === GUARD);
  }

  #guard(): void {
    this.floats()[this.#top / 4] = GUARD;
    this.#guards.push(this.#top);
    this.#top += 4;
  }
}

interface Case {
  readonly shape: ConvShape;
  readonly x: Float32Array;
  readonly filter: Float32Array;
  readonly bias: Float32Array | null;
  readonly residual: Float32Array | null;
  readonly relu: boolean;
}

function caseOf(shape: ConvShape, epilogue: Epilogue): Case {
  const { n, h, w, cin, cout, kh, kw, oh, ow } = shape;
  const values = (name: string, size: number) => Float32Array.from(uniform(name, [size], -1, 1).data);
  return {
    shape,
    x: values('x', n * h * w * cin),
    filter: values('filter', kh * kw * cin * cout),
    bias: epilogue.bias ? values('bias', cout) : null,
    residual: epilogue.residual ? values('residual', n * oh * ow * cout) : null,
    relu: epilogue.relu,
  };
}

/** The definition, in double precision. */
function expected({ shape, x, filter, bias, residual, relu }: Case): Float64Array {
  const { n, h, w, cin, cout, kh, kw, strideY, strideX, top, left, oh, ow } = shape;
  const out = new Float64Array(n * oh * ow * cout);
  for (let i = 0; i < out.length; i++) {
    const [o, ox, oy] = [i % cout, Math.floor(i / cout) % ow, Math.floor(i / cout / ow) % oh];
    const image = Math.floor(i / cout / ow / oh);
    let sum = (bias ? bias[o] : 0) + (residual ? residual[i] : 0);
    for (let ky = 0; ky < kh; ky++) {
      for (let kx = 0; kx < kw; kx++) {
        const [y, xx] = [oy * strideY - top + ky, ox * strideX - left + kx];
        if (y < 0 || y >= h || xx < 0 || xx >= w) continue;
        const [pixel, tap] = [((image * h + y) * w + xx) * cin, (ky * kw + kx) * cin];
        for (let c = 0; c < cin; c++) sum += x[pixel + c] * filter[(tap + c) * cout + o];
      }
    }
    out[i] = relu ? Math.max(sum, 0) : sum;
  }
  return out;
}

function run(kernels: WasmKernels, memory: WebAssembly.Memory, data: Case, kernel: 'conv' | 'conv3x3'): Float32Array {
  const { shape } = data;
  const { n, cin, cout, kh, kw, oh, ow } = shape;
  const isGeneral = kernel === 'conv';
  const arena = new Arena(memory);
  const filter = arena.put(data.filter);
  const packed = arena.reserve(isGeneral ? kernels.packedSize(kh, kw, cin, cout) : kernels.packedSize3x3(cin, cout));
  const addresses = {
    input: arena.put(data.x),
    packed,
    bias: data.bias ? arena.put(data.bias) : undefined,
    residual: data.residual ? arena.put(data.residual) : undefined,
    output: arena.reserve(n * oh * ow * cout * 4),
    workspace: arena.reserve(isGeneral ? kernels.workspaceSize(shape) : kernels.workspaceSize3x3(shape)),
  };
  if (isGeneral) kernels.pack(packed, filter, kh, kw, cin, cout);
  else kernels.pack3x3(packed, filter, cin, cout);
  kernels[kernel](addresses, shape, data.relu);
  expect(arena.intact()).toBe(true);
  return arena.floats().slice(addresses.output / 4, addresses.output / 4 + n * oh * ow * cout);
}

/** Largest difference, in parts of the largest output. */
function difference(found: Float32Array, wanted: Float64Array): number {
  let [worst, largest] = [0, 1e-30];
  for (const [i, value] of wanted.entries()) {
    largest = Math.max(largest, Math.abs(value));
    const error = Math.abs(found[i] - value);
    if (!(error <= worst)) worst = error;
  }
  return worst / largest;
}

const same = (n: number, h: number, w: number, cin: number, cout: number): ConvShape => ({
  ...{ n, h, w, cin, cout, kh: 3, kw: 3, strideY: 1, strideX: 1, top: 1, left: 1, oh: h, ow: w },
});
const strided = (base: ConvShape, change: Partial<ConvShape>): ConvShape => ({ ...base, ...change });

const SHAPES_3X3 = [
  same(1, 16, 12, 96, 96),
  same(1, 17, 24, 48, 17),
  same(2, 7, 5, 3, 17),
  same(1, 1, 1, 1, 1),
  same(1, 1, 1, 26, 133),
  same(2, 9, 13, 70, 26),
  same(1, 13, 2, 129, 4),
  same(3, 5, 5, 64, 20),
];
const point = { kh: 1, kw: 1, top: 0, left: 0 };
const SHAPES = [
  ...SHAPES_3X3,
  strided(same(2, 31, 24, 3, 24), { kh: 7, kw: 7, strideY: 2, strideX: 2, top: 3, left: 3, oh: 16, ow: 12 }),
  strided(same(1, 16, 12, 48, 96), { strideY: 2, strideX: 2, oh: 8, ow: 6 }),
  // tfjs's and TensorFlow's "same" with stride 2: the zeros stand behind.
  strided(same(1, 16, 12, 48, 17), { strideY: 2, strideX: 2, top: 0, left: 0, oh: 8, ow: 6 }),
  strided(same(1, 16, 12, 64, 192), point),
  strided(same(2, 5, 7, 13, 9), point),
  strided(same(2, 5, 7, 13, 9), { ...point, strideY: 2, strideX: 2, oh: 3, ow: 4 }),
  strided(same(2, 5, 7, 6, 9), { kh: 5, kw: 2, strideX: 3, top: 2, ow: 3 }),
  // A filter larger than the image, in whole and in broken groups of 4 channels.
  strided(same(1, 2, 2, 5, 9), { kh: 7, kw: 7, top: 3, left: 3 }),
  strided(same(1, 6, 6, 8, 9), { kh: 7, kw: 7, top: 3, left: 3 }),
];

const MEMORIES = {
  plain: () => new WebAssembly.Memory({ initial: PAGES }),
  'with a maximum': () => new WebAssembly.Memory({ initial: PAGES, maximum: 32768 }),
  shared: () => new WebAssembly.Memory({ initial: PAGES, maximum: 16384, shared: true }),
};
const label = ({ n, h, w, cin, cout, kh, kw, strideY, strideX }: ConvShape) =>
  `${n} x ${h} x ${w}, ${cin} -> ${cout}, ${kh} x ${kw} / ${strideY}, ${strideX}`;

describe.each(['simd', 'relaxedSimd'] as const)('%s', (variant) => {
  const memory = MEMORIES.plain();
  const kernels = loadWasmKernels(memory, { variant });

  describe.each([ALL, NONE, { ...NONE, relu: true }, { ...NONE, residual: true }])('epilogue %o', (epilogue) => {
    test.each(SHAPES_3X3.map((shape) => [label(shape), shape] as const))('conv3x3: %s', async (_, shape) => {
      const data = caseOf(shape, epilogue);
      expect(difference(run(await kernels, memory, data, 'conv3x3'), expected(data))).toBeLessThan(2e-5);
    });

    test.each(SHAPES.map((shape) => [label(shape), shape] as const))('conv: %s', async (_, shape) => {
      const data = caseOf(shape, epilogue);
      expect(difference(run(await kernels, memory, data, 'conv'), expected(data))).toBeLessThan(3e-6);
    });
  });

  test.each(Object.keys(MEMORIES) as (keyof typeof MEMORIES)[])('in a memory: %s, which grows', async (kind) => {
    const own = MEMORIES[kind]();
    const bound = await loadWasmKernels(own, { variant });
    own.grow(1);
    for (const kernel of ['conv', 'conv3x3'] as const) {
      const data = caseOf(same(1, 9, 8, 12, 10), ALL);
      expect(difference(run(bound, own, data, kernel), expected(data))).toBeLessThan(2e-5);
    }
  });

  test('NaN stays NaN under ReLU', async () => {
    const data = caseOf(same(1, 8, 8, 4, 8), ALL);
    data.x.fill(NaN);
    for (const kernel of ['conv', 'conv3x3'] as const) {
      expect(run(await kernels, memory, data, kernel).every((value) => Number.isNaN(value))).toBe(true);
    }
  });
});

test('relaxed SIMD is taken where the engine has it', async () => {
  expect((await loadWasmKernels(MEMORIES.plain())).relaxed).toBe(true);
});

describe('depthwise', () => {
  const memory = MEMORIES.plain();
  const kernels = loadWasmKernels(memory);
  const map = (n: number, h: number, w: number, channels: number, k: number): DepthwiseShape => ({
    ...{ n, h, w, channels, kh: k, kw: k, strideY: 1, strideX: 1, oh: h, ow: w },
    ...{ top: (k - 1) / 2, left: (k - 1) / 2 },
  });
  const shapes: readonly DepthwiseShape[] = [
    map(1, 16, 12, 20, 3),
    map(2, 9, 13, 8, 5),
    map(1, 16, 12, 17, 13),
    map(1, 7, 5, 4, 3),
    map(2, 3, 9, 6, 3),
    map(1, 1, 1, 5, 3),
    // A filter larger than the image.
    map(1, 4, 5, 9, 11),
    { ...map(1, 16, 12, 40, 3), strideY: 2, strideX: 2, oh: 8, ow: 6 },
    { ...map(2, 15, 21, 11, 5), strideY: 2, strideX: 2, oh: 8, ow: 11 },
    { ...map(1, 8, 30, 12, 3), kh: 1, kw: 4, top: 0, left: 2, strideX: 3, ow: 10 },
    // Zeros behind only, as TensorFlow's "same" with stride 2.
    { ...map(1, 16, 12, 19, 3), strideY: 2, strideX: 2, top: 0, left: 0, oh: 8, ow: 6 },
  ];

  function definition(shape: DepthwiseShape, x: Float32Array, filter: Float32Array, bias: Float32Array | null) {
    const { n, h, w, channels, kh, kw, strideY, strideX, top, left, oh, ow } = shape;
    return Float64Array.from({ length: n * oh * ow * channels }, (_, i) => {
      const [c, ox] = [i % channels, Math.floor(i / channels) % ow];
      const [oy, image] = [Math.floor(i / channels / ow) % oh, Math.floor(i / channels / ow / oh)];
      let sum = bias ? bias[c] : 0;
      for (let tap = 0; tap < kh * kw; tap++) {
        const [y, xx] = [oy * strideY - top + Math.floor(tap / kw), ox * strideX - left + (tap % kw)];
        if (y < 0 || y >= h || xx < 0 || xx >= w) continue;
        sum += x[((image * h + y) * w + xx) * channels + c] * filter[tap * channels + c];
      }
      return sum;
    });
  }

  test.each(shapes.flatMap((shape) => [false, true].map((all) => ({ shape, all }))))('$shape, $all', async (data) => {
    const { shape, all } = data;
    const { n, h, w, channels, kh, kw, oh, ow } = shape;
    const values = (name: string, size: number) => Float32Array.from(uniform(name, [size], -1, 1).data);
    const [x, filter] = [values('x', n * h * w * channels), values('filter', kh * kw * channels)];
    const bias = all ? values('bias', channels) : null;
    const arena = new Arena(memory);
    const addresses = {
      ...{ input: arena.put(x), filter: arena.put(filter), bias: bias ? arena.put(bias) : undefined },
      output: arena.reserve(4 * n * oh * ow * channels),
    };
    (await kernels).depthwise(addresses, shape, all);
    expect(arena.intact()).toBe(true);
    const wanted = definition(shape, x, filter, bias).map((value) => (all ? Math.max(value, 0) : value));
    const found = arena.floats().slice(addresses.output / 4, addresses.output / 4 + wanted.length);
    expect(difference(found, wanted)).toBeLessThan(1e-6);
  });
});

describe('maps', () => {
  const memory = MEMORIES.plain();
  const kernels = loadWasmKernels(memory);
  const values = (name: string, size: number) => Float32Array.from(uniform(name, [size], -1, 1).data);

  test.each([
    [1, 64, 48, 20, 64, 48],
    [2, 12, 9, 6, 3, 3],
    [1, 8, 6, 3, 2, 6],
    [1, 4, 4, 1, 4, 4],
  ])('meanWindows of %i x %i x %i x %i in %i x %i', async (n, h, w, channels, kh, kw) => {
    const arena = new Arena(memory);
    const x = values('x', n * h * w * channels);
    const [input, count] = [arena.put(x), (n * h * w * channels) / kh / kw];
    const output = arena.reserve(4 * count);
    (await kernels).meanWindows(input, output, { n, h, w, channels }, kh, kw);
    expect(arena.intact()).toBe(true);
    const wanted = Float64Array.from({ length: count }, (_, i) => {
      const [c, ox, row] = [i % channels, Math.floor(i / channels) % (w / kw), Math.floor((i / channels / w) * kw)];
      let sum = 0;
      for (let y = 0; y < kh; y++)
        for (let x1 = 0; x1 < kw; x1++) sum += x[((row * kh + y) * w + ox * kw + x1) * channels + c];
      return sum / kh / kw;
    });
    expect(difference(arena.floats().slice(output / 4, output / 4 + count), wanted)).toBeLessThan(1e-6);
  });

  test.each([
    [1, 8, 6, 20, 2, 2],
    [2, 4, 8, 7, 4, 8],
    [2, 4, 8, 3, 1, 4],
  ])('combine %i x %i x %i x %i with one per %i x %i', async (n, h, w, channels, high, wide) => {
    const arena = new Arena(memory);
    const x = values('x', n * h * w * channels);
    const coarse = values('coarse', x.length / high / wide);
    const [at, by] = [arena.put(x), arena.put(coarse)];
    const output = arena.reserve(x.byteLength);
    for (const how of ['plus', 'times'] as const) {
      (await kernels).combine(at, by, output, { n, h, w, channels }, high, wide, how);
      const wanted = x.map((value, i) => {
        const [c, column, row] = [i % channels, Math.floor(i / channels) % w, Math.floor(i / channels / w)];
        const other = coarse[((Math.floor(row / high) * w) / wide + Math.floor(column / wide)) * channels + c];
        return how === 'plus' ? value + other : value * other;
      });
      expect(arena.floats().slice(output / 4, output / 4 + x.length)).toEqual(wanted);
    }
    expect(arena.intact()).toBe(true);
  });

  test.each([1, 2, 3, 4, 1023])('sigmoid and SiLU of %i numbers', async (count) => {
    const arena = new Arena(memory);
    const x = Float32Array.from({ length: count }, (_, i) => (i - count / 2) * (count < 5 ? 1 : 0.21));
    const input = arena.put(x);
    const output = arena.reserve(x.byteLength);
    for (const timesInput of [false, true]) {
      (await kernels).sigmoid(input, output, count, timesInput);
      x.forEach((value, i) => {
        const wanted = (timesInput ? value : 1) / (1 + Math.exp(-value));
        expect(Math.abs(arena.floats()[output / 4 + i] - wanted)).toBeLessThanOrEqual(3e-7 * Math.abs(wanted) + 1e-35);
      });
    }
    expect(arena.intact()).toBe(true);
  });

  test('sigmoid at the ends', async () => {
    const arena = new Arena(memory);
    const input = arena.put(Float32Array.of(NaN, Infinity, -1e4, 1e4));
    const output = arena.reserve(16);
    (await kernels).sigmoid(input, output, 4, false);
    const [nan, one, zero, two] = arena.floats().subarray(output / 4);
    expect([nan, one, two]).toEqual([NaN, 1, 1]);
    expect(zero).toBeLessThan(1e-37);
    (await kernels).sigmoid(input, output, 4, true);
    expect([...arena.floats().subarray(output / 4, output / 4 + 2)]).toEqual([NaN, Infinity]);
    expect(arena.floats()[output / 4 + 2]).toBeCloseTo(0, 30);
    expect(arena.floats()[output / 4 + 3]).toBe(1e4);
  });
});

describe('channels', () => {
  test.each([1, 3, 4, 7, 40])('interleave %i', async (count) => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    const kernels = await loadWasmKernels(memory);
    const floats = new Float32Array(memory.buffer).fill(-1);
    const [a, b, out] = [16, 116, 216];
    for (let i = 0; i < count; i++) [floats[a + i], floats[b + i]] = [i + 1, 1000 + i];
    kernels.interleave(4 * a, 4 * b, 4 * out, count);
    const wanted = Array.from({ length: 2 * count }, (_, i) => (i % 2 ? 1000 : 1) + Math.floor(i / 2));
    expect([...floats.subarray(out - 1, out + 2 * count + 1)]).toEqual([-1, ...wanted, -1]);
  });

  test.each([1, 3, 4, 7, 20])('copyRows, %i of 23 floats', async (count) => {
    const memory = new WebAssembly.Memory({ initial: 2 });
    const kernels = await loadWasmKernels(memory);
    const floats = new Float32Array(memory.buffer).fill(-1);
    const [input, output, rows] = [16, 516, 5];
    for (let i = 0; i < 23 * rows; i++) floats[input + i] = i;
    kernels.copyRows(4 * input, 23, 4 * output, count + 1, count, rows);
    const wanted = Array.from({ length: rows }, (_, row) => [
      ...Array.from({ length: count }, (__, i) => 23 * row + i),
      -1,
    ]).flat();
    expect([...floats.subarray(output, output + wanted.length)]).toEqual(wanted);
  });
});

describe.each(['simd', 'relaxedSimd'] as const)('sampleMap, %s', (variant) => {
  test.each([1, 4, 7, 32])('%i channels per head', async (d) => {
    const arena = new Arena(new WebAssembly.Memory({ initial: PAGES }));
    const kernels = await loadWasmKernels(arena.memory, { variant });
    const [queries, heads, h, w, points, pitch] = [5, 2, 3, 4, 3, 7];
    const map = uniform('map', [h * w * heads * d], -1, 1).data as Float32Array;
    // Also outside, by less than a pixel and by more.
    const places = uniform('places', [queries * heads * pitch * 2], -0.5, 1.5).data as Float32Array;
    const weights = uniform('weights', [queries * heads * pitch], 0, 1).data as Float32Array;
    const count = queries * heads * d;
    const output = arena.reserve(4 * count);
    const addresses = { map: arena.put(map), places: arena.put(places), weights: arena.put(weights), output };
    const shape = { queries, heads, d, h, w, points, pitch };
    const found = () => arena.floats().slice(output / 4, output / 4 + count);
    const pixel = (y: number, x: number, c: number) =>
      y >= 0 && x >= 0 && y < h && x < w ? map[(y * w + x) * heads * d + c] : 0;
    const wanted = Array.from({ length: count }, (_, i) => {
      const row = Math.floor(i / d);
      const channel = (row % heads) * d + (i % d);
      let sum = 0;
      for (let p = 0; p < points; p++) {
        const [x, y] = [places[2 * (row * pitch + p)] * w - 0.5, places[2 * (row * pitch + p) + 1] * h - 0.5];
        const [left, top] = [Math.floor(x), Math.floor(y)];
        for (const [dy, dx] of [
          [0, 0],
          [0, 1],
          [1, 0],
          [1, 1],
        ]) {
          const share = (dy ? y - top : 1 - y + top) * (dx ? x - left : 1 - x + left) * weights[row * pitch + p];
          sum += share * pixel(top + dy, left + dx, channel);
        }
      }
      return sum;
    });
    kernels.sampleMap(addresses, shape, false);
    found().forEach((value, i) => expect(value).toBeCloseTo(wanted[i], 5));
    kernels.sampleMap(addresses, shape, true);
    found().forEach((value, i) => expect(value).toBeCloseTo(2 * wanted[i], 5));
    expect(arena.intact()).toBe(true);
  });
});
