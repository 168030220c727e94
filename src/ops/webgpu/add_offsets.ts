/** One invocation per keypoint. */
import type { AddOffsetsAttrs } from '../add_offsets.js';
import { f32Literal, type WgslOp } from './flat_program.js';

const SIZE = 64;

/** Where the flat index of (-1, -1) in the class map of keypoint `c` lies: in the map before, the last one for the first. */
export function wrappedPixel(c: number, k: number, h: number, w: number): { keypoint: number; x: number; y: number } {
  const size = h * w;
  const flat = (c * size - w - 1 + k * size) % (k * size);
  const rest = flat % size;
  return { keypoint: Math.floor(flat / size), x: rest % w, y: Math.floor(rest / w) };
}

export const addOffsetsWgsl: WgslOp = {
  inputs: ['peaks', 'maps'],
  shape: ({ peaks }) => [...peaks],
  program({ maps: [, h, w, channels] }, { radius }: AddOffsetsAttrs) {
    const k = channels / 3;
    const wgsl = `
fn run(n: u32, group: u32, local: u32) {
  let c = group * ${SIZE}u + local;
  if (c >= ${k}u) { return; }
  let to = (n * ${k}u + c) * 3u;
  let point = vec2f(get_peaks(to), get_peaks(to + 1u));
  var flat = c * ${h * w}u + u32(i32(point.y)) * ${w}u + u32(i32(point.x));
  if (point.x < 0.0) { flat = (c * ${h * w}u + ${k * h * w - w - 1}u) % ${k * h * w}u; }
  let at = (n * ${h * w}u + flat % ${h * w}u) * ${channels}u + flat / ${h * w}u * 3u;
  put(to, point.x + get_maps(at + 1u) * ${f32Literal(radius)});
  put(to + 1u, point.y + get_maps(at + 2u) * ${f32Literal(radius)});
  put(to + 2u, get_peaks(to + 2u));
}`;
    return { wgsl, workgroupSize: SIZE, workgroups: Math.ceil(k / SIZE) };
  },
};
