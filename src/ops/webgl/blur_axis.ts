/** One output pixel per fragment, taps in the order of the WGSL. */
import type { BlurAxisAttrs } from '../blur_axis.js';
import { blurAxisWgsl, isSymmetric } from '../webgpu/blur_axis.js';
import { floatLiteral, type GlslOp } from './flat_program.js';

export const blurAxisGlsl: GlslOp = {
  inputs: ['maps'],
  shape: blurAxisWgsl.shape,
  glsl({ maps: [, h, w] }, { axis, half, border, step }: BlurAxisAttrs) {
    const length = axis === 1 ? h : w;
    const index = border === 'zero' ? `if (i < 0 || i >= ${length}) return 0.0;` : mirror(length);
    const pair = (d: number) => `(tap(c, at - ${d}) + tap(c, at + ${d}))`;
    const pairs = half.slice(1).map((weight, i) => `${floatLiteral(weight)} * ${pair(i + 1)}`);
    const center = `${floatLiteral(half[0])} * tap(c, at)`;
    const row = [...half.slice(1).reverse(), ...half].map(
      (weight, i) => `${floatLiteral(weight)} * tap(c, at + ${i - half.length + 1})`,
    );
    const inPairs = axis === 1 ? [center, ...pairs] : [...pairs.reverse(), center];
    return `
float tap(ivec4 c, int i) {
  ${index}
  return ${axis === 1 ? `getMaps(c.x, i, c.z, c.w * ${step})` : `getMaps(c.x, c.y, i, c.w * ${step})`};
}
float value_at(ivec4 c) {
  int at = ${axis === 1 ? 'c.y' : 'c.z'};
  float sum = 0.0;
  ${(isSymmetric(axis, half) ? inPairs : row).map((term) => `sum += ${term};`).join('\n  ')}
  return sum;
}`;
  },
};

const mirror = (length: number): string => `
  int period = ${Math.max(1, 2 * length - 2)};
  i = i - (i / period) * period;
  if (i < 0) i += period;
  i = min(i, period - i);`;
