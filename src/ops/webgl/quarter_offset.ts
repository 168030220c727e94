/** One fragment per column of a keypoint. */
import { quarterOffsetWgsl } from '../webgpu/quarter_offset.js';
import type { GlslOp } from './flat_program.js';

export const quarterOffsetGlsl: GlslOp = {
  inputs: ['peaks', 'maps'],
  shape: quarterOffsetWgsl.shape,
  glsl: ({ maps: [, h, w] }) => `
float value_at(ivec3 c) {
  float own = getPeaks(c.x, c.y, c.z);
  if (c.z == 2) return own;
  int x = int(getPeaks(c.x, c.y, 0));
  int y = int(getPeaks(c.x, c.y, 1));
  if (c.z == 0) {
    if (!(x > 1 && x < ${w - 1} && y > 0 && y < ${h})) return own;
    return own + sign(getMaps(c.x, y, x + 1, c.y) - getMaps(c.x, y, x - 1, c.y)) * 0.25;
  }
  if (!(y > 1 && y < ${h - 1} && x > 0 && x < ${w})) return own;
  return own + sign(getMaps(c.x, y + 1, x, c.y) - getMaps(c.x, y - 1, x, c.y)) * 0.25;
}`,
};
