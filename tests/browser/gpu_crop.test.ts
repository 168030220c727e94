/** The GPU's crop of a frame: MMPose's recorded crops, the CPU's normalised crops bit by bit, and every kind of picture. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FrameReader, type FrameSource } from '../../src/apis/frame.js';
import { GpuCrop } from '../../src/apis/gpu_crop.js';
import { keepsStraightAlpha } from '../../src/apis/straight_alpha.js';
import { FrameTexture } from '../../src/apis/gpu_frame.js';
import { GetBBoxCenterScale } from '../../src/datasets/transforms/common_transforms.js';
import { TopdownAffine } from '../../src/datasets/transforms/topdown_transforms.js';
import { warpAffine, warpAffineTerms, type PixelImage } from '../../src/datasets/transforms/warp_affine.js';
import { PoseDataPreprocessor } from '../../src/models/data_preprocessors/data_preprocessor.js';
import { ndarray } from '../../src/ndarray.js';
import transforms from '../fixtures/golden/structures/transforms.json';
import { readGoldenFile, type GoldenSource } from '../golden/format.js';
import { uniform } from '../golden/formula.js';
import { patternPixels, toBlob, toCanvas, toImage, toImageData } from './apis_support.js';
import { encodePng, withExifOrientation } from './picture_files.js';

type Size = readonly [w: number, h: number];

let device: GPUDevice;
const faults: string[] = [];

beforeAll(async () => {
  device = await (await navigator.gpu.requestAdapter())!.requestDevice();
  device.addEventListener('uncapturederror', ({ error }) => faults.push(error.message));
});

afterAll(() => {
  expect(faults).toEqual([]);
  device.destroy();
});

/** The bytes themselves, in their own order. */
const BYTES = new PoseDataPreprocessor({ bgr_to_rgb: true });
const frames = new FrameReader();

interface Job {
  readonly source: FrameSource;
  readonly matrices: readonly ArrayLike<number>[];
  readonly size: Size;
  readonly preprocessor?: PoseDataPreprocessor;
  readonly batch?: number;
}

/** [batch, h, w, 3] of the padded size. */
async function cropOnGpu({ source, matrices, size, preprocessor = BYTES, batch = matrices.length }: Job) {
  const [texture, crop] = [new FrameTexture(device), new GpuCrop(device, size, preprocessor)];
  await crop.prepare(false);
  const [w, h] = preprocessor.paddedSize(size);
  const bytes = batch * w * h * 3 * 4;
  const input = device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const read = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  const snapshot = await frames.snapshot(source, { straightAlpha: await keepsStraightAlpha(device) });
  const terms = matrices.map((matrix) => warpAffineTerms(matrix, size));
  const [fill] = crop.fills(texture.upload(snapshot), [{ terms, batch }]);
  snapshot.close();
  const encoder = device.createCommandEncoder();
  const pass = encoder.beginComputePass();
  fill(pass, { buffer: input });
  pass.end();
  encoder.copyBufferToBuffer(input, 0, read, 0, bytes);
  device.queue.submit([encoder.finish()]);
  await read.mapAsync(GPUMapMode.READ);
  const values = new Float32Array(read.getMappedRange().slice(0));
  for (const thing of [texture, crop]) thing.dispose();
  for (const buffer of [input, read]) buffer.destroy();
  return values;
}

const IDENTITY = [1, 0, 0, 0, 1, 0];

test("MMPose's recorded crops, to the bit", async () => {
  const bin = new URL('../fixtures/golden/structures/transforms.bin', import.meta.url);
  const source: GoldenSource = {
    read: async (path) =>
      path.endsWith('.json')
        ? new TextEncoder().encode(JSON.stringify(transforms))
        : new Uint8Array(await (await fetch(bin)).arrayBuffer()),
    readShared: async () => null,
  };
  const file = (await readGoldenFile(source, 'structures/transforms.json'))!;
  const cases = file.cases.filter(({ op }) => op === 'GetBBoxCenterScale+TopdownAffine');
  expect(cases.length).toBeGreaterThanOrEqual(20);
  for (const raw of cases) {
    const { name, params, inputs, outputs } = file.decode(raw);
    const [height, width] = inputs.img.shape;
    const bboxRotation = ndarray(Float32Array.of(params.rotation), [1]);
    const centered = new GetBBoxCenterScale({ padding: params.padding }).transform({ bbox: inputs.bbox, bboxRotation });
    const affine = new TopdownAffine({ input_size: params.input_size, use_udp: params.use_udp });
    const picture: PixelImage = { data: inputs.img.data, width, height, channels: 3 };
    const { warpMat } = affine.place(centered);
    const found = await cropOnGpu({ source: picture, matrices: [warpMat!], size: affine.inputSize });
    expect(Uint8Array.from(found), name).toEqual(new Uint8Array(outputs.img.data));
  }
});

describe('the normalised batch of the CPU, to the bit', () => {
  const picture = patternPixels(211, 157);
  const affine = new TopdownAffine({ input_size: [48, 64] });
  // Inside, over every edge, far outside, tiny, huge.
  const centers = [...uniform('centers', [7, 2], -60, 260).data, 105, 78, 5000, -4000, 100.5, 60.25];
  const scales = [...uniform('scales', [7], 3, 300).data, 2000, 50, 0.75];
  const matrices = scales.map((scale, i) =>
    affine.warpMatrix(centers.slice(i * 2, i * 2 + 2), [scale * 0.75, scale], i % 3 === 0 ? 0 : i * 37),
  );
  const rgb = { mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375] };
  const configs = {
    'RGB, mean and std': { ...rgb, bgr_to_rgb: true },
    'BGR, mean and std': rgb,
    'one mean for all': { mean: [127.5], std: [127.5], bgr_to_rgb: true },
    padding: { ...rgb, bgr_to_rgb: true, pad_size_divisor: 40, pad_value: -1.5 },
  };
  test.each(Object.entries(configs))('%s', async (_, config) => {
    const preprocessor = new PoseDataPreprocessor(config);
    const crops = matrices.map((matrix) => ({
      data: warpAffine(picture, matrix, affine.inputSize),
      shape: [64, 48, 3],
    }));
    const expected = preprocessor.forward(crops).inputs.data;
    const found = await cropOnGpu({ source: picture, matrices, size: affine.inputSize, preprocessor });
    expect(new Uint32Array(found.buffer)).toEqual(new Uint32Array(expected.buffer));
  });

  test.each([1, 2, 3, 5])('%i persons in a padded batch of 8: the last one repeats', async (count) => {
    const few = matrices.slice(0, count);
    const found = await cropOnGpu({ source: picture, matrices: few, size: affine.inputSize, batch: 8 });
    const one = 64 * 48 * 3;
    for (let i = 0; i < 8; i++) {
      const expected = warpAffine(picture, few[Math.min(i, count - 1)], affine.inputSize);
      expect(Uint8Array.from(found.subarray(i * one, (i + 1) * one)), `entry ${i}`).toEqual(expected);
    }
  });
});

describe('the same bytes as on the CPU from', () => {
  const pixels = patternPixels(53, 37);
  const translucent = pixels.data.map((v, i) => (i % 4 === 3 ? (i * 7) % 256 : v));
  const offscreen = () => {
    const canvas = new OffscreenCanvas(53, 37);
    canvas.getContext('2d')!.putImageData(toImageData(pixels), 0, 0);
    return canvas;
  };
  const turned = async () => {
    const jpeg = await toBlob(toCanvas(pixels), 'image/jpeg');
    return withExifOrientation(await jpeg.arrayBuffer(), 6);
  };
  const kinds: Record<string, () => FrameSource | Promise<FrameSource>> = {
    'RGBA pixels': () => pixels,
    'RGB pixels': () => ({ ...pixels, data: pixels.data.filter((_, i) => i % 4 < 3), channels: 3 }),
    ImageData: () => toImageData(pixels),
    'translucent ImageData': () => toImageData({ ...pixels, data: translucent }),
    HTMLCanvasElement: () => toCanvas(pixels),
    OffscreenCanvas: offscreen,
    ImageBitmap: () => createImageBitmap(toImageData(pixels)),
    'Blob (PNG)': () => toBlob(toCanvas(pixels)),
    'Blob (JPEG)': () => toBlob(toCanvas(pixels), 'image/jpeg'),
    'Blob (PNG with alpha)': () => encodePng(translucent, 53, 37),
    'HTMLImageElement with alpha': async () => toImage(await encodePng(translucent, 53, 37)),
    'Blob (PNG with gamma)': () => encodePng(pixels.data, 53, 37, [['gAMA', Uint8Array.of(0, 1, 134, 160)]]),
    'Blob (JPEG, turned by EXIF)': turned,
    HTMLImageElement: async () => toImage(await toBlob(toCanvas(pixels))),
    VideoFrame: () => new VideoFrame(toCanvas(pixels), { timestamp: 0 }),
  };
  test.each(Object.entries(kinds))('%s', async (_, make) => {
    const source = await make();
    const { data, width, height, channels } = await frames.read(source);
    const expected = data.filter((_value, i) => i % channels < 3);
    const found = await cropOnGpu({ source, matrices: [IDENTITY], size: [width, height] });
    if (source instanceof VideoFrame) source.close();
    expect(Uint8Array.from(found)).toEqual(new Uint8Array(expected));
  });
});
