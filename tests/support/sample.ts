/**
 * The demo's sample picture with where its joints are: rendered, so both are exact, and ours. What the default model finds in it must
 * hold for every set of weights that may take the present one's place.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright';
import sample from '../fixtures/sample_keypoints.json' with { type: 'json' };

export const SAMPLE_PICTURE = fileURLToPath(new URL('../../demo/public/sample.png', import.meta.url));
export const SAMPLE_SIZE = sample.size as [w: number, h: number];

/** Distances count against the larger side of the box round the joints. */
const PCK_THRESHOLD = 0.1;
/** The least share of joints nearer than that which a usable default model finds in so easy a picture. */
export const LEAST_PCK = 0.75;

/** Share of the sample's joints that were found. */
export function samplePck(keypoints: readonly (readonly number[])[]): number {
  const sides = [0, 1].map((axis) => {
    const values = sample.keypoints.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  });
  const size = Math.max(...sides);
  const found = sample.keypoints.filter(([x, y], k) => {
    const [foundX, foundY] = keypoints[k] ?? [NaN, NaN];
    return Math.hypot(foundX - x, foundY - y) < PCK_THRESHOLD * size;
  });
  return found.length / sample.keypoints.length;
}

/** The sample's pixels as a file of RGB bytes, for places that decode no pictures. */
export async function writeSamplePixels(file: string, browser: Browser): Promise<void> {
  const page = await browser.newPage();
  try {
    const url = `data:image/png;base64,${(await readFile(SAMPLE_PICTURE)).toString('base64')}`;
    const rgba = await page.evaluate(async (source) => {
      const image = new Image();
      image.src = source;
      await image.decode();
      const context = new OffscreenCanvas(image.width, image.height).getContext('2d')!;
      context.drawImage(image, 0, 0);
      return [...context.getImageData(0, 0, image.width, image.height).data];
    }, url);
    await writeFile(
      file,
      Uint8Array.from(rgba).filter((_, i) => i % 4 !== 3),
    );
  } finally {
    await page.close();
  }
}
