/** Rewrites of row normalisations, of scales after convolutions, and of up-sampling before them. No GPU. */
import { describe, expect, test } from 'vitest';
import type { ConvAttrs, RowsAttrs } from '../../src/jit/nodes.js';
import { optimize } from '../../src/jit/passes/index.js';
import { Sketch, type Shape } from './jit_sketch.js';

const ROWS: Shape = [2, 5, 8];
const ROW: Shape = [2, 5, 1];
const mean = { axis: [-1], keepDims: true };

const kinds = (attrs: unknown) => (attrs as RowsAttrs).steps.map((step) => (step.kind === 'reduction' ? step.op : '.'));

describe('fuseRows', () => {
  test('a layer norm is one node of two reductions', () => {
    const sketch = new Sketch();
    const x = sketch.value(ROWS);
    const centred = sketch.node('Sub', [x, sketch.node('Mean', [x], ROW, mean)], ROWS);
    const variance = sketch.node('Mean', [sketch.node('Square', [centred], ROWS)], ROW, mean);
    const scale = sketch.node('Rsqrt', [sketch.node('Add', [variance, sketch.scalar(1e-5)], ROW)], ROW);
    const [gamma, beta] = [sketch.constant([8]), sketch.constant([8])];
    const scaled = sketch.node('Multiply', [sketch.node('Multiply', [centred, scale], ROWS), gamma], ROWS);
    const { nodes } = optimize(sketch.graph([x], [sketch.node('Add', [scaled, beta], ROWS)]));
    const [rows, ...others] = nodes.filter(({ op }) => op !== 'Reshape');
    expect(others).toEqual([]);
    expect(rows.op).toBe('Rows');
    expect(kinds(rows.attrs).filter((kind) => kind !== '.')).toEqual(['Mean', 'Mean']);
  });

  test('a softmax is one node, with the scale before it', () => {
    const sketch = new Sketch();
    const x = sketch.value(ROWS);
    const scaled = sketch.node('Multiply', [x, sketch.scalar(0.125)], ROWS);
    const { nodes } = optimize(sketch.graph([x], [sketch.node('Softmax', [scaled], ROWS)]));
    const [rows, ...others] = nodes.filter(({ op }) => op !== 'Reshape');
    expect(others).toEqual([]);
    expect(kinds(rows.attrs).filter((kind) => kind !== '.')).toEqual(['Max', 'Sum']);
  });

  test('what others read is computed once, apart', () => {
    const sketch = new Sketch();
    const x = sketch.value(ROWS);
    const total = sketch.node('Sum', [x], ROW, mean);
    const { nodes } = optimize(sketch.graph([x], [sketch.node('RealDiv', [x, total], ROWS), total]));
    expect(nodes.filter(({ op }) => op !== 'Reshape').map(({ op }) => op)).toEqual(['Sum', 'Pointwise']);
  });

  test('a channel gate, which is the same for all rows, is none', () => {
    const sketch = new Sketch();
    const x = sketch.value([1, 8, 8, 4]);
    const gate = sketch.node('Mean', [x], [1, 1, 1, 4], { axis: [1, 2], keepDims: true });
    const { nodes } = optimize(sketch.graph([x], [sketch.node('Multiply', [x, gate], [1, 8, 8, 4])]));
    expect(nodes.map(({ op }) => op)).toEqual(['Mean', 'Pointwise']);
  });
});

describe('foldScales', () => {
  test('a factor and a summand per channel go into weights and bias', () => {
    const sketch = new Sketch();
    const x = sketch.value([1, 8, 8, 1]);
    const filter = sketch.data([1, 1, 1, 2], [1, 2]);
    const attrs = { strides: [1, 1], pad: 0, dilations: [1, 1], operands: ['x', 'filter', 'bias'] };
    const conv = sketch.node('FusedConv2D', [x, filter, sketch.data([2], [10, 20])], [1, 8, 8, 2], attrs);
    const scaled = sketch.node('Multiply', [conv, sketch.data([2], [3, 5])], [1, 8, 8, 2]);
    const shifted = sketch.node(
      'Sub',
      [sketch.node('Add', [scaled, sketch.data([2], [7, 9])], [1, 8, 8, 2]), sketch.scalar(1)],
      [1, 8, 8, 2],
    );
    const { nodes, values } = optimize(sketch.graph([x], [sketch.node('Relu', [shifted], [1, 8, 8, 2])]));
    expect(nodes.map(({ op }) => op)).toEqual(['Conv']);
    const { expr, hasBias } = nodes[0].attrs as unknown as ConvAttrs;
    expect([hasBias, ...expr.steps.map(({ fn }) => fn)]).toEqual([true, 'relu']);
    expect([...values[nodes[0].inputs[1]].constant!]).toEqual([3, 10]);
    expect([...values[nodes[0].inputs[2]].constant!]).toEqual([10 * 3 + 7 - 1, 20 * 5 + 9 - 1]);
  });

  test('not into a convolution whose result others read, or that has an activation', () => {
    const sketch = new Sketch();
    const x = sketch.value([1, 8, 8, 4]);
    const conv = sketch.conv(x, [1, 8, 8, 4], { activation: 'relu' });
    const scaled = sketch.node('Multiply', [conv, sketch.constant([4])], [1, 8, 8, 4]);
    const { nodes } = optimize(sketch.graph([x], [scaled]));
    expect((nodes[0].attrs as unknown as ConvAttrs).expr.steps.map(({ fn }) => fn)).toEqual(['relu', 'mul']);
  });
});

describe('commuteUpsampling', () => {
  const up = { alignCorners: false, halfPixelCenters: false };

  function network(kernel: number, inner: number, outer: number) {
    const sketch = new Sketch();
    const x = sketch.value([1, 4, 4, inner]);
    const large = sketch.node('ResizeNearestNeighbor', [x], [1, 8, 8, inner], up);
    const filter = sketch.constant([kernel, kernel, inner, outer]);
    const attrs = { strides: [1, 1], pad: (kernel - 1) / 2, dilations: [1, 1], operands: ['x', 'filter', 'bias'] };
    const y = sketch.node('FusedConv2D', [large, filter, sketch.constant([outer])], [1, 8, 8, outer], attrs);
    return optimize(sketch.graph([x], [y]));
  }

  test('a 1 x 1 convolution runs on the small map, and its result is up-sampled', () => {
    const { nodes, values } = network(1, 16, 8);
    expect(nodes.map(({ op }) => op)).toEqual(['Conv', 'Pointwise']);
    expect(values[nodes[0].outputs[0]].shape).toEqual([1, 4, 4, 8]);
  });

  test('a 3 x 3 convolution sees the edges between copies, and stays', () => {
    expect(network(3, 16, 8).nodes.map(({ op }) => op)).toEqual(['Pointwise', 'Conv']);
  });

  test('a convolution that makes many channels of few stays, when that writes more than it saves', () => {
    expect(network(1, 1, 64).nodes.map(({ op }) => op)).toEqual(['Pointwise', 'Conv']);
  });
});
