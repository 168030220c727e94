/**
 * Whether a device gets the colours of a translucent picture as its file has them: tried out once per device, with one pixel.
 *
 * Firefox 153 multiplies a bitmap by its alpha on the way to a texture and divides it again, which loses bits, and everything where
 * alpha is 0.
 */
import { oncePerDevice } from './once_per_device.js';

/** Never rejects. */
export const keepsStraightAlpha = oncePerDevice((device) => tryOut(device).catch(() => false));

/** What any rounding on the way would change. */
const PIXEL = [200, 100, 50, 3] as const;
/** WebGPU's least distance between rows in a buffer. */
const ROW_BYTES = 256;

async function tryOut(device: GPUDevice): Promise<boolean> {
  const bitmap = await createImageBitmap(new ImageData(Uint8ClampedArray.from(PIXEL), 1, 1), {
    premultiplyAlpha: 'none',
  });
  const texture = device.createTexture({
    size: [1, 1],
    format: 'rgba8unorm',
    usage: GPUTextureUsage.COPY_DST | GPUTextureUsage.COPY_SRC | GPUTextureUsage.RENDER_ATTACHMENT,
  });
  const read = device.createBuffer({ size: ROW_BYTES, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    device.queue.copyExternalImageToTexture({ source: bitmap }, { texture, premultipliedAlpha: false }, [1, 1]);
    const encoder = device.createCommandEncoder();
    encoder.copyTextureToBuffer({ texture }, { buffer: read, bytesPerRow: ROW_BYTES }, [1, 1]);
    device.queue.submit([encoder.finish()]);
    await read.mapAsync(GPUMapMode.READ);
    const found = new Uint8Array(read.getMappedRange());
    return PIXEL.every((value, i) => found[i] === value);
  } finally {
    bitmap.close();
    texture.destroy();
    read.destroy();
  }
}
