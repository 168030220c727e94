/** `npm run eval:video` as a user runs it. The film of a real person is not in the repository: without it, its test is skipped. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { FrameRecord } from '../../bench/eval/video.js';
import { findShared } from '../golden/node_source.js';
import { runScript } from '../support/run_script.js';

const PROJECT = fileURLToPath(new URL('../..', import.meta.url));
const SQUATS = findShared(PROJECT, PROJECT, 'shared/photos/video/squats.webm');
const REFERENCE = findShared(PROJECT, PROJECT, 'shared/weights/reference/video_squats.json');

/** What another network, with a detector, finds in the same frames. */
interface Reference {
  readonly frames: readonly {
    readonly people: readonly { readonly bbox_xyxy: readonly number[]; readonly keypoints: readonly number[][] }[];
  }[];
}

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inpose-eval-video-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const run = (...args: string[]) => runScript('bench/eval/video_cli.ts', args);

test.skipIf(!SQUATS || !REFERENCE)('one person doing squats is found in every frame after the first', async () => {
  const out = join(folder, 'frames.json');
  const { code, stdout, stderr } = await run('--video', SQUATS!, '--fps', '5', '--out', out);
  expect(stderr).toBe('');
  expect(stdout).toContain('found after the first frame: 64 of 64');
  expect(stdout).toContain('found anew: 0 times');
  expect(code).toBe(0);
  const { frames } = JSON.parse(await readFile(REFERENCE!, 'utf8')) as Reference;
  const records = JSON.parse(await readFile(out, 'utf8')) as FrameRecord[];
  expect(records).toHaveLength(frames.length);
  const shares = records.slice(1).map((record, i) => {
    const [{ bbox_xyxy: bbox, keypoints }] = frames[i + 1].people;
    // "Found" is the right person at the right place, not a score.
    expect(iou(boxRound(record.keypoints), boxRound(keypoints)), `frame ${i + 1}`).toBeGreaterThan(0.4);
    const size = Math.max(bbox[2] - bbox[0], bbox[3] - bbox[1]);
    const near = keypoints.filter(([x, y], k) => {
      const [foundX, foundY] = record.keypoints[k];
      return Math.hypot(foundX - x, foundY - y) < 0.1 * size;
    });
    return near.length / keypoints.length;
  });
  expect(shares.reduce((a, b) => a + b) / shares.length).toBeGreaterThan(0.8);
});

test.each([
  [['--video', '/no/such/film.webm'], /^eval:video: .*film\.webm: not found/],
  [[], /required option '--video <file>' not specified/],
  [['--video', 'FILM'], /^eval:video: this browser cannot play the video/],
])('%j ends with status 1 and one sentence', async (args, message) => {
  const film = join(folder, 'film.webm');
  await writeFile(film, 'no film');
  const { code, stderr } = await run(...args.map((arg) => (arg === 'FILM' ? film : arg)));
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^\s+at /m);
  expect(code).toBe(1);
});

function boxRound(points: readonly (readonly number[])[]): number[] {
  const of = (axis: number, pick: (...values: number[]) => number) => pick(...points.map((point) => point[axis]));
  return [of(0, Math.min), of(1, Math.min), of(0, Math.max), of(1, Math.max)];
}

function iou(a: readonly number[], b: readonly number[]): number {
  const [w, h] = [Math.min(a[2], b[2]) - Math.max(a[0], b[0]), Math.min(a[3], b[3]) - Math.max(a[1], b[1])];
  const both = Math.max(0, w) * Math.max(0, h);
  const area = (box: readonly number[]) => (box[2] - box[0]) * (box[3] - box[1]);
  return both / (area(a) + area(b) - both);
}
