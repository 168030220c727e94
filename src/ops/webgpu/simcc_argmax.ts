/** One workgroup per keypoint. */
import { ARGMAX_SIZE, argmaxWgsl, PEAK_WGSL } from './argmax.js';
import type { WgslOp } from './flat_program.js';

export const simccArgmaxWgsl: WgslOp = {
  inputs: ['x', 'y'],
  shape: ({ x: [n, k] }) => [n, k, 3],
  program({ x: [, k, wx], y: [, , wy] }) {
    const wgsl = `${PEAK_WGSL}
${argmaxWgsl('x', wx, 1)}
${argmaxWgsl('y', wy, 1)}
fn run(n: u32, group: u32, local: u32) {
  let row = n * ${k}u + group;
  let x = argmax_x(local, row * ${wx}u);
  let y = argmax_y(local, row * ${wy}u);
  if (local > 0u) { return; }
  var value = x.value;
  if (x.value > y.value) { value = y.value; }
  let found = is_found(value);
  put(row * 3u, select(-1.0, f32(x.index), found));
  put(row * 3u + 1u, select(-1.0, f32(y.index), found));
  put(row * 3u + 2u, value);
}`;
    return { wgsl, workgroupSize: ARGMAX_SIZE, workgroups: k };
  },
};
