/**
 * Moves element-wise work into the convolution before it: activation, residual addition, gating. The convolution has each output
 * element in a register, so the round trip through memory goes away.
 */
import { compose } from '../expr.js';
import { producersOf, readCounts, type Graph, type GraphNode, type Pass } from '../graph.js';
import { isConv, isPointwise, makeNode, type ConvAttrs, type PointwiseAttrs } from '../nodes.js';

/** x, filter, bias and the output take four of WebGPU's eight storage buffers; kernels for software adapters, which allow more, take another. */
const MAX_EXTRAS = 4;

type Conv = GraphNode & { readonly attrs: ConvAttrs };
type Pointwise = GraphNode & { readonly attrs: PointwiseAttrs };

export const fuseEpilogue: Pass = (graph) => {
  const producers = producersOf(graph);
  const reads = readCounts(graph);
  const replaced = new Map<GraphNode, GraphNode>();
  const gone = new Set<GraphNode>();
  for (const node of graph.nodes) {
    if (!isPointwise(node)) continue;
    // The convolution that runs last takes the others' results as operands.
    const slots = node.inputs.map((_, slot) => slot).filter((slot) => reads.get(node.inputs[slot]) === 1);
    const order = (slot: number) => graph.nodes.indexOf(producers.get(node.inputs[slot])!);
    const slot = slots
      .filter((s) => fits(graph, producers.get(node.inputs[s]), node, s))
      .sort((a, b) => order(b) - order(a))[0];
    if (slot === undefined) continue;
    const conv = producers.get(node.inputs[slot]) as Conv;
    replaced.set(node, fuse(conv, node, slot));
    gone.add(conv);
  }
  return { ...graph, nodes: graph.nodes.map((node) => replaced.get(node) ?? node).filter((node) => !gone.has(node)) };
};

function fits(graph: Graph, conv: GraphNode | undefined, node: Pointwise, slot: number): boolean {
  if (!isConv(conv)) return false;
  const [fy, fx] = node.attrs.maps[slot].up;
  const sameShape = graph.values[conv.outputs[0]].shape.join() === graph.values[node.outputs[0]].shape.join();
  return fy === 1 && fx === 1 && sameShape && conv.attrs.maps.length + node.inputs.length - 1 <= MAX_EXTRAS;
}

function fuse(conv: Conv, node: Pointwise, slot: number): GraphNode {
  const others = node.inputs.filter((_, i) => i !== slot);
  const attrs: ConvAttrs = {
    ...conv.attrs,
    expr: compose(conv.attrs.expr, node.attrs.expr, slot),
    maps: [...conv.attrs.maps, ...node.attrs.maps.filter((_, i) => i !== slot)],
  };
  return makeNode<ConvAttrs>(conv.op, [...conv.inputs, ...others], attrs, node.outputs[0]);
}
