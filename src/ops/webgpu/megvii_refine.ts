/** One invocation per keypoint. */
import { NAN_WGSL, type WgslOp } from './flat_program.js';

const SIZE = 64;

export const megviiRefineWgsl: WgslOp = {
  inputs: ['peaks', 'maps', 'before', 'after'],
  shape: ({ peaks }) => [...peaks],
  program({ maps: [, h, w, k] }) {
    const wgsl = `${NAN_WGSL}
fn run(n: u32, group: u32, local: u32) {
  let c = group * ${SIZE}u + local;
  if (c >= ${k}u) { return; }
  let to = (n * ${k}u + c) * 3u;
  if (get_before(to + 2u) == 0.0 && get_after(to + 2u) == 0.0) {
    put(to, 0.0);
    put(to + 1u, 0.0);
    put(to + 2u, nan_value());
    return;
  }
  let x = i32(get_peaks(to));
  let y = i32(get_peaks(to + 1u));
  var moved = vec2f(0.0);
  if (x > 1 && x < ${w - 1} && y > 1 && y < ${h - 1}) {
    let at = n * ${h * w * k}u + u32(y * ${w} + x) * ${k}u + c;
    let dx = sign(get_maps(at + ${k}u) - get_maps(at - ${k}u));
    let dy = sign(get_maps(at + ${w * k}u) - get_maps(at - ${w * k}u));
    moved = vec2f(dx, dy) * 0.25 + 0.5;
  }
  put(to, f32(x) + moved.x);
  put(to + 1u, f32(y) + moved.y);
  put(to + 2u, get_peaks(to + 2u) / 255.0 + 0.5);
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(k / SIZE) };
  },
};
