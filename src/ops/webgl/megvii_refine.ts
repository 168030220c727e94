/** One fragment per column of a keypoint. */
import { megviiRefineWgsl } from '../webgpu/megvii_refine.js';
import type { GlslOp } from './flat_program.js';

export const megviiRefineGlsl: GlslOp = {
  inputs: ['peaks', 'maps', 'before', 'after'],
  shape: megviiRefineWgsl.shape,
  glsl: ({ maps: [, h, w] }) => `
float value_at(ivec3 c) {
  if (getBefore(c.x, c.y, 2) == 0.0 && getAfter(c.x, c.y, 2) == 0.0) return c.z == 2 ? NAN : 0.0;
  float own = getPeaks(c.x, c.y, c.z);
  if (c.z == 2) return own / 255.0 + 0.5;
  int x = int(getPeaks(c.x, c.y, 0));
  int y = int(getPeaks(c.x, c.y, 1));
  if (!(x > 1 && x < ${w - 1} && y > 1 && y < ${h - 1})) return own;
  ivec2 d = c.z == 0 ? ivec2(1, 0) : ivec2(0, 1);
  float slope = getMaps(c.x, y + d.y, x + d.x, c.y) - getMaps(c.x, y - d.y, x - d.x, c.y);
  return own + sign(slope) * 0.25 + 0.5;
}`,
};
