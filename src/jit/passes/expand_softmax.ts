/** Softmax as what it is made of: maximum, exponential, sum, quotient. `fuse_rows.ts` makes one node of it, with its surroundings. */
import { Draft } from '../draft.js';
import type { Expr } from '../expr.js';
import type { GraphNode, Pass, ValueId } from '../graph.js';
import { makeNode, SAME, type PointwiseAttrs } from '../nodes.js';

const EXP_OF_DIFFERENCE: Expr = {
  operands: 2,
  steps: [
    { fn: 'sub', args: [0, 1] },
    { fn: 'exp', args: [2] },
  ],
};
const QUOTIENT: Expr = { operands: 2, steps: [{ fn: 'div', args: [0, 1] }] };

export const expandSoftmax: Pass = (graph) => {
  if (!graph.nodes.some(({ op }) => op === 'Softmax')) return graph;
  const draft = new Draft(graph);
  const nodes = graph.nodes.flatMap((node) => (node.op === 'Softmax' ? expanded(draft, node) : [node]));
  return { ...graph, values: draft.values, nodes };
};

/** tfjs's softmax is always over the last axis. */
function expanded(draft: Draft, { inputs: [x], outputs: [y] }: GraphNode): GraphNode[] {
  const shape = draft.shape(x);
  const row = [...shape.slice(0, -1), 1];
  const attrs = { axis: [shape.length - 1], keepDims: true };
  const [max, exp, sum] = [draft.add(row), draft.add(shape), draft.add(row)];
  const pointwise = (expr: Expr, inputs: readonly ValueId[], output: ValueId) =>
    makeNode<PointwiseAttrs>('Pointwise', inputs, { expr, maps: [SAME, SAME] }, output);
  return [
    { op: 'Max', inputs: [x], attrs, outputs: [max] },
    pointwise(EXP_OF_DIFFERENCE, [x, max], exp),
    { op: 'Sum', inputs: [exp], attrs, outputs: [sum] },
    pointwise(QUOTIENT, [exp, sum], y),
  ];
}
