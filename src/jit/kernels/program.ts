/**
 * What a kernel generator gives: WGSL with every size baked in but the batch, and the storages it binds. Two nodes with the same
 * WGSL share a pipeline; the batch is the dispatch's z, so that plans for 1, 2, 4, ... persons share theirs too.
 */
import type { TypedArray } from '../../ndarray.js';
import type { Graph, GraphNode, ValueId } from '../graph.js';
import type { View } from '../view.js';

/** One storage binding, in order of `@binding`. */
export type Binding =
  /** The storage of a value that the shader reads. */
  | { readonly kind: 'read'; readonly value: ValueId }
  /** The storage of a value that the shader writes. */
  | { readonly kind: 'write'; readonly value: ValueId }
  /** Constant data in the layout that the shader wants; equal keys are uploaded once. */
  | { readonly kind: 'constant'; readonly key: string; readonly data: TypedArray }
  /** Scratch memory that lives from the first to the last program of the node that names it, in float32 elements. */
  | { readonly kind: 'scratch'; readonly name: string; readonly size: number; readonly access: 'read' | 'write' };

export interface Program {
  /** Short name for profiles: `conv3x3 32->32`. */
  readonly label: string;
  /** Entry point `main`; bindings are `@group(0) @binding(i)` in the order of `bindings`. */
  readonly wgsl: string;
  readonly workgroups: readonly [x: number, y: number, z: number];
  readonly bindings: readonly Binding[];
}

export interface KernelContext {
  readonly graph: Graph;
  view(id: ValueId): View;
  /** Values of a constant, or undefined. */
  constant(id: ValueId): TypedArray | undefined;
  readonly limits: {
    readonly maxComputeInvocationsPerWorkgroup: number;
    readonly maxComputeWorkgroupStorageSize: number;
  };
  /** The adapter computes on the CPU: lanes of a workgroup gain nothing from sharing, registers and caches count. */
  readonly software: boolean;
  /** Shaders may hand values round within a quad. */
  readonly subgroups: boolean;
  /** Filters are stored as 16-bit floats; kernels of software adapters do not do so. */
  readonly f16: boolean;
  /** The variant that was measured fastest here for this shape; undefined when none was. */
  choose?(shapeKey: string, variants: readonly Variant[]): Variant | undefined;
}

/** Makes the programs of one node, to run one after the other. */
export type Kernel = (node: GraphNode, context: KernelContext) => readonly Program[];

/** One way to compute a node. All variants of a node give the same numbers, up to rounding. */
export interface Variant {
  /** Names it among the variants of one shape, in the store of winners too: `winograd 4x4`. */
  readonly name: string;
  programs(): readonly Program[];
  /** Constants that it uploads, when that is more than the weights as they are. */
  readonly constantBytes?: number;
}

/** Makes the variants of one node; the first is what the table prefers on this adapter before anything is measured. */
export type VariantKernel = (node: GraphNode, context: KernelContext) => readonly Variant[];

/**
 * Programs of the variant that was measured fastest, else of the first one.
 *
 * @param shapeKey - everything that the time depends on: `conv3x3 n1 64x48 32->32 s1 g1 f32`
 */
export function chosenPrograms(
  shapeKey: string,
  variants: readonly Variant[],
  context: KernelContext,
): readonly Program[] {
  const chosen = variants.length > 1 ? context.choose?.(shapeKey, variants) : undefined;
  return (chosen ?? variants[0]).programs();
}

/** Thrown by a kernel (or for want of one) when a node cannot be compiled; the model then runs eagerly and says so. */
export class NoKernel extends Error {
  readonly op: string;

  constructor(op: string, why = 'has no WGSL kernel') {
    super(`${op} ${why}`);
    this.op = op;
  }
}

export { constantKey } from '../constant_key.js';

/** Workgroups of `size` that cover `total`. */
export function groups(total: number, size: number): number {
  return Math.ceil(total / size);
}

/** `@group(0) @binding(i) var<storage, ...> name: array<type>;` for each name; the last one is written. */
export function declare(names: readonly string[], type: string | readonly string[], writes = 1): string {
  return names
    .map((name, i) => {
      const access = i >= names.length - writes ? 'read_write' : 'read';
      return `@group(0) @binding(${i}) var<storage, ${access}> ${name}: array<${typeof type === 'string' ? type : type[i]}>;`;
    })
    .join('\n');
}
