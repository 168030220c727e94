/** `npm run bench:start` as a user runs it, once. */
import { expect, test } from 'vitest';
import { runScript } from '../support/run_script.js';

test('the first skeleton of the built demo is timed', async () => {
  const { code, stdout, stderr } = await runScript('bench/start.ts', ['--runs', '1']);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const [, script, model, drawn] = /^median +(\d+) +(\d+) +(\d+)$/m.exec(stdout)!.map(Number);
  expect(script).toBeGreaterThan(0);
  expect(model).toBeGreaterThan(script);
  expect(drawn).toBeGreaterThan(model);
}, 180_000);
