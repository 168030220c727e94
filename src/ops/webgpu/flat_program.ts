/**
 * The one helper of this folder: WGSL over flat, row-major float32 arrays, as a program of tfjs's WebGPU backend. The jit puts the
 * same WGSL into its own programs (`jit/kernels/op.ts`); both only differ in how arrays are declared.
 */
import type { WebGPUBackend, WebGPUProgram } from '@tensorflow/tfjs-backend-webgpu';
import type { KernelFunc, TensorInfo } from '../../tf.js';

/** Shapes of the inputs by name. */
export type Shapes = Readonly<Record<string, readonly number[]>>;
// eslint-disable-next-line typescript/no-explicit-any -- each op has its own attributes
export type Attrs = any;

/** One op as one dispatch per picture of the batch. The first axis of all inputs and of the output is the batch. */
export interface WgslOp {
  /** Inputs in order of binding. */
  readonly inputs: readonly string[];
  /** Shape of the output. */
  shape(shapes: Shapes, attrs: Attrs): number[];
  program(shapes: Shapes, attrs: Attrs): WgslProgram;
}

export interface WgslProgram {
  /**
   * Functions, the last of which is `fn run(n: u32, group: u32, local: u32)`: picture, workgroup within the picture, invocation
   * within the workgroup. They read element `i` (over all pictures) of the input `foo` by `get_foo(i)` and write by `put(i, value)`.
   * Nothing may depend on the number of pictures, so that all batch sizes share a pipeline.
   */
  readonly wgsl: string;
  readonly workgroupSize: number;
  /** Per picture. */
  readonly workgroups: number;
}

/** Runs one program in tfjs's eager mode. */
export function webgpuKernel(name: string, op: WgslOp): KernelFunc {
  return (call) => {
    const { inputs, attrs } = call as unknown as {
      inputs: Readonly<Record<string, TensorInfo>>;
      attrs: Attrs;
    };
    const backend = call.backend as WebGPUBackend;
    const operands = op.inputs.map((input) => inputs[input]);
    const shapes = Object.fromEntries(op.inputs.map((input, i) => [input, operands[i].shape]));
    return backend.runWebGPUProgram(flatProgram(name, op, shapes, attrs), operands, 'float32');
  };
}

function flatProgram(name: string, op: WgslOp, shapes: Shapes, attrs: Attrs): WebGPUProgram {
  const { wgsl, workgroupSize, workgroups } = op.program(shapes, attrs);
  const outputShape = op.shape(shapes, attrs);
  const getters = op.inputs.map((input) => `fn get_${input}(i: u32) -> f32 { return ${input}[i]; }`);
  return {
    outputShape,
    // Everything that the text of the shader depends on.
    shaderKey: `${name} ${JSON.stringify([op.inputs.map((input) => shapes[input].slice(1)), attrs])}`,
    dispatchLayout: { x: outputShape.map((_, axis) => axis) },
    dispatch: [workgroups, 1, outputShape[0]],
    workgroupSize: [workgroupSize, 1, 1],
    variableNames: [...op.inputs],
    getUserCode: () => `${getters.join('\n')}
fn put(i: u32, value: f32) { result[i] = value; }
${wgsl}
fn main(index: i32) {
  _ = uniforms.NAN;
  ${touch(op.inputs)}
  run(workgroupId.z, workgroupId.x, localIndex);
}`,
  };
}

/** Keeps inputs that the shader does not read in its automatic layout, which the bindings have to match. */
export function touch(inputs: readonly string[]): string {
  return inputs.map((input) => `_ = &${input};`).join(' ');
}

/** Number as a WGSL literal of type f32. */
export function f32Literal(value: number): string {
  const text = Math.fround(value).toString();
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/**
 * `is_nan` and `nan_value`, of which WGSL has neither: it lets compilers assume that there are none, so the bits are read, and the
 * constant comes from a variable.
 */
export const NAN_WGSL = `
var<private> nan_bits: u32 = 0x7fc00000u;
fn nan_value() -> f32 { return bitcast<f32>(nan_bits); }
fn is_nan(value: f32) -> bool { return (bitcast<u32>(value) & 0x7fffffffu) > 0x7f800000u; }
`;

/**
 * `log32(value)`: the natural logarithm of a positive, normal number to about one unit in the last place; WGSL's own may be off by
 * 2^-21, which DARK's second differences would amplify. NumPy's approximation, see `codecs/utils/numpy_log.ts`.
 */
export const LOG_WGSL = `
fn log32(value: f32) -> f32 {
  let bits = bitcast<u32>(value);
  var exponent = f32(i32(bits >> 23u) - 127);
  var x = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
  if (x > 1.41421356) { x = x * 0.5; exponent = exponent + 1.0; }
  x = x - 1.0;
  var above = fma(0.025899791179079226, x, 0.3808837741388408);
  above = fma(above, x, 1.4800006335765066);
  above = fma(above, x, 2.112677543073053);
  above = fma(above, x, 1.0) * x;
  var below = fma(0.005875095403124574, x, 0.15464763749839067);
  below = fma(below, x, 0.9864942958519419);
  below = fma(below, x, 2.453006071784736);
  below = fma(below, x, 2.6126775430731093);
  below = fma(below, x, 1.0);
  return fma(exponent, 0.69314718, above / below);
}
`;
