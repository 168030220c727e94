/** One invocation per keypoint: a dozen logarithms and a 2 x 2 system. */
import type { DarkRefineAttrs } from '../dark_refine.js';
import { DARK, UDP } from '../dark_stencil.js';
import { f32Literal, LOG_WGSL, NAN_WGSL, type WgslOp } from './flat_program.js';

const SIZE = 64;

export const darkRefineWgsl: WgslOp = {
  inputs: ['peaks', 'blurred', 'blurredPeaks'],
  shape: ({ peaks }) => [...peaks],
  program({ blurred: [, h, w, k] }, { udp }: DarkRefineAttrs) {
    const { low, high } = udp ? UDP : DARK;
    const wgsl = `${NAN_WGSL}${LOG_WGSL}
fn scale_of(n: u32, c: u32) -> f32 {
  let value = get_peaks((n * ${k}u + c) * 3u + 2u);
  let blurred_value = get_blurredPeaks((n * ${k}u + c) * 3u + 2u);
  if (value == 0.0 && blurred_value == 0.0) { return nan_value(); }
  return value / blurred_value;
}
fn log_at(n: u32, c: u32, x: i32, y: i32, scale: f32) -> f32 {
  let at = (u32(clamp(y, 0, ${h - 1})) * ${w}u + u32(clamp(x, 0, ${w - 1}))) * ${k}u + c;
  return log32(clamp(get_blurred(n * ${h * w * k}u + at) * scale, ${f32Literal(low)}, ${f32Literal(high)}));
}
fn newton(dx: f32, dy: f32, dxx: f32, dyy: f32, dxy: f32) -> vec2f {
  let det = dxx * dyy - dxy * dxy;
  if (det == 0.0) { return vec2f(0.0); }
  return vec2f((dxy * dy - dyy * dx) / det, (dxy * dx - dxx * dy) / det);
}
${udp ? udpStep(k, h, w) : darkStep(h, w)}
fn run(n: u32, group: u32, local: u32) {
  let c = group * ${SIZE}u + local;
  if (c >= ${k}u) { return; }
  let to = (n * ${k}u + c) * 3u;
  let point = vec2f(get_peaks(to), get_peaks(to + 1u));
  let moved = point + step_of(n, c, i32(point.x), i32(point.y));
  put(to, moved.x);
  put(to + 1u, moved.y);
  put(to + 2u, get_peaks(to + 2u));
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(k / SIZE) };
  },
};

const darkStep = (h: number, w: number): string => `
fn step_of(n: u32, c: u32, x: i32, y: i32) -> vec2f {
  if (!(x > 1 && x < ${w - 2} && y > 1 && y < ${h - 2})) { return vec2f(0.0); }
  let s = scale_of(n, c);
  let center = 2.0 * log_at(n, c, x, y, s);
  let dx = 0.5 * (log_at(n, c, x + 1, y, s) - log_at(n, c, x - 1, y, s));
  let dy = 0.5 * (log_at(n, c, x, y + 1, s) - log_at(n, c, x, y - 1, s));
  let dxx = 0.25 * ((log_at(n, c, x + 2, y, s) - center) + log_at(n, c, x - 2, y, s));
  let dyy = 0.25 * ((log_at(n, c, x, y + 2, s) - center) + log_at(n, c, x, y - 2, s));
  let below = log_at(n, c, x + 1, y + 1, s) - log_at(n, c, x - 1, y + 1, s);
  let above = log_at(n, c, x + 1, y - 1, s) - log_at(n, c, x - 1, y - 1, s);
  return newton(dx, dy, dxx, dyy, 0.25 * (below - above));
}`;

const udpStep = (k: number, h: number, w: number): string => `
fn step_of(n: u32, c: u32, x: i32, y: i32) -> vec2f {
  let scale = scale_of(n, c);
  let found = x >= 0;
  // (-1, -1) means the first pixel and its like below and right, but the last row of the map before above and left.
  var other = c;
  var other_scale = scale;
  var p = vec2i(x - 1, y - 1);
  var q = vec2i(x, y);
  if (!found) {
    other = (c + ${k - 1}u) % ${k}u;
    other_scale = scale_of(n, other);
    p = vec2i(${w - 1}, ${h - 1});
    q = vec2i(0, 0);
  }
  // A clamp may turn NaN into a number.
  if (is_nan(scale) || is_nan(other_scale)) { return vec2f(nan_value()); }
  let next = select(q, q + vec2i(1, 1), found);
  let center = log_at(n, c, q.x, q.y, scale);
  let right = log_at(n, c, next.x, q.y, scale);
  let below = log_at(n, c, q.x, next.y, scale);
  let diagonal = log_at(n, c, next.x, next.y, scale);
  let back = log_at(n, other, p.x, p.y, other_scale);
  let left = log_at(n, other, p.x, select(p.y, y, found), other_scale);
  let above = log_at(n, other, select(0, x, found), p.y, other_scale);
  let dx = 0.5 * (right - left);
  let dy = 0.5 * (below - above);
  let dxx = ((right - 2.0 * center) + left) + 1.1920929e-7;
  let dyy = ((below - 2.0 * center) + above) + 1.1920929e-7;
  let forth = ((diagonal - right) - below) + center;
  return newton(dx, dy, dxx, dyy, 0.5 * ((((forth + center) - left) - above) + back));
}`;
