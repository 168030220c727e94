/** One workgroup per keypoint: four maxima, then a few logarithms. */
import { ARGMAX_SIZE, argmaxWgsl, PEAK_WGSL } from './argmax.js';
import { LOG_WGSL, type WgslOp } from './flat_program.js';

export const simccDarkWgsl: WgslOp = {
  inputs: ['peaks', 'x', 'y', 'blurredX', 'blurredY'],
  shape: ({ peaks }) => [...peaks],
  program({ x: [, k, wx], y: [, , wy] }) {
    const axis = (name: 'x' | 'y', blurred: string, bins: number) => `
${argmaxWgsl(name, bins, 1)}
${argmaxWgsl(blurred, bins, 1)}
fn log_${name}(row: u32, at: i32, scale: f32) -> f32 {
  // A bin of -1, less two, wraps around to the end, as a negative NumPy index does.
  let bin = select(clamp(at, 0, ${bins - 1}), ${bins - 1}, at < -2);
  return log32(clamp(get_${blurred}(row * ${bins}u + u32(bin)) * scale, 1e-3, 50.0));
}
fn refine_${name}(local: u32, row: u32, at: f32) -> f32 {
  let top = argmax_${name}(local, row * ${bins}u).value;
  let blurred_top = argmax_${blurred}(local, row * ${bins}u).value;
  if (top == 0.0 && blurred_top == 0.0) { return nan_value(); }
  let scale = top / blurred_top;
  let bin = i32(at);
  let center = log_${name}(row, bin, scale);
  let dx = 0.5 * (log_${name}(row, bin + 1, scale) - log_${name}(row, bin - 1, scale));
  let dxx = 1e-9 + 0.25 * ((log_${name}(row, bin + 2, scale) - 2.0 * center) + log_${name}(row, bin - 2, scale));
  return at - dx / dxx;
}`;
    const wgsl = `${PEAK_WGSL}${LOG_WGSL}
${axis('x', 'blurredX', wx)}
${axis('y', 'blurredY', wy)}
fn run(n: u32, group: u32, local: u32) {
  let row = n * ${k}u + group;
  let x = refine_x(local, row, get_peaks(row * 3u));
  let y = refine_y(local, row, get_peaks(row * 3u + 1u));
  if (local > 0u) { return; }
  put(row * 3u, x);
  put(row * 3u + 1u, y);
  put(row * 3u + 2u, get_peaks(row * 3u + 2u));
}`;
    return { wgsl, workgroupSize: ARGMAX_SIZE, workgroups: k };
  },
};
