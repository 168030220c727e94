/**
 * Factors and summands per channel after a convolution (batch norm that the model kept, layer scale) go into its weights and bias.
 */
import { sizeOf, type TypedArray } from '../../ndarray.js';
import { derived, Draft } from '../draft.js';
import { producersOf, readCounts, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { convExtras, isConv, isPointwise, makeNode, type ConvAttrs } from '../nodes.js';

type Conv = GraphNode & { readonly attrs: ConvAttrs };

/** Until nothing is left to fold: a scale and a shift are two steps. */
export const foldScales: Pass = (graph) => {
  let current = graph;
  for (let next = foldOne(current); next; next = foldOne(current)) current = next;
  return current;
};

function foldOne(graph: Graph): Graph | null {
  const producers = producersOf(graph);
  const reads = readCounts(graph);
  const draft = new Draft(graph);
  for (const node of graph.nodes) {
    const found = isPointwise(node) ? channelStep(graph, node) : null;
    const conv = found && producers.get(found.value);
    if (!found || !isConv(conv) || reads.get(found.value) !== 1 || !isFoldable(graph, conv)) continue;
    const folded = withStep(draft, conv, found, node.outputs[0]);
    const nodes = graph.nodes.filter((other) => other !== conv).map((other) => (other === node ? folded : other));
    return { ...graph, values: draft.values, nodes };
  }
  return null;
}

/** No epilogue yet, and weights that are known. */
function isFoldable({ values }: Graph, conv: Conv): boolean {
  const known = conv.inputs.slice(1).every((id) => values[id].constant !== undefined);
  return known && conv.attrs.expr.steps.length === 0 && convExtras(conv).length === 0;
}

interface ChannelStep {
  readonly fn: 'add' | 'mul' | 'sub';
  /** What is scaled or shifted. */
  readonly value: ValueId;
  /** One number per channel, or one for all. */
  readonly numbers: TypedArray;
}

/** `value + constant`, `value - constant` or `value * constant`, per channel. */
function channelStep(
  { values }: Graph,
  node: GraphNode & {
    attrs: { expr: { steps: readonly { fn: string; args: readonly number[]; numbers?: readonly number[] }[] } };
  },
): ChannelStep | null {
  const { steps } = node.attrs.expr;
  const [value, other] = node.inputs;
  const { shape } = values[node.outputs[0]];
  if (values[value].constant || values[value].shape.join() !== shape.join()) return null;
  const last = steps.at(-1)!;
  if (!last || (last.fn !== 'add' && last.fn !== 'mul' && last.fn !== 'sub') || last.args[0] !== 0) return null;
  if (node.inputs.length === 1 && steps.length === 2 && steps[0].fn === 'scalar' && last.args[1] === 1) {
    return { fn: last.fn, value, numbers: Float32Array.from(steps[0].numbers!) };
  }
  if (node.inputs.length !== 2 || steps.length !== 1 || last.args[1] !== 1) return null;
  const { constant, shape: otherShape } = values[other];
  const isPerChannel = constant && otherShape.at(-1) === shape[3] && sizeOf(otherShape) === shape[3];
  return isPerChannel ? { fn: last.fn, value, numbers: constant } : null;
}

function withStep(draft: Draft, conv: Conv, { fn, numbers }: ChannelStep, output: ValueId): GraphNode {
  const [x, filterId, biasId] = conv.inputs;
  const filter = draft.values[filterId];
  const bias = conv.attrs.hasBias ? draft.values[biasId].constant! : null;
  const channels = draft.shape(conv.outputs[0])[3];
  const numberOf = (c: number) => Number(numbers[numbers.length === 1 ? 0 : c]);
  const sources = [filter.constant!, numbers, ...(bias ? [bias] : [])];
  const newFilter =
    fn === 'mul'
      ? derived([filter.constant!, numbers], `scaled ${conv.attrs.kind}`, () =>
          // The last axis is the output channel; of a depthwise filter the last but one, and the last is 1.
          Float32Array.from(filter.constant as Float32Array, (weight, i) => weight * numberOf(i % channels)),
        )
      : filter.constant!;
  const newBias = derived(sources, `bias ${fn} ${bias !== null}`, () =>
    Float32Array.from({ length: channels }, (_, c) => {
      const before = bias ? Number(bias[c]) : 0;
      if (fn === 'mul') return before * numberOf(c);
      return fn === 'add' ? before + numberOf(c) : before - numberOf(c);
    }),
  );
  const inputs = [x, draft.add(filter.shape, newFilter), draft.add([channels], newBias)];
  return makeNode<ConvAttrs>(conv.op, inputs, { ...conv.attrs, hasBias: true }, output);
}
