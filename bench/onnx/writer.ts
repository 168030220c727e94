/**
 * A growing ONNX graph over the values of a traced one. Traced tensors are NHWC; here a map is NCHW from its first convolution to
 * the end, and a Transpose is written only where an operation has no form for that.
 */
import type { Graph, GraphNode, ValueId } from '../../src/jit/graph.js';
import { sizeOf, type TypedArray } from '../../src/ndarray.js';
import { transpose } from '../../src/nn/module.js';
import type { Attribute, OnnxGraph, OnnxNode, OnnxTensor } from './proto.js';

/** `first`: the last axis, which holds the channels, comes right after the batch. */
export type Layout = 'plain' | 'first';

interface Written {
  readonly name: string;
  readonly layout: Layout;
}

/** Order of the axes of a channels-first tensor, as axes of the traced one. */
export function channelsFirst(rank: number): number[] {
  return [0, rank - 1, ...Array.from({ length: rank - 2 }, (_, i) => i + 1)];
}

function channelsLast(rank: number): number[] {
  return [0, ...Array.from({ length: rank - 2 }, (_, i) => i + 2), 1];
}

export class OnnxWriter {
  readonly graph: Graph;
  readonly #nodes: OnnxNode[] = [];
  readonly #initializers: OnnxTensor[] = [];
  readonly #written = new Map<ValueId, Written>();
  readonly #constants = new Map<ValueId, TypedArray>();
  #names = 0;

  constructor(graph: Graph) {
    this.graph = graph;
    for (const { id, constant } of graph.values) if (constant) this.#constants.set(id, constant);
    for (const id of graph.inputs) this.#written.set(id, { name: `input${id}`, layout: this.natural(id) });
  }

  shape(id: ValueId): readonly number[] {
    return this.graph.values[id].shape;
  }

  /** Maps are channels first, everything else as it was traced. */
  natural(id: ValueId): Layout {
    return this.shape(id).length === 4 ? 'first' : 'plain';
  }

  constant(id: ValueId): TypedArray | undefined {
    return this.#constants.get(id);
  }

  /** Makes `id` a constant of the export: the operation that computes it has constant operands. */
  setConstant(id: ValueId, data: TypedArray): void {
    this.#constants.set(id, data);
  }

  layoutOf(id: ValueId): Layout {
    return this.#written.get(id)?.layout ?? 'plain';
  }

  /** Writes one node with one new output; gives its name. */
  node(op: string, inputs: readonly string[], attributes: Readonly<Record<string, Attribute>> = {}): string {
    const name = `v${this.#names++}`;
    this.#nodes.push({ op, inputs, outputs: [name], attributes });
    return name;
  }

  /** Writes one node with several outputs, which become the values `ids`. */
  split(
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, Attribute>>,
    ids: readonly ValueId[],
    layout: Layout,
  ): void {
    const outputs = ids.map(() => `v${this.#names++}`);
    this.#nodes.push({ op, inputs, outputs, attributes });
    for (const [i, id] of ids.entries()) this.#written.set(id, { name: outputs[i], layout });
  }

  /** Says which output of the ONNX graph stands for a traced value. */
  define(id: ValueId, name: string, layout: Layout = this.natural(id)): void {
    this.#written.set(id, { name, layout });
  }

  /** `to` is `from` under another number. */
  alias(to: ValueId, from: ValueId): void {
    const constant = this.constant(from);
    if (constant) this.setConstant(to, constant);
    else this.#written.set(to, this.#written.get(from)!);
  }

  floats(data: Float32Array, shape: readonly number[]): string {
    const name = `w${this.#initializers.length}`;
    this.#initializers.push({ name, shape, data });
    return name;
  }

  ints(values: readonly number[]): string {
    const name = `w${this.#initializers.length}`;
    this.#initializers.push({ name, shape: [values.length], data: BigInt64Array.from(values, BigInt) });
    return name;
  }

  /** Name of a value in the layout asked for; constants become initializers. */
  use(id: ValueId, layout: Layout = this.natural(id)): string {
    const constant = this.constant(id);
    const shape = this.shape(id);
    if (constant) {
      const turned = layout === 'plain' ? undefined : channelsFirst(shape.length);
      const { data, shape: out } = transpose(Float32Array.from(constant as Float32Array), shape, turned);
      return this.floats(data, out);
    }
    const found = this.#written.get(id);
    if (!found) throw new Error(`value ${id}: found no node that was written for it`);
    if (found.layout === layout) return found.name;
    const perm = layout === 'first' ? channelsFirst(shape.length) : channelsLast(shape.length);
    return this.node('Transpose', [found.name], { perm });
  }

  /** An operand of an element-wise operation whose result has `rank` axes; sizes are broadcast from the right, in `layout`. */
  operand(id: ValueId, rank: number, layout: Layout): string {
    const constant = this.constant(id);
    if (!constant) {
      if (this.shape(id).length !== rank)
        throw new Error(`value ${id}: found rank ${this.shape(id).length} of ${rank}`);
      return this.use(id, layout);
    }
    const shape = [...new Array<number>(rank - this.shape(id).length).fill(1), ...this.shape(id)];
    if (sizeOf(shape) === 1) return this.floats(Float32Array.from(constant as Float32Array), []);
    const turned = layout === 'plain' ? undefined : channelsFirst(rank);
    const { data, shape: out } = transpose(Float32Array.from(constant as Float32Array), shape, turned);
    return this.floats(data, out);
  }

  finish(): OnnxGraph {
    const port = (id: ValueId, name: string) => {
      const shape = this.shape(id);
      return { name, shape: this.natural(id) === 'first' ? channelsFirst(4).map((axis) => shape[axis]) : shape };
    };
    const outputs = this.graph.outputs.map((id, i) => {
      const name = `output${i}`;
      this.#nodes.push({ op: 'Identity', inputs: [this.use(id)], outputs: [name], attributes: {} });
      return port(id, name);
    });
    const inputs = this.graph.inputs.map((id) => port(id, `input${id}`));
    return { nodes: this.#nodes, initializers: this.#initializers, inputs, outputs };
  }
}

/** How one kernel of tfjs is written. */
export type Emit = (node: GraphNode, writer: OnnxWriter) => void;
