/** The benchmark's verdicts and arithmetic, with runners that compute nothing. */
import { expect, test } from 'vitest';
import { measure } from '../../bench/measure.js';
import type { BenchNetwork } from '../../bench/network.js';
import { peakTflops } from '../../bench/peak.js';
import { addUp, gmacsPerSecond } from '../../bench/profile.js';
import { failures } from '../../bench/report.js';
import type { Runner } from '../../bench/runners/runner.js';
import { VariantTimes, type Tuning } from '../../bench/runners/variant_times.js';
import { jitProfile } from '../../bench/runners/jit_profile.js';
import { median, percentile } from '../../bench/stats.js';
import { timed } from '../../bench/timing.js';
import type { Choice } from '../../src/jit/plan.js';
import { turn } from '../../src/slices.js';

const OPTIONS = { persons: 1, runs: 3, capMs: 1000, settleMs: 0, profile: false } as const;

/** A network of one output [1, 4]; `recordedSize` may differ from what is timed. */
function network(recordedSize: readonly [number, number] = [2, 2]): BenchNetwork {
  return {
    ...{ name: 'tiny', size: [2, 2], recordedSize, float64Noise: 1e-7 },
    recorded: [{ data: Float32Array.of(1, -2, 3, 4), shape: [1, 4] }],
    load: () => Promise.reject(new Error('not loaded here')),
    input: (persons, [h, w]) => ({ data: new Float32Array(persons * 3 * h * w), shape: [persons, 3, h, w] }),
  };
}

/** Gives the recorded numbers, plus `error(input shape)` on the last one; counts what it is asked. */
function runner(
  name: Runner['name'],
  error: (shape: readonly number[]) => number = () => 0,
  log: string[] = [],
): Runner {
  return {
    name,
    prepare: async (_network, { shape }) => ({
      start: async () => ({
        layout: 'NCHW',
        run: async () => {
          log.push(name);
          const data = Array.from({ length: shape[0] }, () => [1, -2, 3, 4 + error(shape)]).flat();
          return [{ data: Float32Array.from(data), shape: [shape[0], 4] }];
        },
        dispose: async () => void log.push(`${name} gone`),
      }),
      dispose: () => {},
    }),
  };
}

test('runners take turns, and each is disposed of', async () => {
  const log: string[] = [];
  const both = [runner('inpose wasm', undefined, log), runner('onnxruntime-web wasm', undefined, log)];
  const rows = await measure(network(), both, { ...OPTIONS, runs: 2 });
  const [a, b] = ['inpose wasm', 'onnxruntime-web wasm'];
  expect(log).toEqual([a, b, a, b, a, b, `${a} gone`, `${b} gone`]);
  expect(rows.map(({ runner: name, runs, ok }) => [name, runs, ok])).toEqual([
    [a, 2, true],
    [b, 2, true],
  ]);
  expect(failures(rows)).toEqual([]);
});

test.each([
  ['within the tolerance of wasm', 2e-5, true],
  ['beyond it', 2e-4, false],
  ['not a number', NaN, false],
])('numbers %s', async (_what, error, ok) => {
  const rows = await measure(network(), [runner('inpose wasm', () => error)], OPTIONS);
  expect(rows[0].ok).toBe(ok);
  expect(failures(rows)).toHaveLength(ok ? 0 : 1);
});

test('the last of a batch is compared, too', async () => {
  const wrong = runner('inpose wasm');
  const swapped: Runner = {
    ...wrong,
    prepare: async () => ({
      start: async () => ({
        layout: 'NCHW',
        run: async () => [{ data: Float32Array.of(1, -2, 3, 4, 1, -2, 3, 5), shape: [2, 4] }],
        dispose: async () => {},
      }),
      dispose: () => {},
    }),
  };
  const [row] = await measure(network(), [swapped], { ...OPTIONS, persons: 2 });
  expect(row).toMatchObject({ ok: false, max_abs_diff: 1 });
});

test('a network recorded at another size is checked there, and against the first runner at its own', async () => {
  const atTimedSize = (shape: readonly number[]) => (shape[2] === 2 ? 0.5 : 0);
  const rows = await measure(
    network([4, 4]),
    [runner('inpose wasm'), runner('onnxruntime-web wasm', atTimedSize)],
    OPTIONS,
  );
  expect(rows[0]).toMatchObject({ ok: true, checked_at: [4, 4] });
  expect(rows[1]).toMatchObject({ ok: false, max_abs_diff: 0, share_at_size: 0.125 });
});

/** Its numbers are off by `error` from when it has been tuned. */
function tunedRunner(error: number): Runner {
  let isTuned = false;
  const tuning: Tuning = { ms: 5, shapes: [] };
  const plain = runner('inpose webgpu jit tuned', ([, , h]) => (isTuned && h === 2 ? error : 0));
  const tune = () => {
    isTuned = true;
    return Promise.resolve(tuning);
  };
  const prepare: Runner['prepare'] = async (...given) => {
    const prepared = await plain.prepare(...given);
    return { ...prepared, start: async () => ({ ...(await prepared.start()), tune }) };
  };
  return { ...plain, prepare };
}

test.each([
  ['recorded', [2, 2]],
  ['timed, against its own before where it was recorded at another', [4, 4]],
] as const)("a tuned network's numbers are those after tuning, at the size %s", async (_what, recordedSize) => {
  const [good] = await measure(network(recordedSize), [tunedRunner(0)], OPTIONS);
  expect(good).toMatchObject({ ok: true, tuning: { ms: 5, shapes: [] } });
  expect(good.tuning!.before_ms).toBeGreaterThan(0);
  const [bad] = await measure(network(recordedSize), [tunedRunner(0.5)], OPTIONS);
  expect(bad.ok).toBe(false);
});

test('times of variants: compiled together, with the winner beside the default', async () => {
  const compiled: string[] = [];
  const device = {
    createShaderModule: ({ code }: GPUShaderModuleDescriptor) => compiled.push(code),
    createComputePipelineAsync: () => Promise.reject(new Error('too large')),
  } as unknown as GPUDevice;
  const ms: Readonly<Record<string, number>> = { plain: 3, quick: 1 };
  const times = new VariantTimes(device, {
    time: (_choice, { name }) => (name in ms ? Promise.resolve(ms[name]) : Promise.reject(new Error('too large'))),
  });
  const variants = ['plain', 'large', 'quick'].map((name) => ({
    name,
    programs: () => [{ label: name, wgsl: name, workgroups: [1, 1, 1] as const, bindings: [] }],
  }));
  const choice: Choice = { shapeKey: 'conv', variants, chosen: 'plain', storage: () => ({ key: '', bytes: 0 }) };
  expect(await times.time(choice, variants[0])).toBe(3);
  expect(compiled).toEqual(['plain', 'large', 'quick']);
  await expect(times.time(choice, variants[1])).rejects.toThrow('too large');
  expect(await times.time(choice, variants[2])).toBe(1);
  expect(compiled).toHaveLength(3);
  const names = { shape: 'conv', default: 'plain', winner: 'quick' };
  const figures = { default_ms: 3, winner_ms: 1, ms: { plain: 3, large: null, quick: 1 } };
  expect(times.shapes()).toEqual([{ ...names, ...figures }]);
});

test('a slow runner runs twice', async () => {
  const slow = runner('inpose webgl');
  const rows = await measure(network(), [slow], { ...OPTIONS, runs: 9, capMs: -1 });
  expect(rows[0].runs).toBe(2);
});

test('what a call does in promises counts as busy, not as the call', async () => {
  const spin = (ms: number) => {
    for (const end = performance.now() + ms; performance.now() < end;);
  };
  const { value, ms, jsMs, busyMs } = await timed(async () => {
    spin(5);
    await Promise.resolve();
    spin(20);
    await turn();
    return 'done';
  });
  expect(value).toBe('done');
  expect(jsMs).toBeGreaterThanOrEqual(5);
  expect(busyMs - jsMs).toBeGreaterThanOrEqual(19);
  expect(ms).toBeGreaterThanOrEqual(busyMs);
});

test('medians and percentiles', () => {
  expect(median([3, 1, 2])).toBe(2);
  expect(median([4, 1, 2, 3])).toBe(2.5);
  expect(percentile([5, 1, 4, 2, 3], 0.95)).toBe(5);
  expect(
    percentile(
      Array.from({ length: 100 }, (_, i) => i + 1),
      0.95,
    ),
  ).toBe(95);
});

test('profiles add up per kernel, longest first', () => {
  const times = addUp([
    { kernel: 'a', ms: 1, macs: 2e6 },
    { kernel: 'b', ms: 5, macs: 0 },
    { kernel: 'a', ms: 3, macs: 6e6 },
  ]);
  expect(times.map(({ kernel, calls, ms }) => [kernel, calls, ms])).toEqual([
    ['b', 1, 5],
    ['a', 2, 4],
  ]);
  expect(gmacsPerSecond(times[1])).toBe(2);
});

test('dispatches of one operation are one line of a profile', () => {
  const node = { shape: [1, 8, 8, 4], macs: 1e6 };
  const steps = [
    { label: 'transform', node },
    { label: 'product', node },
    { label: 'transform', node: { ...node } },
  ];
  const dispatches = [1, 2, 4].map((ms) => ({ label: '', workgroups: [1, 1, 1], ms }));
  expect(jitProfile(steps, dispatches)).toEqual([
    { kernel: 'transform -> 1x8x8x4', calls: 1, ms: 4, macs: 1e6 },
    { kernel: 'transform + product -> 1x8x8x4', calls: 1, ms: 3, macs: 1e6 },
  ]);
  expect(() => jitProfile(steps, [])).toThrow(/found 0 dispatches; expected the 3/);
});

test('peaks of known cards', () => {
  expect(peakTflops('nvidia hopper NVIDIA H100 80GB HBM3')).toBe(66.9);
  expect(peakTflops('google swiftshader')).toBeUndefined();
});
