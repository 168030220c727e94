/** Sum, mean and maximum over axes: one workgroup per result, which adds up in parallel. */
import { sizeOf } from '../../ndarray.js';
import * as tf from '../../tf.js';
import { storageIndex } from './copy.js';
import { declare, type Kernel } from './program.js';

const SIZE = 64;

const REDUCERS: Readonly<Record<string, { start: string; step: string; end: (count: number) => string }>> = {
  Sum: { start: '0.0', step: 'a + b', end: () => 'total' },
  Mean: { start: '0.0', step: 'a + b', end: (count) => `total / ${count}.0` },
  Max: { start: '-3.4e38', step: 'max(a, b)', end: () => 'total' },
};

export const REDUCE_OPS: readonly string[] = Object.keys(REDUCERS);

export const reduce: Kernel = (node, context) => {
  const { start, step, end } = REDUCERS[node.op];
  const [input, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const { shape } = input;
  const axes = tf.util.parseAxisParam(node.attrs.axis as number[], [...shape]);
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const count = sizeOf(axes.map((axis) => shape[axis]));
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const wgsl = `${declare(['input', 'result'], 'f32')}
fn pick(a: f32, b: f32) -> f32 { return ${step}; }
var<workgroup> partial: array<f32, ${SIZE}>;
@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let o = group.x;
  let base = ${flatten('o', kept, shape, strides)};
  var total = ${start};
  for (var k = local.x; k < ${count}u; k += ${SIZE}u) {
    let source = base + ${flatten('k', axes, shape, strides)};
    total = pick(total, input[${storageIndex(input, 'source')}]);
  }
  partial[local.x] = total;
  for (var half = ${SIZE / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (local.x < half) { partial[local.x] = pick(partial[local.x], partial[local.x + half]); }
  }
  if (local.x == 0u) {
    total = partial[0];
    result[${storageIndex(out, 'o')}] = ${end(count)};
  }
}`;
  const label = `${node.op.toLowerCase()} ${count}`;
  const total = sizeOf(kept.map((axis) => shape[axis]));
  const bindings = [
    { kind: 'read', value: node.inputs[0] },
    { kind: 'write', value: node.outputs[0] },
  ] as const;
  return [{ label, wgsl, workgroups: [total, 1, 1], bindings }];
};

/** WGSL that turns a flat index over some axes into an offset in the whole. */
function flatten(name: string, axes: readonly number[], shape: readonly number[], strides: readonly number[]): string {
  const terms = axes.map((axis, i) => {
    const inner = sizeOf(axes.slice(i + 1).map((other) => shape[other]));
    const at = i === 0 ? `${name} / ${inner}u` : `${name} / ${inner}u % ${shape[axis]}u`;
    return `(${at}) * ${strides[axis]}u`;
  });
  return terms.join(' + ') || '0u';
}
