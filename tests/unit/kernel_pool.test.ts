/** Convolutions that threads share: what each part is, and that all parts together are the whole. Workers are Node's here. */
import { resolveObjectURL } from 'node:buffer';
import { Worker as NodeWorker } from 'node:worker_threads';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { cutIntoParts } from '../../src/backend/wasm/kernel_parts.js';
import { loadWasmKernels, type ConvShape, type WasmKernels } from '../../src/backend/wasm/wasm_kernels.js';
import { uniform } from '../golden/formula.js';

/** A browser's worker, as far as the pool needs one: the script of a blob's URL, and messages. */
class BlobWorker extends EventTarget {
  static readonly all: BlobWorker[] = [];
  readonly worker: Promise<NodeWorker>;

  constructor(url: string) {
    super();
    const script = resolveObjectURL(url)!.text();
    this.worker = script.then((text) => this.#start(text));
    BlobWorker.all.push(this);
  }

  #start(text: string): NodeWorker {
    const head = `const { parentPort } = require('node:worker_threads');
      globalThis.postMessage = (data) => parentPort.postMessage(data);
      parentPort.on('message', (data) => onmessage({ data }));`;
    const worker = new NodeWorker(`${head}\n${text}`, { eval: true });
    worker.on('message', (data) => this.dispatchEvent(new MessageEvent('message', { data })));
    worker.on('error', () => this.dispatchEvent(new Event('error')));
    return worker;
  }

  postMessage(data: unknown): void {
    void this.worker.then((worker) => worker.postMessage(data, []));
  }

  terminate(): void {
    void this.worker.then((worker) => worker.terminate());
  }
}

const THREADS = 3;
const HEAP = 64 * 1024;

/** How many numbers are not the same; NaN is like nothing. */
function differences(a: Float32Array, b: Float32Array): number {
  return a.filter((value, i) => value !== b[i]).length;
}

function sharedMemory(): WebAssembly.Memory {
  return new WebAssembly.Memory({ initial: 512, maximum: 1024, shared: true });
}

describe('cutIntoParts', () => {
  const work = { units: 100, unitStep: 6, channels: 20, products: 1e7 };

  test('units, in whole steps, when there are more of them', () => {
    expect(cutIntoParts(work, 3)).toEqual([
      [0, 30, 0, 20],
      [30, 66, 0, 20],
      [66, 100, 0, 20],
    ]);
  });

  test('channels, in blocks of 8, when there are more of them', () => {
    expect(cutIntoParts({ ...work, units: 12 }, 4)).toEqual([
      [0, 12, 0, 8],
      [0, 12, 8, 16],
      [0, 12, 16, 20],
    ]);
  });

  test('little work, or one thread: one part', () => {
    expect(cutIntoParts({ ...work, products: 1e5 }, 4)).toEqual([[0, 100, 0, 20]]);
    expect(cutIntoParts(work, 1)).toEqual([[0, 100, 0, 20]]);
  });
});

describe('convolutions on three threads', () => {
  const memory = sharedMemory();
  let [alone, together]: WasmKernels[] = [];

  beforeAll(async () => {
    vi.stubGlobal('Worker', BlobWorker);
    alone = await loadWasmKernels(memory);
    together = await loadWasmKernels(memory, { threads: THREADS, reserve: () => 1024 });
  });
  afterAll(() => {
    together.terminate();
    vi.unstubAllGlobals();
  });

  test('there are three', () => {
    expect([alone.threads, together.threads]).toEqual([1, THREADS]);
  });

  const same = (n: number, h: number, w: number, cin: number, cout: number): ConvShape => ({
    ...{ n, h, w, cin, cout, kh: 3, kw: 3, strideY: 1, strideX: 1, top: 1, left: 1, oh: h, ow: w },
  });
  const point = { kh: 1, kw: 1, top: 0, left: 0 };
  const shapes = [
    same(1, 64, 48, 40, 34),
    same(2, 13, 21, 66, 60),
    same(1, 16, 12, 192, 100),
    { ...same(1, 64, 48, 40, 44), ...point },
    { ...same(1, 8, 6, 400, 300), ...point },
    { ...same(1, 64, 48, 3, 60), kh: 7, kw: 7, strideY: 2, strideX: 2, top: 3, left: 3, oh: 32, ow: 24 },
  ];
  const values = (name: string, size: number) => Float32Array.from(uniform(name, [size], -1, 1).data);

  /** All that a convolution reads and writes, from the same address on each time: the second run must not read the first one's numbers. */
  function outputs(kernels: WasmKernels, kernel: 'conv' | 'conv3x3', shape: ConvShape): Float32Array {
    const { n, h, w, cin, cout, kh, kw, oh, ow } = shape;
    let top = HEAP;
    const reserve = (bytes: number) => {
      const at = top;
      top += Math.ceil(bytes / 4) * 4 + 4;
      return at;
    };
    const floats = new Float32Array(memory.buffer);
    floats.fill(NaN, HEAP / 4);
    const put = (data: Float32Array) => {
      const at = reserve(data.byteLength);
      floats.set(data, at / 4);
      return at;
    };
    const isGeneral = kernel === 'conv';
    const filter = put(values('filter', kh * kw * cin * cout));
    const addresses = {
      packed: reserve(isGeneral ? kernels.packedSize(kh, kw, cin, cout) : kernels.packedSize3x3(cin, cout)),
      input: put(values('x', n * h * w * cin)),
      bias: put(values('bias', cout)),
      residual: put(values('residual', n * oh * ow * cout)),
      output: reserve(4 * n * oh * ow * cout),
      workspace: reserve(isGeneral ? kernels.workspaceSize(shape) : kernels.workspaceSize3x3(shape)),
    };
    const end = top;
    if (isGeneral) kernels.pack(addresses.packed, filter, kh, kw, cin, cout);
    else kernels.pack3x3(addresses.packed, filter, cin, cout);
    kernels[kernel](addresses, shape, true);
    expect(floats[end / 4], 'first number behind the workspace').toBeNaN();
    return floats.slice(addresses.output / 4, addresses.output / 4 + n * oh * ow * cout);
  }

  // Every output is the same sum in the same order, so the numbers are equal.
  test.each(shapes)('$n x $h x $w, $cin -> $cout, $kh x $kw', (shape) => {
    const one = outputs(alone, 'conv', shape);
    expect(one.some((value) => value > 0)).toBe(true);
    expect(differences(outputs(together, 'conv', shape), one)).toBe(0);
    if (shape.kh !== 3) return;
    expect(differences(outputs(together, 'conv3x3', shape), outputs(alone, 'conv3x3', shape))).toBe(0);
  });

  test('depthwise', () => {
    const map = { n: 2, h: 33, w: 30, channels: 40, kh: 5, kw: 5 };
    const shape = { ...map, strideY: 1, strideX: 1, top: 2, left: 2, oh: 33, ow: 30 };
    const floats = new Float32Array(memory.buffer);
    const [input, filter] = [HEAP, HEAP + 4e6];
    floats.set(values('x', 2 * 33 * 30 * 40), input / 4);
    floats.set(values('filter', 25 * 40), filter / 4);
    const run = (kernels: WasmKernels, output: number) => {
      kernels.depthwise({ input, filter, output }, shape, false);
      return floats.slice(output / 4, output / 4 + 2 * 33 * 30 * 40);
    };
    const one = run(alone, HEAP + 8e6);
    expect(one.every((value) => Number.isFinite(value))).toBe(true);
    expect(differences(run(together, HEAP + 12e6), one)).toBe(0);
  });

  test('a kernel that fails on a worker is an error, and does not hang', () => {
    const shape = { ...same(1, 64, 48, 64, 32), ...point };
    // Half of the output lies beyond the memory's end, which is the worker's half.
    const output = memory.buffer.byteLength - 64 * 48 * 32 * 2;
    const addresses = { input: HEAP, packed: HEAP + 4e6, output, workspace: HEAP + 8e6 };
    expect(() => together.conv(addresses, shape, false)).toThrow(WebAssembly.RuntimeError);
  });
});

describe('without workers', () => {
  test('a plain memory has one thread', async () => {
    const kernels = await loadWasmKernels(new WebAssembly.Memory({ initial: 1 }), { threads: 4, reserve: () => 0 });
    expect(kernels.threads).toBe(1);
  });

  test('a browser that refuses workers has one thread', async () => {
    vi.stubGlobal(
      'Worker',
      class {
        constructor() {
          throw new Error('refused by a Content-Security-Policy');
        }
      },
    );
    const kernels = await loadWasmKernels(sharedMemory(), { threads: 2, reserve: () => 1024 });
    expect(kernels.threads).toBe(1);
    vi.unstubAllGlobals();
  });

  test('a worker whose script fails leaves one thread', async () => {
    class Failing extends EventTarget {
      postMessage(): void {
        this.dispatchEvent(new Event('error', { cancelable: true }));
      }
      terminate(): void {}
    }
    vi.stubGlobal('Worker', Failing);
    const kernels = await loadWasmKernels(sharedMemory(), { threads: 2, reserve: () => 1024 });
    expect(kernels.threads).toBe(1);
    vi.unstubAllGlobals();
  });
});
