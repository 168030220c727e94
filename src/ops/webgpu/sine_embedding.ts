/** One value per invocation, by the polynomials of the Cephes library: within 1e-7 of the true sine up to some turns. */
import type { SineEmbeddingAttrs } from '../sine_embedding.js';
import { f32Literal, type WgslOp } from './flat_program.js';

const SIZE = 64;

/** Frequency of feature `j`, radians per unit. */
export function frequencyOf(j: number, { features, temperature }: SineEmbeddingAttrs): number {
  return (2 * Math.PI) / temperature ** ((2 * Math.floor(j / 2)) / features);
}

export const sineEmbeddingWgsl: WgslOp = {
  inputs: ['positions'],
  shape: ({ positions: [n, queries, count] }, { features }: SineEmbeddingAttrs) => [n, queries, count * features],
  program({ positions: [, queries, count] }, attrs: SineEmbeddingAttrs) {
    const { features } = attrs;
    const total = queries * count * features;
    const frequencies = Array.from({ length: features }, (_, j) => f32Literal(frequencyOf(j, attrs)));
    const wgsl = `
const frequencies = array<f32, ${features}>(${frequencies.join(', ')});
fn sine(angle: f32, quarters: i32) -> f32 {
  let quadrant = i32(round(angle * 0.6366197723675814));
  let q = f32(quadrant);
  // Pi / 2 in three parts, the first two of few bits: their products with small numbers are exact.
  let r = angle - q * 1.5703125 - q * 4.837512969970703e-4 - q * 7.549789954891882e-8;
  let s = r * r;
  let odd = fma(r * s, fma(fma(-1.9515295891e-4, s, 8.3321608736e-3), s, -1.6666654611e-1), r);
  let even = fma(s * s, fma(fma(2.443315711809948e-5, s, -1.388731625493765e-3), s, 4.166664568298827e-2), fma(-0.5, s, 1.0));
  let turn = (quadrant + quarters) & 3;
  let value = select(odd, even, (turn & 1) == 1);
  return select(value, -value, turn >= 2);
}
fn run(n: u32, group: u32, local: u32) {
  let o = group * ${SIZE}u + local;
  if (o >= ${total}u) { return; }
  let j = o % ${features}u;
  let angle = get_positions(n * ${queries * count}u + o / ${features}u) * frequencies[j];
  put(n * ${total}u + o, sine(angle, i32(j & 1u)));
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(total / SIZE) };
  },
};
