/** One invocation per keypoint. */
import type { WgslOp } from './flat_program.js';

const SIZE = 64;

export const quarterOffsetWgsl: WgslOp = {
  inputs: ['peaks', 'maps'],
  shape: ({ peaks }) => [...peaks],
  program({ maps: [, h, w, k] }) {
    const wgsl = `
fn run(n: u32, group: u32, local: u32) {
  let c = group * ${SIZE}u + local;
  if (c >= ${k}u) { return; }
  let to = (n * ${k}u + c) * 3u;
  let x = i32(get_peaks(to));
  let y = i32(get_peaks(to + 1u));
  let at = n * ${h * w * k}u + u32(max(y, 0) * ${w} + max(x, 0)) * ${k}u + c;
  var dx = 0.0;
  var dy = 0.0;
  if (x > 1 && x < ${w - 1} && y > 0 && y < ${h}) { dx = sign(get_maps(at + ${k}u) - get_maps(at - ${k}u)) * 0.25; }
  if (y > 1 && y < ${h - 1} && x > 0 && x < ${w}) { dy = sign(get_maps(at + ${w * k}u) - get_maps(at - ${w * k}u)) * 0.25; }
  put(to, f32(x) + dx);
  put(to + 1u, f32(y) + dy);
  put(to + 2u, get_peaks(to + 2u));
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(k / SIZE) };
  },
};
