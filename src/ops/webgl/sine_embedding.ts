/** One value per fragment, by the polynomials of the WGSL. */
import type { SineEmbeddingAttrs } from '../sine_embedding.js';
import { frequencyOf, sineEmbeddingWgsl } from '../webgpu/sine_embedding.js';
import { floatLiteral, type GlslOp } from './flat_program.js';

export const sineEmbeddingGlsl: GlslOp = {
  inputs: ['positions'],
  shape: sineEmbeddingWgsl.shape,
  glsl(_shapes, attrs: SineEmbeddingAttrs) {
    const { features } = attrs;
    const frequencies = Array.from({ length: features }, (_, j) => floatLiteral(frequencyOf(j, attrs)));
    return `
const float frequencies[${features}] = float[${features}](${frequencies.join(', ')});
float value_at(ivec3 c) {
  int j = c.z % ${features};
  float angle = getPositions(c.x, c.y, c.z / ${features}) * frequencies[j];
  float q = floor(angle * 0.6366197723675814 + 0.5);
  float r = angle - q * 1.5703125 - q * 4.837512969970703e-4 - q * 7.549789954891882e-8;
  float s = r * r;
  float odd = r + r * s * ((-1.9515295891e-4 * s + 8.3321608736e-3) * s - 1.6666654611e-1);
  float even = 1.0 - 0.5 * s + s * s * ((2.443315711809948e-5 * s - 1.388731625493765e-3) * s + 4.166664568298827e-2);
  int turn = (int(q) + (j & 1)) & 3;
  float value = (turn & 1) == 1 ? even : odd;
  return turn >= 2 ? -value : value;
}`;
  },
};
