/** Choosing among variants of kernels by measured times: the tuner with a timer of the test's own. No GPU. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { KernelContext, Variant } from '../../src/jit/kernels/program.js';
import { chosenPrograms } from '../../src/jit/kernels/program.js';
import { makePlan, type Choice } from '../../src/jit/plan.js';
import { memoryStore, Tuner, type TunerParts } from '../../src/jit/tune.js';
import { VERSION } from '../../src/version.js';
import { Sketch } from './jit_sketch.js';

const variant = (name: string): Variant => ({ name, programs: () => [] });
const choice = (shapeKey: string, names = ['direct', 'winograd', 'tiled'], chosen = names[0]): Choice => ({
  shapeKey,
  variants: names.map(variant),
  chosen,
  storage: () => ({ key: '', bytes: 0 }),
});

/** A tuner whose timer knows the times, and what it was asked. */
function tunerWith(times: Readonly<Record<string, number>>, parts: Partial<TunerParts> = {}) {
  const asked: string[] = [];
  const timer: TunerParts['timer'] = {
    time: ({ shapeKey }, { name }) => {
      asked.push(`${shapeKey} ${name}`);
      const time = times[name];
      return time === undefined ? Promise.reject(new Error('does not compile')) : Promise.resolve(time);
    },
  };
  const tuner = new Tuner({ timer, store: memoryStore(), idle: () => Promise.resolve(), ...parts });
  return { tuner, asked };
}

const chosenOf = (tuner: Tuner, { shapeKey, variants }: Choice) => tuner.choose(shapeKey, variants)?.name;

describe('Tuner', () => {
  test('the fastest variant wins, each shape is timed once, and the plan is out of date then', async () => {
    const { tuner, asked } = tunerWith({ direct: 3, winograd: 1, tiled: 2 });
    const conv = choice('conv');
    expect(await tuner.tune([conv, choice('conv')])).toBe(true);
    expect(chosenOf(tuner, conv)).toBe('winograd');
    expect(asked).toEqual(['conv direct', 'conv winograd', 'conv tiled']);
    expect(await tuner.tune([conv])).toBe(false);
    expect(asked).toHaveLength(3);
  });

  test('the shape that occurs most often is timed first', async () => {
    const { tuner, asked } = tunerWith({ direct: 1, winograd: 2, tiled: 3 });
    await tuner.tune([choice('stem'), choice('block'), choice('head'), choice('block')]);
    expect(asked.filter((name) => name.endsWith('direct'))).toEqual(['block direct', 'stem direct', 'head direct']);
  });

  test('a variant that is hardly faster does not replace the default', async () => {
    const { tuner } = tunerWith({ direct: 1, winograd: 0.98, tiled: 1.2 });
    expect(await tuner.tune([choice('conv')])).toBe(false);
    expect(chosenOf(tuner, choice('conv'))).toBe('direct');
  });

  test('a variant that takes more memory must be faster by more', async () => {
    const { tuner } = tunerWith({ direct: 1, winograd: 0.85, tiled: 2 });
    const conv = choice('conv');
    const [direct, winograd, tiled] = conv.variants;
    const costly = { ...conv, variants: [direct, { ...winograd, constantBytes: 1024 }, tiled] };
    expect(await tuner.tune([costly])).toBe(false);
    expect(await tuner.tune([choice('same, without')])).toBe(true);
  });

  test('a variant that does not run is no candidate, and one without rivals is not timed', async () => {
    const { tuner, asked } = tunerWith({ direct: 2, tiled: 1 });
    expect(await tuner.tune([choice('conv'), choice('pool', ['plain'])])).toBe(true);
    expect(chosenOf(tuner, choice('conv'))).toBe('tiled');
    expect(asked).not.toContain('pool plain');
  });

  test('winners come back from the store, and a name that is gone counts as none', async () => {
    const winners = new Map<string, string>();
    await tunerWith({ direct: 3, winograd: 1, tiled: 2 }, { store: memoryStore(winners) }).tuner.tune([choice('conv')]);
    const { tuner, asked } = tunerWith({}, { store: memoryStore(winners) });
    expect(chosenOf(tuner, choice('conv'))).toBeUndefined();
    await tuner.load();
    expect(chosenOf(tuner, choice('conv'))).toBe('winograd');
    expect(chosenOf(tuner, choice('conv', ['direct', 'other']))).toBeUndefined();
    expect(await tuner.tune([choice('conv')])).toBe(false);
    expect(asked).toEqual([]);
  });

  test('a store that cannot be read or written changes nothing', async () => {
    const broken = { load: () => Promise.reject(new Error('denied')), save: () => Promise.reject(new Error('denied')) };
    const { tuner } = tunerWith({ direct: 2, winograd: 1, tiled: 3 }, { store: broken });
    await tuner.load();
    expect(await tuner.tune([choice('conv')])).toBe(true);
    expect(chosenOf(tuner, choice('conv'))).toBe('winograd');
  });

  test('it stops when its time is over, or when told to, and keeps only what is complete', async () => {
    let clock = 0;
    const now = () => clock;
    const idle = () => Promise.resolve(void (clock += 30));
    const times = { direct: 3, winograd: 1, tiled: 2 };
    const limited = tunerWith(times, { now, idle, budgetMs: 50 });
    await limited.tuner.tune([choice('a'), choice('b')]);
    expect(chosenOf(limited.tuner, choice('a'))).toBe('winograd');
    expect(chosenOf(limited.tuner, choice('b'))).toBeUndefined();

    const controller = new AbortController();
    const stopping = tunerWith(times, { idle: () => Promise.resolve(controller.abort()) });
    expect(await stopping.tuner.tune([choice('a')], controller.signal)).toBe(false);
    expect(chosenOf(stopping.tuner, choice('a'))).toBeUndefined();
  });
});

describe('a plan with choices', () => {
  const sketch = new Sketch();
  const x = sketch.value([1, 8, 8, 8]);
  const filter = sketch.constant([3, 3, 4, 8]);
  const attrs = { kind: 'dense', strides: [1, 1], dilations: [1, 1], pad: [1, 1], hasBias: false, groups: 2, maps: [] };
  const expr = { operands: 1, steps: [] };
  const y = sketch.node('GroupedConv', [x, filter], [1, 8, 8, 8], { ...attrs, expr });
  const graph = sketch.graph([x], [y]);
  const limits = {
    ...{ maxComputeInvocationsPerWorkgroup: 256, maxComputeWorkgroupStorageSize: 16384 },
    maxStorageBufferBindingSize: 2 ** 27,
  };

  test('lists them, with the storage that a variant needs to run by itself', () => {
    const [{ shapeKey, variants, chosen, storage }, ...others] = makePlan(graph, limits).choices;
    expect(others).toEqual([]);
    expect(shapeKey).toBe('conv3x3 n1 8x8 8->8 s1 g2 f32');
    expect(variants.map(({ name }) => name)).toEqual(['strip 4', 'strip 2', 'strip 1']);
    expect(chosen).toBe('strip 4');
    const bindings = variants[1].programs()[0].bindings.map(storage);
    expect(bindings.map(({ bytes }) => bytes)).toEqual([8 * 8 * 8 * 4, 3 * 3 * 4 * 8 * 4, 8 * 8 * 8 * 4]);
    expect(bindings.map(({ data }) => data !== undefined)).toEqual([false, true, false]);
  });

  test('follows the tuner', async () => {
    const times = { 'strip 4': 2, 'strip 2': 1, 'strip 1': 3 };
    const { tuner } = tunerWith(times);
    const before = makePlan(graph, limits, { choose: tuner.choose });
    expect(await tuner.tune(before.choices)).toBe(true);
    const after = makePlan(graph, limits, { choose: tuner.choose });
    expect(after.choices[0].chosen).toBe('strip 2');
    expect(after.steps[0].program.wgsl).not.toBe(before.steps[0].program.wgsl);
    expect(await tuner.tune(after.choices)).toBe(false);
  });
});

describe('chosenPrograms', () => {
  const programs = (name: string): Variant => ({ name, programs: () => [{ label: name } as never] });
  const variants = [programs('first'), programs('second')];
  const context = (choose?: KernelContext['choose']) => ({ ...(choose && { choose }) }) as KernelContext;

  test('the first variant without a choice, else the chosen one', () => {
    expect(chosenPrograms('key', variants, context())[0].label).toBe('first');
    expect(
      chosenPrograms(
        'key',
        variants,
        context(() => undefined),
      )[0].label,
    ).toBe('first');
    expect(
      chosenPrograms(
        'key',
        variants,
        context((key, all) => (key === 'key' ? all[1] : undefined)),
      )[0].label,
    ).toBe('second');
  });
});

test('the version is that of the package', () => {
  const path = new URL('../../package.json', import.meta.url);
  expect(VERSION).toBe((JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version);
});
