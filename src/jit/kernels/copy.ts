/**
 * Operations that only move elements: each output element is one input element (or zero). An operation is the WGSL of its index
 * arithmetic; where a view could say the same, no copy is made at all.
 */
import { sizeOf } from '../../ndarray.js';
import * as tf from '../../tf.js';
import type { GraphNode } from '../graph.js';
import { channels, isContiguous, type View } from '../view.js';
import { declare, groups, NoKernel, type Kernel, type KernelContext, type Program } from './program.js';

const SIZE = 64;

/** Row-major strides of a shape. */
function stridesOf(shape: readonly number[]): number[] {
  return shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
}

/** `let o0 = ...; let o1 = ...;`: output coordinates of the flat index `i`. */
function coordinates(shape: readonly number[]): string {
  const strides = stridesOf(shape);
  return shape.map((size, axis) => `let o${axis} = i / ${strides[axis]}u${axis > 0 ? ` % ${size}u` : ''};`).join(' ');
}

/** Element index in a view's storage of the flat element `flat` of its shape. */
export function storageIndex(view: View, flat: string): string {
  if (isContiguous(view)) return view.offset > 0 ? `${view.offset}u + ${flat}` : flat;
  const c = channels(view);
  return `${view.offset}u + (${flat}) / ${c}u * ${view.rowStride}u + (${flat}) % ${c}u`;
}

interface Source {
  /** WGSL of the flat source index, from o0, o1, ... */
  readonly flat: string;
  /** WGSL of whether there is a source element; else zero. */
  readonly inside?: string;
}

function flatOf(shape: readonly number[], at: readonly string[]): string {
  const strides = stridesOf(shape);
  return at.map((coordinate, axis) => `(${coordinate}) * ${strides[axis]}u`).join(' + ') || '0u';
}

type Move = (node: GraphNode, context: KernelContext) => Source;

const inputShape = (node: GraphNode, context: KernelContext) => context.graph.values[node.inputs[0]].shape;
const outputShape = (node: GraphNode, context: KernelContext) => context.graph.values[node.outputs[0]].shape;

const MOVES: Readonly<Record<string, Move>> = {
  Reshape: () => ({ flat: 'i' }),
  ExpandDims: () => ({ flat: 'i' }),
  Identity: () => ({ flat: 'i' }),
  Transpose: (node, context) => {
    const perm = node.attrs.perm as readonly number[];
    const shape = inputShape(node, context);
    return {
      flat: flatOf(
        shape,
        shape.map((_, axis) => `o${perm.indexOf(axis)}`),
      ),
    };
  },
  Reverse: (node, context) => {
    const shape = inputShape(node, context);
    const dims = tf.util.parseAxisParam(node.attrs.dims as number[], [...shape]);
    return {
      flat: flatOf(
        shape,
        shape.map((size, axis) => (dims.includes(axis) ? `${size - 1}u - o${axis}` : `o${axis}`)),
      ),
    };
  },
  Slice: (node, context) => {
    const shape = inputShape(node, context);
    const [begin] = tf.slice_util.parseSliceParams(
      { shape: [...shape] } as tf.TensorInfo,
      node.attrs.begin as number[],
      node.attrs.size as number[],
    );
    return {
      flat: flatOf(
        shape,
        begin.map((start, axis) => `o${axis} + ${start}u`),
      ),
    };
  },
  StridedSlice: (node, context) => {
    const a = node.attrs as Record<string, never>;
    const shape = inputShape(node, context);
    const { begin, strides, finalShape } = tf.slice_util.sliceInfo(
      ...([
        [...shape],
        a.begin,
        a.end,
        a.strides,
        a.beginMask,
        a.endMask,
        a.ellipsisMask,
        a.newAxisMask,
        a.shrinkAxisMask,
      ] as unknown as Parameters<typeof tf.slice_util.sliceInfo>),
    );
    if (finalShape.length !== shape.length) throw new NoKernel('StridedSlice', 'that drops axes has no WGSL kernel');
    const at = shape.map((_, axis) => `u32(${begin[axis]} + i32(o${axis}) * ${strides[axis]})`);
    return { flat: flatOf(shape, at) };
  },
  PadV2: (node, context) => {
    if (Number(node.attrs.constantValue ?? 0) !== 0)
      throw new NoKernel('PadV2', 'with a value other than 0 has no WGSL kernel');
    const shape = inputShape(node, context);
    const paddings = node.attrs.paddings as readonly (readonly [number, number])[];
    // Unsigned: left of the input wraps to far beyond it.
    const at = shape.map((_, axis) => `o${axis} - ${paddings[axis][0]}u`);
    const inside = shape.map((size, axis) => `${at[axis]} < ${size}u`).join(' && ');
    return { flat: flatOf(shape, at), inside };
  },
  DepthToSpace: (node, context) => {
    const [, h, w, c] = inputShape(node, context);
    const block = node.attrs.blockSize as number;
    const depth = c / block ** 2;
    const channel = `((o1 % ${block}u) * ${block}u + o2 % ${block}u) * ${depth}u + o3`;
    return { flat: flatOf([1, h, w, c], ['o0', `o1 / ${block}u`, `o2 / ${block}u`, channel]) };
  },
  Tile: (node, context) => {
    const shape = inputShape(node, context);
    return {
      flat: flatOf(
        shape,
        shape.map((size, axis) => `o${axis} % ${size}u`),
      ),
    };
  },
};

export const COPY_OPS: readonly string[] = Object.keys(MOVES);

/** Any operation of `MOVES`. */
export const copy: Kernel = (node, context) => {
  const source = MOVES[node.op](node, context);
  return [moveProgram(node.op, context, node.inputs[0], node.outputs[0], outputShape(node, context), source)];
};

function moveProgram(
  label: string,
  context: KernelContext,
  from: number,
  to: number,
  shape: readonly number[],
  { flat, inside }: Source,
  target = 'i',
): Program {
  const [input, output] = [context.view(from), context.view(to)];
  const total = sizeOf(shape);
  const value = `input[${storageIndex(input, 'source')}]`;
  const wgsl = `${declare(['input', 'output'], 'f32')}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * ${65535 * SIZE}u;
  if (i >= ${total}u) { return; }
  ${coordinates(shape)}
  let source = ${flat};
  let target_index = ${target};
  ${inside ? `var value = 0.0; if (${inside}) { value = ${value}; }` : `let value = ${value};`}
  output[${storageIndex(output, 'target_index')}] = value;
}`;
  const count = groups(total, SIZE);
  return {
    label: label.toLowerCase(),
    wgsl,
    workgroups: [Math.min(count, 65535), groups(count, 65535), 1],
    bindings: [
      { kind: 'read', value: from },
      { kind: 'write', value: to },
    ],
  };
}

/** One copy per operand that does not lie in the result already. */
export const concat: Kernel = (node, context) => {
  const shape = outputShape(node, context);
  const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
  const out = context.view(node.outputs[0]);
  const programs: Program[] = [];
  let start = 0;
  for (const id of node.inputs) {
    const part = context.graph.values[id].shape;
    if (context.view(id).storage !== out.storage) {
      const target = flatOf(
        shape,
        shape.map((_, i) => (i === axis ? `o${i} + ${start}u` : `o${i}`)),
      );
      programs.push(moveProgram('concat', context, id, node.outputs[0], part, { flat: 'i' }, target));
    }
    start += part[axis];
  }
  return programs;
};

/** One copy per part that is not a view of the input. */
export const split: Kernel = (node, context) => {
  const shape = inputShape(node, context);
  const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
  const input = context.view(node.inputs[0]);
  const programs: Program[] = [];
  let start = 0;
  for (const id of node.outputs) {
    const part = context.graph.values[id].shape;
    if (context.view(id).storage !== input.storage) {
      const flat = flatOf(
        shape,
        shape.map((_, i) => (i === axis ? `o${i} + ${start}u` : `o${i}`)),
      );
      programs.push(moveProgram('split', context, node.inputs[0], id, part, { flat }));
    }
    start += part[axis];
  }
  return programs;
};

/** Picks slices along an axis by a list of indices, which must be constant. */
export const gather: Kernel = (node, context) => {
  const indices = context.constant(node.inputs[1]);
  if (!indices) throw new NoKernel('GatherV2', 'with computed indices has no WGSL kernel');
  const shape = inputShape(node, context);
  const out = outputShape(node, context);
  const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
  if (out.length !== shape.length)
    throw new NoKernel('GatherV2', 'by indices of another rank than 1 has no WGSL kernel');
  const [input, output] = [context.view(node.inputs[0]), context.view(node.outputs[0])];
  const flat = flatOf(
    shape,
    shape.map((_, i) => (i === axis ? `u32(indices[o${i}])` : `o${i}`)),
  );
  const total = sizeOf(out);
  const wgsl = `${declare(['input', 'indices', 'output'], ['f32', 'i32', 'f32'])}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= ${total}u) { return; }
  ${coordinates(out)}
  let source = ${flat};
  output[${storageIndex(output, 'i')}] = input[${storageIndex(input, 'source')}];
}`;
  const data = Int32Array.from(indices as Int32Array, Number);
  return [
    {
      label: 'gather',
      wgsl,
      workgroups: [groups(total, SIZE), 1, 1],
      bindings: [
        { kind: 'read', value: node.inputs[0] },
        { kind: 'constant', key: `indices ${data.join()}`, data },
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
