/** `npm run test:golden` on small folders of our own: what it selects, prints, writes and gives as exit status. */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { close, exact, GROUPS, runGoldenFile, type CaseReport } from '../golden/runner.js';
import { runScript, type Ended } from '../support/run_script.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inpose-golden-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const boxes = (...data: number[]) => ({ $t: 'float32', shape: [data.length / 4, 4], data });
const xyxy = (name: string, output: object, op = 'bbox_xywh2xyxy') => ({
  ...{ name, op, params: {} },
  ...{ inputs: { bbox_xywh: boxes(1, 2, 3, 4) }, outputs: output },
});
const RIGHT = boxes(1, 2, 4, 6);

/** A golden folder with one group, `structures/FILE.json` each. */
async function golden(name: string, files: Readonly<Record<string, unknown>>): Promise<string> {
  const root = join(folder, name);
  await mkdir(join(root, 'structures'), { recursive: true });
  for (const [file, cases] of Object.entries(files)) {
    const content = { format: 'inpose-golden-1', group: 'structures', name: file, cases };
    const text = typeof cases === 'string' ? cases : JSON.stringify(content);
    await writeFile(join(root, 'structures', `${file}.json`), text);
  }
  return root;
}

const run = (...args: string[]): Promise<Ended> => runScript('tests/golden/cli.ts', args);
const lastLine = (text: string) => text.trimEnd().split('\n').at(-1);

describe('npm run test:golden', { timeout: 60_000 }, () => {
  it('passes what agrees, and ends with 1 when anything differs', async () => {
    const dir = await golden('mixed', {
      good: [xyxy('one', RIGHT), xyxy('two/deep', RIGHT)],
      wrong: [xyxy('off', boxes(1, 2, 4, 6.001))],
      strange: [xyxy('new', RIGHT, 'bbox_of_tomorrow')],
    });
    const report = join(folder, 'report.json');
    const { code, stdout } = await run('--dir', dir, '--report', report);
    expect(code).toBe(1);
    expect(lastLine(stdout)).toBe('golden: 2 passed, 1 failed, 1 not supported yet');
    expect(stdout).toContain('structures: 2 passed, 1 failed, 1 not supported (bbox_of_tomorrow)');
    expect(stdout).toMatch(/^FAILED structures wrong\/off \[node\]: output /m);
    const cases: CaseReport[] = JSON.parse(await readFile(report, 'utf8'));
    expect(cases.map(({ file, name, status }) => `${file}/${name} ${status}`)).toEqual([
      'good/one passed',
      'good/two/deep passed',
      'strange/new not supported',
      'wrong/off failed',
    ]);
    expect(cases[0]).toMatchObject({ group: 'structures', op: 'bbox_xywh2xyxy', backend: 'node', maxAbs: 0 });
    expect(cases[0].compared).toBeGreaterThanOrEqual(4);
    expect(cases[0].tolerance).toBe(1e-4);
    expect(cases[3].maxAbs).toBeCloseTo(0.001, 5);
  });

  it('selects by group and by glob on file/name', async () => {
    const dir = await golden('selected', {
      good: [xyxy('one', RIGHT), xyxy('two/deep', RIGHT)],
      wrong: [xyxy('off', boxes(0, 0, 0, 0))],
    });
    const all = await run('--dir', dir, '--group', 'structures', '--case', 'good/*');
    expect(all.code).toBe(0);
    expect(lastLine(all.stdout)).toBe('golden: 2 passed, 0 failed, 0 not supported yet');
    const deep = await run('--dir', dir, '--case', '*/t?o*');
    expect(lastLine(deep.stdout)).toBe('golden: 1 passed, 0 failed, 0 not supported yet');
    for (const args of [
      ['--group', 'codecs'],
      ['--case', 'good'],
    ]) {
      const none = await run('--dir', dir, ...args);
      expect(none.code).toBe(1);
      expect(none.stdout).toContain('no case matches');
      expect(lastLine(none.stdout)).toBe('golden: 0 passed, 0 failed, 0 not supported yet');
    }
  });

  it('notices every number that --corrupt changes', async () => {
    const dir = await golden('corrupt', { good: [xyxy('one', RIGHT), xyxy('flat', RIGHT)] });
    const { code, stdout } = await run('--dir', dir, '--corrupt');
    expect(lastLine(stdout)).toBe('golden: 0 passed, 2 failed, 0 not supported yet');
    expect(code).toBe(0);
  });

  it('a picture that is not here: skipped by name, never passed', async () => {
    const dir = await golden('photos/golden', {});
    // With a `shared` folder above the golden one, that is where files are looked for.
    await mkdir(join(folder, 'photos/shared'), { recursive: true });
    await mkdir(join(dir, 'evaluation'));
    const inputs = { gt: { file: 'shared/photos/none.json' }, predictions: [] };
    const coco = { name: 'gone', op: 'CocoMetric', params: { sigmas: [0.1], dataset: 'coco' }, inputs, outputs: {} };
    const content = { format: 'inpose-golden-1', group: 'evaluation', name: 'coco', cases: [coco] };
    await writeFile(join(dir, 'evaluation/coco.json'), JSON.stringify(content));
    const { code, stdout } = await run('--dir', dir);
    expect(stdout).toContain('SKIPPED evaluation coco/gone: shared/photos/none.json is not on this machine');
    expect(lastLine(stdout)).toBe('golden: 0 passed, 0 failed, 0 not supported yet');
    expect(code).toBe(1);
  });

  it('a case that compares nothing has failed, an outcome without numbers has not', async () => {
    const OPS = {
      nothing: () => [],
      masked: () => [close('x', [1, 2], [3, 4], undefined, [0, 0])],
      partly: () => [close('x', [1, 2], [1, 4], undefined, [1, 0])],
      empty: () => [exact('keep', [], [])],
    };
    const cases = Object.keys(OPS).map((op) => ({ name: op, op, params: {}, inputs: {}, outputs: {} }));
    const content = { format: 'inpose-golden-1', group: 'made_up', name: 'x', cases };
    const bytes = new TextEncoder().encode(JSON.stringify(content));
    Object.assign(GROUPS, { made_up: async () => ({ OPS }) });
    const source = { read: async () => bytes, readShared: async () => null };
    const reports = await runGoldenFile(source, 'x.json', { backend: 'node', corrupt: false, wanted: () => true });
    expect(reports.map(({ name, status, message }) => [name, status, message])).toEqual([
      ['nothing', 'failed', 'compared nothing'],
      ['masked', 'failed', 'compared nothing'],
      ['partly', 'passed', ''],
      ['empty', 'passed', ''],
    ]);
  });

  it('files that cannot be read: the cases fail, or one sentence says which', async () => {
    const absent = await golden('absent', {});
    const content = {
      format: 'inpose-golden-1',
      group: 'structures',
      name: 'b',
      bin: 'b.bin',
      cases: [xyxy('one', RIGHT)],
    };
    await writeFile(join(absent, 'structures/b.json'), JSON.stringify(content));
    const withoutBin = await run('--dir', absent);
    expect(withoutBin.stdout).toMatch(/FAILED structures b\/one \[node\]: .*b\.bin/);
    expect(withoutBin.code).toBe(1);
    const broken = await run('--dir', await golden('broken', { cut: '{"format":' }));
    expect(broken.stderr).toMatch(/^golden: .*cut\.json: expected JSON/);
    expect(broken.code).toBe(1);
    const nowhere = await run('--dir', join(folder, 'nowhere'));
    expect(nowhere.stderr).toMatch(/^golden: .*nowhere: not found; give the path of an existing folder/);
    expect(nowhere.code).toBe(1);
    expect((await run('--backend', 'cuda')).code).toBe(1);
  });
});
