/** One workgroup per map. */
import { ARGMAX_SIZE, argmaxWgsl, PEAK_WGSL } from './argmax.js';
import type { WgslOp } from './flat_program.js';

export const heatmapArgmaxWgsl: WgslOp = {
  inputs: ['maps'],
  shape: ({ maps: [n, , , k] }) => [n, k, 3],
  program({ maps: [, h, w, k] }) {
    const wgsl = `${PEAK_WGSL}
${argmaxWgsl('maps', h * w, k)}
fn run(n: u32, group: u32, local: u32) {
  let peak = argmax_maps(local, n * ${h * w * k}u + group);
  if (local > 0u) { return; }
  let to = (n * ${k}u + group) * 3u;
  let found = is_found(peak.value);
  put(to, select(-1.0, f32(peak.index % ${w}u), found));
  put(to + 1u, select(-1.0, f32(peak.index / ${w}u), found));
  put(to + 2u, peak.value);
}`;
    return { wgsl, workgroupSize: ARGMAX_SIZE, workgroups: k };
  },
};
