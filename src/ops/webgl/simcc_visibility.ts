/** One fragment per keypoint. */
import type { SimccVisibilityAttrs } from '../simcc_visibility.js';
import { simccVisibilityWgsl } from '../webgpu/simcc_visibility.js';
import { floatLiteral, LOG_GLSL, type GlslOp } from './flat_program.js';
import { peakGlsl } from './simcc_argmax.js';

export const simccVisibilityGlsl: GlslOp = {
  inputs: ['x', 'y', 'blurredX', 'blurredY'],
  shape: simccVisibilityWgsl.shape,
  glsl({ x: [, , wx], y: [, , wy] }, { dark, beta, sigma }: SimccVisibilityAttrs) {
    const axis = (name: 'x' | 'y', blurred: string, bins: number, factor: number) => `${peakGlsl(name, bins)}
${dark ? peakGlsl(blurred, bins) : ''}
float logit_${name}(int n, int k, int i, float scale) {
  float value = ${dark ? `log32(clamp(getB${blurred.slice(1)}(n, k, i) * scale, 1e-3, 50.0))` : `get${name.toUpperCase()}(n, k, i)`};
  return value * ${floatLiteral(beta)} * ${floatLiteral(factor)};
}
// Negative for NaN, which comparisons would not carry.
float probability_${name}(int n, int k) {
  float scale = 1.0;
  ${dark ? darkScale(name, blurred) : ''}
  float top = logit_${name}(n, k, 0, scale);
  for (int i = 1; i < ${bins}; i++) top = max(top, logit_${name}(n, k, i, scale));
  float sum = 0.0;
  for (int i = 0; i < ${bins}; i++) sum += exp(logit_${name}(n, k, i, scale) - top);
  return 1.0 / sum;
}`;
    return `${LOG_GLSL}${axis('x', 'blurredX', wx, sigma[0])}${axis('y', 'blurredY', wy, sigma[1])}
float value_at(ivec3 c) {
  float x = probability_x(c.x, c.y);
  float y = probability_y(c.x, c.y);
  if (x < 0.0) return NAN;
  return y < 0.0 ? x : min(x, y);
}`;
  },
};

const darkScale = (name: string, blurred: string): string => `
  float before = peak_${name}(n, k).x;
  float after = peak_${blurred}(n, k).x;
  if (before == 0.0 && after == 0.0) return -1.0;
  scale = before / after;`;
