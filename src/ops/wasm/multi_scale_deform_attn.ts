/** Deformable attention on tfjs's wasm backend: the library's own kernel, once per picture and map. */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import type { KernelFunc } from '../../tf.js';
import type { MultiScaleDeformAttnAttrs } from '../multi_scale_deform_attn.js';
import { startsOf } from '../webgpu/multi_scale_deform_attn.js';
import type { WasmBackend } from './wasm_op.js';

export const multiScaleDeformAttnKernel: KernelFunc = ({ inputs, backend, attrs }) => {
  const wasm = backend as WasmBackend;
  const { kernels } = wasmKernelsOf(wasm)!;
  const { heads, points, maps } = attrs as unknown as MultiScaleDeformAttnAttrs;
  const [n, pixels, channels] = inputs.value!.shape;
  const queries = inputs.locations!.shape[1];
  const out = wasm.makeOutput([n, queries, channels], 'float32');
  const [value, places, weights, output] = [inputs.value!, inputs.locations!, inputs.weights!, out].map(({ dataId }) =>
    wasm.getMemoryOffset(dataId),
  );
  const pitch = maps.length * points;
  const starts = startsOf(maps);
  for (let i = 0; i < n; i++) {
    for (const [level, [h, w]] of maps.entries()) {
      const place = i * queries * heads * pitch + level * points;
      const addresses = {
        map: value + 4 * (i * pixels + starts[level]) * channels,
        places: places + 8 * place,
        weights: weights + 4 * place,
        output: output + 4 * i * queries * channels,
      };
      kernels.sampleMap(addresses, { queries, heads, d: channels / heads, h, w, points, pitch }, level > 0);
    }
  }
  return out;
};
