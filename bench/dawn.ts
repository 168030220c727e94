/** WebGPU without a browser: Dawn's bindings for Node (the package `webgpu`). */
import { create, globals } from 'webgpu';
import { deviceRequest } from '../src/backend/webgpu_device.js';
import { installGpuMeter } from './gpu_meter.js';

export interface DawnOptions {
  /** Dawn's toggles, such as `allow_unsafe_apis`. */
  readonly toggles?: readonly string[];
}

export interface Dawn {
  readonly gpu: GPU;
  readonly device: GPUDevice;
  /** The hardware in its driver's words. */
  readonly adapter: string;
}

/** @throws Error when the machine has no adapter */
export async function openDawn({ toggles = [] }: DawnOptions = {}): Promise<Dawn> {
  Object.assign(globalThis, globals);
  acceptSharedMemory();
  installGpuMeter();
  const enabled = ['allow_unsafe_apis', ...toggles];
  // Timestamps are rounded to 0.1 ms otherwise, which is longer than most kernels.
  const gpu = create([`enable-dawn-features=${enabled.join()}`, 'disable-dawn-features=timestamp_quantization']);
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) {
    throw new Error(
      'found no adapter; expected a Vulkan driver. Name its ICD file in VK_ICD_FILENAMES (Chromium brings a software one).',
    );
  }
  // Where onnxruntime-web looks.
  Object.defineProperty(globalThis, 'navigator', { value: { gpu, hardwareConcurrency: 1 }, configurable: true });
  const { vendor, architecture, device: model, description } = adapter.info;
  const device = await adapter.requestDevice(deviceRequest(adapter));
  return { gpu, device, adapter: [vendor, architecture, model, description].filter(Boolean).join(' ') };
}

/** Dawn's bindings refuse views of a SharedArrayBuffer, which browsers take, and which onnxruntime-web's memory is. */
function acceptSharedMemory(): void {
  const { writeBuffer } = GPUQueue.prototype;
  GPUQueue.prototype.writeBuffer = function (buffer, offset, data, start = 0, size) {
    const isShared = ArrayBuffer.isView(data) && data.buffer instanceof SharedArrayBuffer;
    if (!isShared) return writeBuffer.call(this, buffer, offset, data as GPUAllowSharedBufferSource, start, size);
    // Only bytes come this way, so that start and size are bytes.
    const bytes = data as Uint8Array;
    const copy = Uint8Array.from(bytes.subarray(start, size === undefined ? undefined : start + size));
    return writeBuffer.call(this, buffer, offset, copy);
  };
}
