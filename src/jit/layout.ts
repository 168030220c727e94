/**
 * Decides where every value lies. Reshapes, splits and slices along channels become views of their input, and the parts of a
 * concatenation are written where the whole will be, so none of them costs a copy.
 */
import * as tf from '../tf.js';
import { producersOf, type Graph, type GraphNode, type ValueId } from './graph.js';
import { channels, isContiguous, type View } from './view.js';

export type Layout = ReadonlyMap<ValueId, View>;

/** Views of all values, and which nodes are views only and need no program. */
export function layout(graph: Graph): { readonly views: Layout; readonly free: ReadonlySet<GraphNode> } {
  const places = placeInConcats(graph);
  const own = ownStorage(graph);
  const views = new Map<ValueId, View>();
  const free = new Set<GraphNode>();
  for (const value of graph.values)
    if (value.constant || graph.inputs.includes(value.id)) views.set(value.id, own(value.id));
  for (const node of graph.nodes) {
    const aliases = readable(graph, node, aliasesOf(graph, node, views));
    for (const [i, id] of node.outputs.entries()) {
      views.set(id, aliases?.[i] ?? placed(own, node, id, places, views) ?? own(id));
    }
    if (aliases) free.add(node);
  }
  return { views, free };
}

/** Outputs of the graph are read back as they lie, so a window onto something wider is none. */
function readable(graph: Graph, node: GraphNode, aliases: View[] | null): View[] | null {
  const isFine = (view: View, i: number) => isContiguous(view) || !graph.outputs.includes(node.outputs[i]);
  return aliases?.every(isFine) ? aliases : null;
}

/** A storage of its own for a value. One that is computed from constants alone is the same for all pictures, as they are. */
type Own = (id: ValueId) => View;

function ownStorage(graph: Graph): Own {
  const ofPictures = reachedByInputs(graph);
  return (id) => {
    const { shape } = graph.values[id];
    const batched = shape.length === 4 && (shape[0] > 1 || ofPictures.has(id));
    return { storage: id, shape, offset: 0, rowStride: shape.at(-1) ?? 1, batched };
  };
}

function reachedByInputs(graph: Graph): ReadonlySet<ValueId> {
  const reached = new Set(graph.inputs);
  for (const node of graph.nodes)
    if (node.inputs.some((id) => reached.has(id))) for (const id of node.outputs) reached.add(id);
  return reached;
}

/** Views of the input that say what the node says; null when elements really move. */
function aliasesOf(graph: Graph, node: GraphNode, views: ReadonlyMap<ValueId, View>): View[] | null {
  const input = views.get(node.inputs[0]);
  // A view of a constant would need the constant's storage at an offset: such nodes are rare and cheap.
  if (!input || graph.values[node.inputs[0]].constant) return null;
  switch (node.op) {
    case 'Reshape':
    case 'ExpandDims':
      return reshaped(input, graph.values[node.outputs[0]].shape);
    case 'SplitV':
      return parts(graph, input, node, tf.util.parseAxisParam(node.attrs.axis as number, [...input.shape])[0]);
    case 'Slice':
      return sliced(graph, input, node);
    default:
      return null;
  }
}

/** A window onto something wider keeps its rows, so only what is in front of them may change its shape. */
function reshaped(input: View, shape: readonly number[]): View[] | null {
  const keepsRows = shape.at(-1) === channels(input) && shape.length <= 4;
  if (!isContiguous(input) && !keepsRows) return null;
  const batched = shape.length === 4 && (input.batched || shape[0] > 1);
  const rowStride = isContiguous(input) ? (shape.at(-1) ?? 1) : input.rowStride;
  return [{ ...input, shape, rowStride, batched }];
}

/** Parts along channels, or along the first axis of a contiguous value. */
function parts(graph: Graph, input: View, node: GraphNode, axis: number): View[] | null {
  const unit = stepAlong(input, axis);
  if (unit === null) return null;
  let start = 0;
  return node.outputs.map((id) => {
    const { shape } = graph.values[id];
    const view = { ...input, shape, offset: input.offset + start * unit };
    start += shape[axis];
    return view;
  });
}

/** Elements per step along an axis along which a part keeps the row stride; null for other axes. */
function stepAlong(input: View, axis: number): number | null {
  if (axis === input.shape.length - 1) return 1;
  if (axis > 0) return null;
  return input.shape.slice(1, -1).reduce((a, b) => a * b, 1) * input.rowStride;
}

function sliced(graph: Graph, input: View, node: GraphNode): View[] | null {
  const { shape } = graph.values[node.outputs[0]];
  const [begin] = tf.slice_util.parseSliceParams(
    { shape: [...input.shape] } as tf.TensorInfo,
    node.attrs.begin as number[],
    node.attrs.size as number[],
  );
  const cut = input.shape.flatMap((size, axis) => (shape[axis] === size ? [] : [axis]));
  if (cut.length !== 1) return null;
  const unit = stepAlong(input, cut[0]);
  return unit === null ? null : [{ ...input, shape, offset: input.offset + begin[cut[0]] * unit }];
}

interface Place {
  readonly whole: ValueId;
  /** Elements from the start of the whole. */
  readonly offset: number;
}

/** Which values are written as parts of a concatenation: those that a node computes, and that belong to one only. */
function placeInConcats(graph: Graph): ReadonlyMap<ValueId, Place> {
  const producers = producersOf(graph);
  const places = new Map<ValueId, Place>();
  for (const node of graph.nodes) {
    if (node.op !== 'Concat') continue;
    const { shape } = graph.values[node.outputs[0]];
    const axis = tf.util.parseAxisParam(node.attrs.axis as number, [...shape])[0];
    if (axis !== shape.length - 1 && axis !== 0) continue;
    const sizes = node.inputs.map((id) => graph.values[id].shape[axis]);
    const unit = axis === 0 ? shape.slice(1).reduce((a, b) => a * b, 1) : 1;
    // Parts that start between multiples of four would be written one by one.
    const aligned = sizes.every((size) => (size * unit) % 4 === 0);
    let offset = 0;
    for (const [i, id] of node.inputs.entries()) {
      const isOnce = node.inputs.indexOf(id) === node.inputs.lastIndexOf(id);
      // One that several other parts are made from is copied, so that those can be written in place: RTMPose's pyramid of maxima.
      const others = node.inputs.filter((other) => producers.get(other)?.inputs.includes(id)).length;
      if (aligned && isOnce && others < 2 && producers.has(id) && !places.has(id) && !graph.outputs.includes(id))
        places.set(id, { whole: node.outputs[0], offset });
      offset += sizes[i] * unit;
    }
  }
  return places;
}

/** The place inside the outermost concatenation. */
function placed(
  own: Own,
  node: GraphNode,
  id: ValueId,
  places: ReadonlyMap<ValueId, Place>,
  views: ReadonlyMap<ValueId, View>,
): View | null {
  const place = places.get(id);
  if (!place) return null;
  const outer = placed(own, node, place.whole, places, views) ?? own(place.whole);
  const self = own(id);
  const alongRows = outer.shape.at(-1) === self.shape.at(-1) && outer.shape[0] !== self.shape[0];
  const view = { ...self, storage: outer.storage, offset: outer.offset + place.offset, rowStride: outer.rowStride };
  // Rows of a part inside a part along channels would need two strides.
  if (alongRows && outer.rowStride !== outer.shape.at(-1)) return null;
  // WebGPU does not let a shader read and write the same storage through two bindings.
  const readsIt = node.inputs.some((input) => views.get(input)?.storage === outer.storage);
  return readsIt ? null : view;
}
