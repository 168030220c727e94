/** Small graphs for the tests of the jit's rewrites. */
import type { Graph, GraphNode, GraphValue } from '../../src/jit/graph.js';

export type Shape = readonly number[];

/** Builds a graph: values in order of ids; a constant has data. */
export class Sketch {
  readonly values: GraphValue[] = [];
  readonly nodes: GraphNode[] = [];

  value(shape: Shape, constant?: Float32Array): number {
    this.values.push({ id: this.values.length, shape, dtype: 'float32', ...(constant && { constant }) });
    return this.values.length - 1;
  }

  constant(shape: Shape): number {
    return this.value(shape, new Float32Array(shape.reduce((a, b) => a * b, 1)));
  }

  /** A constant of known numbers. */
  data(shape: Shape, numbers: readonly number[]): number {
    return this.value(shape, Float32Array.from(numbers));
  }

  scalar(number: number): number {
    return this.value([], Float32Array.of(number));
  }

  node(op: string, inputs: number[], shape: Shape, attrs: Record<string, unknown> = {}): number {
    const output = this.value(shape);
    this.nodes.push({ op, inputs, attrs, outputs: [output] });
    return output;
  }

  conv(x: number, shape: Shape, options: Record<string, unknown> = {}): number {
    const inner = this.values[x].shape[3];
    const filter = this.constant([3, 3, inner, shape[3]]);
    const attrs = { strides: [1, 1], pad: 1, dilations: [1, 1], operands: ['x', 'filter', 'bias'], ...options };
    return this.node('FusedConv2D', [x, filter, this.constant([shape[3]])], shape, attrs);
  }

  graph(inputs: number[], outputs: number[]): Graph {
    return { values: this.values, nodes: this.nodes, inputs, outputs };
  }
}
