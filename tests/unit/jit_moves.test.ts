/** Rewrites of what moves elements: chains of moves, padding, channel shuffles, and channel gates. No GPU. */
import { describe, expect, test } from 'vitest';
import { evaluate } from '../../src/jit/expr.js';
import type { JoinAttrs, MoveAttrs, SqueezeAttrs } from '../../src/jit/nodes.js';
import { deadNodes } from '../../src/jit/passes/dead_nodes.js';
import { foldPadding } from '../../src/jit/passes/fold_padding.js';
import { fuseMoves } from '../../src/jit/passes/fuse_moves.js';
import { optimize } from '../../src/jit/passes/index.js';
import { toConv } from '../../src/jit/passes/to_conv.js';
import { toRoll } from '../../src/jit/passes/to_roll.js';
import { Sketch, type Shape } from './jit_sketch.js';

const MAP: Shape = [1, 8, 8, 4];
const attrsOf = <A>(node: { attrs: object }) => node.attrs as A;

describe('fuseMoves', () => {
  test('depth to space and the crop after it are one move', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const full = sketch.node('DepthToSpace', [x], [1, 16, 16, 1], { blockSize: 2 });
    const y = sketch.node('Slice', [full], [1, 14, 14, 1], { begin: [0, 1, 1, 0], size: [1, 14, 14, 1] });
    const { nodes } = fuseMoves(sketch.graph([x], [y]));
    expect(nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([['Move', x]]);
    expect(attrsOf<MoveAttrs>(nodes[0]).steps.map(({ op }) => op)).toEqual(['DepthToSpace', 'Slice']);
  });

  test('a reshape between two moves goes along, one in front stays a view, and what others read stays', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const rows = sketch.node('Reshape', [x], [64, 4]);
    const turned = sketch.node('Transpose', [rows], [4, 64], { perm: [1, 0] });
    const maps = sketch.node('Reshape', [turned], [4, 8, 8]);
    const y = sketch.node('Reverse', [maps], [4, 8, 8], { dims: [2] });
    const fused = fuseMoves(sketch.graph([x], [y]));
    expect(fused.nodes.map(({ op }) => op)).toEqual(['Reshape', 'Move']);
    const shared = fuseMoves(sketch.graph([x], [y, turned]));
    expect(shared.nodes.map(({ op }) => op)).toEqual(['Reshape', 'Transpose', 'Reshape', 'Reverse']);
  });
});

describe('toRoll', () => {
  const swapped = (axis: number, ...order: readonly [number, number]) => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const sizes = [3, MAP[axis] - 3];
    const part = (size: number) => sketch.value(MAP.map((n, i) => (i === axis ? size : n)));
    const parts = sizes.map(part);
    sketch.nodes.push({ op: 'SplitV', inputs: [x], attrs: { numOrSizeSplits: sizes, axis }, outputs: parts });
    const y = sketch.node(
      'Concat',
      order.map((i) => parts[i]),
      MAP,
      { axis },
    );
    return deadNodes(toRoll(sketch.graph([x], [y]))).nodes;
  };

  test('two parts in the other order', () => {
    const nodes = swapped(1, 1, 0);
    expect(nodes.map(({ op }) => op)).toEqual(['Roll']);
    expect(nodes[0].attrs).toEqual({ axis: 1, by: 3 });
  });

  test('not in the same order, and not along channels', () => {
    expect(swapped(2, 0, 1).map(({ op }) => op)).toEqual(['SplitV', 'Concat']);
    expect(swapped(3, 1, 0).map(({ op }) => op)).toEqual(['SplitV', 'Concat']);
  });
});

describe('foldPadding', () => {
  const paddings = [
    [0, 0],
    [1, 2],
    [3, 0],
    [0, 0],
  ];

  test('zeros around a map become padding of the convolution', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const padded = sketch.node('PadV2', [x], [1, 11, 11, 4], { paddings, constantValue: 0 });
    const graph = sketch.graph([x], [sketch.conv(padded, [1, 11, 11, 4])]);
    const { nodes } = deadNodes(foldPadding(toConv(graph)));
    expect(nodes.map(({ op }) => op)).toEqual(['Conv']);
    expect(nodes[0].attrs).toMatchObject({ pad: [2, 4] });
  });

  test('an average counts the zeros, and a maximum keeps them as they are', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const padded = sketch.node('PadV2', [x], [1, 11, 11, 4], { paddings, constantValue: 0 });
    const pool = { filterSize: 3, strides: 1, pad: 'valid' };
    const mean = sketch.node('AvgPool', [padded], [1, 9, 9, 4], pool);
    const max = sketch.node('MaxPool', [padded], [1, 9, 9, 4], pool);
    const { nodes } = deadNodes(foldPadding(sketch.graph([x], [mean, max])));
    expect(nodes.map(({ op }) => op)).toEqual(['PadV2', 'AvgPool', 'MaxPool']);
    expect(nodes[1].attrs).toMatchObject({ pad: paddings, countsPadding: true });
    expect(nodes[1].inputs).toEqual([x]);
  });

  test('padding with another number stays', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const padded = sketch.node('PadV2', [x], [1, 11, 11, 4], { paddings, constantValue: -1 });
    const graph = sketch.graph([x], [sketch.conv(padded, [1, 11, 11, 4])]);
    expect(foldPadding(toConv(graph)).nodes.map(({ op }) => op)).toEqual(['PadV2', 'Conv']);
  });
});

/** A channel shuffle as models write it. */
function shuffled(sketch: Sketch, x: number, groups: number): number {
  const { shape } = sketch.values[x];
  const [pixels, each] = [shape[0] * shape[1] * shape[2], shape[3] / groups];
  const split = sketch.node('Reshape', [x], [pixels, groups, each]);
  const turned = sketch.node('Transpose', [split], [pixels, each, groups], { perm: [0, 2, 1] });
  return sketch.node('Reshape', [turned], shape);
}

describe('fuseJoin', () => {
  test('concatenation, a gate on one part, and the shuffle are one node', () => {
    const sketch = new Sketch();
    const [a, b, gate] = [sketch.value(MAP), sketch.value(MAP), sketch.value([1, 1, 1, 4])];
    const gated = sketch.node('Multiply', [b, gate], MAP);
    const both = sketch.node('Concat', [a, gated], [1, 8, 8, 8], { axis: 3 });
    const { nodes } = optimize(sketch.graph([a, b, gate], [shuffled(sketch, both, 2)]));
    expect(nodes.map(({ op, inputs }) => [op, ...inputs])).toEqual([['Join', a, b, gate]]);
    const { parts, groups } = attrsOf<JoinAttrs>(nodes[0]);
    expect([groups, ...parts.map(({ channels }) => channels)]).toEqual([2, 4, 4]);
    expect(evaluate(parts[1].expr, [3, 5])).toBe(15);
  });
});

describe('fuseSqueeze', () => {
  function gate(sketch: Sketch, x: number, hidden: number, outer: number, size: Shape): number {
    const stage = (input: number, channels: number, activation: string) => {
      const filter = sketch.constant([1, 1, sketch.values[input].shape[3], channels]);
      const attrs = { strides: [1, 1], pad: 0, dilations: [1, 1], operands: ['x', 'filter', 'bias'], activation };
      return sketch.node('FusedConv2D', [input, filter, sketch.constant([channels])], [...size, channels], attrs);
    };
    return stage(stage(x, hidden, 'relu'), outer, 'sigmoid');
  }

  test('squeeze and excitation is one node, and its gate stays apart', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const mean = sketch.node('Mean', [x], [1, 1, 1, 4], { axis: [1, 2], keepDims: true });
    const gated = sketch.node('Multiply', [x, gate(sketch, mean, 2, 4, [1, 1, 1])], MAP);
    const { nodes } = optimize(sketch.graph([x], [gated]));
    expect(nodes.map(({ op }) => op)).toEqual(['Squeeze', 'Pointwise']);
    const { windows, stages } = attrsOf<SqueezeAttrs>(nodes[0]);
    expect(windows).toEqual([[8, 8]]);
    expect(stages.map(({ expr }) => evaluate(expr, [-2]))).toEqual([0, 1 / (1 + Math.exp(2))]);
  });

  test('means of windows of several maps are taken inside', () => {
    const sketch = new Sketch();
    const [x, coarse] = [sketch.value(MAP), sketch.value([1, 4, 4, 6])];
    const pooled = sketch.node('AvgPool', [x], [1, 4, 4, 4], { filterSize: [2, 2], strides: [2, 2], pad: 'valid' });
    const joined = sketch.node('Concat', [pooled, coarse], [1, 4, 4, 10], { axis: 3 });
    const { nodes } = optimize(sketch.graph([x, coarse], [gate(sketch, joined, 2, 10, [1, 4, 4])]));
    expect(nodes.map(({ op }) => op)).toEqual(['Squeeze']);
    expect(nodes[0].inputs.slice(0, 2)).toEqual([x, coarse]);
    expect(attrsOf<SqueezeAttrs>(nodes[0]).windows).toEqual([
      [2, 2],
      [1, 1],
    ]);
  });

  test('wide layers stay convolutions, for many workgroups', () => {
    const sketch = new Sketch();
    const x = sketch.value([1, 8, 8, 512]);
    const mean = sketch.node('Mean', [x], [1, 1, 1, 512], { axis: [1, 2], keepDims: true });
    const { nodes } = optimize(sketch.graph([x], [gate(sketch, mean, 128, 512, [1, 1, 1])]));
    expect(nodes.map(({ op }) => op)).toEqual(['Mean', 'Conv', 'Conv']);
  });
});
