/**
 * Channel gates become one `Squeeze`: the mean of a map (or the means of windows of several maps, as LiteHRNet's cross-resolution
 * weighting takes them), then one or two 1 x 1 convolutions. Each step alone is a dispatch that computes a few hundred numbers.
 */
import { sizeOf } from '../../ndarray.js';
import { producersOf, readersOf, type Graph, type GraphNode, type Pass, type ValueId } from '../graph.js';
import { convExtras, isConv, makeNode, type ConvAttrs, type SqueezeAttrs } from '../nodes.js';
import * as tf from '../../tf.js';

/** One workgroup walks all weights for each pixel, which is slower than convolutions beyond this many. */
const MAX_WEIGHTS = 2 ** 15;
/** ... and the mean of a larger map is better left to many workgroups. */
const MAX_WINDOW = 2 ** 17;
/** Of storage buffers, one is the result, one holds all weights. */
const MAX_PARTS = 6;

type Conv = GraphNode & { readonly attrs: ConvAttrs };

export const fuseSqueeze: Pass = (graph) => {
  const search = { graph, readers: readersOf(graph), producers: producersOf(graph) };
  const gone = new Set<GraphNode>();
  const replaced = new Map<GraphNode, GraphNode>();
  for (const node of graph.nodes) {
    if (!isStage(graph, node) || gone.has(node) || replaced.has(node)) continue;
    const found = squeezeOf(search, node);
    if (!found) continue;
    replaced.set(found.last, found.squeeze);
    for (const each of found.absorbed) gone.add(each);
  }
  return { ...graph, nodes: graph.nodes.filter((node) => !gone.has(node)).map((node) => replaced.get(node) ?? node) };
};

interface Search {
  readonly graph: Graph;
  readonly readers: ReadonlyMap<ValueId, readonly (GraphNode | null)[]>;
  readonly producers: ReadonlyMap<ValueId, GraphNode>;
}

/** A 1 x 1 convolution with constant weights and an epilogue of its own result only. */
function isStage({ values }: Graph, node: GraphNode | null | undefined): node is Conv {
  if (!node || node.op !== 'Conv' || !isConv(node) || node.attrs.kind !== 'dense' || convExtras(node).length > 0)
    return false;
  const { strides, pad, hasBias } = node.attrs;
  const [kh, kw] = values[node.inputs[1]].shape;
  const isPlain = [kh, kw, ...strides].every((size) => size === 1) && pad.every((size) => size === 0);
  return isPlain && node.inputs.slice(1, hasBias ? 3 : 2).every((id) => values[id].constant !== undefined);
}

interface Found {
  readonly squeeze: GraphNode;
  readonly last: GraphNode;
  /** What it replaces, but the last one. */
  readonly absorbed: readonly GraphNode[];
}

function squeezeOf(search: Search, first: Conv): Found | null {
  const { graph, readers } = search;
  const pooled = pooledParts(search, first.inputs[0]);
  if (!pooled) return null;
  const next = readers.get(first.outputs[0]);
  const second = next?.length === 1 && isStage(graph, next[0]) ? next[0] : null;
  const stages = second ? [first, second] : [first];
  const weights = stages.reduce((sum, { inputs }) => sum + sizeOf(graph.values[inputs[1]].shape), 0);
  if (weights > MAX_WEIGHTS) return null;
  const last = stages.at(-1)!;
  const attrs: SqueezeAttrs = {
    windows: pooled.parts.map(({ window }) => window),
    stages: stages.map(({ attrs: { expr, hasBias } }) => ({ expr, hasBias })),
  };
  const inputs = [...pooled.parts.map(({ id }) => id), ...stages.flatMap((stage) => stage.inputs.slice(1))];
  const absorbed = [...pooled.absorbed, ...stages.slice(0, -1)];
  return { squeeze: makeNode('Squeeze', inputs, attrs, last.outputs[0]), last, absorbed };
}

interface Part {
  readonly id: ValueId;
  readonly window: readonly [h: number, w: number];
}

/** Where the convolution's input comes from, if from means of windows; a map of one pixel is its own mean. */
function pooledParts(search: Search, id: ValueId): { parts: Part[]; absorbed: GraphNode[] } | null {
  const { graph, producers, readers } = search;
  const [, h, w] = graph.values[id].shape;
  const producer = producers.get(id);
  const isOnce = readers.get(id)?.length === 1;
  if (producer?.op === 'Concat' && isOnce && Number(producer.attrs.axis) === 3 && producer.inputs.length <= MAX_PARTS) {
    const found = producer.inputs.map((part) => partOf(search, part));
    if (found.every(({ pool }) => !pool)) return null;
    const pools = found.flatMap(({ pool }) => (pool ? [pool] : []));
    return { parts: found.map(({ part }) => part), absorbed: [producer, ...pools] };
  }
  const { part, pool } = partOf(search, id);
  if (!pool && h * w > 1) return null;
  return { parts: [part], absorbed: pool ? [pool] : [] };
}

function partOf({ graph, producers, readers }: Search, id: ValueId): { part: Part; pool: GraphNode | null } {
  const producer = producers.get(id);
  const window = producer && readers.get(id)?.length === 1 ? windowOf(graph, producer) : null;
  return window
    ? { part: { id: producer!.inputs[0], window }, pool: producer! }
    : { part: { id, window: [1, 1] }, pool: null };
}

/** The window of a mean over windows that tile the map. */
function windowOf({ values }: Graph, { op, attrs, inputs, outputs }: GraphNode): Part['window'] | null {
  const [input, output] = [values[inputs[0]].shape, values[outputs[0]].shape];
  if (input.length !== 4 || output.length !== 4) return null;
  const [, h, w, c] = input;
  if (h * w * c > MAX_WINDOW) return null;
  if (op === 'Mean') {
    return tf.util.parseAxisParam(attrs.axis as number[], [...input]).join() === '1,2' ? [h, w] : null;
  }
  const [fh, fw] = [attrs.filterSize, attrs.filterSize].map((size, i) => [size].flat(2)[i] ?? size) as number[];
  const tiles =
    op === 'AvgPool' &&
    String(attrs.filterSize) === String(attrs.strides) &&
    (attrs.pad === 'valid' || attrs.pad === 0);
  return tiles && output[1] * fh === h && output[2] * fw === w ? [fh, fw] : null;
}
