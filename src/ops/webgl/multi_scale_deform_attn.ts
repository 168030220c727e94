/** One channel of one query per fragment. */
import type { MultiScaleDeformAttnAttrs } from '../multi_scale_deform_attn.js';
import { multiScaleDeformAttnWgsl, startsOf } from '../webgpu/multi_scale_deform_attn.js';
import type { GlslOp } from './flat_program.js';

export const multiScaleDeformAttnGlsl: GlslOp = {
  inputs: ['value', 'locations', 'weights'],
  shape: multiScaleDeformAttnWgsl.shape,
  glsl({ value: [, , channels] }, { heads, points, maps }: MultiScaleDeformAttnAttrs) {
    const starts = startsOf(maps);
    return `
float pixel(ivec3 c, int first, ivec2 size, int y, int x) {
  if (y < 0 || x < 0 || y >= size.y || x >= size.x) return 0.0;
  return getValue(c.x, first + y * size.x + x, c.z);
}
float at_place(ivec3 c, int first, ivec2 size, int place) {
  float x = getLocations(c.x, c.y, place * 2) * float(size.x) - 0.5;
  float y = getLocations(c.x, c.y, place * 2 + 1) * float(size.y) - 0.5;
  if (!(y > -1.0 && x > -1.0 && y < float(size.y) && x < float(size.x))) return 0.0;
  int left = int(floor(x));
  int top = int(floor(y));
  float fx = x - floor(x);
  float fy = y - floor(y);
  float above = pixel(c, first, size, top, left) * (1.0 - fx) + pixel(c, first, size, top, left + 1) * fx;
  float below = pixel(c, first, size, top + 1, left) * (1.0 - fx) + pixel(c, first, size, top + 1, left + 1) * fx;
  return (above * (1.0 - fy) + below * fy) * getWeights(c.x, c.y, place);
}
float value_at(ivec3 c) {
  int place = c.z / ${channels / heads} * ${maps.length * points};
  float sum = 0.0;
${maps
  .map(([h, w], level) => {
    const add = `sum += at_place(c, ${starts[level]}, ivec2(${w}, ${h}), place + ${level * points} + p);`;
    return `  for (int p = 0; p < ${points}; p++) ${add}`;
  })
  .join('\n')}
  return sum;
}`;
  },
};
