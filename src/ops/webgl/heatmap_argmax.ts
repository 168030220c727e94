/** Each fragment looks through its whole map; a strict comparison keeps the first maximum. */
import { heatmapArgmaxWgsl } from '../webgpu/heatmap_argmax.js';
import type { GlslOp } from './flat_program.js';

export const heatmapArgmaxGlsl: GlslOp = {
  inputs: ['maps'],
  shape: heatmapArgmaxWgsl.shape,
  glsl: ({ maps: [, h, w] }) => `
float value_at(ivec3 c) {
  float best = getMaps(c.x, 0, 0, c.y);
  ivec2 at = ivec2(0);
  for (int y = 0; y < ${h}; y++) {
    for (int x = 0; x < ${w}; x++) {
      float value = getMaps(c.x, y, x, c.y);
      if (value > best) { best = value; at = ivec2(x, y); }
    }
  }
  if (c.z == 2) return best;
  if (best <= 0.0) return -1.0;
  return float(c.z == 0 ? at.x : at.y);
}`,
};
