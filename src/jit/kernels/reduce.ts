/** Sums, means, extremes and products over axes: one workgroup per result, which adds up in parallel. */
import { sizeOf } from '../../ndarray.js';
import { literal } from '../expr.js';
import * as tf from '../../tf.js';
import type { GraphNode } from '../graph.js';
import { SAME } from '../nodes.js';
import { isVec4, shape4 } from '../view.js';
import { storageIndex } from './copy.js';
import { indexAt } from './operands.js';
import { declare, groups, type Kernel, type KernelContext, type Program } from './program.js';

const SIZE = 64;

interface Reducer {
  readonly start: string;
  /** WGSL that joins `a` and `b`. */
  readonly pick: string;
  /** WGSL that finishes `total`. */
  readonly end: (count: number) => string;
}

export const REDUCERS = {
  Sum: { start: '0.0', pick: 'a + b', end: () => 'total' },
  Mean: { start: '0.0', pick: 'a + b', end: (count) => `total / ${count}.0` },
  Max: { start: '-3.4e38', pick: 'max(a, b)', end: () => 'total' },
  Min: { start: '3.4e38', pick: 'min(a, b)', end: () => 'total' },
  Prod: { start: '1.0', pick: 'a * b', end: () => 'total' },
} as const satisfies Record<string, Reducer>;

export const REDUCE_OPS: readonly string[] = Object.keys(REDUCERS);

export const reduce: Kernel = (node, context) => {
  const { start, pick, end }: Reducer = REDUCERS[node.op as keyof typeof REDUCERS];
  const [input, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const { shape } = input;
  const axes = tf.util.parseAxisParam(node.attrs.axis as number[], [...shape]);
  if (shape.length === 4 && axes.join() === '1,2' && isVec4(input) && isVec4(out)) return [overMaps(node, context)];
  const kept = shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
  const count = sizeOf(axes.map((axis) => shape[axis]));
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const wgsl = `${declare(['input', 'result'], 'f32')}
fn pick(a: f32, b: f32) -> f32 { return ${pick}; }
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

/** Over rows and columns of a map: four channels per workgroup, which read whole pixels. */
function overMaps(node: GraphNode, context: KernelContext): Program {
  const { start, pick, end }: Reducer = REDUCERS[node.op as keyof typeof REDUCERS];
  const [input, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const [n, h, w, c] = shape4(input);
  const at = `${input.offset / 4}u + n * ${(h * w * input.rowStride) / 4}u + k * ${input.rowStride / 4}u + c`;
  const row = out.shape.length === 4 ? indexAt(out, SAME, 4) : `${out.offset / 4}u + n * ${out.rowStride / 4}u + c`;
  const wgsl = `${declare(['input', 'result'], 'vec4f')}
fn pick(a: vec4f, b: vec4f) -> vec4f { return ${pick}; }
var<workgroup> partial: array<vec4f, ${SIZE}>;
@compute @workgroup_size(${SIZE})
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) t: u32) {
  let c = group.x;
  let n = group.z;
  var total = vec4f(${start});
  for (var k = t; k < ${h * w}u; k += ${SIZE}u) { total = pick(total, input[${at}]); }
  partial[t] = total;
  for (var half = ${SIZE / 2}u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (t < half) { partial[t] = pick(partial[t], partial[t + half]); }
  }
  if (t == 0u) {
    total = partial[0];
    result[${row}] = ${end(h * w)};
  }
}`;
  const bindings = [
    { kind: 'read', value: node.inputs[0] },
    { kind: 'write', value: node.outputs[0] },
  ] as const;
  return { label: `${node.op.toLowerCase()} ${h}x${w}`, wgsl, workgroups: [c / 4, 1, n], bindings };
}

/** Index of the largest or smallest element along an axis, the first of equals; a whole number in a float32. */
export const argReduce: Kernel = (node, context) => {
  const [input, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const { shape } = input;
  const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
  const inner = sizeOf(shape.slice(axis + 1));
  const total = sizeOf(shape) / shape[axis];
  const better = node.op === 'ArgMax' ? '>' : '<';
  const wgsl = `${declare(['input', 'result'], 'f32')}
fn at(i: u32) -> f32 { return input[${storageIndex(input, 'i')}]; }
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let o = id.x;
  if (o >= ${total}u) { return; }
  let base = o / ${inner}u * ${shape[axis] * inner}u + o % ${inner}u;
  var best = at(base);
  var found = 0u;
  for (var k = 1u; k < ${shape[axis]}u; k++) {
    let value = at(base + k * ${inner}u);
    if (value ${better} best) { best = value; found = k; }
  }
  result[${storageIndex(out, 'o')}] = f32(found);
}`;
  const bindings = [
    { kind: 'read', value: node.inputs[0] },
    { kind: 'write', value: node.outputs[0] },
  ] as const;
  return [
    { label: `${node.op.toLowerCase()} ${shape[axis]}`, wgsl, workgroups: [groups(total, SIZE), 1, 1], bindings },
  ];
};

/** Rows of zeros with a one each, at an index that is computed. */
export const oneHot: Kernel = (node, context) => {
  const [indices, out] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const { depth, onValue = 1, offValue = 0 } = node.attrs as Readonly<Record<string, number>>;
  const total = sizeOf(out.shape);
  const wgsl = `${declare(['indices', 'result'], 'f32')}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= ${total}u) { return; }
  let row = i / ${depth}u;
  let isIt = indices[${storageIndex(indices, 'row')}] == f32(i % ${depth}u);
  result[${storageIndex(out, 'i')}] = select(${literal(offValue)}, ${literal(onValue)}, isIt);
}`;
  const bindings = [
    { kind: 'read', value: node.inputs[0] },
    { kind: 'write', value: node.outputs[0] },
  ] as const;
  return [{ label: `onehot ${depth}`, wgsl, workgroups: [groups(total, SIZE), 1, 1], bindings }];
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
