/** The operations that passes make out of tfjs's kernels, with their attributes. Everything else keeps tfjs's name. */
import type { Expr } from './expr.js';
import type { GraphNode, ValueId } from './graph.js';

/** How an operand of an element-wise expression is found at an output element; axes of size 1 are broadcast besides. */
export interface OperandMap {
  /** Nearest up-sampling: the operand's row is y / up[0], its column x / up[1]. */
  readonly up: readonly [fy: number, fx: number];
}

export const SAME: OperandMap = { up: [1, 1] };

/** `Pointwise`: every output element is an expression of one element of each operand. */
export interface PointwiseAttrs {
  readonly expr: Expr;
  /** One per input. */
  readonly maps: readonly OperandMap[];
}

/**
 * `Conv`: a convolution, plus bias, plus an expression whose operand 0 is the result and whose other operands are the inputs after
 * `x, filter, bias`.
 */
export interface ConvAttrs {
  readonly kind: 'dense' | 'depthwise';
  readonly strides: readonly [h: number, w: number];
  readonly dilations: readonly [h: number, w: number];
  /** Rows above and columns left of the input that read as zero. */
  readonly pad: readonly [top: number, left: number];
  readonly hasBias: boolean;
  readonly expr: Expr;
  /** One per input after bias. */
  readonly maps: readonly OperandMap[];
}

/**
 * `GroupedConv`: a convolution of kind `dense` whose filter is `[kh, kw, inner / groups, outer]`; group g of the output channels
 * sees group g of the input channels.
 */
export interface GroupedConvAttrs extends ConvAttrs {
  readonly groups: number;
}

export function isPointwise(
  node: GraphNode | null | undefined,
): node is GraphNode & { readonly attrs: PointwiseAttrs } {
  return node?.op === 'Pointwise';
}

/** `Conv` or `GroupedConv`: what has an epilogue. */
export function isConv(node: GraphNode | null | undefined): node is GraphNode & { readonly attrs: ConvAttrs } {
  return node?.op === 'Conv' || node?.op === 'GroupedConv';
}

/** Operands of a convolution's expression, without the convolution itself. */
export function convExtras(node: GraphNode & { readonly attrs: ConvAttrs }): readonly ValueId[] {
  return node.inputs.slice(node.attrs.hasBias ? 3 : 2);
}

/** `Roll`: every element moves `by` places towards the start of an axis, and from there to its end. */
export interface RollAttrs {
  readonly axis: number;
  readonly by: number;
}

/** One operation that only moves elements, with what its index arithmetic needs. */
export interface MoveStep {
  readonly op: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  /** Shape of its input. */
  readonly from: readonly number[];
  /** Shape of its output. */
  readonly to: readonly number[];
  /** Of a gather. */
  readonly indices?: readonly number[];
}

/** `Move`: several moves in one, in the order in which they happen. */
export interface MoveAttrs {
  readonly steps: readonly MoveStep[];
}

/**
 * `Join`: a concatenation along channels whose parts are expressions, followed by a channel shuffle. Channel c of the result is
 * channel `c % groups * (channels / groups) + c / groups` of the concatenation.
 */
export interface JoinAttrs {
  readonly parts: readonly JoinPart[];
  /** 1 when there is no shuffle. */
  readonly groups: number;
}

export interface JoinPart extends PointwiseAttrs {
  readonly channels: number;
}

/**
 * `Squeeze`: per pixel, the means over windows of the inputs, joined along channels, through one or two 1 x 1 convolutions. Squeeze
 * and excitation with windows as large as the map. Its inputs are the parts, then filter and bias of each stage.
 */
export interface SqueezeAttrs {
  /** Of each part, px. */
  readonly windows: readonly (readonly [h: number, w: number])[];
  readonly stages: readonly { readonly expr: Expr; readonly hasBias: boolean }[];
}

/**
 * `Rows`: reductions over the last axis and element-wise work between them, on the rows of one map. Values are numbered: the
 * inputs, then the results of the steps; the last one is the output.
 */
export interface RowsAttrs {
  readonly steps: readonly RowStep[];
}

export type RowStep =
  /** `isRow`: one number per row, not one per element. */
  | { readonly kind: 'elements'; readonly expr: Expr; readonly args: readonly number[]; readonly isRow: boolean }
  | {
      readonly kind: 'reduction';
      readonly op: 'Sum' | 'Mean' | 'Max' | 'Min';
      readonly args: readonly number[];
      readonly isRow: true;
    };

/** A node with typed attributes as a plain one. */
export function makeNode<A extends object>(
  op: string,
  inputs: readonly ValueId[],
  attrs: A,
  output: ValueId,
): GraphNode {
  return { op, inputs, attrs: attrs as Record<string, unknown>, outputs: [output] };
}
