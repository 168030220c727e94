/**
 * Records a forward pass as a graph. A tfjs backend named `inpose-trace` stands in for a real one: its kernels compute nothing,
 * they only infer the output's shape (`trace_shapes.ts`) and write themselves down. Models are run as they are and never notice.
 *
 * Weights stay where they are: the recorder keeps their tensors, and their values are read when the graph is done.
 */
import { engineInternals, EngineSwitch } from '../backend/engine_switch.js';
import { readTensor } from '../backend/readback.js';
import type { TypedArray } from '../ndarray.js';
import { addOpBackend } from '../ops/define_op.js';
import * as tf from '../tf.js';
import type { Tensor } from '../tf.js';
import type { Graph, GraphNode, GraphValue, ValueId } from './graph.js';
import { registerOp, shapeFunction, SHAPE_FUNCTIONS, type TracedInput } from './trace_shapes.js';

const BACKEND = 'inpose-trace';

/** Thrown (inside a trace only) for a kernel that the recorder has no shape function for; the model then runs eagerly. */
export class UntraceableKernel extends Error {
  readonly kernel: string;

  constructor(kernel: string) {
    super(`the kernel ${kernel} cannot be traced`);
    this.kernel = kernel;
  }
}

/** What one data id of the trace stands for. */
interface Recorded {
  readonly id: ValueId;
  readonly shape: readonly number[];
  readonly dtype: 'float32' | 'int32';
  /** Values written during the trace (scalars, index lists). */
  readonly written?: TypedArray;
  /** A tensor from outside the trace (a weight). */
  readonly outside?: Tensor;
}

/** Collects nodes while a forward pass runs on the trace backend. */
class Recorder {
  readonly values: Recorded[] = [];
  readonly nodes: GraphNode[] = [];
  readonly #byData = new WeakMap<object, Recorded>();

  define(
    data: object,
    shape: readonly number[],
    dtype: string,
    extra: Pick<Recorded, 'written' | 'outside'> = {},
  ): Recorded {
    const kind = dtype === 'int32' || dtype === 'bool' ? 'int32' : 'float32';
    const recorded = { id: this.values.length, shape: [...shape], dtype: kind, ...extra } as const;
    this.values.push(recorded);
    this.#byData.set(data, recorded);
    return recorded;
  }

  find(tensor: tf.TensorInfo): Recorded {
    const known = this.#byData.get(tensor.dataId);
    if (!known) return this.define(tensor.dataId, tensor.shape, tensor.dtype, { outside: tensor as Tensor });
    if (known.shape.join() === tensor.shape.join()) return known;
    // tfjs shares one data id between a tensor and its reshapes; the graph says so with a node.
    return this.#reshape(known, tensor.shape);
  }

  #reshape(from: Recorded, shape: readonly number[]): Recorded {
    const to = { id: this.values.length, shape: [...shape], dtype: from.dtype } as const;
    this.values.push(to);
    this.nodes.push({ op: 'Reshape', inputs: [from.id], attrs: { shape: [...shape] }, outputs: [to.id] });
    return to;
  }
}

let recorder: Recorder | null = null;

/** The backend half of the trick: owns data ids, holds no data. */
class TraceBackend extends tf.KernelBackend {
  #count = 0;

  override write(values: tf.backend_util.BackendValues, shape: number[], dtype: tf.DataType): object {
    this.#count++;
    const data = {};
    recorder?.define(data, shape, dtype, { written: values as TypedArray });
    return data;
  }

  override refCount(): number {
    return 1;
  }

  override incRef(): void {}

  override disposeData(): boolean {
    this.#count--;
    return true;
  }

  override numDataIds(): number {
    return this.#count;
  }

  override memory(): { unreliable: boolean } {
    return { unreliable: true };
  }

  override floatPrecision(): 32 {
    return 32;
  }

  override dispose(): void {}

  /** A data id for an output of a recorded node. */
  allocate(): object {
    this.#count++;
    return {};
  }
}

let traceSwitch: EngineSwitch | null = null;

/** Registers the backend for the length of a trace, and its kernels at the first one. */
function traceBackend(): EngineSwitch {
  if (traceSwitch && !traceSwitch.isStale) return traceSwitch;
  const engine = engineInternals();
  const backend = new TraceBackend();
  engine.registryFactory[BACKEND] = { factory: () => backend, priority: -1000 };
  engine.registry[BACKEND] = backend as never;
  for (const kernelName of Object.keys(SHAPE_FUNCTIONS)) {
    if (!tf.getKernel(kernelName, BACKEND)) {
      tf.registerKernel({ kernelName, backendName: BACKEND, kernelFunc: (call) => record(kernelName, call as never) });
    }
  }
  addOpBackend(BACKEND, (op) => {
    registerOp(op);
    return (call) => record(op.name, call as never);
  });
  traceSwitch = new EngineSwitch(BACKEND);
  return traceSwitch;
}

/** The page's registry is not ours to leave things in. The kernels may stay: without the backend nothing asks for them. */
function unregister(): void {
  const engine = engineInternals();
  delete engine.registry[BACKEND];
  delete engine.registryFactory[BACKEND];
}

interface KernelCall {
  readonly inputs: Readonly<Record<string, tf.TensorInfo | tf.TensorInfo[] | undefined>>;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly backend: TraceBackend;
}

/** Every kernel of the trace backend: infer shapes, write a node. */
function record(kernel: string, { inputs, attrs: given, backend }: KernelCall): tf.TensorInfo | tf.TensorInfo[] {
  const current = recorder!;
  // Of all reductions, tfjs's Max alone calls its axes so.
  const attrs = given?.reductionIndices === undefined ? given : { ...given, axis: given.reductionIndices };
  const names = Object.keys(inputs).filter((name) => inputs[name] !== undefined && inputs[name] !== null);
  const operands = names.flatMap((name) => inputs[name]!);
  const recorded = operands.map((tensor) => current.find(tensor));
  const traced: Record<string, TracedInput> = {};
  for (const name of names) if (!Array.isArray(inputs[name])) traced[name] = inputs[name] as tf.TensorInfo;
  const results = shapeFunction(kernel)({ inputs: traced, list: operands, attrs });
  const infos = results.map(({ shape, dtype = operands[0].dtype }) => ({
    dataId: backend.allocate(),
    shape: [...shape],
    dtype,
  }));
  const outputs = infos.map(({ dataId, shape, dtype }) => current.define(dataId, shape, dtype).id);
  // The names tell optional operands apart: `x, filter, bias` from `x, filter, preluActivationWeights`.
  const plain = Object.fromEntries(Object.entries(attrs ?? {}).filter(([, value]) => typeof value !== 'function'));
  current.nodes.push({
    op: kernel,
    inputs: recorded.map(({ id }) => id),
    attrs: { ...plain, operands: names },
    outputs,
  });
  return infos.length === 1 && !LIST_KERNELS.has(kernel) ? infos[0] : infos;
}

/** Kernels whose result is a list even when it has one element. */
const LIST_KERNELS: ReadonlySet<string> = new Set(['SplitV', 'Unpack']);

/**
 * Runs `forward` on a placeholder and gives the graph of what it did.
 *
 * @param shape - of the one input
 * @throws UntraceableKernel naming the first kernel that cannot be recorded
 */
export async function trace(shape: readonly number[], forward: (x: Tensor) => readonly Tensor[]): Promise<Graph> {
  const current = new Recorder();
  let inputId: ValueId = -1;
  let outputs: ValueId[] = [];
  const section = traceBackend();
  recorder = current;
  try {
    section.run(() =>
      tf.tidy(() => {
        const backend = section.instance as unknown as TraceBackend;
        const dataId = backend.allocate();
        inputId = current.define(dataId, shape, 'float32').id;
        const x = tf.engine().makeTensorFromTensorInfo({ dataId, shape: [...shape], dtype: 'float32' });
        outputs = forward(x).map((tensor) => current.find(tensor).id);
      }),
    );
  } catch (error) {
    throw untraceable(error) ?? error;
  } finally {
    recorder = null;
    unregister();
  }
  return { values: await withConstants(current.values), nodes: current.nodes, inputs: [inputId], outputs };
}

/** tfjs's own message for a kernel that a backend lacks, as our error. */
function untraceable(error: unknown): UntraceableKernel | null {
  const message = error instanceof Error ? error.message : '';
  const kernel = /registered kernel '(\w+)' for backend 'inpose-trace'/.exec(message)?.[1];
  return kernel ? new UntraceableKernel(kernel) : null;
}

/** Weights that no kernel has used yet still lie on the CPU; others are read back. */
async function withConstants(values: readonly Recorded[]): Promise<GraphValue[]> {
  return Promise.all(
    values.map(async ({ id, shape, dtype, written, outside }) => {
      const constant = outside ? await valuesOf(outside) : written && asFloats(written);
      return { id, shape, dtype, ...(constant && { constant }) };
    }),
  );
}

/** On the GPU every number is a float32: index lists, too. */
function asFloats(values: TypedArray): TypedArray {
  return values instanceof Float32Array ? values : Float32Array.from(values as Int32Array, Number);
}

const read = new WeakMap<object, Promise<TypedArray>>();

/** The same array for every trace: what is made from weights, and their place on the GPU, goes by identity. */
function valuesOf(tensor: Tensor): TypedArray | Promise<TypedArray> {
  const known = read.get(tensor.dataId);
  if (known) return known;
  const values = Promise.resolve(hostValues(tensor) ?? readTensor(tensor)).then(asFloats);
  read.set(tensor.dataId, values);
  return values;
}

/** What tfjs's WebGPU backend keeps of a tensor until its first use on the GPU. */
function hostValues(tensor: Tensor): TypedArray | undefined {
  const owner = tf.engine().state as unknown as { tensorInfo: WeakMap<object, { backend: { tensorMap?: DataMap } }> };
  const map = owner.tensorInfo.get(tensor.dataId)?.backend.tensorMap;
  return map?.has(tensor.dataId) ? map.get(tensor.dataId).values : undefined;
}

interface DataMap {
  has(id: object): boolean;
  get(id: object): { values?: TypedArray };
}
