/** Two small networks with formula weights, pictures for them, and backends that stay. */
import { afterAll, beforeAll } from 'vitest';
import { Pose2DInferencer, type Pose2DInferencerOptions } from '../../src/apis/inferencers/pose2d_inferencer.js';
import { createBackend, type Backend, type BackendName } from '../../src/backend/init.js';
import { encodeSafetensors, type StateDict } from '../../src/checkpoint/index.js';
import type { PixelImage } from '../../src/datasets/transforms/warp_affine.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { namedParameters } from '../../src/nn/module.js';
import { patternImage, weightTensor } from '../golden/formula.js';
import recorded from '../fixtures/golden/models/hrnet_tiny.json';

/** MMPose's `model` node of an HRNet: 64 x 64 px, 17 keypoints, flip test. About 90 convolutions. */
export const TINY_CONFIG = recorded.cases[0].params.config as unknown as {
  type: string;
  head: object;
  backbone: object;
};

export const TINY_WEIGHTS = new URL('../fixtures/golden/checkpoints/hrnet_tiny_model.pth', import.meta.url).href;

/** The stem and one stage of a ResNet: 6 convolutions, so that software GPUs are done with their shaders in seconds. */
export const NANO_CONFIG = {
  ...TINY_CONFIG,
  backbone: {
    type: 'ResNet',
    ...{ depth: 18, stem_channels: 8, base_channels: 8, num_stages: 1, strides: [1], dilations: [1], out_indices: [0] },
  },
};

/**
 * Keeps a backend for all tests of a file or group. Models that are created meanwhile share it, and it tests itself once: a software GPU
 * takes seconds for that.
 */
export function keepBackend(name: BackendName): void {
  let kept: Backend;
  beforeAll(async () => {
    kept = await createBackend(name);
  });
  afterAll(() => kept?.dispose());
}

let nanoWeights: Promise<Uint8Array<ArrayBuffer>> | undefined;

export function createTiny(options: Pose2DInferencerOptions = {}): Promise<Pose2DInferencer> {
  return Pose2DInferencer.create({ config: TINY_CONFIG, checkpoint: TINY_WEIGHTS, warmup: false, ...options });
}

export async function createNano(options: Pose2DInferencerOptions = {}): Promise<Pose2DInferencer> {
  return Pose2DInferencer.create({ config: NANO_CONFIG, checkpoint: await nano(), warmup: false, ...options });
}

/** A file for `NANO_CONFIG`. */
export function nano(): Promise<Uint8Array<ArrayBuffer>> {
  nanoWeights ??= makeWeights();
  return nanoWeights;
}

async function makeWeights(): Promise<Uint8Array<ArrayBuffer>> {
  const estimator = await buildPoseEstimator(NANO_CONFIG);
  const stateDict: StateDict = new Map(
    [...namedParameters(estimator)].map(([name, { shape }]) => {
      const { data } = weightTensor(name, shape, { gain: 1.25, norm: [0.5, 1] });
      return [name, { dtype: 'float32', shape, read: async () => data }];
    }),
  );
  return encodeSafetensors(stateDict);
}

/** An RGBA test picture. */
export function patternPixels(width: number, height: number, name = 'apis'): PixelImage<Uint8ClampedArray> {
  const rgb = patternImage(name, [height, width, 3]).data;
  const data = new Uint8ClampedArray(width * height * 4).fill(255);
  for (let i = 0, j = 0; i < rgb.length; i += 3, j += 4) data.set(rgb.subarray(i, i + 3), j);
  return { data, width, height, channels: 4 };
}

export function toImageData({ data, width, height }: PixelImage<Uint8ClampedArray>): ImageData {
  return new ImageData(new Uint8ClampedArray(data), width, height);
}

export function toCanvas(pixels: PixelImage<Uint8ClampedArray>): HTMLCanvasElement {
  const canvas = document.createElement('canvas');
  canvas.width = pixels.width;
  canvas.height = pixels.height;
  canvas.getContext('2d')!.putImageData(toImageData(pixels), 0, 0);
  return canvas;
}

export function toBlob(canvas: HTMLCanvasElement, type = 'image/png'): Promise<Blob> {
  return new Promise((resolve, reject) => {
    canvas.toBlob((blob) => (blob ? resolve(blob) : reject(new Error('no blob'))), type, 0.95);
  });
}

export async function toImage(blob: Blob): Promise<HTMLImageElement> {
  const image = new Image();
  image.src = URL.createObjectURL(blob);
  await image.decode();
  return image;
}

/** A canvas whose pixels the browser does not let be read, where `TAINTS` says so. */
export async function taintedCanvas(): Promise<HTMLCanvasElement> {
  const svg =
    '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><foreignObject width="9" height="9"><p xmlns="http://www.w3.org/1999/xhtml">a</p></foreignObject></svg>';
  const image = await toImage(new Blob([svg], { type: 'image/svg+xml' }));
  const canvas = document.createElement('canvas');
  canvas.getContext('2d')!.drawImage(image, 0, 0);
  return canvas;
}

/** Firefox lets pages' elements inside pictures be read, and no other picture of this origin is foreign. */
export const TAINTS = await taintedCanvas().then((canvas) => {
  try {
    canvas.getContext('2d')!.getImageData(0, 0, 1, 1);
    return false;
  } catch {
    return true;
  }
});

/** A playing video that shows `canvas`. The caller stops it by removing its tracks. */
export async function playing(canvas: HTMLCanvasElement): Promise<HTMLVideoElement> {
  const video = document.createElement('video');
  video.muted = true;
  video.srcObject = canvas.captureStream(30);
  await video.play();
  return video;
}
