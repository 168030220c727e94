/** One output pixel per invocation; sums in OpenCV's order (`codecs/utils/cv2_gaussian_blur.ts`), since rounding decides ties. */
import type { BlurAxisAttrs } from '../blur_axis.js';
import { f32Literal, type WgslOp } from './flat_program.js';

const SIZE = 64;

/** Where OpenCV adds mirrored taps first, so that mirrored pixels are equal to the bit. */
export function isSymmetric(axis: 1 | 2, half: readonly number[]): boolean {
  return axis === 1 || half.length <= 3;
}

export const blurAxisWgsl: WgslOp = {
  inputs: ['maps'],
  shape: ({ maps: [n, h, w, c] }, { step }: BlurAxisAttrs) => [n, h, w, c / step],
  program({ maps: [, h, w, c] }, { axis, half, border, step }: BlurAxisAttrs) {
    const out = c / step;
    const length = axis === 1 ? h : w;
    const total = h * w * out;
    const radius = half.length - 1;
    // Most pixels are so far inside that no tap needs to look where it is.
    const sums = (tap: string) => (isSymmetric(axis, half) ? inPairs(half, axis, tap) : leftToRight(half, tap));
    const wgsl = `
${border === 'zero' ? zeroTap(length) : mirroredTap(length)}
fn at(start: u32, i: i32) -> f32 { return get_maps(start + u32(i) * ${axis === 1 ? w * c : c}u); }
fn run(n: u32, group: u32, local: u32) {
  let o = group * ${SIZE}u + local;
  if (o >= ${total}u) { return; }
  let x = o / ${out}u % ${w}u;
  let y = o / ${out * w}u;
  let start = ((n * ${h}u + ${axis === 1 ? '0u' : 'y'}) * ${w}u + ${axis === 1 ? 'x' : '0u'}) * ${c}u + o % ${out}u * ${step}u;
  let center = i32(${axis === 1 ? 'y' : 'x'});
  var sum = 0.0;
  if (center >= ${radius} && center < ${length - radius}) {
    ${sums('at')}
  } else {
    ${sums('tap')}
  }
  put(n * ${total}u + o, sum);
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(total / SIZE) };
  },
};

const zeroTap = (length: number): string => `
fn tap(start: u32, i: i32) -> f32 {
  if (i < 0 || i >= ${length}) { return 0.0; }
  return at(start, i);
}`;

const mirroredTap = (length: number): string => `
fn tap(start: u32, i: i32) -> f32 {
  let period = ${Math.max(1, 2 * length - 2)};
  let rest = ((i % period) + period) % period;
  return at(start, min(rest, period - rest));
}`;

function leftToRight(half: readonly number[], tap: string): string {
  const radius = half.length - 1;
  const taps = Array.from({ length: 2 * radius + 1 }, (_, i) => i - radius);
  return taps
    .map((d) => `sum = fma(${f32Literal(half[Math.abs(d)])}, ${tap}(start, center + ${d}), sum);`)
    .join('\n    ');
}

/** Rows of small kernels from the outside in, columns from the inside out. */
function inPairs(half: readonly number[], axis: 1 | 2, tap: string): string {
  const center = `sum = fma(${f32Literal(half[0])}, ${tap}(start, center), sum);`;
  const pair = (d: number) => `${tap}(start, center - ${d}) + ${tap}(start, center + ${d})`;
  const pairs = half.slice(1).map((weight, i) => `sum = fma(${f32Literal(weight)}, ${pair(i + 1)}, sum);`);
  return (axis === 1 ? [center, ...pairs] : [...pairs.reverse(), center]).join('\n    ');
}
