/** One fragment per column of a keypoint. */
import type { DarkRefineAttrs } from '../dark_refine.js';
import { DARK, UDP } from '../dark_stencil.js';
import { darkRefineWgsl } from '../webgpu/dark_refine.js';
import { floatLiteral, LOG_GLSL, type GlslOp } from './flat_program.js';

export const darkRefineGlsl: GlslOp = {
  inputs: ['peaks', 'blurred', 'blurredPeaks'],
  shape: darkRefineWgsl.shape,
  glsl({ blurred: [, h, w, k] }, { udp }: DarkRefineAttrs) {
    const { low, high } = udp ? UDP : DARK;
    return `${LOG_GLSL}
bool is_empty(int n, int k) { return getPeaks(n, k, 2) == 0.0 && getBlurredPeaks(n, k, 2) == 0.0; }
float scale_of(int n, int k) { return getPeaks(n, k, 2) / getBlurredPeaks(n, k, 2); }
float log_at(int n, int k, int x, int y, float scale) {
  float value = getBlurred(n, clamp(y, 0, ${h - 1}), clamp(x, 0, ${w - 1}), k) * scale;
  return log32(clamp(value, ${floatLiteral(low)}, ${floatLiteral(high)}));
}
vec2 newton(float dx, float dy, float dxx, float dyy, float dxy) {
  float det = dxx * dyy - dxy * dxy;
  if (det == 0.0) return vec2(0.0);
  return vec2((dxy * dy - dyy * dx) / det, (dxy * dx - dxx * dy) / det);
}
${udp ? udpStep(k, h, w) : darkStep(h, w)}
float value_at(ivec3 c) {
  float own = getPeaks(c.x, c.y, c.z);
  if (c.z == 2) return own;
  vec2 moved = step_of(c.x, c.y, int(getPeaks(c.x, c.y, 0)), int(getPeaks(c.x, c.y, 1)));
  return own + (c.z == 0 ? moved.x : moved.y);
}`;
  },
};

const darkStep = (h: number, w: number): string => `
vec2 step_of(int n, int k, int x, int y) {
  if (!(x > 1 && x < ${w - 2} && y > 1 && y < ${h - 2})) return vec2(0.0);
  float s = scale_of(n, k);
  float center = 2.0 * log_at(n, k, x, y, s);
  float dx = 0.5 * (log_at(n, k, x + 1, y, s) - log_at(n, k, x - 1, y, s));
  float dy = 0.5 * (log_at(n, k, x, y + 1, s) - log_at(n, k, x, y - 1, s));
  float dxx = 0.25 * ((log_at(n, k, x + 2, y, s) - center) + log_at(n, k, x - 2, y, s));
  float dyy = 0.25 * ((log_at(n, k, x, y + 2, s) - center) + log_at(n, k, x, y - 2, s));
  float below = log_at(n, k, x + 1, y + 1, s) - log_at(n, k, x - 1, y + 1, s);
  float above = log_at(n, k, x + 1, y - 1, s) - log_at(n, k, x - 1, y - 1, s);
  return newton(dx, dy, dxx, dyy, 0.25 * (below - above));
}`;

/** See the WGSL: a point that was not found reads the map before. */
const udpStep = (k: number, h: number, w: number): string => `
vec2 step_of(int n, int k, int x, int y) {
  bool found = x >= 0;
  int other = found ? k : (k + ${k - 1}) - ((k + ${k - 1}) / ${k}) * ${k};
  if (is_empty(n, k) || is_empty(n, other)) return vec2(NAN);
  float s = scale_of(n, k);
  float other_s = scale_of(n, other);
  ivec2 p = found ? ivec2(x - 1, y - 1) : ivec2(${w - 1}, ${h - 1});
  ivec2 q = found ? ivec2(x, y) : ivec2(0);
  ivec2 next = found ? q + 1 : q;
  float center = log_at(n, k, q.x, q.y, s);
  float right = log_at(n, k, next.x, q.y, s);
  float below = log_at(n, k, q.x, next.y, s);
  float diagonal = log_at(n, k, next.x, next.y, s);
  float back = log_at(n, other, p.x, p.y, other_s);
  float left = log_at(n, other, p.x, found ? y : p.y, other_s);
  float above = log_at(n, other, found ? x : 0, p.y, other_s);
  float dx = 0.5 * (right - left);
  float dy = 0.5 * (below - above);
  float dxx = ((right - 2.0 * center) + left) + 1.1920929e-7;
  float dyy = ((below - 2.0 * center) + above) + 1.1920929e-7;
  float forth = ((diagonal - right) - below) + center;
  return newton(dx, dy, dxx, dyy, 0.5 * ((((forth + center) - left) - above) + back));
}`;
