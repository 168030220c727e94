/** Rewrites of constants, shapes and groups of convolutions in `src/jit/passes`, on graphs small enough to check by hand. */
import { describe, expect, test } from 'vitest';
import { derived } from '../../src/jit/draft.js';
import type { Expr } from '../../src/jit/expr.js';
import { evaluate } from '../../src/jit/expr.js';
import { foldConstants } from '../../src/jit/passes/fold_constants.js';
import { groupConvolutions } from '../../src/jit/passes/group_convolutions.js';
import { deadNodes } from '../../src/jit/passes/dead_nodes.js';
import { optimize } from '../../src/jit/passes/index.js';
import { simplifyReshapes } from '../../src/jit/passes/simplify_reshapes.js';
import { toConv } from '../../src/jit/passes/to_conv.js';
import { toPointwise } from '../../src/jit/passes/to_pointwise.js';
import { Sketch } from './jit_sketch.js';

const range = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('foldConstants', () => {
  test('parts, transposes and sums of constants are constants', () => {
    const sketch = new Sketch();
    const weights = sketch.data([2, 3], range(6));
    const [top, bottom] = [sketch.value([1, 3]), sketch.value([1, 3])];
    const attrs = { numOrSizeSplits: 2, axis: 0 };
    sketch.nodes.push({ op: 'SplitV', inputs: [weights], attrs, outputs: [top, bottom] });
    const sum = sketch.node('Add', [top, bottom], [1, 3]);
    const turned = sketch.node('Transpose', [weights], [3, 2], { perm: [1, 0] });
    const x = sketch.value([1, 3]);
    const outputs = [sketch.node('Mul2', [x, sum], [1, 3]), sketch.node('Mul2', [x, turned], [1, 3])];
    const { nodes, values } = foldConstants(toPointwise(sketch.graph([x], outputs)));
    expect(nodes.map(({ op }) => op)).toEqual(['Mul2', 'Mul2']);
    expect([...values[sum].constant!]).toEqual([3, 5, 7]);
    expect([...values[turned].constant!]).toEqual([0, 3, 1, 4, 2, 5]);
  });

  test('the same weights in two graphs give the same array, so that it is uploaded once', () => {
    const weights = Float32Array.from(range(6));
    const folded = [1, 2].map((batch) => {
      const sketch = new Sketch();
      const [x, w] = [sketch.value([batch, 2]), sketch.value([2, 3], weights)];
      const turned = sketch.node('Transpose', [w], [3, 2], { perm: [1, 0] });
      return foldConstants(sketch.graph([x], [sketch.node('Use', [x, turned], [batch])])).values[turned].constant;
    });
    expect(folded[0]).toBe(folded[1]);
    expect(derived([weights], 'other', () => new Float32Array(1))).not.toBe(folded[0]);
  });
});

describe('simplifyReshapes', () => {
  test('reshapes there and back go away, but not those that name an output', () => {
    const sketch = new Sketch();
    const x = sketch.value([2, 3]);
    const flat = sketch.node('Reshape', [x], [6]);
    const back = sketch.node('ExpandDims', [sketch.node('Reshape', [flat], [3, 2])], [1, 3, 2]);
    const y = sketch.node('Use', [sketch.node('Reshape', [back], [2, 3])], [1]);
    const graph = deadNodes(simplifyReshapes(sketch.graph([x], [y, flat])));
    expect(graph.nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([
      ['Reshape', x],
      ['Use', x],
    ]);
  });
});

describe('liftRanks', () => {
  test('a linear layer on rows, its SiLU and the shortcut around it are one convolution', () => {
    const sketch = new Sketch();
    const x = sketch.value([2, 5, 8]);
    const weights = sketch.node('Reshape', [sketch.constant([8, 8])], [1, 8, 8]);
    const rows = sketch.node('Reshape', [sketch.node('Reshape', [x], [10, 8])], [1, 10, 8]);
    const product = sketch.node('_FusedMatMul', [rows, weights], [1, 10, 8], { operands: ['a', 'b'] });
    const map = sketch.node('Reshape', [sketch.node('Reshape', [product], [10, 8])], [2, 5, 8]);
    const silu = sketch.node('Multiply', [map, sketch.node('Sigmoid', [map], [2, 5, 8])], [2, 5, 8]);
    const { nodes, values } = optimize(sketch.graph([x], [sketch.node('Add', [silu, x], [2, 5, 8])]));
    expect(nodes.filter(({ op }) => op !== 'Reshape').map(({ op }) => op)).toEqual(['Conv']);
    const conv = nodes.find(({ op }) => op === 'Conv')!;
    // The batch stays in front, although tfjs has made one list of all rows.
    expect(values[conv.inputs[0]].shape).toEqual([2, 1, 5, 8]);
    expect(evaluate((conv.attrs as { expr: Expr }).expr, [2, 7])).toBeCloseTo(2 / (1 + Math.exp(-2)) + 7, 12);
  });
});

describe('groupConvolutions', () => {
  const attrs = { strides: [1, 1], pad: 0, dilations: [1, 1] };

  test('a split, a convolution per part and a concatenation are one grouped convolution', () => {
    const sketch = new Sketch();
    const x = sketch.value([1, 4, 4, 4]);
    const parts = [sketch.value([1, 4, 4, 2]), sketch.value([1, 4, 4, 2])];
    sketch.nodes.push({ op: 'SplitV', inputs: [x], attrs: { numOrSizeSplits: 2, axis: 3 }, outputs: parts });
    const filters = [sketch.data([1, 1, 2, 1], [1, 2]), sketch.data([1, 1, 2, 1], [3, 4])];
    const convs = parts.map((part, g) =>
      sketch.node('FusedConv2D', [part, filters[g]], [1, 4, 4, 1], { ...attrs, operands: ['x', 'filter'] }),
    );
    const y = sketch.node('Concat', convs, [1, 4, 4, 2], { axis: 3 });
    const { nodes, values } = deadNodes(groupConvolutions(toConv(sketch.graph([x], [y]))));
    expect(nodes.map(({ op }) => op)).toEqual(['GroupedConv']);
    expect(nodes[0].attrs).toMatchObject({ groups: 2, kind: 'dense' });
    // [input channel of the group, output channel]
    expect([...values[nodes[0].inputs[1]].constant!]).toEqual([1, 3, 2, 4]);
  });

  test('a depthwise convolution of pairs that is summed is one, with its bias and ReLU', () => {
    const sketch = new Sketch();
    const x = sketch.value([1, 4, 4, 4]);
    // [channel, output of the channel's group]; groups of two channels, two outputs each
    const filter = sketch.data([1, 1, 4, 2], range(8));
    const pairs = sketch.node('DepthwiseConv2dNative', [x, filter], [1, 4, 4, 8], {
      ...attrs,
      operands: ['x', 'filter'],
    });
    const sum = sketch.node('Sum', [sketch.node('Reshape', [pairs], [32, 2, 2])], [32, 2], { axis: 1 });
    const map = sketch.node('Reshape', [sum], [1, 4, 4, 4]);
    const biased = sketch.node('Relu', [sketch.node('Add', [map, sketch.constant([4])], [1, 4, 4, 4])], [1, 4, 4, 4]);
    const { nodes, values } = optimize(sketch.graph([x], [biased]));
    expect(nodes.map(({ op }) => op)).toEqual(['GroupedConv']);
    expect([...values[nodes[0].inputs[1]].constant!]).toEqual([0, 1, 4, 5, 2, 3, 6, 7]);
  });
});
