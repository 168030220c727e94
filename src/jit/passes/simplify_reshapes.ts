/** Reshapes of reshapes become one, and those that change nothing go away. */
import { substitute } from '../draft.js';
import type { GraphNode, Pass, ValueId } from '../graph.js';

export const simplifyReshapes: Pass = (graph) => {
  const sources = new Map<ValueId, ValueId>();
  const replaced = new Map<ValueId, ValueId>();
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    if (node.op !== 'Reshape' && node.op !== 'ExpandDims') {
      nodes.push(node);
      continue;
    }
    const [output] = node.outputs;
    const { shape } = graph.values[output];
    const input = replaced.get(node.inputs[0]) ?? node.inputs[0];
    const source = sources.get(input) ?? input;
    // An output of the graph must be computed under its own name.
    if (graph.values[source].shape.join() === shape.join() && !graph.outputs.includes(output)) {
      replaced.set(output, source);
      continue;
    }
    sources.set(output, source);
    nodes.push({ op: 'Reshape', inputs: [source], attrs: { shape: [...shape] }, outputs: [output] });
  }
  return substitute({ ...graph, nodes }, replaced);
};
