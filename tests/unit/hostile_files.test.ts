/** What a hostile weights file can cost: less than a second and less than 256 MB, measured from outside, at the peak. */
import { expect, test } from 'vitest';
import { runScript } from '../support/run_script.js';
import type { HostileReport } from './hostile_files.js';

test('hostile files: a typed error within a second and 256 MB', { timeout: 120_000 }, async () => {
  const { code, stdout, stderr } = await runScript('tests/unit/hostile_files.ts', []);
  expect(stderr).toBe('');
  expect(code).toBe(0);
  const { files, growth }: HostileReport = JSON.parse(stdout);
  expect(files.length).toBeGreaterThan(35);
  // Recorded files that torch loads may open here too; the golden cases say which.
  expect(files.filter(({ outcome }) => outcome !== 'CheckpointError' && outcome !== 'opens')).toEqual([]);
  expect(files.filter(({ name, outcome }) => outcome === 'opens' && !name.startsWith('bad_'))).toEqual([]);
  expect(files.filter(({ ms }) => ms > 1000)).toEqual([]);
  expect(growth).toBeLessThan(256 * 2 ** 20);
});
