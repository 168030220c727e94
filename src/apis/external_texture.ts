/**
 * Whether a device reads frames of videos where they are: tried out once per device, with a frame whose colours are known.
 *
 * Chromium's software adapter does not merely refuse: its GPU process dies of the import (Chromium 156). So software adapters are
 * never asked, and where a device was lost over the question, no other is asked again in this page.
 */
import { isSoftware } from '../jit/compiler.js';
import { PoseDataPreprocessor } from '../models/data_preprocessors/data_preprocessor.js';
import { warpAffineTerms } from '../structures/warp_maps.js';
import { GpuCrop } from './gpu_crop.js';
import { oncePerDevice } from './once_per_device.js';

let askedTooMuch = false;

/** Never rejects. */
export const importsVideoFrames = oncePerDevice(ask);

async function ask(device: GPUDevice): Promise<boolean> {
  if (isSoftware(device) || askedTooMuch) return false;
  const lost = device.lost.then(({ reason }) => {
    askedTooMuch ||= reason !== 'destroyed' && !answered;
    return false;
  });
  let answered = false;
  const answer = await Promise.race([tryOut(device).catch(() => false), lost]);
  answered = true;
  return answer;
}

/** px */
const SIZE = [4, 4] as const;
const COLOUR = [200, 100, 50] as const;
/** Of 255; a video's colours pass through YUV. */
const TOLERANCE = 4;

async function tryOut(device: GPUDevice): Promise<boolean> {
  if (typeof VideoFrame === 'undefined' || typeof OffscreenCanvas === 'undefined') return false;
  const frame = coloredFrame();
  try {
    return await readsColour(device, frame);
  } finally {
    frame.close();
  }
}

function coloredFrame(): VideoFrame {
  const canvas = new OffscreenCanvas(...SIZE);
  const context = canvas.getContext('2d')!;
  context.fillStyle = `rgb(${COLOUR.join()})`;
  context.fillRect(0, 0, ...SIZE);
  return new VideoFrame(canvas, { timestamp: 0 });
}

async function readsColour(device: GPUDevice, frame: VideoFrame): Promise<boolean> {
  // Most refusals come here, before anything is compiled.
  if (!(await scoped(device, () => device.importExternalTexture({ source: frame })))) return false;
  const crop = new GpuCrop(device, SIZE, new PoseDataPreprocessor({ bgr_to_rgb: true }));
  const bytes = SIZE[0] * SIZE[1] * 3 * 4;
  const result = device.createBuffer({ size: bytes, usage: GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC });
  const read = device.createBuffer({ size: bytes, usage: GPUBufferUsage.MAP_READ | GPUBufferUsage.COPY_DST });
  try {
    await crop.prepare(true);
    const isValid = await scoped(device, () => {
      const resource = device.importExternalTexture({ source: frame });
      const terms = warpAffineTerms([1, 0, 0, 0, 1, 0], SIZE);
      const [fill] = crop.fills({ resource, external: true }, [{ terms: [terms], batch: 1 }]);
      const encoder = device.createCommandEncoder();
      const pass = encoder.beginComputePass();
      fill(pass, { buffer: result });
      pass.end();
      encoder.copyBufferToBuffer(result, 0, read, 0, bytes);
      device.queue.submit([encoder.finish()]);
    });
    if (!isValid) return false;
    await read.mapAsync(GPUMapMode.READ);
    const values = new Float32Array(read.getMappedRange());
    return values.every((value, i) => Math.abs(value - COLOUR[i % 3]) <= TOLERANCE);
  } finally {
    crop.dispose();
    result.destroy();
    read.destroy();
  }
}

/** Whether the GPU accepts a synchronous section; its complaints are kept from those who listen to the device. */
async function scoped(device: GPUDevice, section: () => void): Promise<boolean> {
  device.pushErrorScope('validation');
  let ok = true;
  try {
    section();
  } catch {
    ok = false;
  }
  return (await device.popErrorScope()) === null && ok;
}
