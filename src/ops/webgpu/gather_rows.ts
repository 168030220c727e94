/** One value per invocation. */
import type { WgslOp } from './flat_program.js';

const SIZE = 64;

export const gatherRowsWgsl: WgslOp = {
  inputs: ['x', 'places'],
  shape: ({ x: [n, , channels], places }) => [n, places[1], channels],
  program({ x: [, rows, channels], places: [, count] }) {
    const total = count * channels;
    const wgsl = `
fn run(n: u32, group: u32, local: u32) {
  let o = group * ${SIZE}u + local;
  if (o >= ${total}u) { return; }
  let row = u32(get_places(n * ${count}u + o / ${channels}u));
  put(n * ${total}u + o, get_x((n * ${rows}u + row) * ${channels}u + o % ${channels}u));
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(total / SIZE) };
  },
};
