import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import { ConfigError, InputError } from '../../src/errors.js';
import type { NdArray } from '../../src/ndarray.js';
import type { InstanceData, PoseDataSample } from '../../src/structures/pose_data_sample.js';
import {
  colorVal,
  copyRaster,
  createRaster,
  drawBboxes,
  drawKeypoints,
  drawLabels,
  drawLinks,
  drawXyHeatmaps,
  PoseLocalVisualizer,
  rasterPainter,
  toOpenpose,
} from '../../src/visualization/index.js';
import type { RasterImage } from '../../src/visualization/index.js';

const array = (data: readonly number[], shape: readonly number[]): NdArray => ({
  data: Float32Array.from(data),
  shape,
});

/** Colour of one pixel. */
function at({ data, width, channels }: RasterImage, x: number, y: number): number[] {
  return [...data.subarray((y * width + x) * channels, (y * width + x) * channels + 3)];
}

/** Number of pixels that are not black. */
function drawn({ data }: RasterImage): number {
  let count = 0;
  for (let i = 0; i < data.length; i += 3) if (data[i] || data[i + 1] || data[i + 2]) count++;
  return count;
}

function instances(keypoints: NdArray, scores: NdArray, more: Partial<InstanceData> = {}): InstanceData {
  const [count] = keypoints.shape;
  return {
    bboxes: array(Array.from({ length: count }, () => [5, 6, 40, 30]).flat(), [count, 4]),
    bboxScores: array(Array(count).fill(1), [count]),
    keypoints,
    keypointScores: scores,
    keypointsVisible: scores,
    ...more,
  };
}

function sample(data: Partial<PoseDataSample>): PoseDataSample {
  const none = array([], [0, 2]);
  const metainfo = { imgShape: [48, 64], inputSize: [0, 0], inputCenter: none, inputScale: none } as const;
  return { metainfo: { ...metainfo, flipIndices: [], timestamp: 0 }, ...data };
}

const LINK = { links: [[0, 1]], colors: 'green' } as const;

describe('drawLinks', () => {
  test.each([
    ['inside', [5, 5, 20, 20], true],
    ['at x = 0', [0.9, 5, 20, 20], false],
    ['at y = 0', [5, 5, 20, 0], false],
    ['at x = width', [5, 5, 64, 20], false],
    ['truncated to width - 1', [5, 5, 63.9, 20], true],
    ['below y = height', [5, 48, 20, 20], false],
    ['at NaN', [NaN, 5, 20, 20], false],
  ])('an end %s', (_, points, expected) => {
    const image = createRaster(64, 48);
    drawLinks(image, array(points, [2, 2]), array([1, 1], [2]), LINK);
    expect(drawn(image) > 0).toBe(expected);
  });

  test('leaves out links of unsure keypoints and links without a colour', () => {
    const image = createRaster(64, 48);
    drawLinks(image, array([5, 5, 20, 20], [2, 2]), array([1, 0.29], [2]), LINK);
    drawLinks(image, array([5, 5, 20, 20], [2, 2]), array([1, 1], [2]), { ...LINK, colors: [null] });
    expect(drawn(image)).toBe(0);
    drawLinks(image, array([5, 5, 20, 20], [2, 2]), array([1, 0.29], [2]), { ...LINK, kptThr: 0.2 });
    expect(at(image, 5, 5)).toEqual([0, 255, 0]);
  });

  test('needs one colour per link', () => {
    const style = { links: [[0, 1]], colors: ['red', 'blue'] };
    const call = () => drawLinks(createRaster(9, 9), array([5, 5, 7, 7], [2, 2]), array([1, 1], [2]), style);
    expect(call).toThrow(InputError);
    expect(call).toThrow('linkColor: found 2 colours; expected 1');
  });
});

describe('drawKeypoints', () => {
  test('truncates, filters, weighs and mixes', () => {
    const image = createRaster(20, 10);
    const points = array([3.9, 3.9, 9, 5, 15, 5, NaN, 2], [1, 4, 2]);
    const style = { radius: 0, colors: ['red', 'green', 'blue', 'white'], showKeypointWeight: true };
    drawKeypoints(image, points, array([1, 0.2, 0.5, 1], [1, 4]), style);
    expect(at(image, 3, 3)).toEqual([255, 0, 0]);
    expect(at(image, 9, 5)).toEqual([0, 0, 0]);
    // 127.5 goes to the even neighbour, as in OpenCV.
    expect(at(image, 15, 5)).toEqual([0, 0, 128]);
    expect(drawn(image)).toBe(2);
  });

  test('takes 3-D keypoints by their first two coordinates', () => {
    const image = createRaster(20, 10);
    drawKeypoints(image, array([4, 5, 99, 8, 2, 99], [1, 2, 3]), array([1, 1], [1, 2]), { radius: 0 });
    expect([at(image, 4, 5), at(image, 8, 2)]).toEqual([
      [255, 0, 0],
      [255, 0, 0],
    ]);
  });

  test('needs a score for every keypoint', () => {
    const call = () => drawKeypoints(createRaster(9, 9), array([1, 1, 2, 2], [1, 2, 2]), array([1], [1, 1]));
    expect(call).toThrow('found 1 scores for keypoints [1, 2, 2]');
  });
});

test('labels, boxes and colours', () => {
  const image = createRaster(60, 40);
  drawLabels(image, array([20, 30], [1, 2]), array([1], [1]), () => 'left hip 7', { fontSize: 15 });
  expect(drawn(image)).toBeGreaterThan(40);
  const boxed = createRaster(60, 40);
  drawBboxes(boxed, array([5.9, 5, 20, 30, NaN, 0, 1, 1], [2, 4]), { color: '#102030' });
  expect(at(boxed, 5, 5)).toEqual([16, 32, 48]);
  expect(drawn(boxed)).toBe(2 * 16 + 2 * 24);
  expect(colorVal('green')).toEqual([0, 255, 0]);
  expect(() => colorVal('lime')).toThrow('expected red, green');
  expect(() => colorVal([0, 0, 256])).toThrow(InputError);
});

describe('the rasteriser', () => {
  const coordinate = fc.oneof(fc.integer({ min: -20, max: 90 }), fc.integer({ min: -100_000, max: 100_000 }));
  const painted = fc.record({ x1: coordinate, y1: coordinate, x2: coordinate, y2: coordinate });

  test('stays inside the picture, whatever it is asked to draw', () => {
    fc.assert(
      fc.property(painted, fc.integer({ min: 0, max: 12 }), fc.integer({ min: -400, max: 400 }), (p, size, turn) => {
        // One row of guard bytes before and after: a write outside the picture would change them.
        const bytes = new Uint8Array((30 + 2) * 40 * 3).fill(7);
        const image: RasterImage = { data: bytes.subarray(40 * 3, 31 * 40 * 3), width: 40, height: 30, channels: 3 };
        const painter = rasterPainter(image);
        painter.line(p.x1, p.y1, p.x2, p.y2, [255, 0, 0], size);
        painter.rectangle(p.x1, p.y1, p.x2, p.y2, [255, 0, 0], size, 0.5);
        painter.circle(p.x1, p.y1, size, [255, 0, 0], 1);
        painter.ellipse(p.x2, p.y2, size * 3, size, turn, [255, 0, 0], 0.6);
        expect([...bytes.subarray(0, 120), ...bytes.subarray(-120)].every((b) => b === 7)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });

  test('a line covers the same pixels in either direction', () => {
    fc.assert(
      fc.property(painted, fc.integer({ min: 1, max: 6 }), (p, thickness) => {
        const [there, back] = [createRaster(40, 30), createRaster(40, 30)];
        rasterPainter(there).line(p.x1, p.y1, p.x2, p.y2, [255, 0, 0], thickness);
        rasterPainter(back).line(p.x2, p.y2, p.x1, p.y1, [255, 0, 0], thickness);
        const inside = [p.x1, p.x2].every((x) => x >= 0 && x < 40) && [p.y1, p.y2].every((y) => y >= 0 && y < 30);
        // Thick ones round their two sides differently, so a few edge pixels may move.
        if (inside && thickness === 1) expect(back.data).toEqual(there.data);
        else expect(Math.abs(drawn(back) - drawn(there))).toBeLessThan(200);
      }),
      { numRuns: 200 },
    );
  });

  test('refuses pixels that do not fit the size', () => {
    expect(() => rasterPainter({ ...createRaster(4, 4), width: 5 })).toThrow('found 48 bytes; expected 5 x 4 x 3');
  });
});

describe('PoseLocalVisualizer', () => {
  const keypoints = array(Array.from({ length: 17 }, (_, k) => [4 + 3 * k, 5 + 2 * k]).flat(), [1, 17, 2]);
  const scores = array(Array(17).fill(0.9), [1, 17]);
  const person = instances(keypoints, scores);

  test('takes colours and links of the meta-info at once', async () => {
    const coco = await loadPoseMetainfo('coco');
    const visualizer = new PoseLocalVisualizer({ radius: 1 });
    void visualizer.setDatasetMeta(coco);
    const image = visualizer.addDatasample(createRaster(64, 48), sample({ predInstances: person }));
    expect(at(image, 4, 5)).toEqual([...coco.keypointColors.subarray(0, 3)]);
    expect(drawn(image)).toBeGreaterThan(100);
  });

  test('does not change the picture it is given', () => {
    const image = createRaster(64, 48);
    const before = copyRaster(image);
    new PoseLocalVisualizer().addDatasample(image, sample({ predInstances: person }));
    expect(image).toEqual(before);
  });

  test('puts annotations left, predictions right, heatmaps below', () => {
    const predFields = { heatmaps: array(Array(2 * 6 * 8).fill(0), [2, 6, 8]) };
    const visualizer = new PoseLocalVisualizer();
    const image = createRaster(64, 48);
    const both = sample({ gtInstances: person, predInstances: person, predFields });
    const size = ({ width, height }: RasterImage) => [width, height];
    expect(size(visualizer.addDatasample(image, both))).toEqual([128, 48]);
    expect(size(visualizer.addDatasample(image, both, { drawHeatmap: true }))).toEqual([128, 96]);
    expect(size(visualizer.addDatasample(image, both, { drawGt: false, drawHeatmap: true }))).toEqual([64, 96]);
    expect(size(visualizer.addDatasample(image, sample({ predInstances: person })))).toEqual([64, 48]);
    expect(size(visualizer.addDatasample(image, sample({ predInstances: person }), { drawGt: true }))).toEqual([
      128, 48,
    ]);
    const halves = visualizer.addDatasample(image, both);
    expect(at(halves, 64 + 4, 5)).toEqual(at(halves, 4, 5));
  });

  test('draws on black, with boxes, names and track ids', async () => {
    const visualizer = new PoseLocalVisualizer({ bboxColor: 'yellow' });
    await visualizer.setDatasetMeta(await loadPoseMetainfo('coco'));
    const image = createRaster(64, 48);
    image.data.fill(200);
    const unsure = instances(keypoints, array(Array(17).fill(0), [1, 17]));
    const black = { blackBackground: true } as const;
    const nothing = visualizer.addDatasample(image, sample({ predInstances: unsure }), black);
    expect(drawn(nothing)).toBe(0);
    const boxed = visualizer.addDatasample(image, sample({ predInstances: unsure }), { ...black, drawBbox: true });
    expect(at(boxed, 5, 6)).toEqual([255, 255, 0]);
    const tracked = { ...unsure, trackIds: { data: Int32Array.of(7), shape: [1] } };
    expect(drawn(visualizer.addDatasample(image, sample({ predInstances: tracked }), black))).toBeGreaterThan(0);
    const plain = visualizer.addDatasample(image, sample({ predInstances: person }), black);
    const named = visualizer.addDatasample(image, sample({ predInstances: person }), { ...black, showKptName: true });
    expect(drawn(named)).toBeGreaterThan(drawn(plain));
  });

  test('says what it does not know', async () => {
    expect(() => new PoseLocalVisualizer({ linewidth: 2 } as object)).toThrow(ConfigError);
    expect(() => new PoseLocalVisualizer({ linewidth: 2 } as object)).toThrow('Did you mean "lineWidth"?');
    const visualizer = new PoseLocalVisualizer({ kptColor: ['red'] });
    const call = () => visualizer.addDatasample(createRaster(64, 48), sample({ predInstances: person }));
    expect(call).toThrow('kptColor: found 1 colours; expected 17');
    const hand = await loadPoseMetainfo('onehand10k');
    await expect(visualizer.setDatasetMeta(hand, 'openpose')).rejects.toThrow('no skeleton for "onehand10k"');
    // A style that failed leaves the one before.
    expect(call).toThrow('kptColor: found 1 colours');
  });

  test('openpose style: coco and coco_wholebody', async () => {
    for (const [name, k] of [
      ['coco', 17],
      ['coco_wholebody', 133],
    ] as const) {
      const visualizer = new PoseLocalVisualizer({ radius: 2, lineWidth: 2 });
      await visualizer.setDatasetMeta(await loadPoseMetainfo(name), 'openpose');
      const points = Array.from({ length: k }, (_, i) => [4 + (i % 17) * 3, 5 + 2 * (i % 20)]).flat();
      const many = instances(array(points, [1, k, 2]), array(Array(k).fill(1), [1, k]));
      const style = { skeletonStyle: 'openpose' } as const;
      const image = visualizer.addDatasample(createRaster(64, 48), sample({ predInstances: many }), style);
      expect(drawn(image)).toBeGreaterThan(200);
    }
  });

  test('openpose order: neck between the shoulders, sure only when both are', () => {
    const turned = toOpenpose(keypoints, scores);
    expect(turned.keypoints.shape).toEqual([1, 18, 2]);
    const [neckX, neckY] = turned.keypoints.data.subarray(2, 4);
    expect([neckX, neckY]).toEqual([4 + 3 * 5.5, 5 + 2 * 5.5]);
    // nose, neck, right shoulder, ..., right eye, left eye, right ear, left ear
    expect(turned.keypoints.data[2 * 2]).toBe(4 + 3 * 6);
    expect([14, 15, 16, 17].map((k) => (turned.keypoints.data[2 * k] - 4) / 3)).toEqual([2, 1, 4, 3]);
    const unsure = array(scores.data.map((score, k) => (k === 5 ? 0.1 : score)) as unknown as number[], [1, 17]);
    expect(toOpenpose(keypoints, unsure).scores.data[1]).toBe(0);
    expect(() => toOpenpose(array([1, 2], [1, 1, 2]), array([1], [1, 1]))).toThrow('found 1 keypoints');
  });
});

describe('drawXyHeatmaps', () => {
  const [width, height, count] = [320, 240, 3];
  /** A narrow hill per keypoint, on the diagonal. */
  function hills(): NdArray {
    const data = new Float32Array(count * height * width);
    for (let k = 0; k < count; k++) {
      const [cx, cy] = [80 * (k + 1), 60 * (k + 1)];
      for (let y = 0; y < height; y++)
        for (let x = 0; x < width; x++)
          data[(k * height + y) * width + x] = Math.exp(-((x - cx) ** 2 + (y - cy) ** 2) / 50);
    }
    return { data, shape: [count, height, width] };
  }
  const isHot = ([r, g, b]: number[]) => r > 100 && g < 120 && b < 60;
  const isWhite = (color: number[]) => color.every((c) => c === 255);

  test('shows the picture, and a bar per keypoint and axis that is hot where the keypoint is', () => {
    const image = createRaster(width, height);
    image.data.fill(90);
    drawXyHeatmaps(image, hills());
    const sheet = [1.2 * width + 80 + 1, 1.2 * height + 80 + 1];
    const [fx, fy] = [width / sheet[0], height / sheet[1]];
    const pixel = (x: number, y: number) => at(image, Math.round(x * fx), Math.round(y * fy));
    expect(isWhite(pixel(4, 4))).toBe(true);
    expect(isWhite(pixel(0.5 * width, 1.15 * height))).toBe(true);
    for (let k = 0; k < count; k++) {
      const [x, y] = [80 * (k + 1) + 0.1 * width, 60 * (k + 1) + 0.1 * height];
      const [right, below] = [1.1 * width + 20 * (k + 1) + 7, 1.1 * height + 20 * (k + 1) + 7];
      expect(isHot(pixel(x, below)), `x of ${k}`).toBe(true);
      expect(isHot(pixel(x - 40, below)), `beside x of ${k}`).toBe(false);
      expect(isHot(pixel(right, y)), `y of ${k}`).toBe(true);
      expect(isHot(pixel(right, y - 30)), `beside y of ${k}`).toBe(false);
      // The hill's red half over half of the grey.
      expect(pixel(x, y)[0]).toBeGreaterThan(pixel(x, y)[2] + 40);
    }
    // Away from all hills: jet's darkest blue, (0, 0, 128), and grey, half each.
    expect(pixel(0.1 * width + 20, 1.1 * height - 20)).toEqual([45, 45, 109]);
  });

  test('the visualizer takes it for samples with SimCC vectors, and limits the bars', () => {
    const image = createRaster(width, height);
    const labels = { keypointXLabels: array([0], [1, 1, 1]), keypointYLabels: array([0], [1, 1, 1]) };
    const person = instances(array([0, 0], [1, 1, 2]), array([0], [1, 1]));
    const predFields = { heatmaps: hills() };
    const draw = (predInstances: InstanceData) =>
      new PoseLocalVisualizer().addDatasample(image, sample({ predInstances, predFields }), { drawHeatmap: true });
    expect(isWhite(at(draw({ ...person, ...labels }), 2, height + 2))).toBe(true);
    expect(isWhite(at(draw(person), 2, height + 2))).toBe(false);
    const one = createRaster(width, height);
    drawXyHeatmaps(one, hills(), { maxKeypoints: 1, weight: 0 });
    expect(one.data).not.toEqual(image.data);
    expect(() => drawXyHeatmaps(one, array([1], [1]))).toThrow(/expected \[K, h, w\]/);
  });
});
