/** Rewrites tfjs's four convolution kernels as one `Conv` node: padding as numbers, bias apart, activation as an expression. */
import type { Expr, Step } from '../expr.js';
import type { Graph, GraphNode, Pass } from '../graph.js';
import { makeNode, type ConvAttrs } from '../nodes.js';
import * as tf from '../../tf.js';

const KINDS: Readonly<Record<string, ConvAttrs['kind']>> = {
  Conv2D: 'dense',
  FusedConv2D: 'dense',
  DepthwiseConv2dNative: 'depthwise',
  FusedDepthwiseConv2D: 'depthwise',
};

export const toConv: Pass = (graph) => ({ ...graph, nodes: graph.nodes.map((node) => rewrite(graph, node)) });

function rewrite(graph: Graph, node: GraphNode): GraphNode {
  const kind = KINDS[node.op];
  if (!kind) return node;
  const { attrs } = node;
  const shapeOf = (id: number) => [...graph.values[id].shape] as [number, number, number, number];
  const info = tf.backend_util.computeConv2DInfo(
    shapeOf(node.inputs[0]),
    shapeOf(node.inputs[1]),
    attrs.strides as [number, number],
    (attrs.dilations ?? 1) as number,
    attrs.pad as number,
    attrs.dimRoundingMode as undefined,
    kind === 'depthwise',
  );
  const hasBias = (attrs.operands as readonly string[]).includes('bias');
  const out: ConvAttrs = {
    kind,
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    pad: [info.padInfo.top, info.padInfo.left],
    hasBias,
    expr: activationExpr(attrs),
    maps: [],
  };
  return makeNode<ConvAttrs>('Conv', node.inputs.slice(0, hasBias ? 3 : 2), out, node.outputs[0]);
}

/** The activation that tfjs fused, as an expression of the result. */
export function activationExpr({ activation: name, leakyreluAlpha }: GraphNode['attrs']): Expr {
  const step = (): Step[] => {
    switch (name ?? 'linear') {
      case 'linear':
        return [];
      case 'leakyrelu':
        return [{ fn: 'leakyRelu', args: [0], numbers: [leakyreluAlpha as number] }];
      case 'relu':
      case 'relu6':
      case 'elu':
      case 'sigmoid':
        return [{ fn: name as 'relu', args: [0] }];
      default:
        throw new RangeError(`toConv: found the activation "${String(name)}"; nn/ fuses relu and relu6 only.`);
    }
  };
  return { operands: 1, steps: step() };
}
