/**
 * `resizeBilinear` against cv2.resize and `resizePillow` against Image.resize: sums of the bytes and a few of them, recorded from
 * OpenCV 4.6 (resize_reference.py) and Pillow 12.3 (resize_pillow_reference.py).
 */
import { describe, expect, test } from 'vitest';
import { resizeBilinear } from '../../src/datasets/transforms/resize.js';
import { resizePillow } from '../../src/datasets/transforms/resize_pillow.js';
import { patternImage } from '../golden/formula.js';
import pillowReference from './resize_pillow_reference.json';
import reference from './resize_reference.json';

function fnvBytes(bytes: Uint8Array): number {
  let hash = 0x811c9dc5;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193);
  return hash >>> 0;
}

describe.each([
  { resize: resizeBilinear, cases: reference },
  { resize: resizePillow, cases: pillowReference },
])('$resize.name', ({ resize, cases }) => {
  test.each(cases)('$from to $to', ({ from: [width, height], to, first, hash }) => {
    const { data } = patternImage('resize', [height, width, 3]);
    const found = resize({ data, width, height, channels: 3 }, to as [number, number]);
    expect([...found.subarray(0, first.length)]).toEqual(first);
    expect(fnvBytes(found)).toBe(hash);
    const rgba = new Uint8Array(width * height * 4).fill(77);
    for (let i = 0; i < width * height; i++) rgba.set(data.subarray(i * 3, i * 3 + 3), i * 4);
    expect(resize({ data: rgba, width, height, channels: 4 }, to as [number, number])).toEqual(found);
  });

  test('refuses what is no picture', () => {
    expect(() => resize({ data: new Uint8Array(5), width: 2, height: 1, channels: 3 }, [4, 4])).toThrow(
      /found 5 values for 2 x 1 px with 3 channels/,
    );
  });
});
