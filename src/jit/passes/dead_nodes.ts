/** Drops nodes whose results nobody reads, copies that copy nothing, and the second of two equal nodes. */
import { substitute } from '../draft.js';
import { readersOf, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { isPointwise } from '../nodes.js';

export const deadNodes: Pass = (graph) => withoutDead(withoutDuplicates(withoutCopies(graph)));

function withoutCopies(graph: Graph): Graph {
  const replaced = new Map<ValueId, ValueId>();
  const inputs = new Set(graph.inputs);
  for (const node of graph.nodes) {
    if (!isPointwise(node) || node.attrs.expr.steps.length > 0) continue;
    const [from, to] = [node.inputs[0], node.outputs[0]];
    // An input that is an output as well needs its copy.
    if (inputs.has(from) && graph.outputs.includes(to)) continue;
    if (graph.values[from].shape.join() === graph.values[to].shape.join()) replaced.set(to, from);
  }
  return replaced.size > 0 ? substitute(graph, replaced) : graph;
}

function withoutDuplicates(graph: Graph): Graph {
  const seen = new Map<string, GraphNode>();
  const replaced = new Map<ValueId, ValueId>();
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((id) => replaced.get(id) ?? id);
    const key = JSON.stringify([node.op, inputs, node.attrs]);
    const twin = seen.get(key);
    if (twin) for (const [i, id] of node.outputs.entries()) replaced.set(id, twin.outputs[i]);
    else {
      seen.set(key, node);
      nodes.push(node);
    }
  }
  return replaced.size > 0 ? substitute({ ...graph, nodes }, replaced) : graph;
}

function withoutDead(graph: Graph): Graph {
  let nodes = graph.nodes;
  for (;;) {
    const readers = readersOf({ ...graph, nodes });
    const alive = nodes.filter((node) => node.outputs.some((id) => readers.has(id)));
    if (alive.length === nodes.length) return { ...graph, nodes };
    nodes = alive;
  }
}
