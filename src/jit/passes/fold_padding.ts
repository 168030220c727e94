/** Zeros around a map that a convolution or an average reads become the reader's own padding. */
import { producersOf, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { isConv, type ConvAttrs } from '../nodes.js';

type Paddings = readonly (readonly [before: number, after: number])[];

export const foldPadding: Pass = (graph) => {
  const producers = producersOf(graph);
  return { ...graph, nodes: graph.nodes.map((node) => folded(graph, node, producers.get(node.inputs[0])) ?? node) };
};

function folded({ values }: Graph, node: GraphNode, pad: GraphNode | undefined): GraphNode | null {
  const paddings = pad?.op === 'PadV2' ? zeroPaddings(pad, values[pad.outputs[0]].shape.length) : null;
  if (!pad || !paddings) return null;
  const inputs: ValueId[] = [pad.inputs[0], ...node.inputs.slice(1)];
  if (isConv(node)) {
    const [top, left] = node.attrs.pad;
    const attrs: ConvAttrs = { ...node.attrs, pad: [top + paddings[1][0], left + paddings[2][0]] };
    return { ...node, inputs, attrs: attrs as unknown as GraphNode['attrs'] };
  }
  // A maximum would see the zeros, and must not lose them; an average counts them.
  const isUnpadded = node.attrs.pad === 'valid' || node.attrs.pad === 0;
  if (node.op !== 'AvgPool' || !isUnpadded || node.attrs.dimRoundingMode) return null;
  return { ...node, inputs, attrs: { ...node.attrs, pad: paddings, countsPadding: true } };
}

/** Zeros around rows and columns only. */
function zeroPaddings({ attrs }: GraphNode, rank: number): Paddings | null {
  const paddings = attrs.paddings as Paddings;
  const isInner = (axis: number) => paddings[axis][0] === 0 && paddings[axis][1] === 0;
  return rank === 4 && Number(attrs.constantValue ?? 0) === 0 && isInner(0) && isInner(3) ? paddings : null;
}
