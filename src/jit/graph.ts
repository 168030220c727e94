/**
 * The recorded network: what `trace.ts` writes, `passes/` rewrite and `plan.ts` compiles. Plain data. Tensors are NHWC, and every
 * shape is known, since a graph is recorded for one batch size.
 */
import type { TypedArray } from '../ndarray.js';

/** Index into `Graph.values`. */
export type ValueId = number;

/** One tensor of the graph: an input, a constant, or the output of exactly one node. */
export interface GraphValue {
  readonly id: ValueId;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  /** Values known at compile time (weights, scalars), row-major. */
  readonly constant?: TypedArray;
}

/** One operation; `op` is tfjs's kernel name, or a fused operation's that a pass has put there. */
export interface GraphNode {
  readonly op: string;
  readonly inputs: readonly ValueId[];
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly outputs: readonly ValueId[];
}

export interface Graph {
  readonly values: readonly GraphValue[];
  /** In an order in which every input is computed before it is used. */
  readonly nodes: readonly GraphNode[];
  readonly inputs: readonly ValueId[];
  readonly outputs: readonly ValueId[];
}

/** A rewrite: gives a new graph with the same inputs, outputs and meaning. */
export type Pass = (graph: Graph) => Graph;

/** Nodes that read each value; a graph output counts as one more reader (`null`). */
export function readersOf(graph: Graph): ReadonlyMap<ValueId, readonly (GraphNode | null)[]> {
  const readers = new Map<ValueId, (GraphNode | null)[]>();
  const add = (id: ValueId, reader: GraphNode | null) => {
    const list = readers.get(id);
    if (list) list.push(reader);
    else readers.set(id, [reader]);
  };
  for (const node of graph.nodes) for (const id of node.inputs) add(id, node);
  for (const id of graph.outputs) add(id, null);
  return readers;
}

/** How often each value is read, by nodes and as an output of the graph. */
export function readCounts(graph: Graph): Map<ValueId, number> {
  return new Map([...readersOf(graph)].map(([id, readers]) => [id, readers.length]));
}

/** The node that computes each value. */
export function producersOf(graph: Graph): ReadonlyMap<ValueId, GraphNode> {
  return new Map(graph.nodes.flatMap((node) => node.outputs.map((id) => [id, node] as const)));
}

/** The graph as text, one line per node: `%5 [1, 64, 48, 32] = FusedConv2D(%3, w[3, 3, 32, 32]) {strides: 1,1}`. */
export function printGraph(graph: Graph): string {
  const shape = (id: ValueId) => `[${graph.values[id].shape.join(', ')}]`;
  const operand = (id: ValueId) => (graph.values[id].constant ? `const${shape(id)}` : `%${id}`);
  const lines = graph.nodes.map((node) => {
    const results = node.outputs.map((id) => `%${id} ${shape(id)}`).join(', ');
    const attrs = Object.entries(node.attrs)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    return `${results} = ${node.op}(${node.inputs.map(operand).join(', ')}) {${attrs.join(', ')}}`;
  });
  const inputs = graph.inputs.map((id) => `%${id} ${shape(id)}`).join(', ');
  return [`inputs ${inputs}`, ...lines, `outputs ${graph.outputs.map((id) => `%${id}`).join(', ')}`].join('\n');
}
