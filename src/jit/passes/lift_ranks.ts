/**
 * Brings rows to maps: element-wise nodes and products with weights on [n, rows, c] become nodes on [n, 1, rows, c], a linear layer
 * a 1 x 1 convolution. Then one rule fuses them all, and the reshapes around them are views that cost nothing.
 */
import { derived, Draft } from '../draft.js';
import type { Expr } from '../expr.js';
import { producersOf, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { isPointwise, makeNode, type ConvAttrs } from '../nodes.js';
import * as tf from '../../tf.js';
import { activationExpr } from './to_conv.js';

export const liftRanks: Pass = (graph) => {
  const draft = new Draft(graph);
  const producers = producersOf(graph);
  const nodes: GraphNode[] = [];
  for (const node of graph.nodes) {
    if (
      liftPointwise(draft, node, nodes) ||
      liftReduction(draft, node, nodes) ||
      liftMatMul(draft, node, producers, nodes)
    )
      continue;
    nodes.push(node);
  }
  return { ...graph, values: draft.values, nodes };
};

const REDUCTIONS: ReadonlySet<string> = new Set(['Sum', 'Mean', 'Max', 'Min', 'Prod']);

type Map4 = readonly [n: number, h: number, w: number, c: number];

function liftShape(shape: readonly number[]): Map4 | null {
  return shape.length === 3 ? [shape[0], 1, shape[1], shape[2]] : null;
}

function liftPointwise(draft: Draft, node: GraphNode, nodes: GraphNode[]): boolean {
  if (!isPointwise(node)) return false;
  const [output] = node.outputs;
  const lifted = liftShape(draft.shape(output));
  if (!lifted) return false;
  const inputs = node.inputs.map((id) => liftOperand(draft, id, nodes));
  const inner = draft.add(lifted);
  nodes.push(makeNode('Pointwise', inputs, node.attrs, inner));
  lower(inner, output, draft, nodes);
  return true;
}

/** Operands of lower rank are aligned at the last axis: `[rows, c]` needs a place for the batch. */
function liftOperand(draft: Draft, id: ValueId, nodes: GraphNode[]): ValueId {
  const shape = draft.shape(id);
  if (shape.length === 3) return draft.reshape(id, liftShape(shape)!, nodes);
  return shape.length === 2 ? draft.reshape(id, [1, 1, ...shape], nodes) : id;
}

/** A reduction over each row that keeps its place. */
function liftReduction(draft: Draft, node: GraphNode, nodes: GraphNode[]): boolean {
  const shape = draft.shape(node.inputs[0]);
  const lifted = liftShape(shape);
  if (!lifted || !REDUCTIONS.has(node.op) || !node.attrs.keepDims) return false;
  if (tf.util.parseAxisParam(node.attrs.axis as number[], [...shape]).join() !== '2') return false;
  const inner = draft.add([...lifted.slice(0, 3), 1]);
  const x = draft.reshape(node.inputs[0], lifted, nodes);
  nodes.push({ op: node.op, inputs: [x], attrs: { axis: [3], keepDims: true }, outputs: [inner] });
  lower(inner, node.outputs[0], draft, nodes);
  return true;
}

/** Gives the result its own name and rank again. */
function lower(inner: ValueId, output: ValueId, draft: Draft, nodes: GraphNode[]): void {
  nodes.push({ op: 'Reshape', inputs: [inner], attrs: { shape: [...draft.shape(output)] }, outputs: [output] });
}

/**
 * The rows of a product as a map. tfjs has made one long list of them; what was reshaped for it still tells the batch, which a
 * network for more persons must find in its place.
 */
function rowsAsMap(draft: Draft, rows: ValueId, producer: GraphNode | undefined): { id: ValueId; shape: Map4 } | null {
  const shape = draft.shape(rows);
  if (producer?.op === 'Reshape' && shape.length === 3 && shape[0] === 1) {
    const [id] = producer.inputs;
    const before = draft.shape(id);
    if (before.at(-1) === shape[2]) {
      if (before.length === 4) return { id, shape: before as unknown as Map4 };
      if (before.length === 3) return { id, shape: liftShape(before)! };
      if (before.length === 2) return { id, shape: [before[0], 1, 1, before[1]] };
    }
  }
  const lifted = liftShape(shape);
  return lifted && { id: rows, shape: lifted };
}

/** A product with constant weights, and their bias and activation. */
function liftMatMul(
  draft: Draft,
  node: GraphNode,
  producers: ReadonlyMap<ValueId, GraphNode>,
  nodes: GraphNode[],
): boolean {
  if (node.op !== '_FusedMatMul' && node.op !== 'BatchMatMul') return false;
  const [a, b] = node.inputs;
  const { transposeA, transposeB, activation, operands } = node.attrs;
  const weights = draft.values[b];
  const map = rowsAsMap(draft, a, producers.get(a));
  const rest = (operands as readonly string[]).slice(2);
  const bias = rest[0] === 'bias' ? node.inputs[2] : null;
  if (!map || transposeA || !weights.constant || rest.length > (bias === null ? 0 : 1)) return false;
  if (weights.shape.slice(0, -2).some((size) => size !== 1)) return false;
  if (bias !== null && (!draft.values[bias].constant || draft.shape(bias).length !== 1)) return false;
  const [output] = node.outputs;
  const [inner, outer] = [map.shape[3], draft.shape(output)[2]];
  if (bias !== null && draft.shape(bias)[0] !== outer) return false;
  const filter = transposeB
    ? derived([weights.constant], `transposed ${inner}x${outer}`, () =>
        Float32Array.from({ length: inner * outer }, (_, i) =>
          Number(weights.constant![(i % outer) * inner + Math.floor(i / outer)]),
        ),
      )
    : weights.constant;
  const x = draft.reshape(map.id, map.shape, nodes);
  const result = draft.add([...map.shape.slice(0, 3), outer]);
  const inputs = [x, draft.add([1, 1, inner, outer], filter), ...(bias === null ? [] : [bias])];
  const expr: Expr = activationExpr({ ...node.attrs, activation });
  const attrs: ConvAttrs = {
    ...{ kind: 'dense', strides: [1, 1], dilations: [1, 1], pad: [0, 0], maps: [] },
    hasBias: bias !== null,
    expr,
  };
  nodes.push(makeNode('Conv', inputs, attrs, result));
  lower(result, output, draft, nodes);
  return true;
}
