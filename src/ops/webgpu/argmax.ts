/** The first maximum of a sequence, found by one workgroup. */
import { NAN_WGSL } from './flat_program.js';

export const ARGMAX_SIZE = 64;

/**
 * WGSL: `argmax_<name>(local, start)` gives `Peak(value, index)` of `length` elements of the input `name`, `stride` apart. To be
 * called by the whole workgroup. NaN is larger than any number, as in NumPy.
 */
export function argmaxWgsl(name: string, length: number, stride: number): string {
  return `
fn argmax_${name}(local: u32, start: u32) -> Peak {
  var best = Peak(0.0, ${length}u);
  for (var i = local; i < ${length}u; i += ${ARGMAX_SIZE}u) {
    best = larger(best, Peak(get_${name}(start + i * ${stride}u), i), ${length}u);
  }
  partial_value[local] = best.value;
  partial_index[local] = best.index;
  for (var half = ${ARGMAX_SIZE / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local < half) {
      let other = Peak(partial_value[local + half], partial_index[local + half]);
      best = larger(best, other, ${length}u);
      partial_value[local] = best.value;
      partial_index[local] = best.index;
    }
  }
  workgroupBarrier();
  let found = Peak(partial_value[0], partial_index[0]);
  workgroupBarrier();
  return found;
}`;
}

/** What `argmaxWgsl` needs, once per program. */
export const PEAK_WGSL = `${NAN_WGSL}
struct Peak { value: f32, index: u32 }
var<workgroup> partial_value: array<f32, ${ARGMAX_SIZE}>;
var<workgroup> partial_index: array<u32, ${ARGMAX_SIZE}>;
fn later_if_larger(first: Peak, second: Peak) -> Peak {
  if (is_nan(first.value)) { return first; }
  if (is_nan(second.value) || second.value > first.value) { return second; }
  return first;
}
// An index of 'none' stands for no element.
fn larger(a: Peak, b: Peak, none: u32) -> Peak {
  if (b.index == none) { return a; }
  if (a.index == none) { return b; }
  if (a.index < b.index) { return later_if_larger(a, b); }
  return later_if_larger(b, a);
}
fn is_found(value: f32) -> bool { return is_nan(value) || value > 0.0; }
`;
