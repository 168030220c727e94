/** Rewrites tfjs's element-wise kernels, casts and nearest up-sampling as `Pointwise` nodes, so that one rule fuses them all. */
import type { Expr, Step, StepName } from '../expr.js';
import type { Graph, GraphNode, Pass } from '../graph.js';
import { makeNode, SAME, type OperandMap, type PointwiseAttrs } from '../nodes.js';

const UNARY: Readonly<Record<string, StepName>> = {
  Abs: 'abs',
  Elu: 'elu',
  Erf: 'erf',
  Exp: 'exp',
  Expm1: 'expm1',
  Log: 'log',
  Neg: 'neg',
  Relu: 'relu',
  Relu6: 'relu6',
  Rsqrt: 'rsqrt',
  Sigmoid: 'sigmoid',
  Softplus: 'softplus',
  Sqrt: 'sqrt',
  Square: 'square',
  Tanh: 'tanh',
};

const BINARY: Readonly<Record<string, StepName>> = {
  Add: 'add',
  Maximum: 'max',
  Minimum: 'min',
  Multiply: 'mul',
  Pow: 'pow',
  Prelu: 'prelu',
  RealDiv: 'div',
  Sub: 'sub',
};

const IDENTITY: Expr = { operands: 1, steps: [] };

export const toPointwise: Pass = (graph) => ({ ...graph, nodes: graph.nodes.map((node) => rewrite(graph, node)) });

function rewrite(graph: Graph, node: GraphNode): GraphNode {
  const attrs = pointwiseAttrs(graph, node);
  if (!attrs) return node;
  const { inputs, ...rest } = attrs;
  return makeNode<PointwiseAttrs>('Pointwise', inputs, rest, node.outputs[0]);
}

type Rewritten = PointwiseAttrs & { readonly inputs: readonly number[] };

function pointwiseAttrs(graph: Graph, node: GraphNode): Rewritten | null {
  if (graph.values[node.outputs[0]].dtype !== 'float32') return null;
  const unary = unaryStep(node);
  if (unary) return { inputs: node.inputs, expr: { operands: 1, steps: [unary] }, maps: [SAME] };
  if (node.op in BINARY) return binary(graph, node, BINARY[node.op]);
  if (node.op === 'SquaredDifference') {
    const { inputs, expr, maps } = binary(graph, node, 'sub');
    const last = expr.operands + expr.steps.length - 1;
    return { inputs, maps, expr: { ...expr, steps: [...expr.steps, { fn: 'square', args: [last] }] } };
  }
  // Whole numbers are float32 on the GPU as well.
  if (node.op === 'Identity' || node.op === 'Cast') {
    return { inputs: node.inputs, expr: IDENTITY, maps: [SAME] };
  }
  return node.op === 'ResizeNearestNeighbor' ? upsampling(graph, node) : null;
}

function unaryStep({ op, attrs }: GraphNode): Step | null {
  if (op in UNARY) return { fn: UNARY[op], args: [0] };
  switch (op) {
    case 'ClipByValue':
      return { fn: 'clamp', args: [0], numbers: [attrs.clipValueMin as number, attrs.clipValueMax as number] };
    case 'LeakyRelu':
      return { fn: 'leakyRelu', args: [0], numbers: [attrs.alpha as number] };
    case 'Step':
      return { fn: 'step', args: [0], numbers: [attrs.alpha as number] };
    default:
      return null;
  }
}

/** Scalars become numbers of the expression. */
function binary(graph: Graph, { inputs }: GraphNode, fn: StepName): Rewritten {
  const scalars = inputs.map((id) => {
    const { constant } = graph.values[id];
    return constant?.length === 1 ? Number(constant[0]) : null;
  });
  const kept = inputs.filter((_, i) => scalars[i] === null);
  // Two constants: nothing left to index, so the first stays an operand.
  if (kept.length === 0) return { inputs, expr: { operands: 2, steps: [{ fn, args: [0, 1] }] }, maps: [SAME, SAME] };
  const at = scalars.findIndex((value) => value !== null);
  if (at < 0) return { inputs, expr: { operands: 2, steps: [{ fn, args: [0, 1] }] }, maps: [SAME, SAME] };
  const scalar: Step = { fn: 'scalar', args: [], numbers: [scalars[at]!] };
  return {
    inputs: kept,
    expr: { operands: 1, steps: [scalar, { fn, args: at === 0 ? [1, 0] : [0, 1] }] },
    maps: [SAME],
  };
}

/** By whole factors only; the rest stays a resize. */
function upsampling(graph: Graph, { inputs, outputs, attrs }: GraphNode): Rewritten | null {
  const [, h, w] = graph.values[inputs[0]].shape;
  const [, outH, outW] = graph.values[outputs[0]].shape;
  if (attrs.alignCorners || attrs.halfPixelCenters || outH % h !== 0 || outW % w !== 0) return null;
  const map: OperandMap = { up: [outH / h, outW / w] };
  return { inputs, expr: IDENTITY, maps: [map] };
}
