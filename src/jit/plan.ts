/** A graph as a list of programs with a place for every storage: everything about a compiled network but the GPU objects. */
import type { TypedArray } from '../ndarray.js';
import { atOnce, type Steps } from '../slices.js';
import { macsOf } from './cost.js';
import type { Graph, ValueId } from './graph.js';
import { programsOf } from './kernels/index.js';
import { constantKey, type Binding, type KernelContext, type Program, type Variant } from './kernels/program.js';
import { layout } from './layout.js';
import { planMemory, type MemoryPlan, type StorageUse } from './memory.js';
import type { View } from './view.js';
import { waveOrder, wavesOf, type Touches } from './waves.js';

export interface PlanLimits {
  readonly maxComputeInvocationsPerWorkgroup: number;
  readonly maxComputeWorkgroupStorageSize: number;
  readonly maxStorageBufferBindingSize: number;
}

/** What the kernels know of the device beyond its limits. All off: any device, default variants. */
export type PlanOptions = Partial<Pick<KernelContext, 'software' | 'subgroups' | 'f16' | 'choose'>>;

/** Where a binding lies: in an arena, or among the constants. */
export type BoundTo =
  | { readonly kind: 'arena'; readonly arena: number; readonly offset: number; readonly bytes: number }
  | { readonly kind: 'constant'; readonly key: string; readonly data: TypedArray };

export interface PlannedStep {
  readonly program: Program;
  readonly bindings: readonly BoundTo[];
  /** The node that it belongs to, maybe together with its neighbours. */
  readonly node: PlannedNode;
}

/** What profiles say of a node. */
export interface PlannedNode {
  readonly shape: readonly number[];
  /** Multiply-adds. */
  readonly macs: number;
}

/** A graph input or output: contiguous float32 in an arena. */
export interface Port {
  readonly shape: readonly number[];
  readonly arena: number;
  /** Bytes. */
  readonly offset: number;
  readonly bytes: number;
}

/** A node whose kernel comes in variants. */
export interface Choice {
  readonly shapeKey: string;
  readonly variants: readonly Variant[];
  /** Name of the variant in the plan. */
  readonly chosen: string;
  /** What a binding of a variant's program is, for one that runs by itself: bindings of equal keys are one buffer. */
  storage(binding: Binding): { readonly key: string; readonly bytes: number; readonly data?: TypedArray };
}

export interface Plan {
  readonly steps: readonly PlannedStep[];
  /** Bytes of each arena. */
  readonly arenas: readonly number[];
  readonly inputs: readonly Port[];
  readonly outputs: readonly Port[];
  readonly choices: readonly Choice[];
}

/** Progress of compiling a plan's pipelines. */
export type CompileProgress = (done: number, total: number) => void;

/** @throws NoKernel when an operation cannot be compiled */
export function makePlan(graph: Graph, limits: PlanLimits, options: PlanOptions = {}): Plan {
  return atOnce(planning(graph, limits, options));
}

/** `makePlan` for `inSlices`. */
export function* planning(graph: Graph, limits: PlanLimits, options: PlanOptions): Steps<Plan> {
  const { views, free } = layout(graph);
  yield;
  const choices: Choice[] = [];
  const context: KernelContext = {
    ...{ software: false, subgroups: false, f16: false, ...options },
    choose: (shapeKey, variants) => {
      const chosen = options.choose?.(shapeKey, variants) ?? variants[0];
      choices.push({ shapeKey, variants, chosen: chosen.name, storage: (binding) => storageOf(binding, context) });
      return chosen;
    },
    graph,
    limits,
    view: (id) => views.get(id)!,
    constant: (id) => graph.values[id].constant,
  };
  const nodes = graph.nodes.filter((node) => !free.has(node));
  const traced: Staged[] = [];
  for (const [i, node] of nodes.entries()) {
    for (const program of programsOf(node, context)) traced.push(stage(program, i, context));
    yield;
  }
  const wavesAsTraced = wavesOf(traced);
  const order = waveOrder(wavesAsTraced);
  const staged = order.map((step) => traced[step]);
  const waves = order.map((step) => wavesAsTraced[step]);
  const outputs = graph.outputs.map((id) => views.get(id)!);
  const uses = storageUses(graph, staged, outputs);
  const memory = planMemory(uses, waves, limits.maxStorageBufferBindingSize);
  yield;
  const described = nodes.map((node): PlannedNode => {
    return { shape: graph.values[node.outputs[0]].shape, macs: macsOf(node, graph) };
  });
  const steps = staged.map(({ program, node }) => ({
    program,
    node: described[node],
    bindings: program.bindings.map((binding) => bind(binding, node, context, memory)),
  }));
  const port = (view: View): Port => {
    const slot = memory.slots.get(storageKey(view.storage))!;
    const bytes = view.shape.reduce((a, b) => a * b, 4);
    return { shape: view.shape, arena: slot.arena, offset: slot.offset + view.offset * 4, bytes };
  };
  return {
    steps,
    arenas: memory.arenas,
    inputs: graph.inputs.map((id) => port(views.get(id)!)),
    outputs: outputs.map(port),
    choices,
  };
}

const storageKey = (id: ValueId): string => `value ${id}`;
const scratchKey = (node: number, name: string): string => `scratch ${node} ${name}`;

function storageOf(binding: Binding, { graph, view, constant }: KernelContext): ReturnType<Choice['storage']> {
  if (binding.kind === 'constant') return { key: binding.key, bytes: binding.data.byteLength, data: binding.data };
  if (binding.kind === 'scratch') return { key: `scratch ${binding.name}`, bytes: binding.size * 4 };
  const data = constant(binding.value);
  if (data) return { key: constantKey(data), bytes: data.byteLength, data };
  const { storage } = view(binding.value);
  return { key: storageKey(storage), bytes: bytesOf(graph, storage) };
}

interface Staged extends Touches {
  readonly program: Program;
  /** Which node it belongs to. */
  readonly node: number;
  /** Of the storages that it touches. */
  readonly bytes: ReadonlyMap<string, number>;
}

/** A program with the storages that it reads and writes; constants are not among them. */
function stage(program: Program, node: number, { graph, constant, view }: KernelContext): Staged {
  const [reads, writes, bytes] = [[] as string[], [] as string[], new Map<string, number>()];
  const touch = (id: string, size: number, reading: boolean) => {
    (reading ? reads : writes).push(id);
    bytes.set(id, size);
  };
  for (const binding of program.bindings) {
    if (binding.kind === 'scratch') touch(scratchKey(node, binding.name), binding.size * 4, binding.access === 'read');
    else if (binding.kind !== 'constant' && !constant(binding.value)) {
      const { storage } = view(binding.value);
      touch(storageKey(storage), bytesOf(graph, storage), binding.kind === 'read');
    }
  }
  return { program, node, reads, writes, bytes };
}

function storageUses(graph: Graph, staged: readonly Staged[], outputs: readonly View[]): StorageUse[] {
  const inputs = new Map(graph.inputs.map((id) => [storageKey(id), bytesOf(graph, id)]));
  const kept = new Set(outputs.map((view) => storageKey(view.storage)));
  const uses = new Map<string, StorageUse & { readonly reads: number[]; readonly writes: number[] }>();
  for (const bytes of [inputs, ...staged.map((step) => step.bytes)]) {
    for (const [id, size] of bytes) {
      if (uses.has(id)) continue;
      uses.set(id, { id, bytes: size, reads: [], writes: [], fromStart: inputs.has(id), toEnd: kept.has(id) });
    }
  }
  for (const [step, { reads, writes }] of staged.entries()) {
    for (const id of reads) uses.get(id)!.reads.push(step);
    for (const id of writes) uses.get(id)!.writes.push(step);
  }
  return [...uses.values()];
}

/** Of a contiguous value of 32-bit numbers. */
function bytesOf({ values }: Graph, id: ValueId): number {
  return values[id].shape.reduce((a, b) => a * b, 4);
}

function bind(binding: Binding, node: number, context: KernelContext, memory: MemoryPlan): BoundTo {
  if (binding.kind === 'constant') return binding;
  if (binding.kind === 'scratch') return { kind: 'arena', ...memory.slots.get(scratchKey(node, binding.name))! };
  const data = context.constant(binding.value);
  if (data) return { kind: 'constant', key: constantKey(data), data };
  return { kind: 'arena', ...memory.slots.get(storageKey(context.view(binding.value).storage))! };
}
