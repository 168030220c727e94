/**
 * A channel shuffle after a concatenation becomes one `Join`, which takes the element-wise work on the parts along: the units of
 * ShuffleNet and LiteHRNet end in it. Elsewhere the parts of a concatenation are written in place and it costs nothing (layout.ts).
 */
import { mergeOperands } from '../expr.js';
import { producersOf, readersOf, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { isPointwise, makeNode, SAME, type JoinAttrs, type JoinPart } from '../nodes.js';
import { MAX_OPERANDS } from './fuse_pointwise.js';

export const fuseJoin: Pass = (graph) => {
  const readers = readersOf(graph);
  const producers = producersOf(graph);
  const gone = new Set<GraphNode>();
  const replaced = new Map<GraphNode, GraphNode>();
  for (const concat of graph.nodes) {
    const shuffle = concat.op === 'Concat' ? shuffleAfter(graph, concat, readers) : null;
    if (!shuffle) continue;
    const { join, absorbed } = joinOf(graph, concat, shuffle, producers, readers);
    replaced.set(shuffle.nodes[2], join);
    for (const node of [concat, shuffle.nodes[0], shuffle.nodes[1], ...absorbed]) gone.add(node);
  }
  return { ...graph, nodes: graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node) };
};

interface Shuffle {
  readonly nodes: readonly [split: GraphNode, turn: GraphNode, merge: GraphNode];
  readonly groups: number;
}

type Readers = ReadonlyMap<ValueId, readonly (GraphNode | null)[]>;

/** Reshape to [..., groups, channels / groups], a turn of the last two axes, and reshape back; nothing else reads between. */
function shuffleAfter({ values }: Graph, concat: GraphNode, readers: Readers): Shuffle | null {
  const { shape } = values[concat.outputs[0]];
  const axis = Number(concat.attrs.axis);
  if (shape.length !== 4 || (axis !== 3 && axis !== -1)) return null;
  const only = (node: GraphNode | null, op: string) => {
    const next = node && readers.get(node.outputs[0]);
    return next?.length === 1 && next[0]?.op === op ? next[0] : null;
  };
  const split = only(concat, 'Reshape');
  const turn = only(split, 'Transpose');
  const merge = only(turn, 'Reshape');
  if (!split || !turn || !merge || values[merge.outputs[0]].shape.join() !== shape.join()) return null;
  const grouped = values[split.outputs[0]].shape;
  const [groups, each] = grouped.slice(-2);
  const last = grouped.length - 1;
  const perm = grouped.map((_, i) => (i === last ? last - 1 : i === last - 1 ? last : i));
  if (groups * each !== shape[3] || String(turn.attrs.perm) !== String(perm)) return null;
  return { nodes: [split, turn, merge], groups };
}

function joinOf(
  { values }: Graph,
  concat: GraphNode,
  { nodes, groups }: Shuffle,
  producers: ReadonlyMap<ValueId, GraphNode>,
  readers: Readers,
): { join: GraphNode; absorbed: GraphNode[] } {
  const inputs: ValueId[] = [];
  const parts: JoinPart[] = [];
  const absorbed: GraphNode[] = [];
  for (const [i, id] of concat.inputs.entries()) {
    const producer = producers.get(id);
    const rest = concat.inputs.length - i - 1;
    const fits = isPointwise(producer) && inputs.length + producer.inputs.length + rest <= MAX_OPERANDS;
    const channels = values[id].shape[3];
    if (fits && readers.get(id)?.length === 1) {
      const merged = mergeOperands(producer.inputs, producer.attrs.maps, producer.attrs.expr);
      parts.push({ expr: merged.expr, maps: merged.maps, channels });
      inputs.push(...merged.inputs);
      absorbed.push(producer);
    } else {
      parts.push({ expr: { operands: 1, steps: [] }, maps: [SAME], channels });
      inputs.push(id);
    }
  }
  const attrs: JoinAttrs = { parts, groups };
  return { join: makeNode('Join', inputs, attrs, nodes[2].outputs[0]), absorbed };
}
