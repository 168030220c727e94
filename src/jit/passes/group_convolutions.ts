/**
 * Finds the grouped convolutions that tfjs cannot express. `nn/conv.ts` writes few wide groups as a convolution each between a
 * split and a concatenation, and many narrow ones as a depthwise convolution of all pairs of channels that is summed; both become
 * one `GroupedConv` node.
 */
import type { TypedArray } from '../../ndarray.js';
import { derived, Draft } from '../draft.js';
import { producersOf, readersOf, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { convExtras, isConv, makeNode, type ConvAttrs, type GroupedConvAttrs } from '../nodes.js';

type Conv = GraphNode & { readonly attrs: ConvAttrs };

export const groupConvolutions: Pass = (graph) => {
  const draft = new Draft(graph);
  const search = { graph, draft, readers: readersOf(graph), producers: producersOf(graph) };
  const replaced = new Map<GraphNode, GraphNode>();
  for (const node of graph.nodes) {
    const grouped =
      node.op === 'Concat' ? fromParts(search, node) : node.op === 'Reshape' ? fromPairs(search, node) : null;
    if (grouped) replaced.set(node, grouped);
  }
  if (replaced.size === 0) return graph;
  // What they replace has no readers left, and goes with the dead nodes.
  return { ...graph, values: draft.values, nodes: graph.nodes.map((node) => replaced.get(node) ?? node) };
};

interface Search {
  readonly graph: Graph;
  readonly draft: Draft;
  readonly readers: ReadonlyMap<ValueId, readonly (GraphNode | null)[]>;
  readonly producers: ReadonlyMap<ValueId, GraphNode>;
}

/** The node that computes `id`, when nothing else reads it. */
function onlyFor({ readers, producers }: Search, id: ValueId): GraphNode | undefined {
  return readers.get(id)?.length === 1 ? producers.get(id) : undefined;
}

/** Split, a convolution per part, concatenation. */
function fromParts(search: Search, concat: GraphNode): GraphNode | null {
  const { graph, draft } = search;
  const convs = concat.inputs.map((id) => onlyFor(search, id));
  const isLike = (conv: GraphNode | undefined): conv is Conv =>
    isConv(conv) && conv.attrs.kind === 'dense' && convExtras(conv).length === 0;
  if (convs.length < 2 || !convs.every(isLike)) return null;
  const [first] = convs;
  const split = search.producers.get(first.inputs[0]);
  const shapes = convs.map((conv) => graph.values[conv.inputs[1]].shape.join());
  const isRegular =
    split?.op === 'SplitV' &&
    split.outputs.length === convs.length &&
    convs.every((conv, i) => conv.inputs[0] === split.outputs[i] && isOnce(search, split.outputs[i])) &&
    convs.every((conv, i) => shapes[i] === shapes[0] && JSON.stringify(conv.attrs) === JSON.stringify(first.attrs)) &&
    graph.values[split.inputs[0]].shape.at(-1) === graph.values[split.outputs[0]].shape[3] * convs.length &&
    graph.values[concat.outputs[0]].shape[3] === graph.values[concat.inputs[0]].shape[3] * convs.length;
  if (!isRegular) return null;
  const parts = (slot: number) => convs.map((conv) => graph.values[conv.inputs[slot]].constant);
  const [filters, biases] = [parts(1), first.attrs.hasBias ? parts(2) : []];
  if (![...filters, ...biases].every((data) => data !== undefined)) return null;
  const [kh, kw, inner, outer] = graph.values[first.inputs[1]].shape;
  const filter = joinLast(filters as TypedArray[], outer);
  const inputs = [split.inputs[0], draft.add([kh, kw, inner, outer * convs.length], filter)];
  if (biases.length > 0) inputs.push(draft.add([outer * convs.length], joinLast(biases as TypedArray[], outer)));
  return grouped(inputs, { ...first.attrs, groups: convs.length }, concat.outputs[0]);
}

function isOnce({ readers }: Search, id: ValueId): boolean {
  return readers.get(id)?.length === 1;
}

function grouped(inputs: readonly ValueId[], attrs: GroupedConvAttrs, output: ValueId): GraphNode {
  return makeNode('GroupedConv', inputs, attrs, output);
}

/** Concatenates along the last axis, of `size` elements in every part. */
function joinLast(parts: readonly TypedArray[], size: number): TypedArray {
  return derived(parts, `joined ${size}`, () => {
    const out = new Float32Array(parts.length * parts[0].length);
    for (let row = 0, to = 0; row < parts[0].length / size; row++) {
      for (const part of parts) {
        out.set(part.subarray(row * size, (row + 1) * size) as Float32Array, to);
        to += size;
      }
    }
    return out;
  });
}

/** Depthwise convolution with several outputs per channel, then the sum over each group's channels. */
function fromPairs(search: Search, output: GraphNode): GraphNode | null {
  const { graph, draft } = search;
  const shapeOf = (id: ValueId) => graph.values[id].shape;
  const sum = onlyFor(search, output.inputs[0]);
  const pairs = sum?.op === 'Sum' ? onlyFor(search, sum.inputs[0]) : undefined;
  const conv = pairs?.op === 'Reshape' ? onlyFor(search, pairs.inputs[0]) : undefined;
  if (!sum || !pairs || !isConv(conv) || conv.attrs.kind !== 'depthwise' || conv.inputs.length !== 2) return null;
  const [filter, outShape] = [graph.values[conv.inputs[1]], shapeOf(output.outputs[0])];
  const [, groupIn, groupOut] = shapeOf(pairs.outputs[0]);
  const [kh, kw, channels, multiplier] = filter.shape;
  const groups = channels / groupIn;
  const isSum = [sum.attrs.axis].flat().join() === '1' && !sum.attrs.keepDims;
  if (!isSum || !filter.constant || multiplier !== groupOut || !Number.isInteger(groups)) return null;
  if (outShape.join() !== [...shapeOf(conv.outputs[0]).slice(0, 3), groups * groupOut].join()) return null;
  const data = derived([filter.constant], `grouped ${groups}`, () =>
    regroup(filter.constant!, kh * kw, groups, groupIn, groupOut),
  );
  const inputs = [conv.inputs[0], draft.add([kh, kw, groupIn, groups * groupOut], data)];
  return grouped(inputs, { ...conv.attrs, kind: 'dense', groups }, output.outputs[0]);
}

/** [taps, groups, in, out] to [taps, in, groups, out]. */
function regroup(data: TypedArray, taps: number, groups: number, groupIn: number, groupOut: number): Float32Array {
  const out = new Float32Array(data.length);
  for (let tap = 0, from = 0; tap < taps; tap++) {
    for (let g = 0; g < groups; g++) {
      for (let i = 0; i < groupIn; i++, from += groupOut) {
        const to = ((tap * groupIn + i) * groups + g) * groupOut;
        out.set(data.subarray(from, from + groupOut) as Float32Array, to);
      }
    }
  }
  return out;
}
