/** Computes what depends on constants alone: reshaped weights, halves of a gamma, small sums of scalars. */
import { sizeOf, type TypedArray } from '../../ndarray.js';
import * as tf from '../../tf.js';
import { derived } from '../draft.js';
import { evaluate } from '../expr.js';
import type { GraphNode, GraphValue, Pass } from '../graph.js';
import { isPointwise } from '../nodes.js';

/** Constants beyond this many elements stay nodes: they would cost more to upload than to compute. */
const MAX_ELEMENTS = 2 ** 22;

export const foldConstants: Pass = (graph) => {
  const values = [...graph.values];
  const nodes = graph.nodes.filter((node) => {
    const inputs = node.inputs.map((id) => values[id]);
    const outputs = node.outputs.map((id) => values[id]);
    if (inputs.length === 0 || !inputs.every(({ constant }) => constant)) return true;
    if (outputs.some(({ shape, id }) => sizeOf(shape) > MAX_ELEMENTS || graph.outputs.includes(id))) return true;
    const folded = fold(node, inputs, outputs);
    if (!folded) return true;
    for (const [i, constant] of folded.entries()) values[outputs[i].id] = { ...outputs[i], constant };
    return false;
  });
  return nodes.length === graph.nodes.length ? graph : { ...graph, values, nodes };
};

type Elements = readonly GraphValue[];

/** Data of the outputs; null when the operation is not one of those below. */
function fold(node: GraphNode, inputs: Elements, outputs: Elements): TypedArray[] | null {
  const [{ shape, constant }] = inputs as readonly [GraphValue, ...GraphValue[]];
  const sources = inputs.map((input) => input.constant!);
  const once = (i: number, make: () => TypedArray): TypedArray => {
    const key = JSON.stringify([node.op, inputs.map((input) => input.shape), node.attrs, i]);
    return derived(sources, key, make);
  };
  if (isPointwise(node)) {
    if (node.attrs.maps.some(({ up }) => up[0] !== 1 || up[1] !== 1)) return null;
    return [once(0, () => elementwise(node.attrs.expr, inputs, outputs[0].shape))];
  }
  switch (node.op) {
    case 'Reshape':
    case 'ExpandDims':
      return [constant!];
    case 'Transpose': {
      const perm = node.attrs.perm as readonly number[];
      return [
        once(0, () => picked(constant!, shape, outputs[0].shape, (at) => perm.map((_, i) => at[perm.indexOf(i)]))),
      ];
    }
    case 'SplitV': {
      const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
      let start = 0;
      return outputs.map((output, i) => {
        const first = start;
        start += output.shape[axis];
        return once(i, () =>
          picked(constant!, shape, output.shape, (at) => at.map((c, a) => (a === axis ? c + first : c))),
        );
      });
    }
    case 'Slice': {
      const [begin] = tf.slice_util.parseSliceParams(
        { shape: [...shape] } as tf.TensorInfo,
        node.attrs.begin as number[],
        node.attrs.size as number[],
      );
      return [once(0, () => picked(constant!, shape, outputs[0].shape, (at) => at.map((c, a) => c + begin[a])))];
    }
    default:
      return null;
  }
}

/** Each element of the output from the input's element at `source(output's coordinates)`. */
function picked(
  data: TypedArray,
  shape: readonly number[],
  outShape: readonly number[],
  source: (at: readonly number[]) => readonly number[],
): Float32Array {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  const out = new Float32Array(sizeOf(outShape));
  const at = outShape.map(() => 0);
  for (let i = 0; i < out.length; i++) {
    out[i] = Number(data[source(at).reduce((sum, c, axis) => sum + c * strides[axis], 0)]);
    for (let axis = at.length - 1; axis >= 0; axis--) {
      if (++at[axis] < outShape[axis]) break;
      at[axis] = 0;
    }
  }
  return out;
}

/** An expression of operands that are broadcast against each other. */
function elementwise(expr: Parameters<typeof evaluate>[0], inputs: Elements, shape: readonly number[]): Float32Array {
  const spread = inputs.map((input) => {
    const widened = [...shape.slice(input.shape.length).map(() => 1), ...input.shape];
    return picked(input.constant!, widened, shape, (at) => at.map((c, axis) => (widened[axis] === 1 ? 0 : c)));
  });
  return Float32Array.from({ length: sizeOf(shape) }, (_, i) =>
    evaluate(
      expr,
      spread.map((values) => values[i]),
    ),
  );
}
