/** One fragment per column of a keypoint. */
import { simccDarkWgsl } from '../webgpu/simcc_dark.js';
import { LOG_GLSL, type GlslOp } from './flat_program.js';
import { peakGlsl } from './simcc_argmax.js';

export const simccDarkGlsl: GlslOp = {
  inputs: ['peaks', 'x', 'y', 'blurredX', 'blurredY'],
  shape: simccDarkWgsl.shape,
  glsl({ x: [, , wx], y: [, , wy] }) {
    const axis = (name: 'x' | 'y', blurred: string, bins: number) => `${peakGlsl(name, bins)}${peakGlsl(blurred, bins)}
float log_${name}(int n, int k, int at, float scale) {
  int bin = at < -2 ? ${bins - 1} : clamp(at, 0, ${bins - 1});
  return log32(clamp(getB${blurred.slice(1)}(n, k, bin) * scale, 1e-3, 50.0));
}
float refine_${name}(int n, int k, float at) {
  float top = peak_${name}(n, k).x;
  float blurred_top = peak_${blurred}(n, k).x;
  if (top == 0.0 && blurred_top == 0.0) return NAN;
  float scale = top / blurred_top;
  int bin = int(at);
  float dx = 0.5 * (log_${name}(n, k, bin + 1, scale) - log_${name}(n, k, bin - 1, scale));
  float curve = (log_${name}(n, k, bin + 2, scale) - 2.0 * log_${name}(n, k, bin, scale)) + log_${name}(n, k, bin - 2, scale);
  return at - dx / (1e-9 + 0.25 * curve);
}`;
    return `${LOG_GLSL}${axis('x', 'blurredX', wx)}${axis('y', 'blurredY', wy)}
float value_at(ivec3 c) {
  float own = getPeaks(c.x, c.y, c.z);
  if (c.z == 2) return own;
  return c.z == 0 ? refine_x(c.x, c.y, own) : refine_y(c.x, c.y, own);
}`;
  },
};
