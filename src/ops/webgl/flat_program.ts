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
