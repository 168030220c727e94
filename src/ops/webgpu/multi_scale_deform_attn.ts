/** Four channels of one query per invocation; neighbours read neighbouring channels. */
import type { MultiScaleDeformAttnAttrs } from '../multi_scale_deform_attn.js';
import type { WgslOp } from './flat_program.js';

const SIZE = 64;

/** Where each map's pixels begin. */
export function startsOf(maps: MultiScaleDeformAttnAttrs['maps']): number[] {
  return maps.map((_, level) => maps.slice(0, level).reduce((sum, [h, w]) => sum + h * w, 0));
}

export const multiScaleDeformAttnWgsl: WgslOp = {
  inputs: ['value', 'locations', 'weights'],
  shape: ({ value, locations }) => [locations[0], locations[1], value[2]],
  program({ value: [, pixels, channels], locations: [, queries] }, attrs: MultiScaleDeformAttnAttrs) {
    const { heads, points, maps } = attrs;
    const d = channels / heads;
    const step = d % 4 === 0 ? 4 : 1;
    const perQuery = channels / step;
    const total = queries * perQuery;
    const starts = startsOf(maps);
    const load = Array.from({ length: step }, (_, i) => `get_value(at${i > 0 ? ` + ${i}u` : ''})`).join(', ');
    const wgsl = `
alias Values = ${step === 4 ? 'vec4f' : 'f32'};
fn pixel(first: u32, size: vec2i, y: i32, x: i32) -> Values {
  if (y < 0 || x < 0 || y >= size.y || x >= size.x) { return Values(); }
  let at = first + u32(y * size.x + x) * ${channels}u;
  return Values(${load});
}
fn sample(first: u32, size: vec2i, x: f32, y: f32) -> Values {
  if (!(y > -1.0 && x > -1.0 && y < f32(size.y) && x < f32(size.x))) { return Values(); }
  let left = i32(floor(x));
  let top = i32(floor(y));
  let fx = x - floor(x);
  let fy = y - floor(y);
  let above = pixel(first, size, top, left) * (1.0 - fx) + pixel(first, size, top, left + 1) * fx;
  let below = pixel(first, size, top + 1, left) * (1.0 - fx) + pixel(first, size, top + 1, left + 1) * fx;
  return above * (1.0 - fy) + below * fy;
}
fn run(n: u32, group: u32, local: u32) {
  let o = group * ${SIZE}u + local;
  if (o >= ${total}u) { return; }
  let c = o % ${perQuery}u * ${step}u;
  let query = n * ${queries}u + o / ${perQuery}u;
  var place = (query * ${heads}u + c / ${d}u) * ${maps.length * points}u;
  var sum = Values();
${maps
  .map(
    ([h, w], level) => `  for (var p = 0u; p < ${points}u; p++) {
    let x = get_locations(place * 2u) * ${w}.0 - 0.5;
    let y = get_locations(place * 2u + 1u) * ${h}.0 - 0.5;
    sum += sample((n * ${pixels}u + ${starts[level]}u) * ${channels}u + c, vec2i(${w}, ${h}), x, y) * get_weights(place);
    place++;
  }`,
  )
  .join('\n')}
  let at = query * ${channels}u + c;
${step === 4 ? `  put(at, sum.x); put(at + 1u, sum.y); put(at + 2u, sum.z); put(at + 3u, sum.w);` : '  put(at, sum);'}
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(total / SIZE) };
  },
};
