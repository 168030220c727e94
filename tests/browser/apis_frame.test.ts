/** Every kind of picture gives the same bytes; unusable ones say what is wrong. */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { FrameReader, type FrameSource } from '../../src/apis/frame.js';
import { InputError } from '../../src/errors.js';
import {
  patternPixels,
  playing,
  taintedCanvas,
  TAINTS,
  toBlob,
  toCanvas,
  toImage,
  toImageData,
} from './apis_support.js';
import { encodePng, withExifOrientation } from './picture_files.js';

const pixels = patternPixels(53, 37);
const reader = new FrameReader();

afterEach(() => reader.dispose());

describe('the same bytes from', () => {
  const kinds: Record<string, () => FrameSource | Promise<FrameSource>> = {
    PixelImage: () => pixels,
    ImageData: () => toImageData(pixels),
    HTMLCanvasElement: () => toCanvas(pixels),
    OffscreenCanvas: () => {
      const canvas = new OffscreenCanvas(pixels.width, pixels.height);
      canvas.getContext('2d')!.putImageData(toImageData(pixels), 0, 0);
      return canvas;
    },
    ImageBitmap: () => createImageBitmap(toImageData(pixels)),
    'Blob (PNG)': () => toBlob(toCanvas(pixels)),
    'File (PNG)': async () => new File([await toBlob(toCanvas(pixels))], 'a.png'),
    HTMLImageElement: async () => toImage(await toBlob(toCanvas(pixels))),
    VideoFrame: () => new VideoFrame(toCanvas(pixels), { timestamp: 0 }),
  };
  test.each(Object.entries(kinds))('%s', async (_, make) => {
    const source = await make();
    const frame = await reader.read(source);
    if (source instanceof VideoFrame) source.close();
    expect([frame.width, frame.height]).toEqual([53, 37]);
    expect(frame.data).toEqual(pixels.data);
  });

  test('HTMLVideoElement, up to the colour conversion of its encoding', async () => {
    const canvas = toCanvas(pixels);
    const video = await playing(canvas);
    const frame = await reader.read(video);
    (video.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
    expect([frame.width, frame.height]).toEqual([53, 37]);
    const difference = [...frame.data].reduce((sum, v, i) => sum + Math.abs(v - pixels.data[i]), 0) / frame.data.length;
    expect(difference).toBeLessThan(20);
  });
});

describe('where the browser allocates no bitmap at the moment, the same bytes from', () => {
  const kinds: Record<string, () => FrameSource | Promise<FrameSource>> = {
    HTMLCanvasElement: () => toCanvas(pixels),
    VideoFrame: () => new VideoFrame(toCanvas(pixels), { timestamp: 0 }),
    HTMLVideoElement: () => playing(toCanvas(pixels)),
  };
  test.each(Object.entries(kinds))('%s', async (_, make) => {
    const source = await make();
    const expected = await reader.read(source);
    const refusal = new DOMException('The ImageBitmap could not be allocated.', 'InvalidStateError');
    const refuse = vi.spyOn(globalThis, 'createImageBitmap').mockRejectedValue(refusal);
    const snapshot = await reader.snapshot(source);
    expect(refuse).toHaveBeenCalledOnce();
    refuse.mockRestore();
    if (source instanceof HTMLVideoElement)
      (source.srcObject as MediaStream).getTracks().forEach((track) => track.stop());
    if (source instanceof VideoFrame) source.close();
    expect(reader.readSnapshot(snapshot)).toEqual(expected);
    snapshot.close();
  });

  test('and a closed one is still said to be closed', async () => {
    const bitmap = await createImageBitmap(toImageData(pixels));
    bitmap.close();
    await expect(reader.snapshot(bitmap)).rejects.toThrow(/closed/);
  });
});

test('colours under a transparent pixel stay as the file has them, as OpenCV reads them', async () => {
  const { data } = pixels;
  const translucent = { ...pixels, data: data.map((v, i) => (i % 4 === 3 ? (i * 7) % 256 : v)) };
  // A canvas would multiply the alpha in; the encoder below writes the bytes as they are.
  const blob = await encodePng(translucent.data, pixels.width, pixels.height);
  for (const source of [blob, await toImage(blob)]) {
    const frame = await reader.read(source);
    for (let i = 0; i < data.length; i++) if (i % 4 < 3) expect(frame.data[i]).toBe(data[i]);
  }
});

test('a colour profile is not applied, as OpenCV knows none', async () => {
  const blob = await encodePng(pixels.data, pixels.width, pixels.height, [['gAMA', Uint8Array.of(0, 1, 134, 160)]]);
  for (const source of [blob, await toImage(blob)]) {
    const frame = await reader.read(source);
    expect(frame.data).toEqual(pixels.data);
  }
});

test('EXIF orientation is applied, as cv2.imread does', async () => {
  const canvas = toCanvas({ data: new Uint8ClampedArray(40 * 20 * 4).fill(255), width: 40, height: 20, channels: 4 });
  const context = canvas.getContext('2d')!;
  context.fillStyle = 'black';
  context.fillRect(0, 0, 20, 20);
  const blob = withExifOrientation(await (await toBlob(canvas, 'image/jpeg')).arrayBuffer(), 6);
  for (const source of [blob, await toImage(blob)]) {
    const { width, height, data } = await reader.read(source);
    expect([width, height]).toEqual([20, 40]);
    // A quarter turn to the right: what was left is on top.
    expect(data[(5 * 20 + 10) * 4]).toBeLessThan(10);
    expect(data[(35 * 20 + 10) * 4]).toBeGreaterThan(245);
  }
});

describe('a typed error for', () => {
  const bad: (readonly [string, () => unknown, RegExp])[] = [
    ['null', () => null, /found null; expected an image/],
    ['a string', () => 'photo.jpg', /found a string \(fetch it/],
    ['a corrupt picture', () => new Blob([new Uint8Array(100)], { type: 'image/png' }), /could not be decoded/],
    ['an empty Blob', () => new Blob([]), /could not be decoded/],
    ['an image that has not loaded', () => new Image(), /HTMLImageElement has no pixels|has not loaded/],
    ['a video without a frame', () => document.createElement('video'), /no frame yet/],
    ['an empty canvas', () => Object.assign(document.createElement('canvas'), { width: 0 }), /0 x 150 px/],
    ['a closed ImageBitmap', closedBitmap, /closed or was transferred/],
    ['a closed VideoFrame', closedFrame, /closed or was transferred/],
    ['pixels of the wrong length', () => ({ ...pixels, width: 52 }), /expected a Uint8Array of width \* height/],
    ['grey pixels', () => ({ ...pixels, channels: 1 }), /expected a Uint8Array of width \* height/],
    ...(TAINTS ? [['a picture of another origin', taintedCanvas, /comes from another origin.*CORS/] as const] : []),
  ];
  test.each(bad)('%s', async (_, make, message) => {
    const source = (await make()) as FrameSource;
    await expect(reader.read(source)).rejects.toThrow(InputError);
    await expect(reader.read(source)).rejects.toThrow(message);
    // The reader goes on working.
    expect((await reader.read(toCanvas(pixels))).data).toEqual(pixels.data);
  });
});

async function closedBitmap(): Promise<ImageBitmap> {
  const bitmap = await createImageBitmap(toImageData(pixels));
  bitmap.close();
  return bitmap;
}

function closedFrame(): VideoFrame {
  const frame = new VideoFrame(toCanvas(pixels), { timestamp: 0 });
  frame.close();
  return frame;
}

/** Chromium treats an SVG with a foreignObject in a blob as a picture from elsewhere. */
