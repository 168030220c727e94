/** Two parts of a split put together the other way round are one move: a rolled map, as windows that are shifted have it. */
import * as tf from '../../tf.js';
import { producersOf, type Graph, type GraphNode, type Pass } from '../graph.js';
import { makeNode, type RollAttrs } from '../nodes.js';

export const toRoll: Pass = (graph) => {
  const producers = producersOf(graph);
  return { ...graph, nodes: graph.nodes.map((node) => rolled(graph, node, producers.get(node.inputs[0])) ?? node) };
};

function rolled({ values }: Graph, node: GraphNode, split: GraphNode | undefined): GraphNode | null {
  if (node.op !== 'Concat' || split?.op !== 'SplitV') return null;
  if (node.inputs.join() !== split.outputs.toReversed().join() || split.outputs.length !== 2) return null;
  const [x] = split.inputs;
  const { shape } = values[x];
  const axisOf = (each: GraphNode) => tf.util.parseAxisParam(each.attrs.axis as number, [...shape])[0];
  const axis = axisOf(node);
  // Parts along channels are views, which cost nothing.
  if (axis !== axisOf(split) || axis === shape.length - 1) return null;
  const attrs: RollAttrs = { axis, by: values[split.outputs[0]].shape[axis] };
  return makeNode('Roll', [x], attrs, node.outputs[0]);
}
