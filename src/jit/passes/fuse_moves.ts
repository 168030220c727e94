/** Chains of operations that only move elements become one `Move`: a transposed convolution's depth-to-space and crop, a flip. */
import { producersOf, readCounts, type GraphNode, type Pass } from '../graph.js';
import { MAX_INLINE_INDICES, movesOf } from '../kernels/copy.js';
import { MOVE_OPS } from '../kernels/moves.js';
import { makeNode, type MoveAttrs } from '../nodes.js';

export const fuseMoves: Pass = (graph) => {
  const producers = new Map(producersOf(graph));
  const reads = readCounts(graph);
  const gone = new Set<GraphNode>();
  const replaced = new Map<GraphNode, GraphNode>();
  const isMove = (node: GraphNode | undefined): node is GraphNode => {
    if (!node) return false;
    if (node.op !== 'GatherV2') return node.op === 'Move' || MOVE_OPS.includes(node.op);
    const { constant, shape } = graph.values[node.inputs[1]];
    return constant !== undefined && shape.length === 1 && constant.length <= MAX_INLINE_INDICES;
  };
  for (const node of graph.nodes) {
    // A reshape alone is a view; it never starts a chain, and ends none.
    if (!isMove(node) || node.op === 'Reshape') continue;
    let steps = movesOf(graph, node);
    const passed: GraphNode[] = [];
    let [input] = node.inputs;
    for (let from = producers.get(input); isMove(from) && reads.get(input) === 1; from = producers.get(input)) {
      steps = [...movesOf(graph, from), ...steps];
      passed.push(from);
      [input] = from.inputs;
    }
    const first = passed.findLastIndex(({ op }) => op !== 'Reshape');
    if (first < 0) continue;
    // Reshapes in front stay views.
    const kept = passed.slice(0, first + 1);
    const dropped = passed.slice(first + 1).length;
    const attrs: MoveAttrs = { steps: steps.slice(dropped) };
    const fused = makeNode('Move', [kept.at(-1)!.inputs[0]], attrs, node.outputs[0]);
    replaced.set(node, fused);
    producers.set(node.outputs[0], fused);
    for (const each of kept) gone.add(each);
  }
  return { ...graph, nodes: graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node) };
};
