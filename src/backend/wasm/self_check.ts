/** Whether the kernels compute what they should on this machine: a small convolution of each kind against a plain loop. */
import { spread } from '../self_test.js';
import type { WasmKernels } from './wasm_kernels.js';
import type { EmscriptenModule } from './install.js';

const [H, W, CIN, COUT] = [5, 6, 5, 9];
/** Of the largest result; Winograd's rounding is about 1e-6 here. */
const TOLERANCE = 1e-4;

export function checkWasmKernels(kernels: WasmKernels, memory: WebAssembly.Memory, module: EmscriptenModule): boolean {
  const map = { n: 1, h: H, w: W, cin: CIN, cout: COUT };
  const shape = { ...map, kh: 3, kw: 3, strideY: 1, strideX: 1, top: 1, left: 1, oh: H, ow: W };
  const [x, filter, bias] = [spread(H * W * CIN, 1), spread(9 * CIN * COUT, 2), spread(COUT, 3)];
  const expected = convolve(x, filter, bias);
  const sizes = {
    ...{ input: x.byteLength, hwio: filter.byteLength, bias: bias.byteLength, output: 4 * H * W * COUT },
    packed: Math.max(kernels.packedSize3x3(CIN, COUT), kernels.packedSize(3, 3, CIN, COUT)),
    workspace: Math.max(kernels.workspaceSize3x3(map), kernels.workspaceSize(shape)),
  };
  const at = Object.fromEntries(Object.entries(sizes).map(([name, bytes]) => [name, module._malloc(bytes)])) as Record<
    keyof typeof sizes,
    number
  >;
  const floats = (address: number, count: number) => new Float32Array(memory.buffer, address, count);
  const isRight = () => {
    const found = floats(at.output, H * W * COUT);
    const most = Math.max(...expected);
    return expected.every((value, i) => Math.abs(value - found[i]) <= TOLERANCE * most);
  };
  floats(at.input, x.length).set(x);
  floats(at.hwio, filter.length).set(filter);
  floats(at.bias, bias.length).set(bias);
  try {
    kernels.pack3x3(at.packed, at.hwio, CIN, COUT);
    kernels.conv3x3(at, map, true);
    if (!isRight()) return false;
    floats(at.output, H * W * COUT).fill(0);
    kernels.pack(at.packed, at.hwio, 3, 3, CIN, COUT);
    kernels.conv(at, shape, true);
    return isRight();
  } finally {
    for (const address of Object.values(at)) module._free(address);
  }
}

/** 3 x 3, one pixel of zeros around, ReLU. */
function convolve(x: Float32Array, filter: Float32Array, bias: Float32Array): Float64Array {
  return Float64Array.from({ length: H * W * COUT }, (_, i) => {
    const [row, column, o] = [Math.floor(i / (W * COUT)), Math.floor(i / COUT) % W, i % COUT];
    let sum = bias[o];
    for (let tap = 0; tap < 9; tap++) {
      const [y, col] = [row + Math.floor(tap / 3) - 1, column + (tap % 3) - 1];
      if (y < 0 || y >= H || col < 0 || col >= W) continue;
      for (let c = 0; c < CIN; c++) sum += x[(y * W + col) * CIN + c] * filter[(tap * CIN + c) * COUT + o];
    }
    return Math.max(sum, 0);
  });
}
