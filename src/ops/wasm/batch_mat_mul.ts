/** Matrix products on tfjs's wasm backend: each pair is a 1 x 1 convolution of the library's own, over a row of m pixels. */
import { wasmKernelsOf } from '../../backend/wasm/installed.js';
import type { KernelFunc } from '../../tf.js';
import type { WasmBackend } from './wasm_op.js';

/** a [B, m, k], b [B, k, n] -> [B, m, n] */
export const batchMatMulKernel: KernelFunc = ({ inputs, backend }) => {
  const wasm = backend as WasmBackend;
  const { kernels, workspace } = wasmKernelsOf(wasm)!;
  const [a, b] = [inputs.a!, inputs.b!];
  const [batch, m, k] = a.shape;
  const n = b.shape[2];
  const output = wasm.makeOutput([batch, m, n], 'float32');
  const shape = {
    ...{ n: 1, h: 1, w: m, cin: k, cout: n, oh: 1, ow: m },
    ...{ kh: 1, kw: 1, strideY: 1, strideX: 1, top: 0, left: 0 },
  };
  const packedBytes = kernels.packedSize(1, 1, k, n);
  const packed = workspace(packedBytes + kernels.workspaceSize(shape));
  const [atA, atB, to] = [a, b, output].map(({ dataId }) => wasm.getMemoryOffset(dataId));
  for (let i = 0; i < batch; i++) {
    kernels.pack(packed, atB + 4 * i * k * n, 1, 1, k, n);
    const addresses = { input: atA + 4 * i * m * k, output: to + 4 * i * m * n };
    kernels.conv({ ...addresses, packed, workspace: packed + packedBytes }, shape, false);
  }
  return output;
};
