/** Each fragment looks through both vectors: whether a point was found depends on both. */
import { simccArgmaxWgsl } from '../webgpu/simcc_argmax.js';
import type { GlslOp } from './flat_program.js';

/** `vec2 peak_x(int n, int k)`: the first maximum's value and bin in the input `x`. */
export function peakGlsl(name: string, bins: number): string {
  const get = `get${name[0].toUpperCase()}${name.slice(1)}`;
  return `
vec2 peak_${name}(int n, int k) {
  vec2 best = vec2(${get}(n, k, 0), 0.0);
  for (int i = 1; i < ${bins}; i++) {
    float value = ${get}(n, k, i);
    if (value > best.x) best = vec2(value, float(i));
  }
  return best;
}`;
}

export const simccArgmaxGlsl: GlslOp = {
  inputs: ['x', 'y'],
  shape: simccArgmaxWgsl.shape,
  glsl: ({ x: [, , wx], y: [, , wy] }) => `${peakGlsl('x', wx)}${peakGlsl('y', wy)}
float value_at(ivec3 c) {
  vec2 x = peak_x(c.x, c.y);
  vec2 y = peak_y(c.x, c.y);
  float value = min(x.x, y.x);
  if (c.z == 2) return value;
  if (value <= 0.0) return -1.0;
  return c.z == 0 ? x.y : y.y;
}`,
};
