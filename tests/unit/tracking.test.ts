/** Finding and following one person, against a network made of geometry: it knows where the person is, and sees it as well as the box fits. */
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import { regionOf, RoiTracker, type Look } from '../../src/tracking/roi.js';
import { searchWindows, type Box } from '../../src/tracking/search_windows.js';

const HD = { imgShape: [720, 1280], aspectRatio: 0.75 } as const;

/** Joints as shares of a body's box: head, hands, hips, feet; they lie inside it. */
const JOINTS = [
  [0.5, 0.08],
  [0.1, 0.4],
  [0.9, 0.4],
  [0.4, 0.5],
  [0.6, 0.5],
  [0.4, 0.93],
  [0.6, 0.93],
];

function iou(a: readonly number[], b: readonly number[]): number {
  const [w, h] = [Math.min(a[2], b[2]) - Math.max(a[0], b[0]), Math.min(a[3], b[3]) - Math.max(a[1], b[1])];
  const both = Math.max(0, w) * Math.max(0, h);
  const area = (box: readonly number[]) => (box[2] - box[0]) * (box[3] - box[1]);
  return both / (area(a) + area(b) - both);
}

/** A sample of one person in `bbox` with the joints given. */
function sampleOf(bbox: readonly number[], joints: readonly (readonly number[])[], scores: readonly number[]) {
  const k = joints.length;
  const array = (data: readonly number[], ...shape: number[]) => ({ data: Float32Array.from(data), shape });
  const keypointScores = array(scores, 1, k);
  return {
    metainfo: {} as PoseDataSample['metainfo'],
    predInstances: {
      ...{ bboxes: array(bbox, 1, 4), bboxScores: array([1], 1) },
      ...{ keypoints: array(joints.flat(), 1, k, 2), keypointScores, keypointsVisible: keypointScores },
    },
  } satisfies PoseDataSample;
}

/** A scene with one person, and how often it was looked at. */
class Scene {
  person: Box | null;
  looks: number[][][] = [];

  constructor(person: Box | null) {
    this.person = person;
  }

  readonly look: Look = async (boxes) => {
    this.looks.push(boxes);
    return boxes.map((box) => this.#see(box));
  };

  #see(box: readonly number[]): PoseDataSample {
    const fit = this.person ? iou(box, this.person) : 0;
    // What does not fit at all is a guess in the middle of the box.
    if (fit < 0.02) {
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      return sampleOf(
        box,
        JOINTS.map(([u, v]) => [x + 20 * u, y + 20 * v]),
        JOINTS.map(() => 0.2),
      );
    }
    const [x1, y1, x2, y2] = this.person!;
    return sampleOf(
      box,
      JOINTS.map(([u, v]) => [x1 + u * (x2 - x1), y1 + v * (y2 - y1)]),
      JOINTS.map(() => Math.min(0.95, 0.35 + 0.65 * fit)),
    );
  }
}

const idOf = ({ predInstances }: PoseDataSample) => predInstances!.trackIds!.data[0];

describe('windows', () => {
  test('a picture of the network’s shape: a crop that shows exactly the picture', () => {
    expect(searchWindows({ imgShape: [640, 480], aspectRatio: 0.75 })).toEqual([[48, 64, 432, 576]]);
  });

  test('a wide picture: full-height windows that overlap by half, and not the whole', () => {
    const windows = searchWindows(HD);
    expect(windows).toHaveLength(4);
    windows.forEach((box, i) => {
      // 1.25 times as large, as the model's crop will be: 540 x 720, 246.67 px apart.
      const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
      expect(x).toBeCloseTo(270 + (740 / 3) * i);
      expect(y).toBeCloseTo(360);
      expect((box[2] - box[0]) * 1.25).toBeCloseTo(540);
      expect((box[3] - box[1]) * 1.25).toBeCloseTo(720);
    });
  });

  test('a high picture: full-width windows below each other', () => {
    const windows = searchWindows({ imgShape: [1280, 720], aspectRatio: 0.75 });
    expect(windows).toHaveLength(3);
    expect(windows[0]).toEqual([0, 0, 720, 1280]);
    expect(windows.slice(1).map((box) => (box[1] + box[3]) / 2)).toEqual([480, 800]);
  });
});

describe('the region of a pose', () => {
  test('the joints’ box, wider by a tenth of its larger side', () => {
    const { predInstances } = sampleOf(
      [0, 0, 1, 1],
      [
        [100, 200],
        [140, 400],
        [120, 300],
      ],
      [0.9, 0.8, 0.7],
    );
    expect(regionOf(predInstances, 0.1)).toEqual([80, 180, 160, 420]);
  });

  test('without joints that score below half of the person’s mean, at any scale of scores', () => {
    const points = [
      [100, 200],
      [140, 400],
      [120, 300],
      [900, 300],
    ];
    for (const scale of [1, 0.1]) {
      const scores = [0.9, 0.8, 0.7, 0.25].map((score) => score * scale);
      expect(regionOf(sampleOf([0, 0, 1, 1], points, scores).predInstances, 0)).toEqual([100, 200, 140, 400]);
    }
  });
});

describe('RoiTracker', () => {
  test('finds a person at the side of a wide picture, and looks again where it is', async () => {
    const scene = new Scene([1000, 150, 1200, 690]);
    const tracker = new RoiTracker();
    const sample = await tracker.track(HD, scene.look);
    expect(scene.looks.map((boxes) => boxes.length)).toEqual([4, 1]);
    expect(idOf(sample)).toBe(0);
    expect(iou([...sample.predInstances!.bboxes.data], scene.person!)).toBeGreaterThan(0.7);
    expect(iou(tracker.box!, scene.person!)).toBeGreaterThan(0.7);
  });

  test('follows a person that walks, bows and comes nearer, with one look per frame', async () => {
    const scene = new Scene([100, 150, 300, 650]);
    const tracker = new RoiTracker();
    await tracker.track(HD, scene.look);
    for (let t = 0; t < 60; t++) {
      const size = 1 + 0.3 * Math.sin(t / 8);
      const x = 200 + 14 * t;
      scene.person = [x - 100 * size, 650 - 500 * size * (t % 20 < 10 ? 1 : 0.8), x + 100 * size, 650];
      scene.looks = [];
      const sample = await tracker.track(HD, scene.look);
      expect(idOf(sample)).toBe(0);
      expect(scene.looks).toHaveLength(1);
      expect(iou(tracker.box!, scene.person), `frame ${t}`).toBeGreaterThan(0.5);
    }
  });

  test('nobody: the best guess, marked as such, and a search in every frame', async () => {
    const scene = new Scene(null);
    const tracker = new RoiTracker();
    for (let t = 0; t < 3; t++) {
      const sample = await tracker.track(HD, scene.look);
      expect(idOf(sample)).toBe(-1);
      expect(sample.predInstances!.keypoints.shape).toEqual([1, JOINTS.length, 2]);
      expect(tracker.box).toBe(null);
    }
    expect(scene.looks.filter((boxes) => boxes.length === 4)).toHaveLength(3);
  });

  test('lost when the person leaves, found in the frame in which somebody is back', async () => {
    const scene = new Scene([500, 100, 700, 600]);
    const tracker = new RoiTracker();
    await tracker.track(HD, scene.look);
    scene.person = null;
    expect(idOf(await tracker.track(HD, scene.look))).toBe(-1);
    expect(tracker.box).toBe(null);
    scene.person = [100, 100, 300, 600];
    expect(idOf(await tracker.track(HD, scene.look))).toBe(1);
  });

  test('a jump across the picture is found in the same frame', async () => {
    const scene = new Scene([100, 100, 300, 600]);
    const tracker = new RoiTracker();
    await tracker.track(HD, scene.look);
    scene.person = [900, 100, 1100, 600];
    const sample = await tracker.track(HD, scene.look);
    expect(iou([...sample.predInstances!.bboxes.data], scene.person)).toBeGreaterThan(0.7);
    expect(idOf(sample)).toBe(0);
  });

  test('a score that falls suddenly makes it look elsewhere once', async () => {
    const box = [400, 100, 700, 600];
    const joints = JOINTS.map(([u, v]) => [450 + 200 * u, 150 + 400 * v]);
    let score = 0.95;
    let looks: number[] = [];
    const look: Look = async (boxes) => {
      looks.push(boxes.length);
      return boxes.map(() =>
        sampleOf(
          box,
          joints,
          JOINTS.map(() => score),
        ),
      );
    };
    const tracker = new RoiTracker();
    for (let t = 0; t < 3; t++) await tracker.track(HD, look);
    score = 0.65;
    looks = [];
    for (let t = 0; t < 5; t++) await tracker.track(HD, look);
    expect(looks).toEqual([1, 4, 1, 1, 1, 1]);
  });

  test('a doubtful person is compared with the rest of the picture, ever more rarely', async () => {
    const joints = JOINTS.map(([u, v]) => [450 + 200 * u, 150 + 400 * v]);
    const searches: number[] = [];
    const tracker = new RoiTracker();
    let frame = 0;
    const look: Look = async (boxes) => {
      if (boxes.length > 1) searches.push(frame);
      return boxes.map((box) =>
        sampleOf(
          box,
          joints,
          JOINTS.map(() => (boxes.length > 1 ? 0.44 : 0.45)),
        ),
      );
    };
    for (; frame < 100; frame++) await tracker.track(HD, look);
    expect(searches).toEqual([0, 10, 30, 70]);
  });

  test.each([
    ['a point', () => JOINTS.map(() => [600, 300])],
    ['what lies outside the picture', () => JOINTS.map(([u, v]) => [-900 + 200 * u, 150 + 400 * v])],
    ['no numbers', () => JOINTS.map(() => [NaN, NaN])],
  ])('%s is no person, whatever its score', async (_what, joints) => {
    const tracker = new RoiTracker();
    const look: Look = async (boxes) =>
      boxes.map((box) =>
        sampleOf(
          box,
          joints(),
          JOINTS.map(() => 0.9),
        ),
      );
    expect(idOf(await tracker.track(HD, look))).toBe(-1);
    expect(tracker.box).toBe(null);
  });

  test('a picture of another size starts anew; reset, too', async () => {
    const scene = new Scene([500, 100, 700, 600]);
    const tracker = new RoiTracker();
    await tracker.track(HD, scene.look);
    scene.looks = [];
    await tracker.track({ ...HD, imgShape: [721, 1280] }, scene.look);
    expect(scene.looks[0]).toHaveLength(4);
    tracker.reset();
    expect(tracker.box).toBe(null);
  });

  test('its limits are its options', async () => {
    const scene = new Scene([1000, 150, 1200, 690]);
    await new RoiTracker({ maxPasses: 1 }).track(HD, scene.look);
    expect(scene.looks).toHaveLength(1);
    const strict = new RoiTracker({ minScore: 0.99 });
    expect(idOf(await strict.track(HD, scene.look))).toBe(-1);
    expect(() => new RoiTracker({ minScore: NaN })).toThrow(InputError);
    expect(() => new RoiTracker({ maxPasses: 0 })).toThrow(/maxPasses: found 0; expected a number from 1/);
  });
});
