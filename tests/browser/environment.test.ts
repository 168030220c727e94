/** The browser that the other tests rely on: WebGPU, WebGL2 with float targets, and the `.wasm` files where the dev server says. */
import { expect, test } from 'vitest';

test('WebGPU gives a device', async () => {
  const adapter = await navigator.gpu.requestAdapter();
  expect(adapter).not.toBeNull();
  const device = await adapter!.requestDevice();
  expect(device.limits.maxStorageBufferBindingSize).toBeGreaterThanOrEqual(128 * 1024 * 1024);
  device.destroy();
});

test('WebGL2 renders to float textures', () => {
  const gl = document.createElement('canvas').getContext('webgl2');
  expect(gl?.getExtension('EXT_color_buffer_float')).toBeTruthy();
});

test('the dev server serves the wasm files of tfjs', async () => {
  const response = await fetch('/src/tfjs-backend-wasm-simd.wasm');
  expect(response.headers.get('content-type')).toBe('application/wasm');
  expect(WebAssembly.validate(await response.arrayBuffer())).toBe(true);
});
