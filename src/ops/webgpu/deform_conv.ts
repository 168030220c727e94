/** All outputs of one group at one pixel per invocation: where a tap lies is found once for all its channels. */
import type { DeformConvAttrs } from '../deform_conv.js';
import type { WgslOp } from './flat_program.js';

const SIZE = 64;

export const deformConvWgsl: WgslOp = {
  inputs: ['x', 'offsets', 'taps'],
  shape: ({ x: [n, h, w], taps }, { groups }: DeformConvAttrs) => [n, h, w, groups * taps[3]],
  program({ x: [, h, w, channels], taps: [, , inputs, outputs] }, { groups }: DeformConvAttrs) {
    const total = h * w * groups;
    const wgsl = `
fn value(n: u32, y: i32, x: i32, c: u32) -> f32 {
  if (y < 0 || x < 0 || y >= ${h} || x >= ${w}) { return 0.0; }
  return get_x(((n * ${h}u + u32(y)) * ${w}u + u32(x)) * ${channels}u + c);
}
fn run(n: u32, group: u32, local: u32) {
  let o = group * ${SIZE}u + local;
  if (o >= ${total}u) { return; }
  let g = o % ${groups}u;
  let pixel = o / ${groups}u;
  var sums: array<f32, ${outputs}>;
  for (var k = 0u; k < ${outputs}u; k++) { sums[k] = 0.0; }
  for (var tap = 0u; tap < 9u; tap++) {
    let offset = (n * ${h * w}u + pixel) * ${18 * groups}u + g * 18u + tap * 2u;
    let y = f32(pixel / ${w}u + tap / 3u) - 1.0 + get_offsets(offset);
    let x = f32(pixel % ${w}u + tap % 3u) - 1.0 + get_offsets(offset + 1u);
    if (!(y > -1.0 && x > -1.0 && y < ${h}.0 && x < ${w}.0)) { continue; }
    let top = i32(floor(y));
    let left = i32(floor(x));
    let fy = y - floor(y);
    let fx = x - floor(x);
    for (var i = 0u; i < ${inputs}u; i++) {
      let c = g * ${inputs}u + i;
      let above = mix(value(n, top, left, c), value(n, top, left + 1, c), fx);
      let below = mix(value(n, top + 1, left, c), value(n, top + 1, left + 1, c), fx);
      let v = mix(above, below, fy);
      let at = ((tap * ${groups}u + g) * ${inputs}u + i) * ${outputs}u;
      for (var k = 0u; k < ${outputs}u; k++) { sums[k] = fma(v, get_taps(at + k), sums[k]); }
    }
  }
  let at = (n * ${total}u + o) * ${outputs}u;
  for (var k = 0u; k < ${outputs}u; k++) { put(at + k, sums[k]); }
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(total / SIZE) };
  },
};
