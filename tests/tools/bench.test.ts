/** `npm run bench` as a user runs it, on the network and the runners that take the least time. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Row } from '../../bench/measure.js';
import { runScript } from '../support/run_script.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inpose-bench-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

test('the wasm runners side by side, with a file and time per kernel', async () => {
  const json = join(folder, 'bench.json');
  const runners = 'inpose wasm,onnxruntime-web wasm';
  const options = ['--models', 'litehrnet_18', '--runners', runners, '--runs', '2', '--json', json, '--profile'];
  const { code, stdout, stderr } = await runScript('bench/cli.ts', options);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^litehrnet_18 {2}inpose wasm/m);
  expect(stdout).toMatch(/^InposeWasmDepthwiseConv2d /m);
  const { adapter, versions, rows }: { adapter: string; versions: object; rows: Row[] } = JSON.parse(
    await readFile(json, 'utf8'),
  );
  expect(adapter).not.toBe('');
  expect(Object.keys(versions)).toEqual(['inpose', 'node', 'tfjs', 'onnxruntime-web']);
  expect(rows.map(({ runner, ok, checked_at }) => [runner, ok, checked_at])).toEqual([
    ['inpose wasm', true, [64, 64]],
    ['onnxruntime-web wasm', true, [64, 64]],
  ]);
  for (const row of rows) expect(row.median_ms).toBeGreaterThan(0);
}, 180_000);

test('an unknown runner is an error that names the known ones', async () => {
  const { code, stderr } = await runScript('bench/cli.ts', ['--runners', 'inpose wsam']);
  expect(code).toBe(1);
  expect(stderr).toMatch(/found "inpose wsam"; expected any of inpose webgpu jit, /);
});
