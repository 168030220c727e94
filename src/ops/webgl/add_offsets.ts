/** One fragment per column of a keypoint. */
import type { AddOffsetsAttrs } from '../add_offsets.js';
import { addOffsetsWgsl } from '../webgpu/add_offsets.js';
import { floatLiteral, type GlslOp } from './flat_program.js';

export const addOffsetsGlsl: GlslOp = {
  inputs: ['peaks', 'maps'],
  shape: addOffsetsWgsl.shape,
  glsl({ maps: [, h, w, channels] }, { radius }: AddOffsetsAttrs) {
    const size = h * w;
    const all = (channels / 3) * size;
    return `
float value_at(ivec3 c) {
  float own = getPeaks(c.x, c.y, c.z);
  if (c.z == 2) return own;
  int x = int(getPeaks(c.x, c.y, 0));
  int flat_index = c.y * ${size} + int(getPeaks(c.x, c.y, 1)) * ${w} + x;
  if (x < 0) {
    flat_index = c.y * ${size} + ${all - w - 1};
    flat_index -= flat_index / ${all} * ${all};
  }
  int keypoint = flat_index / ${size};
  int rest = flat_index - keypoint * ${size};
  int y = rest / ${w};
  return own + getMaps(c.x, y, rest - y * ${w}, keypoint * 3 + 1 + c.z) * ${floatLiteral(radius)};
}`;
  },
};
