/**
 * Every kernel of convolutions that a device may come to use: both tables, for software adapters and for GPUs, and of each table
 * the variants that tuning may choose, against PyTorch's numbers. Variants are found by asking, so new ones are tested too.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import { JitCompiler } from '../../src/jit/compiler.js';
import { memoryStore, Tuner, type VariantTimer } from '../../src/jit/tune.js';
import * as tf from '../../src/tf.js';
import { LAYER_REFERENCES, layerCase, NETWORK_REFERENCES, networkCase, type JitCase } from './jit_cases.js';

let backend: Backend;
let device: GPUDevice;
const faults: string[] = [];

beforeAll(async () => {
  backend = await createBackend('webgpu');
  device = backend.run(() => (tf.backend() as unknown as { device: GPUDevice }).device);
  device.addEventListener('uncapturederror', ({ error }) => faults.push(error.message));
});
afterAll(async () => {
  await backend.dispose();
  expect(faults).toEqual([]);
});

/** Names of variants by shape. */
type Offered = Map<string, readonly string[]>;

/** Compiles with these winners, compares, and gives the variants of the shapes that have no winner. */
async function checkWith(subject: JitCase, software: boolean, winners: Map<string, string>): Promise<Offered> {
  const offered: Offered = new Map();
  // Nothing is timed: the tuner asks for all there is, and finds no variant faster than the first.
  const timer: VariantTimer = {
    time: ({ shapeKey, variants }) => {
      offered.set(
        shapeKey,
        variants.map(({ name }) => name),
      );
      return Promise.resolve(1);
    },
  };
  const store = memoryStore(winners);
  const tuner = new Tuner({ timer, store, idle: () => Promise.resolve(), budgetMs: Infinity });
  const compiler = new JitCompiler(device, { software, tuner });
  const network = await compiler.compile(subject.x.shape, subject.forward);
  try {
    subject.check((await network.run(subject.x.data))[0]);
    await compiler.tune(network);
  } finally {
    network.dispose();
    compiler.dispose();
  }
  return offered;
}

const seen = new Set<string>();

/** Each variant that is forced makes a network of its own, so a case takes some of them and the next case goes on from there. */
const FORCED_PER_CASE = 8;
let turn = 0;

/** The default first, then other variants of every shape, a few at a time. */
async function checkEveryVariant(subject: JitCase, software: boolean): Promise<void> {
  const offered = await checkWith(subject, software, new Map());
  for (const names of offered.values()) seen.add(names[0]);
  const others = Math.max(0, ...[...offered.values()].map((names) => names.length - 1));
  for (let i = 0; i < Math.min(others, FORCED_PER_CASE); i++) {
    const place = turn++;
    const winners = new Map(
      [...offered].map(([shape, names]) => [
        shape,
        names.length > 1 ? names[1 + (place % (names.length - 1))] : names[0],
      ]),
    );
    // A winner that the plan did not take would be asked for.
    await expect(checkWith(subject, software, winners), [...winners.values()].join()).resolves.toEqual(new Map());
    for (const name of winners.values()) seen.add(name);
  }
}

const TABLES = [
  { table: 'software adapters', software: true },
  { table: 'GPUs', software: false },
];

describe.each(TABLES)('kernels for $table', ({ software }) => {
  test.each(LAYER_REFERENCES.convolving)('$name', async (reference) => {
    const subject = layerCase(backend, reference);
    try {
      await checkEveryVariant(subject, software);
    } finally {
      subject.dispose();
    }
  });

  test.each(NETWORK_REFERENCES.convolving)('$name', async (reference) => {
    const before = tf.memory().numTensors;
    await checkEveryVariant(networkCase(reference), software);
    expect(tf.memory().numTensors).toBe(before);
  });
});

describe('16-bit filters', () => {
  /** Every weight moves by at most 2^-11 of itself, and what is summed adds up less than fully. */
  const ROUNDING = 2 ** -10;
  let rounded = 0;

  test.each(LAYER_REFERENCES.convolving)('$name', async (reference) => {
    const subject = layerCase(backend, reference);
    const compiler = new JitCompiler(device, { fp16: true, software: false });
    const network = await compiler.compile(subject.x.shape, subject.forward);
    try {
      const [output] = await network.run(subject.x.data);
      subject.check(output, ROUNDING);
      rounded += differs(() => subject.check(output)) ? 1 : 0;
    } finally {
      network.dispose();
      compiler.dispose();
      subject.dispose();
    }
  });

  test('were really in use', () => {
    expect(rounded).toBeGreaterThan(LAYER_REFERENCES.convolving.length / 2);
  });

  test('software adapters keep 32 bits', () => {
    const compiler = new JitCompiler(device, { fp16: true, software: true });
    expect(compiler.fp16).toBe(false);
    compiler.dispose();
  });
});

function differs(check: () => void): boolean {
  try {
    check();
    return false;
  } catch {
    return true;
  }
}

test('variants of every kind were among them', () => {
  const names = [...seen];
  for (const kind of [/^direct 6x/, /^direct \dx2/, /^direct .*\/8$/, /^strip 4$/, 'winograd 4x4', 'winograd 2x2']) {
    expect(names).toContainEqual(expect.stringMatching(kind));
  }
});
