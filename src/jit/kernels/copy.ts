/**
 * Operations that only move elements: each output element is one input element (or zero). An operation is the WGSL of its index
 * arithmetic; where a view could say the same, no copy is made at all.
 */
import { sizeOf } from '../../ndarray.js';
import * as tf from '../../tf.js';
import { literal } from '../expr.js';
import type { Graph, GraphNode } from '../graph.js';
import type { MoveAttrs, MoveStep } from '../nodes.js';
import { channels, isContiguous, type View } from '../view.js';
import { flatOf, sourceOf, stridesOf } from './moves.js';
import { declare, groups, NoKernel, type Kernel, type KernelContext, type Program } from './program.js';

const SIZE = 64;

/** `let o0 = ...; let o1 = ...;`: coordinates of the flat index `flat`. */
function coordinates(shape: readonly number[], flat = 'i', name = 'o'): string {
  const strides = stridesOf(shape);
  return shape
    .map((size, axis) => `let ${name}${axis} = ${flat} / ${strides[axis]}u${axis > 0 ? ` % ${size}u` : ''};`)
    .join(' ');
}

/** Element index in a view's storage of the flat element `flat` of its shape. */
export function storageIndex(view: View, flat: string): string {
  if (isContiguous(view)) return view.offset > 0 ? `${view.offset}u + ${flat}` : flat;
  const c = channels(view);
  return `${view.offset}u + (${flat}) / ${c}u * ${view.rowStride}u + (${flat}) % ${c}u`;
}

const inputShape = (node: GraphNode, context: KernelContext) => context.graph.values[node.inputs[0]].shape;
const outputShape = (node: GraphNode, context: KernelContext) => context.graph.values[node.outputs[0]].shape;

/** The moves of a node: those of a `Move`, or the one that it is itself. */
export function movesOf({ values }: Graph, node: GraphNode): readonly MoveStep[] {
  if (node.op === 'Move') return (node.attrs as unknown as MoveAttrs).steps;
  const { op, attrs, inputs, outputs } = node;
  const indices = op === 'GatherV2' ? values[inputs[1]].constant : undefined;
  return [
    {
      ...{ op, attrs, from: values[inputs[0]].shape, to: values[outputs[0]].shape },
      ...(indices && { indices: Array.from(indices as Float32Array, Number) }),
    },
  ];
}

/** Any operation of `MOVE_OPS`, and `Move`: from the output back to the input, one move after the other. */
export const copy: Kernel = (node, context) => {
  const steps = movesOf(context.graph, node);
  const lines: string[] = [];
  const tops: string[] = [];
  const inside: string[] = [];
  let outside = 0;
  let flat = 'i';
  for (const [k, step] of [...steps].reverse().entries()) {
    const source = sourceOf(step, (axis) => `o${k}_${axis}`);
    lines.push(coordinates(step.to, flat, `o${k}_`), `let i${k} = ${source.flat};`);
    if (source.top) tops.push(source.top);
    if (source.inside) {
      lines.push(`let inside${k} = ${source.inside};`);
      inside.push(`inside${k}`);
      outside = source.outside ?? 0;
    }
    flat = `i${k}`;
  }
  const label = steps.map(({ op }) => op.toLowerCase()).join(' ');
  return [
    moveProgram(label, context, node.inputs[0], node.outputs[0], outputShape(node, context), {
      ...{ flat, before: lines.join('\n  '), top: [...new Set(tops)].join('\n') },
      ...(inside.length > 0 && { inside: inside.join(' && '), outside }),
    }),
  ];
};

interface Source {
  /** WGSL of the flat source index, after the statements `before`. */
  readonly flat: string;
  readonly before: string;
  /** WGSL of whether there is a source element; else the value is `outside`. */
  readonly inside?: string;
  readonly outside?: number;
  readonly top?: string;
}

function moveProgram(
  label: string,
  context: KernelContext,
  from: number,
  to: number,
  shape: readonly number[],
  { flat, before, inside, outside = 0, top = '' }: Source,
  target = 'i',
): Program {
  const [input, output] = [context.view(from), context.view(to)];
  const total = sizeOf(shape);
  const value = `input[${storageIndex(input, 'source')}]`;
  const wgsl = `${declare(['input', 'output'], 'f32')}
${top}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x + id.y * ${65535 * SIZE}u;
  if (i >= ${total}u) { return; }
  ${before}
  let source = ${flat};
  let target_index = ${target};
  ${inside ? `var value = ${literal(outside)}; if (${inside}) { value = ${value}; }` : `let value = ${value};`}
  output[${storageIndex(output, 'target_index')}] = value;
}`;
  const count = groups(total, SIZE);
  return {
    label,
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
      programs.push(
        moveProgram('concat', context, id, node.outputs[0], part, { flat: 'i', before: coordinates(part) }, target),
      );
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
      programs.push(moveProgram('split', context, node.inputs[0], id, part, { flat, before: coordinates(part) }));
    }
    start += part[axis];
  }
  return programs;
};

/** A list of indices up to this long stands in the shader. */
export const MAX_INLINE_INDICES = 64;

/** Picks slices along an axis by a list of indices, constant or computed. */
export const gather: Kernel = (node, context) => {
  const indices = context.constant(node.inputs[1]);
  const isList = context.graph.values[node.inputs[1]].shape.length === 1;
  if (indices && isList && indices.length <= MAX_INLINE_INDICES) return copy(node, context);
  const shape = inputShape(node, context);
  const out = outputShape(node, context);
  const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
  if (!isList) throw new NoKernel('GatherV2', 'by indices of another rank than 1 has no WGSL kernel');
  const [input, picks, output] = [...node.inputs, ...node.outputs].map((id) => context.view(id));
  const flat = flatOf(
    shape,
    shape.map((_, i) => (i === axis ? `u32(indices[${storageIndex(picks, `o${i}`)}])` : `o${i}`)),
  );
  const total = sizeOf(out);
  const wgsl = `${declare(['input', 'indices', 'output'], 'f32')}
@compute @workgroup_size(${SIZE})
fn main(@builtin(global_invocation_id) id: vec3u) {
  let i = id.x;
  if (i >= ${total}u) { return; }
  ${coordinates(out)}
  let source = ${flat};
  output[${storageIndex(output, 'i')}] = input[${storageIndex(input, 'source')}];
}`;
  return [
    {
      label: 'gather',
      wgsl,
      workgroups: [groups(total, SIZE), 1, 1],
      bindings: [
        { kind: 'read', value: node.inputs[0] },
        { kind: 'read', value: node.inputs[1] },
        { kind: 'write', value: node.outputs[0] },
      ],
    },
  ];
};
