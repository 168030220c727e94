/** `npm run eval` as a user runs it: a model, a folder of pictures and COCO files, without anything from outside the repository. */
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PersonRecord } from '../../bench/eval/page.js';
import { flippedAnswer, writeFixture, type Found } from '../bundle/fixture.js';
import { encodeSafetensors, openCheckpoint } from '../../src/checkpoint/index.js';
import { CASES as RTMDETS, detectorWeights } from '../support/rtmdet.js';
import { encodePng } from '../support/png.js';
import { SAMPLE_PICTURE } from '../support/sample.js';
import { LEAST_PCK, SAMPLE_SIZE, samplePck } from '../support/sample_pck.js';
import { runScript, type Ended } from '../support/run_script.js';
import { TINY_RTMO, tinyRtmoWeights } from '../support/tiny_rtmo.js';

const KEYPOINT_TOLERANCE_PX = 0.02;
const TINY = fileURLToPath(new URL('../fixtures/golden/checkpoints/hrnet_tiny_model.pth', import.meta.url));

type Answer = Omit<Found, 'backend'>;

let folder: string;
let plain: Answer;
let flipped: Answer;
let box: readonly number[];
const at = (name: string) => join(folder, name);
/** `null` leaves an option out; `true` has no value. */
function run(options: Readonly<Record<string, string | true | null>>): Promise<Ended> {
  const usual = { model: at('model.safetensors'), images: at('images'), annotations: at('gt.json') };
  const given = Object.entries<string | true | null>({ ...usual, ...options }).filter(([, value]) => value !== null);
  return runScript(
    'bench/eval/cli.ts',
    given.flatMap(([name, value]) => (typeof value === 'string' ? [`--${name}`, value] : [`--${name}`])),
  );
}
const writeJson = (name: string, value: unknown) => writeFile(at(name), JSON.stringify(value));
const people = async (name: string): Promise<PersonRecord[]> => JSON.parse(await readFile(at(name), 'utf8'));

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'inpose-eval-'));
  plain = await writeFixture(folder);
  flipped = await flippedAnswer();
  // The config beside the weights, as `--model FILE` alone finds it.
  await rename(at('config.json'), at('model.config.json'));
  const { width, height, bboxes } = JSON.parse(await readFile(at('picture.json'), 'utf8'));
  box = bboxes[0];
  const png = encodePng(await readFile(at('picture.rgb')), width, height);
  await mkdir(at('images'));
  for (const name of ['a', 'b']) await writeFile(at(`images/${name}.png`), png);
  await mkdir(at('broken'));
  await writeFile(at('broken/a.png'), png.subarray(0, 90));
  const images = ['a', 'b', 'c'].map((name, i) => ({ id: i + 1, file_name: `val/${name}.jpg`, width, height }));
  const [x1, y1, x2, y2] = box;
  const joints = ({ keypoints }: Answer) => keypoints.flatMap(([x, y]) => [x, y, 2]);
  const person = (id: number, imageId: number, extra: object = {}) => ({
    ...{ id, image_id: imageId, category_id: 1, iscrowd: 0, bbox: [x1, y1, x2 - x1, y2 - y1] },
    ...{ area: (x2 - x1) * (y2 - y1), keypoints: joints(plain), num_keypoints: 17 },
    ...extra,
  });
  const annotations = [
    person(10, 1),
    person(11, 1, { iscrowd: 1 }),
    person(12, 1, { num_keypoints: 0, keypoints: plain.keypoints.flatMap(() => [0, 0, 0]) }),
    person(13, 2),
    person(14, 3),
  ];
  const categories = [{ id: 1, name: 'person' }];
  await writeJson('gt.json', { images, annotations, categories });
  const mirrored = [1, 2].map((imageId) => person(imageId, imageId, { keypoints: joints(flipped) }));
  await writeJson('gt_flip.json', { images, annotations: mirrored, categories });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function expectAnswer({ keypoints }: PersonRecord, answer: Answer): void {
  expect(keypoints).toHaveLength(answer.keypoints.length);
  answer.keypoints.forEach(([x, y], k) => {
    const [foundX, foundY, score] = keypoints[k];
    expect(Math.hypot(foundX - x, foundY - y), `keypoint ${k}`).toBeLessThan(KEYPOINT_TOLERANCE_PX);
    expect(score).toBeCloseTo(answer.scores[k], 4);
  });
}

const table = (stdout: string, name: string) => Number(new RegExp(`^coco/${name} +(\\S+)$`, 'm').exec(stdout)?.[1]);

describe('a detector', () => {
  test('everybody whom it finds, scored as detection results', async () => {
    const [c] = RTMDETS;
    const { stateDict } = await openCheckpoint(await detectorWeights(c));
    await writeFile(at('people.safetensors'), await encodeSafetensors(stateDict));
    await writeJson('people.config.json', c.config);
    const { code, stdout, stderr } = await run({ 'det-checkpoint': at('people.safetensors'), out: at('found.json') });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    const boxes = Number(/^detector: people\.safetensors, (\d+) boxes in 2 pictures$/m.exec(stdout)?.[1]);
    const found = await people('found.json');
    expect(boxes).toBeGreaterThan(2);
    expect(found).toHaveLength(boxes);
    expect(new Set(found.map(({ image_id }) => image_id))).toEqual(new Set([1, 2]));
    for (const person of found) {
      expect(person.annotation_id).toBeNull();
      expect(person.bbox_score).toBeGreaterThan(0.3);
    }
  });

  test('options that do not go together', async () => {
    const alone = await run({ 'det-config': at('people.config.json') });
    expect(alone.stderr).toContain('--det-config: found no --det-checkpoint');
    const both = await run({ 'det-checkpoint': at('people.safetensors'), boxes: at('gt.json') });
    expect(both.stderr).toContain('--boxes: found --det-checkpoint too');
  });
});

describe('numbers', () => {
  test("annotated boxes: MMPose's keypoints, absent pictures listed and left out of AP", async () => {
    const { code, stdout, stderr } = await run({ out: at('people.json') });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('people: 2 in 2 pictures');
    expect(stdout).toContain('absent pictures, left out of AP (1): c');
    expect(stdout).toMatch(/people per second: [\d.]+ \(wasm/);
    expect(table(stdout, 'AP')).toBe(1);
    const found = await people('people.json');
    expect(found.map(({ image_id, annotation_id }) => [image_id, annotation_id])).toEqual([
      [1, 10],
      [2, 13],
    ]);
    for (const person of found) {
      expect(person.bbox).toEqual(box);
      expect(person.bbox_score).toBe(1);
      expectAnswer(person, plain);
    }
  });

  test('detected boxes, flip test: who was not detected counts as missed', async () => {
    const [x1, y1, x2, y2] = box;
    const detection = { image_id: 1, category_id: 1, bbox: [x1, y1, x2 - x1, y2 - y1], score: 0.75 };
    await writeJson('boxes.json', [
      detection,
      { ...detection, category_id: 2 },
      { ...detection, bbox: [x1, y1, 0, 20] },
      { ...detection, bbox: [-50, y1, 40, 20] },
      { ...detection, image_id: 3 },
    ]);
    const { code, stdout, stderr } = await run({
      ...{ annotations: at('gt_flip.json'), boxes: at('boxes.json') },
      ...{ flip: true, out: at('people.json') },
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('flip test on');
    expect(stdout).toContain('people: 1 in 1 pictures');
    expect(stdout).toMatch(/boxes left out, .*: 2$/m);
    expect(table(stdout, 'AR .5')).toBe(0.5);
    const [person, ...others] = await people('people.json');
    expect(others).toEqual([]);
    expect(person).toMatchObject({ image_id: 1, annotation_id: null, bbox_score: 0.75 });
    expectAnswer(person, flipped);
  });

  test('a bottom-up model looks at whole pictures, also where nobody is annotated', async () => {
    await writeFile(at('rtmo.safetensors'), await tinyRtmoWeights());
    await writeJson('rtmo.config.json', TINY_RTMO);
    const all = JSON.parse(await readFile(at('gt.json'), 'utf8'));
    const onlyFirst = all.annotations.filter((person: { image_id: number }) => person.image_id === 1);
    await writeJson('gt_first.json', { ...all, annotations: onlyFirst });
    const { code, stdout, stderr } = await run({
      ...{ model: at('rtmo.safetensors'), annotations: at('gt_first.json'), out: at('crowd.json') },
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('in 2 pictures');
    expect(table(stdout, 'AP')).toBeGreaterThanOrEqual(0);
    const found = await people('crowd.json');
    const [first, second] = [1, 2].map((id) => found.filter(({ image_id }) => image_id === id));
    expect(first.length).toBeGreaterThan(1);
    // Both are the same picture.
    expect(second).toEqual(first.map((person) => ({ ...person, image_id: 2 })));
    for (const person of first) {
      expect(person.annotation_id).toBeNull();
      expect(person.bbox_score).toBeGreaterThan(0.1);
      expect([person.bbox.length, person.keypoints.length]).toEqual([4, 17]);
    }
  });

  test('a limit; a dataset without sigmas; a config of its own', async () => {
    const config = JSON.parse(await readFile(at('model.config.json'), 'utf8'));
    const dataset = { type: 'Human36mDataset', metainfo: { from_file: 'configs/_base_/datasets/h36m.py' } };
    await writeJson('h36m.json', {
      ...config,
      test_dataloader: { dataset: { ...dataset, pipeline: config.test_pipeline } },
    });
    const { code, stdout } = await run({ config: at('h36m.json'), limit: '1', out: at('people.json') });
    expect(code).toBe(0);
    expect(stdout).toContain('people: 1 in 1 pictures');
    expect(stdout).toContain('AP: not defined, this dataset publishes no OKS sigmas');
    const found = await people('people.json');
    expect(found.map(({ annotation_id }) => annotation_id)).toEqual([10]);
    expectAnswer(found[0], plain);
  });
});

describe('the default model', () => {
  test('finds the joints of a rendered person', async () => {
    await mkdir(at('sample'), { recursive: true });
    await copyFile(SAMPLE_PICTURE, at('sample/sample.png'));
    const [width, height] = SAMPLE_SIZE;
    const keypoints = Array<number>(51).fill(1);
    const annotation = {
      id: 1,
      image_id: 1,
      category_id: 1,
      iscrowd: 0,
      bbox: [112, 72, 264, 474],
      area: 1,
      keypoints,
    };
    await writeJson('sample.json', {
      images: [{ id: 1, file_name: 'sample.png', width, height }],
      annotations: [{ ...annotation, num_keypoints: 17 }],
      categories: [{ id: 1, name: 'person' }],
    });
    const { code, stdout, stderr } = await run({
      ...{ model: 'default', images: at('sample'), annotations: at('sample.json'), out: at('people.json') },
    });
    expect(stderr).toBe('');
    expect(code).toBe(0);
    expect(stdout).toContain('model: default');
    const [person] = await people('people.json');
    expect(samplePck(person.keypoints)).toBeGreaterThanOrEqual(LEAST_PCK);
  });
});

describe('mistakes end with status 1 and one sentence', () => {
  test.each([
    ['model', '/no/such/model.pth', /^eval: .*model\.pth: not found; give the path of an existing file/],
    ['annotations', '/no/such/gt.json', /gt\.json: not found/],
    ['boxes', '/no/such/boxes.json', /boxes\.json: not found/],
    ['config', '/no/such/config.json', /config\.json: not found/],
    ['images', '/no/such/folder', /folder: not found; give the path of an existing folder/],
    ['images', TINY, /not found; give the path of an existing folder/],
    ['images', fileURLToPath(new URL('.', import.meta.url)), /found no pictures/],
    ['limit', '0', /limit.*expected a whole number from 1/],
    ['backend', 'cuda', /Allowed choices are webgpu, webgl, wasm, cpu/],
    ['model', null, /required option '--model <file>' not specified/],
  ])('--%s %s', async (option, value, message) => {
    const { code, stderr } = await run({ [option as string]: value });
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });

  test('a model without config', async () => {
    await copyFile(at('model.safetensors'), at('bare.safetensors'));
    const { code, stderr } = await run({ model: at('bare.safetensors') });
    expect(stderr).toMatch(/^eval: config: found none.*bare\.safetensors/);
    expect(code).toBe(1);
  });

  test('a checkpoint that is not the config’s: all keys at once', async () => {
    const { code, stderr } = await run({ model: TINY, config: at('model.config.json') });
    expect(stderr).toMatch(/does not fit the model[^]*Missing keys \(\d{2,}\):\n[^]*\nUnexpected keys \(\d{2,}\):\n/);
    expect(stderr).not.toMatch(/^\s+at /m);
    expect(code).toBe(1);
  });

  test('a picture that is cut off is named', async () => {
    const { code, stderr } = await run({ images: at('broken') });
    expect(stderr).toMatch(/^eval: a: /m);
    expect(code).toBe(1);
  });

  test.each([
    ['annotations', '[]', /^eval: wrong\.json: expected a COCO file with lists "images" and "annotations"/],
    ['boxes', '[{"image_id": 1}]', /^eval: wrong\.json: entry 0: found .*expected COCO detection results/],
  ])('--%s with %s', async (option, text, message) => {
    await writeFile(at('wrong.json'), text);
    const { code, stderr } = await run({ [option]: at('wrong.json') });
    expect(stderr).toMatch(message);
    expect(code).toBe(1);
  });
});
