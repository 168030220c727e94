/** One workgroup per keypoint. */
import type { SimccVisibilityAttrs } from '../simcc_visibility.js';
import { ARGMAX_SIZE, argmaxWgsl, PEAK_WGSL } from './argmax.js';
import { f32Literal, LOG_WGSL, type WgslOp } from './flat_program.js';

export const simccVisibilityWgsl: WgslOp = {
  inputs: ['x', 'y', 'blurredX', 'blurredY'],
  shape: ({ x: [n, k] }) => [n, k, 1],
  program({ x: [, k, wx], y: [, , wy] }, { dark, beta, sigma }: SimccVisibilityAttrs) {
    const axis = (name: 'x' | 'y', blurred: string, bins: number, factor: number) => `
${dark ? argmaxWgsl(name, bins, 1) + argmaxWgsl(blurred, bins, 1) : ''}
fn logit_${name}(at: u32, scale: f32) -> f32 {
  let value = ${dark ? `log32(clamp(get_${blurred}(at) * scale, 1e-3, 50.0))` : `get_${name}(at)`};
  return value * ${f32Literal(beta)} * ${f32Literal(factor)};
}
fn probability_${name}(local: u32, row: u32) -> f32 {
  let start = row * ${bins}u;
  var scale = 1.0;
  ${dark ? darkScale(name, blurred) : ''}
  var top = -3e38;
  for (var i = local; i < ${bins}u; i += ${ARGMAX_SIZE}u) { top = max(top, logit_${name}(start + i, scale)); }
  top = all_max(local, top);
  var sum = 0.0;
  for (var i = local; i < ${bins}u; i += ${ARGMAX_SIZE}u) { sum += exp(logit_${name}(start + i, scale) - top); }
  return ${dark ? `select(1.0 / all_sum(local, sum), nan_value(), is_empty)` : '1.0 / all_sum(local, sum)'};
}`;
    const wgsl = `${PEAK_WGSL}${LOG_WGSL}
${reduction('all_max', 'max(a, b)')}
${reduction('all_sum', 'a + b')}
${axis('x', 'blurredX', wx, sigma[0])}
${axis('y', 'blurredY', wy, sigma[1])}
fn run(n: u32, group: u32, local: u32) {
  let row = n * ${k}u + group;
  let x = probability_x(local, row);
  let y = probability_y(local, row);
  if (local > 0u) { return; }
  // As MMPose's where(x > y): a NaN of y is passed over, one of x is not.
  if (!is_nan(x) && !is_nan(y) && x > y) { put(row, y); } else { put(row, x); }
}`;
    return { wgsl, workgroupSize: ARGMAX_SIZE, workgroups: k };
  },
};

const darkScale = (name: string, blurred: string): string => `
  let before = argmax_${name}(local, start).value;
  let after = argmax_${blurred}(local, start).value;
  let is_empty = before == 0.0 && after == 0.0;
  if (!is_empty) { scale = before / after; }`;

/** All invocations get the result. */
const reduction = (name: string, step: string): string => `
fn ${name}(local: u32, value: f32) -> f32 {
  partial_value[local] = value;
  for (var half = ${ARGMAX_SIZE / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) {
      let a = partial_value[local];
      let b = partial_value[local + half];
      partial_value[local] = ${step};
    }
  }
  workgroupBarrier();
  let total = partial_value[0];
  workgroupBarrier();
  return total;
}`;
