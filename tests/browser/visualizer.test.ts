/** The canvas drawing against the rasteriser, which equals OpenCV's pixels (golden group `visualizer`). */
import { expect, test } from 'vitest';
import { loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import type { NdArray } from '../../src/ndarray.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import { createRaster, drawHeatmap, PoseLocalVisualizer } from '../../src/visualization/index.js';
import type { RasterImage, SkeletonStyle } from '../../src/visualization/index.js';

/** A standing person inside a box, COCO order, as parts of the box. */
const POSE: readonly (readonly [number, number])[] = [
  [0.5, 0.08],
  [0.53, 0.06],
  [0.47, 0.06],
  [0.57, 0.08],
  [0.43, 0.08],
  [0.66, 0.22],
  [0.34, 0.22],
  [0.8, 0.36],
  [0.22, 0.37],
  [0.9, 0.5],
  [0.12, 0.48],
  [0.6, 0.52],
  [0.4, 0.52],
  [0.63, 0.73],
  [0.37, 0.74],
  [0.62, 0.95],
  [0.36, 0.95],
];

function sampleAt(width: number, height: number): PoseDataSample {
  const boxes = [
    [0.05, 0.05, 0.55, 0.95],
    [0.5, 0.2, 0.98, 0.9],
  ];
  const keypoints = new Float32Array(
    boxes.flatMap(([x1, y1, x2, y2]) =>
      POSE.flatMap(([x, y]) => [width * (x1 + x * (x2 - x1)), height * (y1 + y * (y2 - y1))]),
    ),
  );
  const visible: NdArray = { data: new Float32Array(34).fill(0.9), shape: [2, 17] };
  visible.data[9] = 0.1;
  const bboxes = boxes.flatMap(([x1, y1, x2, y2]) => [x1 * width, y1 * height, x2 * width, y2 * height]);
  const none: NdArray = { data: new Float32Array(0), shape: [0, 2] };
  return {
    metainfo: {
      imgShape: [height, width],
      inputSize: [0, 0],
      inputCenter: none,
      inputScale: none,
      flipIndices: [],
      timestamp: 0,
    },
    predInstances: {
      bboxes: { data: Float32Array.from(bboxes), shape: [2, 4] },
      bboxScores: { data: new Float32Array(2).fill(1), shape: [2] },
      keypoints: { data: keypoints, shape: [2, 17, 2] },
      keypointScores: visible,
      keypointsVisible: visible,
    },
  };
}

/** RGBA pixels of a canvas. */
function pixelsOf(canvas: HTMLCanvasElement | OffscreenCanvas): RasterImage {
  const context = canvas.getContext('2d') as OffscreenCanvasRenderingContext2D;
  const { width, height } = canvas;
  return { data: context.getImageData(0, 0, width, height).data, width, height, channels: 4 };
}

/** Overlap of what has at least this alpha, and how many pixels deep inside one colour have another one. */
function compare(
  actual: RasterImage,
  expected: RasterImage,
  alpha = 128,
): { iou: number; inside: number; wrong: number } {
  let [both, either, inside, wrong] = [0, 0, 0, 0];
  const covers = ({ data }: RasterImage, i: number) => data[4 * i + 3] >= alpha;
  for (let i = 0; i < expected.width * expected.height; i++) {
    const [a, e] = [covers(actual, i), covers(expected, i)];
    if (a && e) both++;
    if (a || e) either++;
    if (!e || !isInside(expected, i)) continue;
    inside++;
    if ([0, 1, 2].some((c) => Math.abs(actual.data[4 * i + c] - expected.data[4 * i + c]) > 1)) wrong++;
  }
  return { iou: both / either, inside, wrong };
}

function worstDifference(actual: RasterImage, expected: RasterImage): number {
  let worst = 0;
  for (let i = 0; i < expected.data.length; i++) worst = Math.max(worst, Math.abs(actual.data[i] - expected.data[i]));
  return worst;
}

/** Whether all neighbours have this pixel's colour: there, smooth edges play no part. */
function isInside({ data, width }: RasterImage, i: number): boolean {
  const word = new Uint32Array(data.buffer);
  return [1, width, width + 1, width - 1].every((step) => word[i + step] === word[i] && word[i - step] === word[i]);
}

const STYLES: readonly [name: string, looks: object, style: SkeletonStyle, drawBbox: boolean][] = [
  ['thin', {}, 'mmpose', false],
  ['default demo', { radius: 4, lineWidth: 2 }, 'mmpose', false],
  ['thick', { radius: 5, lineWidth: 3 }, 'mmpose', true],
  ['very thick', { radius: 9, lineWidth: 6 }, 'mmpose', true],
  ['openpose', { radius: 4, lineWidth: 4 }, 'openpose', false],
];

const SIZES = [
  [160, 120],
  [333, 480],
] as const;

test.each(STYLES)('%s: the canvas shows the very pixels of OpenCV', async (_, looks, style, drawBbox) => {
  const visualizer = new PoseLocalVisualizer(looks);
  await visualizer.setDatasetMeta(await loadPoseMetainfo('coco'), style);
  for (const [width, height] of SIZES) {
    const options = { skeletonStyle: style, drawBbox };
    const sample = sampleAt(width, height);
    const expected = visualizer.addDatasample(createRaster(width, height, 4), sample, options);
    const actual = pixelsOf(visualizer.addDatasample(null, sample, options));
    expect(compare(actual, expected).iou).toBe(1);
    // Translucent limbs that cross are rounded twice.
    const slack = style === 'openpose' ? 3 : 0;
    expect(worstDifference(actual, expected)).toBeLessThanOrEqual(slack);
  }
});

/** Share of pixels inside that other smoothing of edges than Chromium's colours otherwise. */
const SLACK = navigator.userAgent.includes('Chrome/') ? 0 : 0.01;

test.each(STYLES)('%s, smooth: covers the same pixels in the same colours', async (_, looks, style, drawBbox) => {
  const visualizer = new PoseLocalVisualizer({ ...looks, smooth: true });
  await visualizer.setDatasetMeta(await loadPoseMetainfo('coco'), style);
  for (const [width, height] of SIZES) {
    const options = { skeletonStyle: style, drawBbox };
    const sample = sampleAt(width, height);
    const expected = visualizer.addDatasample(createRaster(width, height, 4), sample, options);
    const actual = pixelsOf(visualizer.addDatasample(null, sample, options));
    // Half covered is half of the limbs' opacity of 0.6.
    const { iou, inside, wrong } = compare(actual, expected, style === 'openpose' ? 77 : 128);
    expect(iou).toBeGreaterThanOrEqual(0.9);
    expect(inside).toBeGreaterThan(30);
    expect(wrong / inside).toBeLessThanOrEqual(style === 'openpose' ? 0.02 : SLACK);
  }
});

test('heatmaps on a canvas differ from the exact ones by rounding only', () => {
  const heatmaps: NdArray = {
    data: Float32Array.from({ length: 3 * 96 }, (_, i) => Math.sin(i * 0.7)),
    shape: [3, 8, 12],
  };
  const picture = new ImageData(48, 32);
  picture.data.forEach((_, i) => (picture.data[i] = i % 4 === 3 ? 255 : (i * 31) & 255));
  const expected: RasterImage = { data: picture.data.slice(), width: 48, height: 32, channels: 4 };
  drawHeatmap(expected, heatmaps);
  const context = new OffscreenCanvas(48, 32).getContext('2d')!;
  context.putImageData(picture, 0, 0);
  drawHeatmap(context, heatmaps);
  const actual = pixelsOf(context.canvas);
  expect(worstDifference(actual, expected)).toBeLessThanOrEqual(2);
});

test('SimCC bars on a canvas: the same sheet, in its own cell', () => {
  const [width, height, k] = [160, 120, 2];
  const data = Float32Array.from({ length: k * height * width }, (_, i) => {
    const [x, y] = [i % width, Math.floor(i / width) % height];
    return Math.exp(-((x - 60 - 40 * Math.floor(i / width / height)) ** 2 + (y - 50) ** 2) / 200);
  });
  const sample = sampleAt(width, height);
  const labels = { data: new Float32Array(2), shape: [2, 1, 1] };
  Object.assign(sample.predInstances!, { keypointXLabels: labels, keypointYLabels: labels });
  const both: PoseDataSample = { ...sample, predFields: { heatmaps: { data, shape: [k, height, width] } } };
  const picture = new ImageData(width, height);
  picture.data.forEach((_, i) => (picture.data[i] = i % 4 === 3 ? 255 : 40 + (i % 4) * 60));
  const visualizer = new PoseLocalVisualizer();
  const raster: RasterImage = { data: picture.data.slice(), width, height, channels: 4 };
  const expected = visualizer.addDatasample(raster, both, { drawGt: true, drawHeatmap: true });
  const actual = pixelsOf(visualizer.addDatasample(picture, both, { drawGt: true, drawHeatmap: true }));
  expect([actual.width, actual.height]).toEqual([expected.width, expected.height]);
  // Scaling filters and letters differ at edges; a sheet in the wrong place or size would differ everywhere.
  const far = expected.data.filter((v, i) => Math.abs(v - actual.data[i]) > 40).length;
  expect(far / expected.data.length).toBeLessThan(0.02);
});

test('the picture lies under the drawing, and both halves and rows are where they belong', async () => {
  const visualizer = new PoseLocalVisualizer({ context: new OffscreenCanvas(1, 1).getContext('2d') });
  await visualizer.setDatasetMeta(await loadPoseMetainfo('coco'));
  const picture = new ImageData(60, 40);
  picture.data.fill(255);
  const { predInstances } = sampleAt(60, 40);
  const sample = { ...sampleAt(60, 40), gtInstances: predInstances };
  for (const image of [picture, await createImageBitmap(picture)]) {
    const drawn = pixelsOf(visualizer.addDatasample(image, sample));
    expect([drawn.width, drawn.height]).toEqual([120, 40]);
    const half = (from: number) =>
      Array.from({ length: 40 }, (_, y) => [
        ...drawn.data.subarray((y * 120 + from) * 4, (y * 120 + from + 60) * 4),
      ]).flat();
    expect(half(60)).toEqual(half(0));
    expect(drawn.data.every((v, i) => i % 4 !== 3 || v === 255)).toBe(true);
  }
});

test('an overlay is cleared before it is drawn on again', async () => {
  const context = new OffscreenCanvas(64, 48).getContext('2d')!;
  const visualizer = new PoseLocalVisualizer({ context });
  const sample = sampleAt(64, 48);
  visualizer.addDatasample(null, sample);
  const once = pixelsOf(context.canvas).data;
  visualizer.addDatasample(null, sample);
  expect(pixelsOf(context.canvas).data).toEqual(once);
  visualizer.addDatasample(null, { ...sample, predInstances: undefined });
  expect(pixelsOf(context.canvas).data.every((v) => v === 0)).toBe(true);
});

test('gives a canvas that can be put on the page', () => {
  expect(new PoseLocalVisualizer().addDatasample(null, sampleAt(64, 48))).toBeInstanceOf(HTMLCanvasElement);
});
