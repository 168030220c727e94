/** Long work in slices: nothing is lost or done twice, the page has its turns, errors come through. */
import { describe, expect, test } from 'vitest';
import { Parameter, Module, prepareModule, preparing, transpose } from '../../src/nn/module.js';
import { atOnce, inSlices, Slices, turn, type Steps } from '../../src/slices.js';

function busy(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}

function* work(steps: number, done: number[], ms = 0): Steps<string> {
  for (let i = 0; i < steps; i++) {
    busy(ms);
    done.push(i);
    yield;
  }
  return 'done';
}

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i);

describe('work in steps', () => {
  test('at once', () => {
    const done: number[] = [];
    expect(atOnce(work(5, done))).toBe('done');
    expect(done).toEqual(upTo(5));
  });

  test('in slices: every slice inside what is put around it, other tasks between them', async () => {
    const done: number[] = [];
    let inside = 0;
    let slices = 0;
    let longest = 0;
    const others: number[] = [];
    const timer = setInterval(() => others.push(done.length), 0);
    const around = <R>(slice: () => R): R => {
      const start = performance.now();
      inside++;
      slices++;
      const result = slice();
      inside--;
      longest = Math.max(longest, performance.now() - start);
      return result;
    };
    const steps = (function* (): Steps<string> {
      const inner = work(40, done, 3);
      for (;;) {
        expect(inside).toBe(1);
        const { done: ended, value } = inner.next();
        if (ended) return value;
        yield;
      }
    })();
    expect(await inSlices(steps, around)).toBe('done');
    clearInterval(timer);
    expect(done).toEqual(upTo(40));
    expect(slices).toBeGreaterThan(5);
    expect(new Set(others).size).toBeGreaterThan(1);
  });

  test('little work needs no turn', async () => {
    let passed = false;
    void turn().then(() => (passed = true));
    await inSlices(work(3, []));
    expect(passed).toBe(false);
  });

  test('an error in a step rejects', async () => {
    const failing = (function* (): Steps<void> {
      yield;
      throw new Error('here');
    })();
    await expect(inSlices(failing)).rejects.toThrow('here');
  });

  test('pauses of a loop that awaits anyway', async () => {
    let turns = 0;
    const timer = setInterval(() => turns++, 0);
    const slices = new Slices();
    for (let i = 0; i < 30; i++) {
      busy(3);
      await slices.pause();
    }
    clearInterval(timer);
    expect(turns).toBeGreaterThan(1);
  });
});

test('preparing in slices prepares every module once, parents first', async () => {
  const prepared: string[] = [];
  class Named extends Module<number, number> {
    readonly name: string;
    readonly inner: readonly Named[];
    readonly weight = new Parameter([1]);
    constructor(name: string, inner: readonly Named[] = []) {
      super();
      [this.name, this.inner] = [name, inner];
    }
    override forward(x: number): number {
      return x;
    }
    override prepare(): void {
      prepared.push(this.name);
    }
  }
  const make = () => new Named('a', [new Named('b', [new Named('c')]), new Named('d')]);
  prepareModule(make());
  await inSlices(preparing(make()));
  expect(prepared).toEqual(['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']);
});

test('transpose agrees with the definition, also along axes of length 1 and for empty arrays', () => {
  const shapes: [number[], number[]][] = [
    [
      [2, 3, 4, 5],
      [2, 3, 1, 0],
    ],
    [
      [3, 1, 2],
      [1, 2, 0],
    ],
    [
      [4, 5],
      [1, 0],
    ],
    [[6], [0]],
    [
      [0, 3],
      [1, 0],
    ],
  ];
  for (const [shape, perm] of shapes) {
    const size = shape.reduce((a, b) => a * b, 1);
    const data = Float32Array.from({ length: size }, (_, i) => i);
    const { data: out, shape: outShape } = transpose(data, shape, perm);
    expect(outShape).toEqual(perm.map((axis) => shape[axis]));
    const strides = (s: readonly number[]) => s.map((_, axis) => s.slice(axis + 1).reduce((a, b) => a * b, 1));
    const [from, to] = [strides(shape), strides(outShape)];
    for (let i = 0; i < size; i++) {
      const index = to.map((stride, axis) => Math.floor(i / stride) % outShape[axis]);
      const source = index.reduce((sum, at, axis) => sum + at * from[perm[axis]], 0);
      expect(out[i]).toBe(data[source]);
    }
  }
});
