/** The rewrites of `src/jit/passes` on graphs small enough to check by hand, and the memory plan. No GPU. */
import { describe, expect, test } from 'vitest';
import { compose, evaluate, mergeOperands, writeExpr, type Expr } from '../../src/jit/expr.js';
import { printGraph } from '../../src/jit/graph.js';
import { layout } from '../../src/jit/layout.js';
import { planMemory, type StorageUse } from '../../src/jit/memory.js';
import { waveOrder, wavesOf } from '../../src/jit/waves.js';
import { isConv, isPointwise } from '../../src/jit/nodes.js';
import { deadNodes } from '../../src/jit/passes/dead_nodes.js';
import { fuseEpilogue } from '../../src/jit/passes/fuse_epilogue.js';
import { fusePointwise } from '../../src/jit/passes/fuse_pointwise.js';
import { optimize } from '../../src/jit/passes/index.js';
import { toConv } from '../../src/jit/passes/to_conv.js';
import { toPointwise } from '../../src/jit/passes/to_pointwise.js';
import { Sketch, type Shape } from './jit_sketch.js';

const MAP: Shape = [1, 8, 8, 4];

describe('expressions', () => {
  const difference: Expr = { operands: 2, steps: [{ fn: 'sub', args: [0, 1] }] };
  const gated: Expr = {
    operands: 2,
    steps: [
      { fn: 'sigmoid', args: [0] },
      { fn: 'mul', args: [1, 2] },
    ],
  };

  test('compose runs the second on the result of the first, in either operand', () => {
    expect(evaluate(compose(difference, gated, 0), [5, 3, 10])).toBeCloseTo(10 / (1 + Math.exp(-2)), 12);
    expect(evaluate(compose(difference, gated, 1), [5, 3, 0])).toBeCloseTo(2 * 0.5, 12);
  });

  test('composing with an expression without steps changes nothing', () => {
    const identity: Expr = { operands: 1, steps: [] };
    expect(evaluate(compose(identity, difference, 1), [3, 5])).toBe(2);
    expect(evaluate(compose(difference, identity, 0), [5, 3])).toBe(2);
  });

  test('equal operands are read once', () => {
    const merged = mergeOperands([7, 7], ['same', 'same'], gated);
    expect(merged.inputs).toEqual([7]);
    expect(evaluate(merged.expr, [2])).toBeCloseTo(2 / (1 + Math.exp(-2)), 12);
  });

  test('numbers are WGSL floats, and infinities are refused', () => {
    const clamp: Expr = { operands: 1, steps: [{ fn: 'clamp', args: [0], numbers: [0, 6.5] }] };
    expect(writeExpr(clamp, ['v'], 'f32', 's').statements).toEqual(['let s0 = clamp(v, f32(0.0), f32(6.5));']);
    const bad: Expr = { operands: 1, steps: [{ fn: 'clamp', args: [0], numbers: [0, Infinity] }] };
    expect(() => writeExpr(bad, ['v'], 'f32', 's')).toThrow(RangeError);
  });
});

describe('toPointwise', () => {
  test('a scalar operand becomes a number of the expression, on either side', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const y = sketch.node('Sub', [sketch.scalar(1), x], MAP);
    const { nodes } = toPointwise(sketch.graph([x], [y]));
    expect(nodes[0].inputs).toEqual([x]);
    expect(evaluate((nodes[0].attrs as { expr: Expr }).expr, [4])).toBe(-3);
  });

  test('nearest up-sampling by whole factors is a map, by others stays', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const attrs = { alignCorners: false, halfPixelCenters: false };
    const twice = sketch.node('ResizeNearestNeighbor', [x], [1, 16, 24, 4], attrs);
    const odd = sketch.node('ResizeNearestNeighbor', [x], [1, 12, 8, 4], attrs);
    const { nodes } = toPointwise(sketch.graph([x], [twice, odd]));
    expect(nodes[0].attrs).toMatchObject({ maps: [{ up: [2, 3] }] });
    expect(nodes[1].op).toBe('ResizeNearestNeighbor');
  });
});

describe('fusion', () => {
  test('HRNet exchange unit: sum of up-sampled branches and ReLU is one node', () => {
    const sketch = new Sketch();
    const [a, b, c] = [sketch.value(MAP), sketch.value([1, 4, 4, 4]), sketch.value([1, 2, 2, 4])];
    const attrs = { alignCorners: false, halfPixelCenters: false };
    const upB = sketch.node('ResizeNearestNeighbor', [b], MAP, attrs);
    const upC = sketch.node('ResizeNearestNeighbor', [c], MAP, attrs);
    const sum = sketch.node('Add', [sketch.node('Add', [a, upB], MAP), upC], MAP);
    const graph = sketch.graph([a, b, c], [sketch.node('Relu', [sum], MAP)]);
    const { nodes } = fusePointwise(toPointwise(graph));
    expect(nodes).toHaveLength(1);
    expect([...nodes[0].inputs].sort()).toEqual([a, b, c]);
    const { expr, maps } = nodes[0].attrs as { expr: Expr; maps: { up: number[] }[] };
    const up = nodes[0].inputs.map((id, i) => [id, maps[i].up]);
    expect(Object.fromEntries(up)).toEqual({ [a]: [1, 1], [b]: [2, 2], [c]: [4, 4] });
    expect(evaluate(expr, [-5, 1, 2])).toBe(0);
    expect(evaluate(expr, [5, 1, 2])).toBe(8);
  });

  test('residual addition and ReLU move into the convolution that runs last', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const first = sketch.conv(x, MAP, { activation: 'relu' });
    const second = sketch.conv(first, MAP);
    const y = sketch.node('Relu', [sketch.node('Add', [second, x], MAP)], MAP);
    const { nodes } = optimize(sketch.graph([x], [y]));
    expect(nodes.map(({ op }) => op)).toEqual(['Conv', 'Conv']);
    expect(nodes[1].inputs.slice(3)).toEqual([x]);
    expect(evaluate((nodes[1].attrs as { expr: Expr }).expr, [-3, 1])).toBe(0);
    expect(evaluate((nodes[1].attrs as { expr: Expr }).expr, [3, 1])).toBe(4);
  });

  test('SiLU moves into the convolution, which is read once', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const conv = sketch.conv(x, MAP);
    const y = sketch.node('Multiply', [conv, sketch.node('Sigmoid', [conv], MAP)], MAP);
    const { nodes } = optimize(sketch.graph([x], [y]));
    expect(nodes).toHaveLength(1);
    expect(isConv(nodes[0])).toBe(true);
    expect(evaluate((nodes[0].attrs as { expr: Expr }).expr, [2])).toBeCloseTo(2 / (1 + Math.exp(-2)), 12);
  });

  test('a value with two readers is not computed twice', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const conv = sketch.conv(x, MAP);
    const relu = sketch.node('Relu', [conv], MAP);
    const { nodes } = fuseEpilogue(fusePointwise(toConv(toPointwise(sketch.graph([x], [conv, relu])))));
    expect(nodes.map(({ op }) => op)).toEqual(['Conv', 'Pointwise']);
  });

  test('a broadcast value is not recomputed per element', () => {
    const sketch = new Sketch();
    const [x, s] = [sketch.value(MAP), sketch.value([1, 1, 1, 4])];
    const gate = sketch.node('Sigmoid', [s], [1, 1, 1, 4]);
    const { nodes } = fusePointwise(toPointwise(sketch.graph([x, s], [sketch.node('Multiply', [x, gate], MAP)])));
    expect(nodes.filter(isPointwise)).toHaveLength(2);
  });
});

describe('deadNodes', () => {
  test('drops what nobody reads, equal twins, and copies', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    sketch.node('Relu', [x], MAP);
    const [a, b] = [sketch.node('Sigmoid', [x], MAP), sketch.node('Sigmoid', [x], MAP)];
    const copied = sketch.node('Identity', [sketch.node('Add', [a, b], MAP)], MAP);
    const graph = deadNodes(toPointwise(sketch.graph([x], [sketch.node('Exp', [copied], MAP)])));
    expect(graph.nodes).toHaveLength(3);
    expect(graph.nodes[1].inputs).toEqual([a, a]);
  });
});

describe('layout', () => {
  test('parts of a concatenation are written in place, and a split along channels is two windows', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const [a, b] = [sketch.node('Relu', [x], MAP), sketch.node('Exp', [x], MAP)];
    const both = sketch.node('Concat', [a, b], [1, 8, 8, 8], { axis: 3 });
    const [low, high] = [sketch.value(MAP), sketch.value(MAP)];
    sketch.nodes.push({
      op: 'SplitV',
      inputs: [both],
      attrs: { numOrSizeSplits: [4, 4], axis: 3 },
      outputs: [low, high],
    });
    const y = sketch.node('Add', [low, high], MAP);
    const { views, free } = layout(sketch.graph([x], [y]));
    expect(views.get(b)).toMatchObject({ storage: both, offset: 4, rowStride: 8 });
    expect(views.get(high)).toMatchObject({ storage: both, offset: 4, rowStride: 8 });
    expect([...free].map(({ op }) => op)).toEqual(['SplitV']);
  });

  test('a node that reads one part does not write another part in place', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const a = sketch.node('Relu', [x], MAP);
    const b = sketch.node('Exp', [a], MAP);
    const both = sketch.node('Concat', [a, b], [1, 8, 8, 8], { axis: 3 });
    const { views } = layout(sketch.graph([x], [both]));
    expect(views.get(a)).toMatchObject({ storage: both });
    expect(views.get(b)).toMatchObject({ storage: b });
  });
});

describe('layout of windows', () => {
  test('a part of wider rows keeps its place when only the axes in front of the rows change', () => {
    const sketch = new Sketch();
    const x = sketch.value([2, 5, 12]);
    const [low, high] = [sketch.value([2, 5, 8]), sketch.value([2, 5, 4])];
    const attrs = { numOrSizeSplits: [8, 4], axis: 2 };
    sketch.nodes.push({ op: 'SplitV', inputs: [x], attrs, outputs: [low, high] });
    const lifted = sketch.node('Reshape', [high], [2, 1, 5, 4]);
    const flat = sketch.node('Reshape', [low], [80]);
    const { views } = layout(sketch.graph([x], [sketch.node('Use', [lifted, flat], [1])]));
    expect(views.get(lifted)).toMatchObject({ storage: x, offset: 8, rowStride: 12, shape: [2, 1, 5, 4] });
    expect(views.get(flat)).toMatchObject({ storage: flat, offset: 0 });
  });

  test('a part that several other parts are made from is copied, and they are written in place', () => {
    const sketch = new Sketch();
    const x = sketch.value(MAP);
    const base = sketch.node('Relu', [x], MAP);
    const parts = ['Exp', 'Abs', 'Sqrt'].map((op) => sketch.node(op, [base], MAP));
    const all = sketch.node('Concat', [base, ...parts], [1, 8, 8, 16], { axis: 3 });
    const { views } = layout(sketch.graph([x], [all]));
    expect(views.get(base)).toMatchObject({ storage: base });
    expect(parts.map((id) => views.get(id)?.storage)).toEqual([all, all, all]);
  });
});

describe('planMemory', () => {
  const use = (id: string, writes: number[], reads: number[], bytes = 1024): StorageUse => ({
    id,
    bytes,
    reads,
    writes,
  });

  /** Every step needs the one before. */
  const ownWaves = (steps: number) => Array.from({ length: steps }, (_, i) => i);

  test('values that are never alive together share memory', () => {
    const chain = Array.from({ length: 10 }, (_, i) => use(`v${i}`, [i], [i + 1]));
    const { arenas } = planMemory(chain, ownWaves(11), 2 ** 20);
    expect(arenas.reduce((a, b) => a + b, 0)).toBe(2048);
  });

  test('nothing alive overlaps, and no step reads and writes one arena', () => {
    const uses = Array.from({ length: 40 }, (_, i) =>
      use(`v${i}`, [i], [i + 1, i + 1 + (i % 7)], 256 * (1 + ((i * 7) % 5))),
    );
    const { slots } = planMemory(uses, ownWaves(50), 2 ** 20);
    for (const [i, a] of uses.entries()) {
      for (const b of uses.slice(i + 1)) {
        const [sa, sb] = [slots.get(a.id)!, slots.get(b.id)!];
        if (sa.arena !== sb.arena) continue;
        expect(
          a.reads.some((step) => b.writes.includes(step)),
          `${a.id} ${b.id}`,
        ).toBe(false);
        const disjoint = sa.offset + sa.bytes <= sb.offset || sb.offset + sb.bytes <= sa.offset;
        const together = a.writes[0] <= Math.max(...b.reads) && b.writes[0] <= Math.max(...a.reads);
        expect(disjoint || !together, `${a.id} ${b.id}`).toBe(true);
      }
    }
  });

  test('steps of one wave need not wait for each other: what one writes is in no arena of the others', () => {
    const [branches, depth] = [4, 6];
    // Step i of the order is layer i / 4 of branch i % 4; each layer adds what went into the layer before it.
    const step = (branch: number, layer: number) => layer * branches + branch;
    const uses = Array.from({ length: branches }, (_, branch) =>
      Array.from({ length: depth }, (_, layer) =>
        use(`b${branch} l${layer}`, [step(branch, layer)], [step(branch, layer + 1), step(branch, layer + 2)]),
      ),
    ).flat();
    const waves = Array.from({ length: branches * (depth + 2) }, (_, i) => Math.floor(i / branches));
    const { slots, arenas } = planMemory(uses, waves, 2 ** 20);
    for (const a of uses) {
      for (const b of uses) {
        if (a === b || slots.get(a.id)!.arena !== slots.get(b.id)!.arena) continue;
        const waits = [...b.reads, ...b.writes].some((other) => waves[other] === waves[a.writes[0]]);
        expect(waits, `${a.id} ${b.id}`).toBe(false);
      }
    }
    expect(arenas.length).toBeLessThanOrEqual(3 * branches);
  });
});

test('a graph prints one line per node', () => {
  const sketch = new Sketch();
  const x = sketch.value(MAP);
  expect(printGraph(sketch.graph([x], [sketch.node('Relu', [x], MAP)]))).toBe(
    'inputs %0 [1, 8, 8, 4]\n%1 [1, 8, 8, 4] = Relu(%0) {}\noutputs %1',
  );
});

describe('waves', () => {
  const step = (reads: string[], ...writes: string[]) => ({ reads, writes });

  test('branches that were recorded one after the other run side by side', () => {
    const steps = [
      step(['x'], 'a1'),
      step(['a1'], 'a2'),
      step(['x'], 'b1'),
      step(['b1'], 'b2'),
      step(['a2', 'b2'], 'sum'),
      step(['x', 'sum'], 'last'),
    ];
    const waves = wavesOf(steps);
    expect(waves).toEqual([0, 1, 0, 1, 2, 3]);
    expect(waveOrder(waves)).toEqual([0, 2, 1, 3, 4, 5]);
  });

  test('who reads a concatenation waits for all of its parts', () => {
    const steps = [step(['x'], 'a'), step(['a'], 'all'), step(['x'], 'all'), step(['all'], 'y')];
    expect(wavesOf(steps)).toEqual([0, 1, 0, 2]);
  });
});
