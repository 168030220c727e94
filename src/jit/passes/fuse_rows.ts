/**
 * Normalisations over the last axis become one `Rows` node each: layer norm, scale norm, softmax, and whatever else is a chain of
 * reductions over a row and element-wise work between them. A row stays in one workgroup from its first sum to its last element.
 */
import { producersOf, readersOf, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { isPointwise, makeNode, type RowsAttrs, type RowStep } from '../nodes.js';
import * as tf from '../../tf.js';

/** Operands that are read, beside which there is the result. */
const MAX_INPUTS = 7;

export const fuseRows: Pass = (graph) => {
  const search = { graph, producers: producersOf(graph), readers: readersOf(graph) };
  const gone = new Set<GraphNode>();
  const replaced = new Map<GraphNode, GraphNode>();
  // From the end, so that a group holds all that belongs to it.
  for (const last of [...graph.nodes].reverse()) {
    if (gone.has(last) || !isPointwise(last)) continue;
    const group = groupOf(search, last, gone);
    const fused = group && rowsNode(search, group, last);
    if (!fused) continue;
    replaced.set(last, fused);
    for (const node of group) if (node !== last) gone.add(node);
  }
  return { ...graph, nodes: graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node) };
};

interface Search {
  readonly graph: Graph;
  readonly producers: ReadonlyMap<ValueId, GraphNode>;
  readonly readers: ReadonlyMap<ValueId, readonly (GraphNode | null)[]>;
}

const REDUCTIONS: ReadonlySet<string> = new Set(['Sum', 'Mean', 'Max', 'Min']);

/** A reduction of [n, h, w, c] to [n, h, w, 1]. */
function isRowReduction({ values }: Graph, { op, attrs, inputs, outputs }: GraphNode): boolean {
  const { shape } = values[inputs[0]];
  if (!REDUCTIONS.has(op) || shape.length !== 4 || values[outputs[0]].shape.length !== 4) return false;
  return tf.util.parseAxisParam(attrs.axis as number[], [...shape]).join() === '3';
}

/** Everything before `last` that works on the same rows and that nothing else needs; null without a reduction. */
function groupOf(
  { graph, producers, readers }: Search,
  last: GraphNode,
  gone: ReadonlySet<GraphNode>,
): Set<GraphNode> | null {
  const { values } = graph;
  const rows = values[last.outputs[0]].shape;
  // One loop runs over all rows of a group, so they are equally long.
  const isRows = (id: ValueId) => {
    const { shape } = values[id];
    return shape.length === 4 && shape.slice(0, 3).join() === rows.slice(0, 3).join() && isLong(shape[3]);
  };
  const isLong = (length: number) => length === 1 || length === rows[3];
  if (rows.length !== 4) return null;
  const excluded = new Set<GraphNode>(gone);
  for (;;) {
    const group = new Set<GraphNode>();
    const visit = (node: GraphNode) => {
      group.add(node);
      for (const id of node.inputs) {
        const producer = producers.get(id);
        if (!producer || group.has(producer) || excluded.has(producer) || !isRows(producer.outputs[0])) continue;
        const isPlain = isPointwise(producer) && producer.attrs.maps.every(({ up }) => up[0] === 1 && up[1] === 1);
        if (isPlain || (isRowReduction(graph, producer) && isLong(values[producer.inputs[0]].shape[3])))
          visit(producer);
      }
    };
    visit(last);
    const leaks = [...group].filter(
      (node) => node !== last && readers.get(node.outputs[0])!.some((reader) => !reader || !group.has(reader)),
    );
    if (leaks.length === 0) return [...group].some((node) => REDUCTIONS.has(node.op)) ? group : null;
    for (const node of leaks) excluded.add(node);
  }
}

function rowsNode({ graph, producers }: Search, group: ReadonlySet<GraphNode>, last: GraphNode): GraphNode | null {
  const ordered = graph.nodes.filter((node) => group.has(node));
  const inputs = [...new Set(ordered.flatMap((node) => node.inputs.filter((id) => !group.has(producers.get(id)!))))];
  if (inputs.length > MAX_INPUTS) return null;
  const ids = [...inputs, ...ordered.map((node) => node.outputs[0])];
  const steps = ordered.map((node): RowStep => {
    const args = node.inputs.map((id) => ids.indexOf(id));
    const isRow = graph.values[node.outputs[0]].shape[3] === 1;
    if (isPointwise(node)) return { kind: 'elements', expr: node.attrs.expr, args, isRow };
    return { kind: 'reduction', op: node.op as 'Sum', args, isRow: true };
  });
  // A row of one element would be its own sum: nothing to share.
  const attrs: RowsAttrs = { steps };
  return graph.values[last.outputs[0]].shape[3] === 1 ? null : makeNode('Rows', inputs, attrs, last.outputs[0]);
}
