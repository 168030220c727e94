/** What every convolution kernel starts from: views, operands and bindings of a `Conv` node. */
import type { GraphNode } from '../graph.js';
import type { SAME } from '../nodes.js';
import { convExtras, type ConvAttrs } from '../nodes.js';
import { floatToHalf } from '../../checkpoint/float16.js';
import type { TypedArray } from '../../ndarray.js';
import type { View } from '../view.js';
import { bufferType, typeOf, type Width } from './operands.js';
import { constantKey, declare, NoKernel, type Binding, type KernelContext } from './program.js';

export type Conv = GraphNode & { readonly attrs: ConvAttrs };

/** What every convolution kernel starts from. */
export interface ConvParts {
  readonly node: Conv;
  readonly input: View;
  readonly out: View;
  readonly filterShape: readonly [kh: number, kw: number, inner: number, outer: number];
  readonly extras: readonly { readonly buffer: string; readonly view: View; readonly map: typeof SAME }[];
  readonly bias: readonly Binding[];
  readonly filter: Binding;
  /** The filter is stored as 16-bit floats. */
  readonly halfFilter: boolean;
  /** Filters that take turns along the batch: picture n is convolved with filter n % banks. */
  readonly banks: number;
}

/** @throws NoKernel when filter or bias are computed by the network */
export function convParts(node: Conv, context: KernelContext): ConvParts {
  const [x, filter] = node.inputs;
  const filterShape = context.graph.values[filter].shape as ConvParts['filterShape'];
  const weights = context.constant(filter);
  if (!weights) throw new NoKernel('Conv', 'with a computed filter has no WGSL kernel');
  const extras = convExtras(node).map((id, i) => ({
    buffer: `extra${i}`,
    view: context.view(id),
    map: node.attrs.maps[i],
  }));
  const bias = node.attrs.hasBias ? [biasBinding(node, context)] : [];
  return {
    node,
    input: context.view(x),
    out: context.view(node.outputs[0]),
    filterShape,
    extras,
    bias,
    banks: 1,
    ...filterOf(weights, context.f16),
  };
}

/** Half the bytes to keep and to read, where the caller asked for it; one rounding per weight. */
function filterOf(weights: TypedArray, half: boolean): Pick<ConvParts, 'filter' | 'halfFilter'> {
  const key = constantKey(weights);
  if (!half) return { filter: { kind: 'constant', key, data: weights }, halfFilter: false };
  return { filter: { kind: 'constant', key: `half ${key}`, data: halves(weights) }, halfFilter: true };
}

const roundedWeights = new WeakMap<TypedArray, Uint16Array>();

/** 16-bit floats of the weights, an even number of them; the same array for all networks that share the weights. */
function halves(weights: TypedArray): Uint16Array {
  let found = roundedWeights.get(weights);
  if (!found) {
    found = new Uint16Array(weights.length + (weights.length % 2));
    found.set(Array.from(weights as ArrayLike<number>, floatToHalf));
    roundedWeights.set(weights, found);
  }
  return found;
}

/** Element type of the filter's buffer: 16-bit floats come in pairs, which every device can unpack, with or without `shader-f16`. */
export function filterType({ halfFilter }: ConvParts, width: Width): string {
  if (!halfFilter) return typeOf(width);
  return width === 4 ? 'vec2u' : 'u32';
}

/** WGSL of the filter's element (or group of four) at `index`, a `u32`, in 32 bits. Needs `filterPreamble`. */
export function readFilter({ halfFilter }: ConvParts, index: string): string {
  return halfFilter ? `filterAt(${index})` : `filter_[${index}]`;
}

/** Functions that `readFilter` needs, for the top of a shader. */
export function filterPreamble({ halfFilter }: ConvParts, width: Width): string {
  if (!halfFilter) return '';
  return width === 4
    ? 'fn filterAt(i: u32) -> vec4f { let pairs = filter_[i]; return vec4f(unpack2x16float(pairs.x), unpack2x16float(pairs.y)); }'
    : 'fn filterAt(i: u32) -> f32 { return unpack2x16float(filter_[i / 2u])[i % 2u]; }';
}

function biasBinding(node: Conv, context: KernelContext): Binding {
  const data = context.constant(node.inputs[2]);
  if (!data) throw new NoKernel('Conv', 'with a computed bias has no WGSL kernel');
  return { kind: 'constant', key: constantKey(data), data };
}

/** Bindings in the order x, filter, bias, extras, result. */
export function convBindings({ node, bias, filter }: ConvParts): Binding[] {
  return [
    { kind: 'read', value: node.inputs[0] },
    filter,
    ...bias,
    ...convExtras(node).map((value): Binding => ({ kind: 'read', value })),
    { kind: 'write', value: node.outputs[0] },
  ];
}

/** Declarations to match `convBindings`. */
export function convDeclarations(
  { bias, extras }: ConvParts,
  types: { x: string; filter: string },
  width: Width,
): string {
  const names = ['x', 'filter_', ...bias.map(() => 'bias'), ...extras.map(({ buffer }) => buffer), 'result'];
  const extraTypes = extras.map(({ view }) => bufferType(view, width));
  return declare(names, [types.x, types.filter, ...bias.map(() => typeOf(width)), ...extraTypes, typeOf(width)]);
}

/** `conv3x3 32->64/2`, for profiles. */
export function convLabel({ node, filterShape }: ConvParts): string {
  const [kh, kw, inner, outer] = filterShape;
  const stride = node.attrs.strides[0] > 1 ? `/${node.attrs.strides[0]}` : '';
  if (node.attrs.kind === 'depthwise') return `depthwise${kh}x${kw} ${inner}${stride}`;
  return `conv${kh}x${kw} ${inner}->${outer}${stride}`;
}
