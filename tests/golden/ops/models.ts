/**
 * Whole networks and their parts: builds what the case's config says, fills it with the set's formula weights through the strict
 * loader, and compares what MMPose's modules gave. Pictures are turned from NCHW to NHWC here, outputs back.
 */
/// <reference types="vite/client" />
import { readTensor } from '../../../src/backend/readback.js';
import type { CheckpointDtype, CheckpointTensor, StateDict } from '../../../src/checkpoint/state_dict.js';
import { KEYPOINT_CODECS } from '../../../src/codecs/index.js';
import type { ConfigDict } from '../../../src/config.js';
import { BACKBONES } from '../../../src/models/backbones/index.js';
import { buildBackbone, buildNeck, buildPoseEstimator } from '../../../src/models/builder.js';
import { HEADS } from '../../../src/models/heads/index.js';
import { NECKS } from '../../../src/models/necks/index.js';
import { POSE_ESTIMATORS, type BasePoseEstimator } from '../../../src/models/pose_estimators/index.js';
import type { NdArray } from '../../../src/ndarray.js';
import { BatchNorm2d } from '../../../src/nn/norm.js';
import { Conv2d } from '../../../src/nn/conv.js';
import { loadStateDict } from '../../../src/nn/load_state_dict.js';
import { disposeModule, Module, prepareModule, type AnyModule, type Feats } from '../../../src/nn/module.js';
import { stripScope, type Registry } from '../../../src/registry.js';
import * as tf from '../../../src/tf.js';
import type { Tensor, Tensor4D } from '../../../src/tf.js';
import type { GoldenSummary, GoldenTensor } from '../format.js';
import { weightTensor } from '../formula.js';
import { goldenBackend } from '../page_backend.js';
import { runCompiled } from '../run_compiled.js';
import { channelsFirst, channelsLast } from '../../support/channels.js';
import { close, NotSupported, outcome, type CaseContext, type Comparison, type OpTable } from '../runner.js';
import { networkTolerance } from '../tolerances.js';

/** Compares `predict` and `fields` of an estimator's case. */
type ComparePredict = (ctx: CaseContext, model: BasePoseEstimator) => Promise<readonly Comparison[]>;

const PREDICT = import.meta.glob<{ comparePredict: ComparePredict }>(['./models_predict.ts', './models_bottomup.ts']);

async function model(ctx: CaseContext): Promise<Comparison[]> {
  const { config } = ctx.params;
  requireTypes(config);
  const backend = await goldenBackend(ctx.backend);
  const before = tf.memory().numTensors;
  const network = await buildNetwork(config);
  const comparisons: Comparison[] = [];
  try {
    await loadStateDict(network.root, formulaStateDict(ctx), { source: ctx.name });
    backend.run(() => prepareModule(network.root));
    comparisons.push(...(await compareOutputs(ctx, network)));
    const file = stripScope(String(config.type)).startsWith('Bottomup')
      ? './models_bottomup.ts'
      : './models_predict.ts';
    const predict = network.estimator && ctx.predict && PREDICT[file];
    if (predict) comparisons.push(...(await (await predict()).comparePredict(ctx, network.estimator!)));
  } finally {
    backend.run(() => disposeModule(network.root));
  }
  const left = tf.memory().numTensors - before;
  return left === 0 ? comparisons : [outcome('tensors left', ['0'], String(left)), ...comparisons];
}

// --- what is there -----------------------------------------------------------------------------------------------------------

/** @throws NotSupported naming every type of the config that no registry has */
function requireTypes(config: ConfigDict): void {
  const absent: string[] = [];
  const need = (node: ConfigDict | null | undefined, what: string, ...registries: Registry<unknown>[]) => {
    if (node?.type && !registries.some((registry) => registry.has(node.type))) absent.push(`${what} ${node.type}`);
  };
  if (config.backbone || config.head) {
    need(config, 'pose estimator', POSE_ESTIMATORS);
    need(config.backbone as ConfigDict, 'backbone', BACKBONES);
    need(config.neck as ConfigDict, 'neck', NECKS);
    const outer = config.head as ConfigDict | undefined;
    need(outer, 'head', HEADS);
    // VisPredictHead is a head around another.
    const head = (outer?.pose_cfg as ConfigDict | undefined) ?? outer;
    need(head, 'head', HEADS);
    for (const decoder of [head?.decoder].flat()) need(decoder as ConfigDict, 'codec', KEYPOINT_CODECS);
  } else need(config, 'model', BACKBONES, NECKS);
  if (absent.length > 0) throw new NotSupported(absent.join(', '));
}

/** What a case runs. */
interface Network {
  readonly root: AnyModule;
  readonly estimator: BasePoseEstimator | null;
  readonly backbone: AnyModule | null;
  /** Outputs by the names that the case uses. */
  run(inputs: CaseContext['inputs']): Record<string, Output>;
}

/** Tensors, nested as MMPose nests them. */
type Output = Tensor | readonly Output[];

async function buildNetwork(config: ConfigDict): Promise<Network> {
  if (config.backbone) {
    const estimator = await buildPoseEstimator(config);
    return { root: estimator, estimator, backbone: estimator.backbone, run: ({ input }) => runParts(estimator, input) };
  }
  const isNeck = NECKS.has(config.type);
  const root: AnyModule = isNeck ? await buildNeck(config) : await buildBackbone(config);
  return {
    ...{ root, estimator: null, backbone: isNeck ? null : root },
    run: ({ input, inputs }) => {
      if (!isNeck) return { output: root.forward(toTensor(input)) };
      return { output: root.forward((inputs ?? [input]).map(toTensor)) };
    },
  };
}

function runParts({ backbone, neck, head }: BasePoseEstimator, input: NdArray): Record<string, Output> {
  const feats: Feats = backbone.forward(toTensor(input));
  const neckOut = neck ? neck.forward(feats) : null;
  return {
    backbone: feats,
    ...(neckOut && { neck: neckOut }),
    // CIDHead gives what its last layers need; these run per person, in `predict`.
    ...(head && !('gfd_module' in head) && { head: head.forward(neckOut ?? feats) }),
  };
}

// --- weights -----------------------------------------------------------------------------------------------------------------

/** [name, shape, "keep" or a dtype other than float32] */
type StateDictEntry = readonly [name: string, shape: readonly number[], mark?: string];

function formulaStateDict(ctx: CaseContext): StateDict {
  const kept = (ctx.kept_values ?? {}) as Record<string, GoldenTensor>;
  const entries = ctx.state_dict as readonly StateDictEntry[];
  return new Map(
    entries.map(([name, shape, mark]) => {
      const values = () => (mark === 'keep' ? kept[name].data : weightTensor(name, shape, ctx.params.weights).data);
      const dtype: CheckpointDtype = mark === undefined || mark === 'keep' ? 'float32' : (mark as CheckpointDtype);
      return [name, { dtype, shape, read: () => Promise.resolve(values()) } satisfies CheckpointTensor];
    }),
  );
}

// --- comparison --------------------------------------------------------------------------------------------------------------

async function compareOutputs(ctx: CaseContext, network: Network): Promise<Comparison[]> {
  const share = networkTolerance(ctx.backend, Math.max(...Object.values<number>(ctx.float64_noise ?? { none: 0 })));
  const compiled = await compareCompiled(ctx, network, share);
  if (compiled) return compiled;
  const backend = await goldenBackend(ctx.backend);
  const recorder = network.backbone ? recordChildren(network.backbone, ctx.intermediates ?? {}) : null;
  let outputs: Record<string, Output>;
  try {
    outputs = backend.run(() => tf.tidy(() => network.run(ctx.inputs) as never));
  } finally {
    recorder?.stop();
  }
  const pairs: Pair[] = [];
  for (const name of ['backbone', 'neck', 'head', 'output']) {
    if (name in ctx.outputs && outputs[name]) pairUp(name, ctx.outputs[name], outputs[name], pairs);
  }
  for (const [name, output] of recorder?.found ?? []) pairUp(name, ctx.intermediates[name], output, pairs);
  const comparisons: Comparison[] = [];
  for (const pair of pairs) comparisons.push(await comparePair(pair, share));
  backend.run(() => tf.dispose([...Object.values(outputs).flat(9), ...pairs.map(({ tensor }) => tensor)] as Tensor[]));
  return comparisons;
}

/** The outputs through the jit; null where there is none. */
async function compareCompiled(ctx: CaseContext, network: Network, share: number): Promise<Comparison[] | null> {
  const { input, inputs } = ctx.inputs;
  // The jit takes one input; the necks of the set, which have no kernel of their own, take several.
  if (!input || inputs) return null;
  const expected: Expected[] = [];
  const outputs = await runCompiled(ctx, channelsLast(input), (x) => {
    const found = network.run({ input: x });
    const pairs: Pair[] = [];
    for (const name of ['backbone', 'neck', 'head', 'output']) {
      if (name in ctx.outputs && found[name]) pairUp(name, ctx.outputs[name], found[name], pairs);
    }
    expected.push(...pairs.map((pair) => pair.expected));
    return pairs.map(({ tensor }) => tensor);
  });
  if (!outputs) return null;
  return outputs.map((output, i) =>
    close(`output ${i}`, expected[i], channelsFirst(output, expected[i].shape.length), {
      abs: share * maxAbs(expected[i]),
      rel: 0,
    }),
  );
}

type Expected = GoldenTensor | GoldenSummary;

interface Pair {
  readonly name: string;
  readonly expected: Expected;
  readonly tensor: Tensor;
}

/** Walks both nestings; MMPose gives a single tensor where we give a list of one, and lists of lists where heads here give one list. */
function pairUp(name: string, expected: Expected | readonly unknown[], output: Output, pairs: Pair[]): void {
  if (!Array.isArray(expected)) {
    const tensor = Array.isArray(output) && output.length === 1 ? output[0] : output;
    pairs.push({ name, expected: expected as Expected, tensor: tensor as Tensor });
    return;
  }
  if (expected.some(Array.isArray) && Array.isArray(output) && !output.some(Array.isArray)) {
    return pairUp(name, expected.flat(9), output, pairs);
  }
  const outputs = output as readonly Output[];
  if (!Array.isArray(output) || outputs.length !== expected.length) {
    throw new Error(
      `${name}: found ${Array.isArray(output) ? output.length : 'one'} outputs; expected ${expected.length}`,
    );
  }
  for (const [i, part] of expected.entries()) pairUp(`${name}[${i}]`, part as Expected, outputs[i], pairs);
}

async function comparePair({ name, expected, tensor }: Pair, share: number): Promise<Comparison> {
  const found = channelsFirst({ data: await readTensor(tensor), shape: tensor.shape }, expected.shape.length);
  return close(name, expected, found, { abs: share * maxAbs(expected), rel: 0 });
}

function maxAbs(expected: Expected): number {
  if ('$summary' in expected) return Math.max(Math.abs(expected.min), Math.abs(expected.max));
  let max = 0;
  for (const value of expected.data as Float32Array) max = Math.max(max, Math.abs(value));
  return max;
}

/** A tensor of our own has its channels last already. */
function toTensor(input: NdArray | Tensor): Tensor4D {
  if (input instanceof tf.Tensor) return input as Tensor4D;
  const { data, shape } = channelsLast(input);
  return tf.tensor(data, [...shape]) as unknown as Tensor4D;
}

// --- intermediate outputs ----------------------------------------------------------------------------------------------------

interface Recorder {
  /** First output of each child, kept until the caller disposes it. */
  readonly found: ReadonlyMap<string, Output>;
  stop(): void;
}

/**
 * Records the first output of the children that `wanted` names. Batch norm and activation are part of the convolution before them
 * here, so what MMPose calls `relu` is what `conv1` gives, and `conv1` and `bn1` alone do not exist.
 */
function recordChildren(backbone: AnyModule, wanted: Readonly<Record<string, unknown>>): Recorder {
  const found = new Map<string, Output>();
  const watched: AnyModule[] = [];
  for (const name of Object.keys(wanted)) {
    const child = lastModule(childAt(backbone, name === 'relu' ? 'conv1' : name));
    const fused = child instanceof Conv2d || child instanceof BatchNorm2d;
    if (!child || fused !== (name === 'relu')) continue;
    watched.push(child);
    const forward = child.forward.bind(child);
    child.forward = (...args: Parameters<typeof forward>) => {
      const output = forward(...args);
      if (!found.has(name)) found.set(name, keepAll(output));
      return output;
    };
  }
  const stop = () => {
    for (const child of watched) Reflect.deleteProperty(child, 'forward');
  };
  return { found, stop };
}

function keepAll(output: Output): Output {
  return Array.isArray(output) ? output.map(keepAll) : tf.keep(tf.clone(output as Tensor));
}

function childAt(root: unknown, path: string): unknown {
  return path.split('.').reduce((node, key) => (node as Record<string, unknown> | null)?.[key], root);
}

/** The module whose output is that of `node`: the last layer of a sequence. */
function lastModule(node: unknown): AnyModule | null {
  if (node instanceof Module) return node;
  return Array.isArray(node) ? lastModule(node.at(-1)) : null;
}

export const OPS: OpTable = { model };
