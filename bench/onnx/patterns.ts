/**
 * Groups of tfjs kernels that stand for one operation of PyTorch, found in a traced graph, so that the exported network has the
 * nodes that PyTorch's own exporter would write.
 */
import { producersOf, readersOf, type Graph, type GraphNode, type ValueId } from '../../src/jit/graph.js';

/** One operation in place of several kernels. */
export type Pattern =
  | { readonly kind: 'ConvTranspose'; readonly conv: GraphNode; readonly slice: GraphNode; readonly stride: number }
  | { readonly kind: 'ChannelShuffle'; readonly from: ValueId; readonly groups: number }
  | { readonly kind: 'HardSigmoid'; readonly from: ValueId };

export interface Patterns {
  /** By the node that gives the operation's result. */
  readonly last: ReadonlyMap<GraphNode, Pattern>;
  /** Nodes inside an operation: not to be written. */
  readonly inner: ReadonlySet<GraphNode>;
}

type Match = { readonly pattern: Pattern; readonly inner: readonly GraphNode[] };
type Matcher = (node: GraphNode, graph: Graph, before: (id: ValueId) => GraphNode | null) => Match | null;

export function findPatterns(graph: Graph): Patterns {
  const producers = producersOf(graph);
  const readers = readersOf(graph);
  /** The node that computes a value which nothing else reads. */
  const before = (id: ValueId) => (readers.get(id)?.length === 1 ? (producers.get(id) ?? null) : null);
  const last = new Map<GraphNode, Pattern>();
  const inner = new Set<GraphNode>();
  for (const node of graph.nodes) {
    for (const match of [convTranspose, channelShuffle, hardSigmoid]) {
      const found = match(node, graph, before);
      if (!found) continue;
      last.set(node, found.pattern);
      for (const member of found.inner) inner.add(member);
    }
  }
  return { last, inner };
}

/** `ConvTranspose2d` of nn/conv.ts: all phases as channels, depth to space, crop. */
const convTranspose: Matcher = (slice, _graph, before) => {
  if (slice.op !== 'Slice') return null;
  const toSpace = before(slice.inputs[0]);
  if (toSpace?.op !== 'DepthToSpace') return null;
  const conv = before(toSpace.inputs[0]);
  if (conv?.op !== 'FusedConv2D') return null;
  const stride = toSpace.attrs.blockSize as number;
  return { pattern: { kind: 'ConvTranspose', conv, slice, stride }, inner: [conv, toSpace] };
};

/** [N, H, W, g c] -> [N H W, g, c] -> [N H W, c, g] -> [N, H, W, c g]. */
const channelShuffle: Matcher = (merge, { values }, before) => {
  if (merge.op !== 'Reshape' || values[merge.outputs[0]].shape.length !== 4) return null;
  const turn = before(merge.inputs[0]);
  if (turn?.op !== 'Transpose' || (turn.attrs.perm as readonly number[]).join() !== '0,2,1') return null;
  const split = before(turn.inputs[0]);
  if (split?.op !== 'Reshape') return null;
  const [from] = split.inputs;
  if (values[from].shape.join() !== values[merge.outputs[0]].shape.join()) return null;
  const [pixels, groups] = values[split.outputs[0]].shape;
  const [n, h, w] = values[from].shape;
  if (pixels !== n * h * w) return null;
  return { pattern: { kind: 'ChannelShuffle', from, groups }, inner: [turn, split] };
};

/** relu6(x + 3) / 6. */
const hardSigmoid: Matcher = (scale, { values }, before) => {
  if (scale.op !== 'Multiply' || !isScalar(values[scale.inputs[1]].constant, 1 / 6)) return null;
  const clip = before(scale.inputs[0]);
  if (clip?.op !== 'Relu6') return null;
  const add = before(clip.inputs[0]);
  if (add?.op !== 'Add' || !isScalar(values[add.inputs[1]].constant, 3)) return null;
  return { pattern: { kind: 'HardSigmoid', from: add.inputs[0] }, inner: [clip, add] };
};

function isScalar(constant: ArrayLike<number | bigint> | undefined, value: number): boolean {
  return constant?.length === 1 && Math.fround(Number(constant[0])) === Math.fround(value);
}
