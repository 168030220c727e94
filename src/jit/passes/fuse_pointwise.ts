/**
 * Merges element-wise nodes: a `Pointwise` whose only reader is another `Pointwise` becomes part of it. HRNet's exchange unit (sum
 * of up-sampled branches, then ReLU) ends up as one node, and so does SiLU.
 */
import { compose, mergeOperands } from '../expr.js';
import { producersOf, readCounts, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { isPointwise, makeNode, type OperandMap, type PointwiseAttrs } from '../nodes.js';

/** More operands than this would pass WebGPU's default limit of eight storage buffers per shader. */
export const MAX_OPERANDS = 6;

type Pointwise = GraphNode & { readonly attrs: PointwiseAttrs };

/** In one sweep: producers come first, so each is as large as it gets when its reader looks at it. */
export const fusePointwise: Pass = (graph) => {
  const producers = new Map(producersOf(graph));
  const reads = readCounts(graph);
  const gone = new Set<GraphNode>();
  const replaced = new Map<GraphNode, GraphNode>();
  for (const node of graph.nodes) {
    if (!isPointwise(node)) continue;
    let current: Pointwise = withoutTwins(node, reads);
    for (
      let step = absorbOne(graph, current, producers, reads);
      step;
      step = absorbOne(graph, current, producers, reads)
    ) {
      gone.add(step.absorbed);
      current = withoutTwins(step.fused, reads);
    }
    replaced.set(node, current);
    producers.set(current.outputs[0], current);
  }
  const nodes = graph.nodes.map((node) => replaced.get(node) ?? node).filter((node) => !gone.has(node));
  return { ...graph, nodes };
};

/** Reads each operand once: `x * sigmoid(x)` has one operand, not two. */
function withoutTwins(node: Pointwise, reads: Map<ValueId, number>): Pointwise {
  const merged = mergeOperands(node.inputs, node.attrs.maps, node.attrs.expr);
  for (const id of node.inputs) reads.set(id, reads.get(id)! - 1);
  for (const id of merged.inputs) reads.set(id, reads.get(id)! + 1);
  const { inputs, maps, expr } = merged;
  return makeNode<PointwiseAttrs>('Pointwise', inputs, { expr, maps }, node.outputs[0]) as Pointwise;
}

function absorbOne(
  graph: Graph,
  consumer: Pointwise,
  producers: ReadonlyMap<ValueId, GraphNode>,
  reads: ReadonlyMap<ValueId, number>,
): { absorbed: GraphNode; fused: Pointwise } | null {
  for (const [slot, id] of consumer.inputs.entries()) {
    const producer = producers.get(id);
    // Once only: a value that two readers need would be computed twice.
    if (!isPointwise(producer) || reads.get(id) !== 1) continue;
    const fused = fuse(graph, producer, consumer, slot);
    if (fused) return { absorbed: producer, fused };
  }
  return null;
}

function fuse(graph: Graph, producer: Pointwise, consumer: Pointwise, slot: number): Pointwise | null {
  const map = consumer.attrs.maps[slot];
  const [from, to] = [graph.values[producer.outputs[0]].shape, graph.values[consumer.outputs[0]].shape];
  const isResized = map.up[0] !== 1 || map.up[1] !== 1;
  const isBroadcast = !isResized && from.join() !== to.join();
  // Computing it again for every reader of an element is worth it only when there is nothing to compute.
  if (isBroadcast || (isResized && producer.attrs.expr.steps.length > 0)) return null;
  const inputs = [...producer.inputs, ...consumer.inputs.filter((_, i) => i !== slot)];
  if (new Set(inputs).size > MAX_OPERANDS) return null;
  const maps = [
    ...producer.attrs.maps.map((inner) => chainMaps(inner, map)),
    ...consumer.attrs.maps.filter((_, i) => i !== slot),
  ];
  const expr = compose(producer.attrs.expr, consumer.attrs.expr, slot);
  return makeNode<PointwiseAttrs>('Pointwise', inputs, { expr, maps }, consumer.outputs[0]) as Pointwise;
}

function chainMaps(inner: OperandMap, outer: OperandMap): OperandMap {
  return { up: [inner.up[0] * outer.up[0], inner.up[1] * outer.up[1]] };
}
