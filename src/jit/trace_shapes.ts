/** The output shapes of tfjs's kernels, for the recorder. A kernel without an entry here cannot be traced. */
import type { NamedWgslOp } from '../ops/define_op.js';
import type { WgslOp } from '../ops/webgpu/flat_program.js';
import * as tf from '../tf.js';

/** An operand: its shape and type, no values. */
export interface TracedInput {
  readonly shape: readonly number[];
  readonly dtype: tf.DataType;
}

export interface ShapeCall {
  /** Operands by tfjs's names. */
  readonly inputs: Readonly<Record<string, TracedInput>>;
  /** All operands in order, also of kernels that take a list. */
  readonly list: readonly TracedInput[];
  // eslint-disable-next-line typescript/no-explicit-any -- each kernel has its own attributes
  readonly attrs: any;
}

export interface TracedOutput {
  readonly shape: readonly number[];
  /** @default that of the first operand */
  readonly dtype?: tf.DataType;
}

type ShapeFunction = (call: ShapeCall) => readonly TracedOutput[];

const same: ShapeFunction = ({ list }) => [{ shape: list[0].shape }];
const broadcast: ShapeFunction = ({ list: [a, b] }) => [
  { shape: tf.broadcast_util.assertAndGetBroadcastShape([...a.shape], [...b.shape]) },
];
const util = tf.backend_util;

const conv: ShapeFunction = ({ inputs, attrs }) => {
  const info = util.computeConv2DInfo(
    ...([
      inputs.x.shape,
      inputs.filter.shape,
      attrs.strides,
      attrs.dilations,
      attrs.pad,
      attrs.dimRoundingMode,
    ] as unknown as Conv2DArgs),
  );
  return [{ shape: info.outShape }];
};

const depthwise: ShapeFunction = ({ inputs, attrs }) => {
  const dilations = attrs.dilations ?? [1, 1];
  const info = util.computeConv2DInfo(
    ...([
      inputs.x.shape,
      inputs.filter.shape,
      attrs.strides,
      dilations,
      attrs.pad,
      attrs.dimRoundingMode,
      true,
    ] as unknown as Conv2DArgs),
  );
  return [{ shape: info.outShape }];
};

type Conv2DArgs = Parameters<typeof util.computeConv2DInfo>;
type Pool2DArgs = Parameters<typeof util.computePool2DInfo>;

const pool: ShapeFunction = ({ inputs, attrs }) => {
  const args = [
    inputs.x.shape,
    attrs.filterSize,
    attrs.strides,
    1,
    attrs.pad,
    attrs.dimRoundingMode,
  ] as unknown as Pool2DArgs;
  return [{ shape: util.computePool2DInfo(...args).outShape }];
};

const resize: ShapeFunction = ({ inputs: { images }, attrs }) => [
  { shape: [images.shape[0], attrs.size[0], attrs.size[1], images.shape[3]], dtype: 'float32' },
];

const reduce: ShapeFunction = ({ list: [x], attrs }) => {
  const axes = tf.util.parseAxisParam(attrs.axis, [...x.shape]);
  const kept = x.shape.map((size, axis) => (axes.includes(axis) ? 1 : size));
  return [{ shape: attrs.keepDims ? kept : kept.filter((_, axis) => !axes.includes(axis)) }];
};

const argReduce: ShapeFunction = ({ list: [x], attrs }) => {
  const axis = tf.util.parseAxisParam(attrs.axis, [...x.shape])[0];
  return [{ shape: x.shape.filter((_, i) => i !== axis), dtype: 'int32' }];
};

const pad: ShapeFunction = ({ list: [x], attrs }) => [
  { shape: x.shape.map((size, axis) => attrs.paddings[axis][0] + size + attrs.paddings[axis][1]) },
];

const matMul: ShapeFunction = ({ inputs: { a, b }, attrs }) => {
  const rows = a.shape.at(attrs.transposeA ? -1 : -2)!;
  const columns = b.shape.at(attrs.transposeB ? -2 : -1)!;
  const batch = tf.broadcast_util.assertAndGetBroadcastShape(a.shape.slice(0, -2), b.shape.slice(0, -2));
  return [{ shape: [...batch, rows, columns] }];
};

const UNARY = [
  ...[
    'Abs',
    'ClipByValue',
    'Elu',
    'Erf',
    'Exp',
    'Expm1',
    'LeakyRelu',
    'Log',
    'Neg',
    'Relu',
    'Relu6',
    'Rsqrt',
    'Sigmoid',
  ],
  ...['Softmax', 'Softplus', 'Sqrt', 'Square', 'Tanh', 'Reverse', 'Identity', 'Step'],
];
const BINARY = ['Add', 'Sub', 'Multiply', 'RealDiv', 'Maximum', 'Minimum', 'Pow', 'Prelu', 'SquaredDifference'];

export const SHAPE_FUNCTIONS: Readonly<Record<string, ShapeFunction>> = {
  ...Object.fromEntries(UNARY.map((name) => [name, same])),
  ...Object.fromEntries(BINARY.map((name) => [name, broadcast])),
  Conv2D: conv,
  FusedConv2D: conv,
  DepthwiseConv2dNative: depthwise,
  FusedDepthwiseConv2D: depthwise,
  Conv2DBackpropInput: ({ attrs }) => [{ shape: attrs.inputShape }],
  MaxPool: pool,
  AvgPool: pool,
  ResizeBilinear: resize,
  ResizeNearestNeighbor: resize,
  Mean: reduce,
  Sum: reduce,
  Max: reduce,
  Min: reduce,
  Prod: reduce,
  ArgMax: argReduce,
  ArgMin: argReduce,
  OneHot: ({ list: [indices], attrs }) => [{ shape: [...indices.shape, attrs.depth], dtype: attrs.dtype }],
  MirrorPad: pad,
  BatchMatMul: matMul,
  _FusedMatMul: matMul,
  Cast: ({ list: [x], attrs }) => [{ shape: x.shape, dtype: attrs.dtype }],
  Fill: ({ attrs }) => [{ shape: attrs.shape, dtype: attrs.dtype ?? 'float32' }],
  Reshape: ({ list: [x], attrs }) => [
    { shape: tf.util.inferFromImplicitShape(attrs.shape, tf.util.sizeFromShape([...x.shape])) },
  ],
  ExpandDims: ({ list: [x], attrs }) => {
    const axis = attrs.dim < 0 ? x.shape.length + attrs.dim + 1 : attrs.dim;
    return [{ shape: [...x.shape.slice(0, axis), 1, ...x.shape.slice(axis)] }];
  },
  Transpose: ({ list: [x], attrs }) => [{ shape: attrs.perm.map((axis: number) => x.shape[axis]) }],
  Concat: ({ list, attrs }) => {
    const axis = tf.util.parseAxisParam(attrs.axis, [...list[0].shape])[0];
    return [
      {
        shape: util.computeOutShape(
          list.map(({ shape }) => [...shape]),
          axis,
        ),
      },
    ];
  },
  SplitV: ({ list: [x], attrs }) => {
    const axis = tf.util.parseAxisParam(attrs.axis, [...x.shape])[0];
    const sizes: number[] = util.prepareSplitSize(x as tf.Tensor, attrs.numOrSizeSplits, axis);
    return sizes.map((size) => ({ shape: x.shape.map((n, i) => (i === axis ? size : n)) }));
  },
  Slice: ({ list: [x], attrs }) => {
    const [, size] = tf.slice_util.parseSliceParams(x as tf.TensorInfo, attrs.begin, attrs.size);
    return [{ shape: size }];
  },
  StridedSlice: ({ list: [x], attrs }) => {
    const { begin, end, strides, beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask } = attrs;
    const masks = [beginMask, endMask, ellipsisMask, newAxisMask, shrinkAxisMask] as const;
    return [{ shape: tf.slice_util.sliceInfo([...x.shape], begin, end, strides, ...masks).finalShape }];
  },
  PadV2: pad,
  GatherV2: ({ inputs: { x, indices }, attrs }) => {
    const axis = tf.util.parseAxisParam(attrs.axis, [...x.shape])[0];
    return [{ shape: [...x.shape.slice(0, axis), ...indices.shape, ...x.shape.slice(axis + 1)] }];
  },
  DepthToSpace: ({ list: [x], attrs }) => {
    const [n, h, w, c] = x.shape;
    return [{ shape: [n, h * attrs.blockSize, w * attrs.blockSize, c / attrs.blockSize ** 2] }];
  },
  Tile: ({ list: [x], attrs }) => [{ shape: x.shape.map((size, axis) => size * attrs.reps[axis]) }],
};

const ops = new Map<string, WgslOp>();

/** Makes an op of `ops/` traceable: its node carries the op's name, and `kernels/op.ts` compiles it from the op's own WGSL. */
export function registerOp({ name, wgsl }: NamedWgslOp): void {
  ops.set(name, wgsl);
}

/** The WGSL of a registered op. */
export function registeredOp(name: string): WgslOp | undefined {
  return ops.get(name);
}

/** The shape function of one of tfjs's kernels or of a registered op. */
export function shapeFunction(kernel: string): ShapeFunction {
  const op = ops.get(kernel);
  if (!op) return SHAPE_FUNCTIONS[kernel];
  return ({ inputs, attrs }) => {
    const shapes = Object.fromEntries(op.inputs.map((input) => [input, inputs[input].shape]));
    return [{ shape: op.shape(shapes, attrs), dtype: 'float32' }];
  };
}
