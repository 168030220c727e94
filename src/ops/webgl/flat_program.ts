/**
 * The one helper of this folder: GLSL as a program of tfjs's WebGL backend. Every output element is computed by itself, so the three
 * columns of a keypoint repeat each other's work; against some sixty programs of composed ops that is cheap.
 */
import type { GPGPUProgram, MathBackendWebGL } from '@tensorflow/tfjs-backend-webgl';
import type { KernelFunc, TensorInfo } from '../../tf.js';
import type { Attrs, Shapes } from '../webgpu/flat_program.js';

export interface GlslOp {
  /** Inputs; the shader reads `foo` by `getFoo(int, ...)`, one index per axis. */
  readonly inputs: readonly string[];
  shape(shapes: Shapes, attrs: Attrs): number[];
  /** GLSL functions and `float value_at(ivecR coords)`, R being the rank of the output. */
  glsl(shapes: Shapes, attrs: Attrs): string;
}

export function webglKernel(op: GlslOp): KernelFunc {
  return (call) => {
    const { inputs, attrs } = call as unknown as { inputs: Readonly<Record<string, TensorInfo>>; attrs: Attrs };
    const operands = op.inputs.map((name) => inputs[name]);
    const shapes = Object.fromEntries(op.inputs.map((name, i) => [name, operands[i].shape]));
    const program: GPGPUProgram = {
      variableNames: [...op.inputs],
      outputShape: op.shape(shapes, attrs),
      userCode: `${op.glsl(shapes, attrs)}
void main() { setOutput(value_at(getOutputCoords())); }`,
    };
    return (call.backend as MathBackendWebGL).runWebGLProgram(program, operands, 'float32');
  };
}

/** Number as a GLSL literal of type float. */
export function floatLiteral(value: number): string {
  const text = Math.fround(value).toString();
  return /[.e]/.test(text) ? text : `${text}.0`;
}

/** `log32`, see `LOG_WGSL`: the driver's own logarithm may be too coarse for second differences. */
export const LOG_GLSL = `
float log32(float value) {
  int bits = floatBitsToInt(value);
  float exponent = float((bits >> 23) - 127);
  float x = intBitsToFloat((bits & 0x7fffff) | 0x3f800000);
  if (x > 1.41421356) { x = x * 0.5; exponent = exponent + 1.0; }
  x = x - 1.0;
  float above = ((((0.025899791179079226 * x + 0.3808837741388408) * x + 1.4800006335765066) * x + 2.112677543073053) * x + 1.0) * x;
  float below = ((((0.005875095403124574 * x + 0.15464763749839067) * x + 0.9864942958519419) * x + 2.453006071784736) * x
    + 2.6126775430731093) * x + 1.0;
  return exponent * 0.69314718 + above / below;
}
`;
