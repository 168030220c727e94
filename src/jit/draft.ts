/** A graph while a pass rewrites it: new values, and constants made from constants. */
import type { TypedArray } from '../ndarray.js';
import type { Graph, GraphNode, GraphValue, ValueId } from './graph.js';
import { constantKey } from './constant_key.js';

/** Values of a graph, with room for more. */
export class Draft {
  readonly values: GraphValue[];

  constructor({ values }: Graph) {
    this.values = [...values];
  }

  /** A new value of float32, computed by a node or constant. */
  add(shape: readonly number[], constant?: TypedArray): ValueId {
    const id = this.values.length;
    this.values.push({ id, shape, dtype: 'float32', ...(constant && { constant }) });
    return id;
  }

  shape(id: ValueId): readonly number[] {
    return this.values[id].shape;
  }

  /** The value in another shape: itself, the same constant again, or the output of a node that is added to `nodes`. */
  reshape(id: ValueId, shape: readonly number[], nodes: GraphNode[]): ValueId {
    const { constant, shape: found } = this.values[id];
    if (found.join() === shape.join()) return id;
    const output = this.add(shape, constant);
    if (!constant) nodes.push({ op: 'Reshape', inputs: [id], attrs: { shape: [...shape] }, outputs: [output] });
    return output;
  }
}

const made = new WeakMap<TypedArray, Map<string, TypedArray>>();

/**
 * Data made from constants, once per source: the graphs of all batch sizes hold the same weights, and what is made from them is
 * uploaded once as well. Lives as long as the first source.
 *
 * @param key - names what is made, all parameters included
 */
export function derived(sources: readonly TypedArray[], key: string, make: () => TypedArray): TypedArray {
  const known = made.get(sources[0]) ?? new Map<string, TypedArray>();
  made.set(sources[0], known);
  const whole = [key, ...sources.slice(1).map(constantKey)].join(' | ');
  const found = known.get(whole) ?? make();
  known.set(whole, found);
  return found;
}

/** Replaces values by others everywhere. */
export function substitute(graph: Graph, replaced: ReadonlyMap<ValueId, ValueId>): Graph {
  if (replaced.size === 0) return graph;
  const follow = (id: ValueId): ValueId => {
    const next = replaced.get(id);
    return next === undefined ? id : follow(next);
  };
  const nodes = graph.nodes.map((node) => ({ ...node, inputs: node.inputs.map(follow) }));
  return { ...graph, nodes, outputs: graph.outputs.map(follow) };
}
