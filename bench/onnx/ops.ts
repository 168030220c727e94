/** ONNX forms of tfjs's kernels, one function per kernel or family of kernels. */
import type { GraphNode, ValueId } from '../../src/jit/graph.js';
import { sizeOf } from '../../src/ndarray.js';
import { transpose } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import { channelsFirst, type Emit, type OnnxWriter } from './writer.js';

type Pads = readonly [top: number, left: number, bottom: number, right: number];

interface Window {
  readonly strides: readonly [number, number];
  readonly dilations: readonly [number, number];
  readonly pads: Pads;
}

function convWindow({ inputs, attrs }: GraphNode, writer: OnnxWriter, depthwise: boolean): Window {
  const info = tf.backend_util.computeConv2DInfo(
    [...writer.shape(inputs[0])] as [number, number, number, number],
    [...writer.shape(inputs[1])] as [number, number, number, number],
    attrs.strides as [number, number],
    (attrs.dilations ?? 1) as number,
    attrs.pad as number,
    undefined,
    depthwise,
  );
  const { top, left, bottom, right } = info.padInfo;
  return {
    strides: [info.strideHeight, info.strideWidth],
    dilations: [info.dilationHeight, info.dilationWidth],
    pads: [top, left, bottom, right],
  };
}

const conv: Emit = (node, writer) => {
  const depthwise = node.op.includes('epthwise');
  const [x, filter, bias] = node.inputs;
  const [kh, kw, inChannels, last] = writer.shape(filter);
  const outChannels = depthwise ? inChannels * last : last;
  // HWIO -> OIHW; a depthwise filter [h, w, c, m] -> [c m, 1, h, w].
  const turned = transpose(floatsOf(writer, filter), writer.shape(filter), depthwise ? [2, 3, 0, 1] : [3, 2, 0, 1]);
  const weight = writer.floats(turned.data, [outChannels, depthwise ? 1 : inChannels, kh, kw]);
  const { strides, dilations, pads } = convWindow(node, writer, depthwise);
  const inputs = [writer.use(x, 'first'), weight, ...(hasBias(node) ? [writer.use(bias)] : [])];
  const attributes = { kernel_shape: [kh, kw], strides, dilations, pads, group: depthwise ? inChannels : 1 };
  writer.define(node.outputs[0], activate(node, writer, writer.node('Conv', inputs, attributes)));
};

function hasBias({ attrs }: GraphNode): boolean {
  return (attrs.operands as readonly string[]).includes('bias');
}

/** The activation that tfjs fuses, as the node of its own that PyTorch's exporter writes; onnxruntime fuses it again. */
export function activate({ attrs }: GraphNode, writer: OnnxWriter, name: string): string {
  switch (attrs.activation ?? 'linear') {
    case 'linear':
      return name;
    case 'relu':
      return writer.node('Relu', [name]);
    case 'relu6':
      return writer.node('Clip', [name, writer.floats(Float32Array.of(0), []), writer.floats(Float32Array.of(6), [])]);
    default:
      throw new Error(`activation: found ${JSON.stringify(attrs.activation)}; expected linear, relu or relu6`);
  }
}

export function floatsOf(writer: OnnxWriter, id: ValueId): Float32Array {
  const constant = writer.constant(id);
  if (!constant) throw new Error(`value ${id}: found a computed filter; expected a constant`);
  return Float32Array.from(constant as Float32Array);
}

const pool =
  (op: string): Emit =>
  (node, writer) => {
    const { filterSize, strides, pad } = node.attrs;
    const info = tf.backend_util.computePool2DInfo(
      ...([[...writer.shape(node.inputs[0])], filterSize, strides, 1, pad] as unknown as Pool2DArgs),
    );
    const { top, left, bottom, right } = info.padInfo;
    const attributes = {
      kernel_shape: [info.filterHeight, info.filterWidth],
      strides: [info.strideHeight, info.strideWidth],
      pads: [top, left, bottom, right],
    };
    writer.define(node.outputs[0], writer.node(op, [writer.use(node.inputs[0], 'first')], attributes));
  };

type Pool2DArgs = Parameters<typeof tf.backend_util.computePool2DInfo>;

const binary =
  (op: string): Emit =>
  ({ inputs, outputs: [out] }, writer) => {
    const rank = writer.shape(out).length;
    const layout = writer.natural(out);
    writer.define(
      out,
      writer.node(
        op,
        inputs.map((id) => writer.operand(id, rank, layout)),
      ),
    );
  };

const unary =
  (op: string): Emit =>
  ({ inputs: [x], outputs: [out] }, writer) => {
    const layout = writer.layoutOf(x);
    writer.define(out, writer.node(op, [writer.use(x, layout)]), layout);
  };

const relu6: Emit = ({ inputs: [x], outputs: [out] }, writer) => {
  const layout = writer.layoutOf(x);
  const bounds = [0, 6].map((bound) => writer.floats(Float32Array.of(bound), []));
  writer.define(out, writer.node('Clip', [writer.use(x, layout), ...bounds]), layout);
};

const square: Emit = ({ inputs: [x], outputs: [out] }, writer) => {
  const name = writer.use(x);
  writer.define(out, writer.node('Mul', [name, name]));
};

const same: Emit = ({ inputs: [x], outputs: [out] }, writer) => writer.alias(out, x);

const resize =
  (mode: 'nearest' | 'linear'): Emit =>
  ({ inputs: [x], outputs: [out], attrs }, writer) => {
    const [, h, w] = writer.shape(x);
    const [, outH, outW] = writer.shape(out);
    const scales = writer.floats(Float32Array.of(1, 1, outH / h, outW / w), [4]);
    const corner = attrs.halfPixelCenters ? 'half_pixel' : 'asymmetric';
    const attributes = {
      mode,
      coordinate_transformation_mode: attrs.alignCorners ? 'align_corners' : corner,
      ...(mode === 'nearest' && { nearest_mode: 'floor' }),
    };
    writer.define(out, writer.node('Resize', [writer.use(x, 'first'), '', scales], attributes));
  };

/** The axis of the written tensor that a traced axis became. */
function axisOf(writer: OnnxWriter, id: ValueId, axis: number): number {
  const { length } = writer.shape(id);
  const positive = axis < 0 ? axis + length : axis;
  return writer.natural(id) === 'first' ? channelsFirst(length).indexOf(positive) : positive;
}

const concat: Emit = ({ inputs, outputs: [out], attrs }, writer) => {
  const names = inputs.map((id) => writer.use(id));
  writer.define(out, writer.node('Concat', names, { axis: axisOf(writer, out, attrs.axis as number) }));
};

const split: Emit = ({ inputs: [x], outputs, attrs }, writer) => {
  const constant = writer.constant(x);
  const traced = attrs.axis as number;
  if (constant) return splitConstant(writer, x, outputs, traced);
  const sizes = writer.ints(outputs.map((id) => writer.shape(id).at(traced)!));
  writer.split('Split', [writer.use(x), sizes], { axis: axisOf(writer, x, traced) }, outputs, writer.natural(x));
};

function splitConstant(writer: OnnxWriter, x: ValueId, outputs: readonly ValueId[], axis: number): void {
  if (axis !== 0) throw new Error(`split: found a constant split along axis ${axis}; expected 0`);
  let start = 0;
  for (const id of outputs) {
    const size = sizeOf(writer.shape(id));
    writer.setConstant(id, writer.constant(x)!.slice(start, start + size));
    start += size;
  }
}

const slice: Emit = ({ inputs: [x], outputs: [out], attrs }, writer) => {
  const begin = attrs.begin as readonly number[];
  const axes = writer.shape(x).map((_, axis) => axisOf(writer, x, axis));
  const ends = writer.shape(out).map((size, axis) => begin[axis] + size);
  writer.define(out, writer.node('Slice', [writer.use(x), writer.ints(begin), writer.ints(ends), writer.ints(axes)]));
};

const depthToSpace: Emit = ({ inputs: [x], outputs: [out], attrs }, writer) => {
  const attributes = { blocksize: attrs.blockSize as number, mode: 'DCR' };
  writer.define(out, writer.node('DepthToSpace', [writer.use(x, 'first')], attributes));
};

/** Of maps to rows of pixels ([N, H, W, C] -> [N, H W, C]) the channels stay first; all other shapes are taken plainly. */
const reshape: Emit = ({ inputs: [x], outputs: [out] }, writer) => {
  const [from, to] = [writer.shape(x), writer.shape(out)];
  if (from.join() === to.join() || writer.constant(x)) return writer.alias(out, x);
  const flattens = from.length === 4 && to.length === 3 && from[0] === to[0] && from[3] === to[2];
  if (flattens) {
    const shape = writer.ints([to[0], to[2], to[1]]);
    return writer.define(out, writer.node('Reshape', [writer.use(x, 'first'), shape]), 'first');
  }
  writer.define(out, writer.node('Reshape', [writer.use(x, 'plain'), writer.ints(to)]), 'plain');
};

const turn: Emit = ({ inputs: [x], outputs: [out], attrs }, writer) => {
  const perm = attrs.perm as readonly number[];
  const isChannelsFirst = perm.join() === channelsFirst(perm.length).join();
  if (isChannelsFirst && writer.layoutOf(x) === 'first') return writer.define(out, writer.use(x, 'first'), 'plain');
  writer.define(out, writer.node('Transpose', [writer.use(x, 'plain')], { perm }), 'plain');
};

const reduce =
  (op: 'ReduceMean' | 'ReduceSum' | 'ReduceMax'): Emit =>
  ({ inputs: [x], outputs: [out], attrs }, writer) => {
    const rank = writer.shape(x).length;
    const traced = tf.util.parseAxisParam(attrs.axis as number, [...writer.shape(x)]);
    const isSpatial = rank === 4 && traced.join() === '1,2' && Boolean(attrs.keepDims);
    if (op === 'ReduceMean' && isSpatial) {
      return writer.define(out, writer.node('GlobalAveragePool', [writer.use(x, 'first')]));
    }
    const keepdims = attrs.keepDims ? 1 : 0;
    const layout = keepdims ? writer.natural(x) : 'plain';
    const axes = traced.map((axis) => (layout === 'first' ? channelsFirst(rank).indexOf(axis) : axis));
    // Opset 17: the axes of a sum are an input, those of the others an attribute.
    const name =
      op === 'ReduceSum'
        ? writer.node(op, [writer.use(x, layout), writer.ints(axes)], { keepdims })
        : writer.node(op, [writer.use(x, layout)], { axes, keepdims });
    writer.define(out, name, layout);
  };

const matMul: Emit = (node, writer) => {
  const [a, b, bias] = node.inputs;
  const { transposeA, transposeB } = node.attrs;
  const product = writer.node('MatMul', [matrix(writer, a, transposeA), matrix(writer, b, transposeB)]);
  const sum = hasBias(node) ? writer.node('Add', [product, writer.use(bias)]) : product;
  writer.define(node.outputs[0], activate(node, writer, sum), 'plain');
};

/** Constants are turned here, and lose a batch of one. */
function matrix(writer: OnnxWriter, id: ValueId, transposed: unknown): string {
  const shape = writer.shape(id);
  const swapped = [...shape.keys()].map((axis, i, all) => (i < all.length - 2 ? axis : all[2 * all.length - 3 - i]));
  const constant = writer.constant(id);
  if (!constant) {
    const name = writer.use(id, 'plain');
    return transposed ? writer.node('Transpose', [name], { perm: swapped }) : name;
  }
  const { data, shape: turned } = transpose(floatsOf(writer, id), shape, transposed ? swapped : undefined);
  return writer.floats(data, turned.length === 3 && turned[0] === 1 ? turned.slice(1) : turned);
}

export const OPS: Readonly<Record<string, Emit>> = {
  FusedConv2D: conv,
  Conv2D: conv,
  FusedDepthwiseConv2D: conv,
  DepthwiseConv2dNative: conv,
  MaxPool: pool('MaxPool'),
  AvgPool: pool('AveragePool'),
  Add: binary('Add'),
  Sub: binary('Sub'),
  Multiply: binary('Mul'),
  RealDiv: binary('Div'),
  Maximum: binary('Max'),
  Minimum: binary('Min'),
  Relu: unary('Relu'),
  Sigmoid: unary('Sigmoid'),
  Sqrt: unary('Sqrt'),
  Tanh: unary('Tanh'),
  Erf: unary('Erf'),
  Relu6: relu6,
  Square: square,
  Cast: same,
  Identity: same,
  ResizeNearestNeighbor: resize('nearest'),
  ResizeBilinear: resize('linear'),
  Concat: concat,
  SplitV: split,
  Slice: slice,
  DepthToSpace: depthToSpace,
  Reshape: reshape,
  ExpandDims: reshape,
  Transpose: turn,
  Mean: reduce('ReduceMean'),
  Sum: reduce('ReduceSum'),
  Max: reduce('ReduceMax'),
  BatchMatMul: matMul,
  _FusedMatMul: matMul,
};
