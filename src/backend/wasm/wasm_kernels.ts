/**
 * Our own kernels for WebAssembly (`kernels/*.c`), which work inside a memory that belongs to somebody else: tfjs's, so that
 * tensors need no copy. Knows nothing of tfjs; allocates nothing: the caller reserves what the size functions ask for.
 *
 * Every address is a byte offset in the memory and a multiple of 4; every array is float32, dense, pixels in NHWC and filters in
 * HWIO order. Results differ from a plain sum by rounding only: about 1e-6 of the largest output, 1e-5 for `conv3x3`.
 */
import { KERNEL_BYTES } from './kernel_bytes.js';
import { cutIntoParts, type Part } from './kernel_parts.js';
import { controlBytes, KernelPool, type PoolKernel } from './kernel_pool.js';

/** What both kinds of convolution read and write. */
export interface ConvAddresses {
  /** [n, h, w, cin]. */
  readonly input: number;
  /** What `pack` or `pack3x3` wrote for the same cin and cout. */
  readonly packed: number;
  /** [cout]. @default 0, which stands for none */
  readonly bias?: number;
  /** Of the output's shape, added before ReLU. It may be the output itself. @default 0, which stands for none */
  readonly residual?: number;
  /** [n, oh, ow, cout]; overlaps neither input nor workspace. */
  readonly output: number;
  /** As many bytes as the workspace function says; what is in it does not matter. */
  readonly workspace: number;
}

export interface Conv3x3Shape {
  /** Images. */
  readonly n: number;
  /** Height of input and output, px. */
  readonly h: number;
  /** Width of input and output, px. */
  readonly w: number;
  /** Channels of the input. */
  readonly cin: number;
  /** Channels of the output. */
  readonly cout: number;
}

export interface ConvShape extends Conv3x3Shape {
  /** Height and width of the filter, px. */
  readonly kh: number;
  readonly kw: number;
  /** Rows and columns from one output pixel to the next, px. */
  readonly strideY: number;
  readonly strideX: number;
  /** Zeros before the first row and column, px. Those behind the last follow from `oh` and `ow`. */
  readonly top: number;
  readonly left: number;
  /** Height and width of the output, px. */
  readonly oh: number;
  readonly ow: number;
}

export interface MapShape {
  /** Images. */
  readonly n: number;
  /** Height and width, px. */
  readonly h: number;
  readonly w: number;
  readonly channels: number;
}

/** As `ConvShape`, of the input. */
export interface DepthwiseShape extends MapShape, Omit<ConvShape, keyof Conv3x3Shape> {}

export interface DepthwiseAddresses {
  /** [n, h, w, channels]. */
  readonly input: number;
  /** [kh, kw, channels]. */
  readonly filter: number;
  /** [channels]. @default 0, which stands for none */
  readonly bias?: number;
  /** [n, oh, ow, channels]; does not overlap the input. */
  readonly output: number;
}

export interface SampleAddresses {
  readonly map: number;
  readonly places: number;
  readonly weights: number;
  readonly output: number;
}

/** One map under deformable attention. */
export interface SampleShape {
  readonly queries: number;
  readonly heads: number;
  /** Channels of a head. */
  readonly d: number;
  /** Height and width of the map, px. */
  readonly h: number;
  readonly w: number;
  /** Places per query and head on this map, and on all. */
  readonly points: number;
  readonly pitch: number;
}

export interface WasmKernels {
  /** Whether multiplication and addition are one instruction here (relaxed SIMD). */
  readonly relaxed: boolean;
  /** Threads that share a convolution, the calling one among them. */
  readonly threads: number;

  /** Bytes of a packed 3x3 filter. */
  packedSize3x3(cin: number, cout: number): number;
  /** Filter [3, 3, cin, cout] at `hwio` -> Winograd's 36 points at `packed`. Once per model. */
  pack3x3(packed: number, hwio: number, cin: number, cout: number): void;
  /** Bytes of the workspace: at most about 400 kB per thread, up to 440 input channels. */
  workspaceSize3x3(shape: Conv3x3Shape): number;
  /** 3x3, stride 1, one pixel of zeros around: Winograd F(4x4, 3x3). */
  conv3x3(addresses: ConvAddresses, shape: Conv3x3Shape, relu: boolean): void;

  /** Bytes of any packed filter. */
  packedSize(kh: number, kw: number, cin: number, cout: number): number;
  /** Filter [kh, kw, cin, cout] at `hwio` -> blocks of 8 output channels at `packed`. Once per model. */
  pack(packed: number, hwio: number, kh: number, kw: number, cin: number, cout: number): void;
  /** Bytes of the workspace: at most about 200 kB per thread, unless six output pixels see more than that. */
  workspaceSize(shape: ConvShape): number;
  /** Any dense convolution without dilation. */
  conv(addresses: ConvAddresses, shape: ConvShape, relu: boolean): void;

  /** A filter per channel, of which there are at least 4. */
  depthwise(addresses: DepthwiseAddresses, shape: DepthwiseShape, relu: boolean): void;

  /** Means over windows of kh x kw pixels side by side, which divide the map: -> [n, h / kh, w / kw, channels]. */
  meanWindows(input: number, output: number, shape: MapShape, kh: number, kw: number): void;
  /** A map of the given shape plus or times another [n, h / high, w / wide, channels], each pixel of which stands for high x wide. */
  combine(
    map: number,
    coarse: number,
    output: number,
    shape: MapShape,
    high: number,
    wide: number,
    how: 'plus' | 'times',
  ): void;
  /** 1 / (1 + e to the -x) of `count` floats; `timesInput`: times x (SiLU). About 1e-7 of 1. */
  sigmoid(input: number, output: number, count: number, timesInput: boolean): void;

  /** a and b, `count` floats each -> output, 2 * count floats, in turns. */
  interleave(a: number, b: number, output: number, count: number): void;
  /** The first `count` floats of each of `rows` rows. Pitches: floats from one row to the next. */
  copyRows(input: number, inputPitch: number, output: number, outputPitch: number, count: number, rows: number): void;

  /**
   * Map [h, w, heads, d] at places [queries, heads, pitch, 2] (x, y, fractions), of which the first `points` are meant, times weights
   * [queries, heads, pitch] -> output [queries, heads, d]; `add`: to what is there.
   */
  sampleMap(addresses: SampleAddresses, shape: SampleShape, add: boolean): void;

  /** Ends the other threads; nothing may be called afterwards. */
  terminate(): void;
}

/** The modules' exports; arguments in the order of the C sources. */
interface Exports {
  conv3x3_packed_bytes(...args: number[]): number;
  conv3x3_pack(...args: number[]): void;
  conv3x3_workspace_bytes(...args: number[]): number;
  conv3x3(...args: number[]): void;
  conv_packed_bytes(...args: number[]): number;
  conv_pack(...args: number[]): void;
  conv_workspace_bytes(...args: number[]): number;
  conv(...args: number[]): void;
  depthwise(...args: number[]): void;
  mean_windows(...args: number[]): void;
  combine(...args: number[]): void;
  sigmoid(...args: number[]): void;
  interleave(...args: number[]): void;
  copy_rows(...args: number[]): void;
  sample_map(...args: number[]): void;
}

export interface LoadOptions {
  /** Replaced in tests. */
  readonly variant?: Variant;
  /**
   * Threads to share convolutions, at least 1. More need a shared memory and workers; where the browser gives none, there is one.
   * @default 1
   */
  readonly threads?: number;
  /** Address of so many bytes that stay reserved; asked for when there is more than one thread. */
  readonly reserve?: (bytes: number) => number;
}

/**
 * Compiles the kernels, those with relaxed SIMD where the engine has it, and binds them to `memory`, which may be shared and may
 * grow later.
 *
 * @param memory - in which all addresses lie
 * @throws WebAssembly.CompileError without SIMD, or where the page's Content-Security-Policy forbids WebAssembly
 */
export async function loadWasmKernels(memory: WebAssembly.Memory, options: LoadOptions = {}): Promise<WasmKernels> {
  const { variant = bestVariant(), threads = 1, reserve } = options;
  const isShared = Object.prototype.toString.call(memory.buffer) === '[object SharedArrayBuffer]';
  const modules = await Promise.all(
    [variant, 'maps' as const].map((name) => compile(decode(KERNEL_BYTES[name]), isShared)),
  );
  const instances = await Promise.all(modules.map((module) => WebAssembly.instantiate(module, { env: { memory } })));
  const wasm = Object.assign({}, ...instances.map(({ exports }) => exports)) as Exports;
  const workers = isShared && reserve ? threads - 1 : 0;
  const pool = workers > 0 ? await KernelPool.start(modules, memory, reserve!(controlBytes(workers)), workers) : null;
  return kernelsOf(wasm, variant === 'relaxedSimd', pool);
}

/** How long sums multiply and add: in two instructions, or in one. */
type Variant = 'simd' | 'relaxedSimd';

function compile(bytes: Uint8Array<ArrayBuffer>, isShared: boolean): Promise<WebAssembly.Module> {
  return WebAssembly.compile(isShared ? importShared(bytes) : bytes);
}

function bestVariant(): Variant {
  return WebAssembly.validate(decode(KERNEL_BYTES.relaxedSimd)) ? 'relaxedSimd' : 'simd';
}

function decode(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
}

/** Pixels that the convolutions compute together, and Winograd's tiles. */
const ROWS = 6;

function kernelsOf(wasm: Exports, relaxed: boolean, pool: KernelPool | null): WasmKernels {
  const threads = pool?.threads ?? 1;
  /** Cut once more in each call, which costs less than to keep. */
  const parts3x3 = (shape: Conv3x3Shape) => {
    const { cin, cout } = shape;
    const units = tilesOf(shape);
    return cutIntoParts({ units, unitStep: ROWS, channels: cout, products: 36 * units * cin * cout }, threads);
  };
  const partsOf = ({ n, oh, ow, kh, kw, cin, cout }: ConvShape) => {
    const units = n * oh * ow;
    return cutIntoParts({ units, unitStep: ROWS, channels: cout, products: units * kh * kw * cin * cout }, threads);
  };
  const space3x3 = (shape: Conv3x3Shape, parts: readonly Part[]) =>
    largest(parts, (units) => wasm.conv3x3_workspace_bytes(units, shape.cin));
  const space = ({ kh, kw, cin }: ConvShape, parts: readonly Part[]) =>
    largest(parts, (units) => wasm.conv_workspace_bytes(units, kh, kw, cin));
  const run = (kernel: PoolKernel, lists: readonly (readonly number[])[]) => {
    const here = (args: readonly number[]) => wasm[kernel](...args);
    if (pool && lists.length > 1) pool.run(kernel, lists, here);
    else for (const list of lists) here(list);
  };
  return {
    relaxed,
    threads,
    packedSize3x3: (cin, cout) => wasm.conv3x3_packed_bytes(cin, cout) >>> 0,
    pack3x3: (packed, hwio, cin, cout) => wasm.conv3x3_pack(packed, hwio, cin, cout),
    workspaceSize3x3: (shape) => {
      const parts = parts3x3(shape);
      return parts.length * space3x3(shape, parts);
    },
    conv3x3: (a, shape, relu) => {
      const { h, w, cin, cout } = shape;
      const parts = parts3x3(shape);
      const bytes = space3x3(shape, parts);
      const rest = [h, w, cin, cout, Number(relu)];
      run(
        'conv3x3',
        parts.map((part, i) => [...addressList(a, i * bytes), ...rest, ...part]),
      );
    },
    packedSize: (kh, kw, cin, cout) => wasm.conv_packed_bytes(kh, kw, cin, cout) >>> 0,
    pack: (packed, hwio, kh, kw, cin, cout) => wasm.conv_pack(packed, hwio, kh, kw, cin, cout),
    workspaceSize: (shape) => {
      const parts = partsOf(shape);
      return parts.length * space(shape, parts);
    },
    conv: (a, s, relu) => {
      const parts = partsOf(s);
      const bytes = space(s, parts);
      const filter = [s.kh, s.kw, s.strideY, s.strideX, s.top, s.left];
      const rest = [s.n, s.h, s.w, s.cin, s.cout, ...filter, s.oh, s.ow, Number(relu)];
      run(
        'conv',
        parts.map((part, i) => [...addressList(a, i * bytes), ...rest, ...part]),
      );
    },
    depthwise: ({ input, filter, bias = 0, output }, s, relu) => {
      const units = s.n * s.oh;
      const products = units * s.ow * s.channels * s.kh * s.kw * DEPTHWISE_COST;
      const size = [s.h, s.w, s.channels, s.kh, s.kw, s.strideY, s.strideX, s.top, s.left, s.oh, s.ow];
      const rows = cutIntoParts({ units, unitStep: 1, channels: 1, products }, threads);
      run(
        'depthwise',
        rows.map(([first, end]) => [input, filter, bias, output, ...size, Number(relu), first, end]),
      );
    },
    meanWindows: (input, output, { n, h, w, channels }, kh, kw) =>
      wasm.mean_windows(input, output, n, h, w, channels, kh, kw),
    combine: (map, coarse, output, { n, h, w, channels }, high, wide, how) =>
      wasm.combine(map, coarse, output, n, h, w, channels, high, wide, Number(how === 'times')),
    sigmoid: (input, output, count, timesInput) => wasm.sigmoid(input, output, count, Number(timesInput)),
    interleave: (a, b, output, count) => wasm.interleave(a, b, output, count),
    copyRows: (input, inputPitch, output, outputPitch, count, rows) =>
      wasm.copy_rows(input, inputPitch, output, outputPitch, count, rows),
    sampleMap: ({ map, places, weights, output }, { queries, heads, d, h, w, points, pitch }, add) =>
      wasm.sample_map(map, places, weights, output, queries, heads, d, h, w, points, pitch, Number(add)),
    terminate: () => pool?.terminate(),
  };
}

/** A product of a depthwise convolution takes as long as so many of a dense one, where sums are in registers. */
const DEPTHWISE_COST = 4;

/** Winograd's tiles of 4 x 4 outputs. */
function tilesOf({ n, h, w }: Conv3x3Shape): number {
  return n * Math.ceil(h / 4) * Math.ceil(w / 4);
}

/** Bytes that the largest part needs, and the others as well, so that workspaces lie side by side. */
function largest(parts: readonly Part[], bytesOf: (units: number) => number): number {
  return Math.max(...parts.map(([first, end]) => bytesOf(end - first) >>> 0));
}

/** `offset`: of the part's own workspace. */
function addressList(
  { input, packed, bias = 0, residual = 0, output, workspace }: ConvAddresses,
  offset: number,
): number[] {
  return [input, packed, bias, residual, output, workspace + offset];
}

const IMPORT_SECTION = 2;
/** Limits of a shared memory: flag 3, at least no page, at most 65536 (LEB128), which fits every memory there is. */
const SHARED_LIMITS = [0x03, 0x00, 0x80, 0x80, 0x04];

/**
 * The same module, importing a shared memory: for a plain one the import must not say "shared", for a shared one it must. The
 * import section holds nothing but the memory, whose limits are its last bytes: `count, "env", "memory", kind 2, flags, minimum`.
 */
function importShared(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let section = 8;
  while (bytes[section] !== IMPORT_SECTION) section = sizeAt(bytes, section + 1).end;
  const { start, end } = sizeAt(bytes, section + 1);
  const names = 1 + (1 + 3) + (1 + 6) + 1;
  const body = [...bytes.subarray(start, start + names), ...SHARED_LIMITS];
  return Uint8Array.from([...bytes.subarray(0, section + 1), body.length, ...body, ...bytes.subarray(end)]);
}

/** A section's body, whose length stands at `at` in LEB128. */
function sizeAt(bytes: Uint8Array, at: number): { start: number; end: number } {
  let [length, shift, start] = [0, 0, at];
  for (; bytes[start] & 128; start++, shift += 7) length |= (bytes[start] & 127) << shift;
  length |= bytes[start++] << shift;
  return { start, end: start + length };
}
