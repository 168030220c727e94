/** The demo's sample picture for tests that run in Node. Rendered, and ours. */
import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright';

export const SAMPLE_PICTURE = fileURLToPath(new URL('../../demo/public/sample.png', import.meta.url));

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
