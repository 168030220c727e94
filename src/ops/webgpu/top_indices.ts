/** Each element counts those before it, and writes itself to that place: no rounds of sorting, which would be a dispatch each. */
import type { TopIndicesAttrs } from '../top_indices.js';
import type { WgslOp } from './flat_program.js';

const SIZE = 64;

export const topIndicesWgsl: WgslOp = {
  inputs: ['scores'],
  shape: ({ scores }, { k }: TopIndicesAttrs) => [scores[0], k],
  program({ scores: [, count] }, { k }: TopIndicesAttrs) {
    const wgsl = `
fn run(n: u32, group: u32, local: u32) {
  let i = group * ${SIZE}u + local;
  if (i >= ${count}u) { return; }
  let first = n * ${count}u;
  let score = get_scores(first + i);
  var rank = 0u;
  for (var j = 0u; j < ${count}u; j++) {
    let other = get_scores(first + j);
    rank += select(0u, 1u, other > score || (other == score && j < i));
  }
  if (rank < ${k}u) { put(n * ${k}u + rank, f32(i)); }
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(count / SIZE) };
  },
};
