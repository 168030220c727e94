/**
 * A 1 x 1 convolution of an up-sampled map is the up-sampled convolution of the small one: the same numbers, by pixels that are
 * copies of each other computed once. Worth it where the convolution does not grow what must then be up-sampled.
 */
import { Draft } from '../draft.js';
import { producersOf, readCounts, type GraphNode, type Pass } from '../graph.js';
import { convExtras, isConv, isPointwise, makeNode, SAME, type PointwiseAttrs } from '../nodes.js';

export const commuteUpsampling: Pass = (graph) => {
  const draft = new Draft(graph);
  const producers = producersOf(graph);
  const reads = readCounts(graph);
  const nodes = graph.nodes.flatMap((node): GraphNode[] => {
    const up = producers.get(node.inputs[0]);
    if (!isUpsampling(up) || reads.get(up.outputs[0]) !== 1 || !isPixelwise(draft, node)) return [node];
    const [n, h, w, inner] = draft.shape(up.inputs[0]);
    const outer = draft.shape(node.outputs[0])[3];
    const pixels = up.attrs.maps[0].up[0] * up.attrs.maps[0].up[1];
    // Multiply-adds saved per small pixel, against channels written more.
    if ((pixels - 1) * inner * outer < pixels * Math.max(0, outer - inner)) return [node];
    const small = draft.add([n, h, w, outer]);
    return [
      { ...node, inputs: [up.inputs[0], ...node.inputs.slice(1)], outputs: [small] },
      makeNode<PointwiseAttrs>('Pointwise', [small], up.attrs, node.outputs[0]),
    ];
  });
  return { ...graph, values: draft.values, nodes };
};

function isUpsampling(node: GraphNode | undefined): node is GraphNode & { readonly attrs: PointwiseAttrs } {
  if (!isPointwise(node) || node.inputs.length !== 1 || node.attrs.expr.steps.length > 0) return false;
  const [{ up }] = node.attrs.maps;
  return up[0] * up[1] > SAME.up[0] * SAME.up[1];
}

/** Each pixel by itself, with nothing added that has a size of its own. */
function isPixelwise(draft: Draft, node: GraphNode): boolean {
  if (!isConv(node) || node.attrs.kind !== 'dense' || convExtras(node).length > 0) return false;
  const [kh, kw] = draft.shape(node.inputs[1]);
  const { strides, pad } = node.attrs;
  return [kh, kw, ...strides].every((size) => size === 1) && pad.every((size) => size === 0);
}
