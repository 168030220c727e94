/** Who is who over time, against a world made of geometry: it knows where everybody is, and who hides whom. */
import { describe, expect, test } from 'vitest';
import { ConfigError, InputError } from '../../src/errors.js';
import type { InstanceData, PoseDataSample } from '../../src/structures/pose_data_sample.js';
import { concatInstances, sliceInstances } from '../../src/structures/utils.js';
import { OneEuroFilter, PoseSmoother, SMOOTHING_PRESETS } from '../../src/tracking/one_euro_filter.js';
import { PoseTracker, type PoseTrackerOptions } from '../../src/tracking/pose_tracker.js';
import { boxIou, trackByIou } from '../../src/tracking/track_by_iou.js';
import { trackByOks } from '../../src/tracking/track_by_oks.js';
import reference from './track_reference.json';

type Box = [number, number, number, number];
/** Where somebody is at a time (ms); null: not in the picture. Nearer people hide those behind. */
interface Person {
  readonly at: (ms: number) => Box | null;
  readonly depth: number;
  /** What makes poses differ: how far the arms are lifted, 0..1. */
  readonly arms: number;
}

const IMG_SHAPE = [720, 1280] as const;
const STEP_MS = 40;
const K = 7;

/** Joints as shares of a body's box: head, hands, hips, feet. */
const joints = (arms: number) => [
  [0.5, 0.08],
  [0.1, 0.4 - 0.3 * arms],
  [0.9, 0.4 - 0.1 * arms],
  [0.4, 0.5],
  [0.6, 0.5],
  [0.4, 0.93],
  [0.6, 0.93],
];

function instancesOf(box: readonly number[], points: readonly (readonly number[])[], score: number): InstanceData {
  const array = (data: readonly number[], ...shape: number[]) => ({ data: Float32Array.from(data), shape });
  const scores = array(new Array<number>(K).fill(score), 1, K);
  return {
    ...{ bboxes: array(box, 1, 4), bboxScores: array([1], 1) },
    ...{ keypoints: array(points.flat(), 1, K, 2), keypointScores: scores, keypointsVisible: scores },
  };
}

class World {
  finds = 0;
  looks = 0;
  ms = -STEP_MS;
  /** People whom the detector overlooks now. */
  overlooked: readonly number[] = [];
  readonly people: readonly Person[];

  constructor(...people: Person[]) {
    this.people = people;
  }

  /** Index and box of everybody who can be seen: less than half of them is hidden. */
  get visible(): { index: number; box: Box }[] {
    const here = this.people.flatMap(({ at, depth }, index) => {
      const box = at(this.ms);
      return box && box[2] > 20 && box[0] < IMG_SHAPE[1] - 20 ? [{ index, box, depth }] : [];
    });
    return here.filter((a) => !here.some((b) => b.depth < a.depth && hidden(a.box, b.box) > 0.5));
  }

  readonly find = async () => {
    this.finds++;
    const boxes = this.visible.filter(({ index }) => !this.overlooked.includes(index)).map(({ box }) => [...box, 0.8]);
    return { data: Float32Array.from(boxes.flat()), shape: [boxes.length, 5] };
  };

  readonly look = async (boxes: number[][]): Promise<PoseDataSample[]> => {
    this.looks++;
    return boxes.map((box) => {
      const seen = this.visible
        .map((person) => ({ ...person, fit: boxIou(box, person.box) }))
        .sort((a, b) => b.fit - a.fit)[0];
      const metainfo = { timestamp: this.ms, imgShape: IMG_SHAPE } as unknown as PoseDataSample['metainfo'];
      if (!seen || seen.fit < 0.1) {
        const middle = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
        return {
          metainfo,
          predInstances: instancesOf(
            box,
            Array.from({ length: K }, () => middle),
            0.05,
          ),
        };
      }
      const [x1, y1, x2, y2] = seen.box;
      const { arms } = this.people[seen.index];
      // A network's joints are never quite still.
      const noise = Math.sin(this.ms * 0.7 + seen.index) * 0.005 * (y2 - y1);
      const points = joints(arms).map(([x, y]) => [x1 + x * (x2 - x1) + noise, y1 + y * (y2 - y1) - noise]);
      return { metainfo, predInstances: instancesOf(box, points, 0.4 + 0.6 * seen.fit) };
    });
  };

  /** One frame: track id by the index of the person whom the pose is of. */
  async frame(tracker: PoseTracker, timestamp?: number): Promise<Map<number, number>> {
    this.ms += STEP_MS;
    const view = { imgShape: IMG_SHAPE, timestamp: timestamp ?? this.ms };
    const samples = await tracker.track(view, this.find, this.look);
    const ids = new Map<number, number>();
    for (const { predInstances } of samples) {
      const nose = predInstances!.keypoints.data;
      const who = this.visible.find(({ box: [x1, y1, x2, y2] }) => {
        const [x, y] = [x1 + 0.5 * (x2 - x1), y1 + 0.08 * (y2 - y1)];
        return Math.hypot(nose[0] - x, nose[1] - y) < 0.05 * (y2 - y1);
      });
      expect(who).toBeDefined();
      expect(ids.has(who!.index)).toBe(false);
      ids.set(who!.index, predInstances!.trackIds!.data[0]);
    }
    const listed = samples.map(({ predInstances }) => predInstances!.trackIds!.data[0]);
    expect(listed).toEqual([...listed].sort((a, b) => a - b));
    return ids;
  }

  /** Frames up to a time; the ids of the last one. */
  async until(ms: number, tracker: PoseTracker): Promise<Map<number, number>> {
    let ids = new Map<number, number>();
    while (this.ms + STEP_MS <= ms) ids = await this.frame(tracker);
    return ids;
  }
}

/** Share of `a` that `b` covers. */
function hidden(a: Box, b: Box): number {
  const [w, h] = [Math.min(a[2], b[2]) - Math.max(a[0], b[0]), Math.min(a[3], b[3]) - Math.max(a[1], b[1])];
  return (Math.max(0, w) * Math.max(0, h)) / ((a[2] - a[0]) * (a[3] - a[1]));
}

const standing = (x: number, arms = 0, depth = 1): Person => ({ at: () => [x, 200, x + 140, 600], depth, arms });
/** px per second */
const walking = (x: number, speed: number, arms = 0, depth = 1): Person => ({
  at: (ms) => [x + (speed * ms) / 1000, 200, x + 140 + (speed * ms) / 1000, 600],
  ...{ depth, arms },
});
const tracker = (options: PoseTrackerOptions = {}) => new PoseTracker(options);

describe('PoseTracker', () => {
  test('three people who walk keep their ids; the detector looks every tenth frame', async () => {
    const world = new World(walking(50, 90), walking(400, 60, 1), walking(900, -40));
    const own = tracker({ detInterval: 10 });
    const first = await world.frame(own);
    expect([...first]).toHaveLength(3);
    for (let i = 1; i < 60; i++) expect(await world.frame(own)).toEqual(first);
    expect(world.finds).toBe(6);
    expect(world.looks).toBe(60);
  });

  test.each([
    ['the nearer one first', 1, 2],
    ['the nearer one last', 2, 1],
  ])('two people cross: %s', async (_, a, b) => {
    const world = new World(walking(100, 200, 0, a), walking(900, -200, 1, b));
    const own = tracker();
    const first = await world.frame(own);
    const crossing = await world.until(2000, own);
    expect(crossing.size).toBe(1);
    expect(await world.until(4000, own)).toEqual(first);
  });

  test('people who walk side by side and overlap keep apart', async () => {
    const world = new World(walking(100, 120, 0, 1), walking(180, 120, 1, 2));
    const own = tracker();
    const first = await world.frame(own);
    expect(first.size).toBe(2);
    for (let i = 0; i < 50; i++) expect(await world.frame(own)).toEqual(first);
  });

  test('a gap: a short one keeps the id, a long one does not', async () => {
    const blink = (from: number, to: number): Person => ({
      at: (ms) => (ms >= from && ms < to ? null : [300, 200, 440, 600]),
      ...{ depth: 1, arms: 0 },
    });
    const short = new World(blink(400, 1000), standing(700));
    const own = tracker({ maxGap: 1000 });
    const first = await short.frame(own);
    expect((await short.until(800, own)).get(0)).toBeUndefined();
    expect(await short.until(1600, own)).toEqual(first);

    const long = new World(blink(400, 2000), standing(700));
    const other = tracker({ maxGap: 1000 });
    const before = await long.frame(other);
    const after = await long.until(3000, other);
    expect(after.get(1)).toBe(before.get(1));
    expect(after.get(0)).toBe(2);
  });

  test('out of the picture and back at the same side', async () => {
    const visitor: Person = {
      at: (ms) => {
        const x = 1000 + 400 * Math.sin((ms / 3000) * Math.PI);
        return [x, 200, x + 140, 600];
      },
      ...{ depth: 1, arms: 1 },
    };
    const world = new World(visitor, standing(300));
    const own = tracker({ maxGap: 2500 });
    const first = await world.frame(own);
    expect((await world.until(1500, own)).has(0)).toBe(false);
    expect(await world.until(2900, own)).toEqual(first);
  });

  test('who comes later gets a new id with the next detection', async () => {
    const late: Person = { at: (ms) => (ms < 500 ? null : [700, 200, 840, 600]), depth: 1, arms: 0 };
    const world = new World(standing(300), late);
    const own = tracker({ detInterval: 5 });
    expect([...(await world.until(480, own)).values()]).toEqual([0]);
    expect([...(await world.until(800, own)).entries()].sort()).toEqual([
      [0, 0],
      [1, 1],
    ]);
  });

  test('whom the detector overlooks stays', async () => {
    const world = new World(walking(100, 60), walking(600, 60, 1));
    const own = tracker({ detInterval: 2 });
    const first = await world.frame(own);
    world.overlooked = [1];
    for (let i = 0; i < 30; i++) expect(await world.frame(own)).toEqual(first);
    expect(world.finds).toBeGreaterThan(10);
  });

  test('whoever is lost makes the detector look in the next frame', async () => {
    const gone: Person = { at: (ms) => (ms >= 200 ? null : [700, 200, 840, 600]), depth: 1, arms: 0 };
    const world = new World(standing(300), gone);
    const own = tracker({ detInterval: 100 });
    await world.until(160, own);
    expect(world.finds).toBe(1);
    await world.until(1200, own);
    expect(world.finds).toBe(2);
  });

  test('nobody: the detector goes on looking; ids are not used again', async () => {
    const first: Person = { at: (ms) => (ms < 200 ? [300, 200, 440, 600] : null), depth: 1, arms: 0 };
    const second: Person = { at: (ms) => (ms >= 2000 ? [300, 200, 440, 600] : null), depth: 1, arms: 0 };
    const world = new World(first, second);
    const own = tracker();
    await world.until(1800, own);
    expect(world.finds).toBeGreaterThan(30);
    expect([...(await world.until(2200, own)).values()]).toEqual([1]);
  });

  test('two boxes on one body are one person', async () => {
    const world = new World(standing(300));
    const find = async () => {
      const { data } = await world.find();
      return { data: Float32Array.from([...data, 310, 220, 430, 580, 0.5]), shape: [2, 5] };
    };
    world.ms = 0;
    const samples = await tracker().track({ imgShape: IMG_SHAPE, timestamp: 0 }, find, world.look);
    expect(samples).toHaveLength(1);
    expect(samples[0].predInstances!.bboxScores.data[0]).toBeCloseTo(0.8);
  });

  test('people found without boxes: ids, in whatever order they come', async () => {
    const world = new World(walking(50, 90), walking(400, 60, 1), standing(900));
    const own = tracker();
    for (let frame = 0; frame < 20; frame++) {
      world.ms += STEP_MS;
      const order = frame % 2 ? [2, 0, 1] : [0, 1, 2];
      const seen = await world.look(order.map((i) => world.people[i].at(world.ms)!));
      // One of them twice.
      const people = [...seen, (await world.look([world.people[1].at(world.ms)!]))[0]];
      const predInstances = concatInstances(people.map((sample) => sample.predInstances!));
      const found = own.update({ ...people[0], predInstances });
      expect([...found.predInstances!.trackIds!.data]).toEqual([0, 1, 2]);
      const lefts = [0, 1, 2].map((i) => found.predInstances!.bboxes.data[i * 4]);
      expect(lefts).toEqual([0, 1, 2].map((i) => Math.fround(world.people[i].at(world.ms)![0])));
    }
    const [nobody] = await world.look([[0, 0, 100, 200]]);
    const none = own.update({ ...nobody, predInstances: sliceInstances(nobody.predInstances!, []) });
    expect(none.predInstances!.trackIds).toEqual({ data: new Int32Array(), shape: [0] });
  });

  test('frames without timestamps', async () => {
    const world = new World(walking(50, 90), walking(900, -40, 1));
    const own = tracker();
    const first = await world.frame(own, 0);
    for (let i = 0; i < 40; i++) expect(await world.frame(own, 0)).toEqual(first);
  });

  test('another picture size, and a video that begins anew, are cuts', async () => {
    const world = new World(standing(300));
    const own = tracker();
    expect([...(await world.until(400, own)).values()]).toEqual([0]);
    expect([...(await world.frame(own, 10)).values()]).toEqual([1]);
    const [sample] = await own.track({ imgShape: [800, 1280], timestamp: 50 }, world.find, world.look);
    expect(sample.predInstances!.trackIds!.data[0]).toBe(2);
    own.reset();
    expect(own.wantsDetection).toBe(true);
  });

  test.each([
    [{ detInterval: 0 }, /PoseTracker\.detInterval: found 0; expected a number from 1/],
    [{ minScore: NaN }, /PoseTracker\.minScore: found NaN/],
    [{ maxGap: -1 }, /PoseTracker\.maxGap: found -1; expected a number from 0/],
  ])('wrong options %#', (options, message) => {
    expect(() => tracker(options)).toThrow(message);
    expect(() => tracker(options)).toThrow(InputError);
  });
});

describe('matching as in MMPose', () => {
  // track_reference.py: people of a frame in turn, each takes its match out of the last frame's.
  test.each(reference)('%#', ({ boxes, keypoints, lastBoxes, lastKeypoints, iou, oks }) => {
    const person = (box: readonly number[], points: readonly number[]): InstanceData => ({
      ...instancesOf(box, [], 1),
      keypoints: { data: Float32Array.from(points), shape: [1, 17, 2] },
      keypointScores: { data: new Float32Array(17).fill(0.9), shape: [1, 17] },
    });
    const last = lastBoxes.map((box, i) => ({ trackId: 10 + i, instances: person(box, lastKeypoints[i]) }));
    for (const [track, expected] of [
      [trackByIou, iou],
      [trackByOks, oks],
    ] as const) {
      let rest: readonly (typeof last)[number][] = last;
      const ids = boxes.map((box, i) => {
        const found = track(person(box, keypoints[i]), rest, 0.3);
        rest = found.rest;
        expect(found.match?.trackId ?? -1).toBe(found.trackId);
        return found.trackId;
      });
      expect(ids).toEqual(expected);
    }
  });
});

describe('OneEuroFilter', () => {
  const still = { minCutoff: 1, beta: 0, dCutoff: 1 };

  test('without beta it is a low pass: a step is answered by 1 - (1 - a)^n', () => {
    const filter = new OneEuroFilter(still);
    filter.filter([0], 0);
    const a = 1 / (1 + 1 / (2 * Math.PI) / 0.04);
    for (let n = 1; n <= 20; n++) expect(filter.filter([1], n * 40)[0]).toBeCloseTo(1 - (1 - a) ** n, 12);
  });

  test('irregular frames: two steps of 20 ms and one of 40 ms end close together', () => {
    const [fine, coarse] = [new OneEuroFilter(still), new OneEuroFilter(still)];
    for (const filter of [fine, coarse]) filter.filter([0], 0);
    fine.filter([1], 20);
    expect(Math.abs(fine.filter([1], 40)[0] - coarse.filter([1], 40)[0])).toBeLessThan(0.02);
  });

  test('speed opens it: what moves lags less, what jitters is damped', () => {
    const lagOf = (beta: number) => {
      const filter = new OneEuroFilter({ ...still, beta });
      let last = 0;
      for (let n = 0; n < 30; n++) [last] = filter.filter([n * 8], n * 40, 100);
      return 29 * 8 - last;
    };
    expect(lagOf(8)).toBeLessThan(lagOf(0) / 4);
    const jitter = new OneEuroFilter(SMOOTHING_PRESETS.medium);
    const seen = Array.from({ length: 100 }, (_, n) => jitter.filter([100 + (n % 2)], n * 40, 200)[0]).slice(50);
    expect(Math.max(...seen) - Math.min(...seen)).toBeLessThan(0.5);
  });

  test('time that stands still or goes back begins anew', () => {
    const filter = new OneEuroFilter(still);
    filter.filter([0], 100);
    expect(filter.filter([5], 100)[0]).toBe(5);
    expect(filter.filter([9], 50)[0]).toBe(9);
    expect(() => filter.filter([1, 2], 60)).toThrow(/found 2 values; expected 1/);
  });

  test.each([{ minCutoff: 0 }, { beta: -1 }, { dCutoff: NaN }])('wrong options %o', (change) => {
    expect(() => new OneEuroFilter({ ...still, ...change })).toThrow(ConfigError);
    expect(() => new PoseSmoother({ ...still, ...change })).toThrow(ConfigError);
  });
});

describe('PoseSmoother', () => {
  const sampleOf = (timestamp: number, ids: readonly number[], xs: readonly number[]): PoseDataSample => {
    const one = xs.map((x) =>
      instancesOf(
        [0, 0, 100, 200],
        Array.from({ length: K }, () => [x, 10]),
        0.9,
      ),
    );
    const column = (key: 'keypoints' | 'bboxes') => ({
      data: Float32Array.from(one.flatMap((person) => [...person[key].data])),
      shape: [xs.length, ...one[0][key].shape.slice(1)],
    });
    const predInstances = {
      ...{ ...one[0], keypoints: column('keypoints'), bboxes: column('bboxes') },
      trackIds: { data: Int32Array.from(ids), shape: [ids.length] },
    };
    return { metainfo: { timestamp } as PoseDataSample['metainfo'], predInstances };
  };
  const xOf = (sample: PoseDataSample, i = 0) => sample.predInstances!.keypoints.data[i * K * 2];

  test('belongs to ids, in whatever order people come', () => {
    const smoother = new PoseSmoother('strong');
    smoother.smooth(sampleOf(0, [3, 8], [0, 500]));
    const next = smoother.smooth(sampleOf(40, [8, 3], [502, 2]));
    expect(xOf(next, 0)).toBeGreaterThan(499);
    expect(xOf(next, 0)).toBeLessThan(502);
    expect(xOf(next, 1)).toBeLessThan(2);
  });

  test('does not change what it is given; without ids it gives it back', () => {
    const smoother = new PoseSmoother();
    smoother.smooth(sampleOf(0, [0], [0]));
    const given = sampleOf(40, [0], [8]);
    expect(xOf(smoother.smooth(given))).toBeLessThan(8);
    expect(xOf(given)).toBe(8);
    const { trackIds: _, ...rest } = given.predInstances!;
    const without = { ...given, predInstances: rest };
    expect(smoother.smooth(without)).toBe(without);
  });

  test('a person who was away, an id of -1, and a reset are not smoothed', () => {
    const smoother = new PoseSmoother();
    smoother.smooth(sampleOf(0, [0], [0]));
    expect(xOf(smoother.smooth(sampleOf(2000, [0], [300])))).toBe(300);
    expect(xOf(smoother.smooth(sampleOf(2040, [-1], [7])))).toBe(7);
    smoother.smooth(sampleOf(2080, [0], [300]));
    smoother.reset();
    expect(xOf(smoother.smooth(sampleOf(2120, [0], [90])))).toBe(90);
  });

  test('an unknown preset', () => {
    expect(() => new PoseSmoother('none' as never)).toThrow(/smoothing: found "none"; expected light, medium, strong/);
  });
});
