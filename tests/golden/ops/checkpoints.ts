/** Weights files and the renames of old ones. */
import {
  convertCIDHead,
  convertDEKRHead,
  convertHeatmapHead,
  convertIntegralRegressionHead,
  convertPoseEstimator,
  convertRLEHead,
  type TensorOps,
} from '../../../src/checkpoint/conversion.js';
import { floatToHalf, halfToFloat } from '../../../src/checkpoint/float16.js';
import { openCheckpoint, type Checkpoint } from '../../../src/checkpoint/open_checkpoint.js';
import type { StoredStateDict } from '../../../src/checkpoint/select_state_dict.js';
import { CheckpointError } from '../../../src/errors.js';
import type { NdArray, TypedArray } from '../../../src/ndarray.js';
import type { GoldenTensor } from '../format.js';
import { exact, outcome, type CaseContext, type Comparison, type OpTable } from '../runner.js';

type Stored = ReadonlyMap<string, TypedArray>;

interface ExpectedTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly stride: readonly number[];
  readonly storage_offset: number;
  readonly values: GoldenTensor;
}

/** Opens a file and reads all of it: a broken one may say so at either point. */
async function readAll(ctx: CaseContext): Promise<{ checkpoint: Checkpoint; values: Stored[] } | string> {
  const bytes = await ctx.readFile(ctx.inputs.file);
  try {
    const checkpoint = await openCheckpoint(bytes, { name: ctx.inputs.file });
    const values: Stored[] = [];
    for (const { stateDict } of checkpoint.stored) {
      const read = new Map<string, TypedArray>();
      for (const [key, tensor] of stateDict) read.set(key, await tensor.read());
      values.push(read);
    }
    return { checkpoint, values };
  } catch (error) {
    if (error instanceof CheckpointError) return 'error';
    throw error;
  }
}

const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  ok: ['ok'],
  error: ['error'],
  error_or_ok: ['ok', 'error'],
};

async function checkpoint(ctx: CaseContext): Promise<Comparison[]> {
  const read = await readAll(ctx);
  const found = typeof read === 'string' ? read : 'ok';
  const comparisons = [outcome('outcome', ALLOWED[ctx.outputs.expect], found)];
  if (typeof read === 'string' || ctx.outputs.key_order === undefined) return comparisons;
  const path: readonly string[] = ctx.outputs.state_dict_path;
  const index = read.checkpoint.stored.findIndex((stored) => stored.path.join() === path.join());
  comparisons.push(
    exact('state_dict_path', path.join('.') || '(root)', index < 0 ? 'missing' : path.join('.') || '(root)'),
  );
  if (index < 0) return comparisons;
  return [...comparisons, ...compareContents(ctx, read.checkpoint, read.checkpoint.stored[index], read.values[index])];
}

function compareContents(ctx: CaseContext, opened: Checkpoint, stored: StoredStateDict, values: Stored): Comparison[] {
  const tensors: Record<string, ExpectedTensor> = ctx.outputs.tensors ?? {};
  const comparisons = [exact('key_order', ctx.outputs.key_order, [...stored.stateDict.keys()])];
  for (const [key, expected] of Object.entries(tensors)) {
    const tensor = stored.stateDict.get(key) as Partial<ExpectedTensor> | undefined;
    const layout = ['dtype', 'shape', 'stride', 'storage_offset'].map((name) => expected[name as 'dtype']);
    const found = tensor as { storageOffset?: number } | undefined;
    comparisons.push(
      exact(`${key} layout`, layout, [tensor?.dtype, tensor?.shape, tensor?.stride, found?.storageOffset]),
    );
    if (expected.values.data.length > 0) comparisons.push(compareValues(key, expected, values.get(key)));
  }
  if (ctx.outputs.meta) comparisons.push(exact('meta', plainMeta(ctx.outputs.meta), plainMeta(opened.meta)));
  return comparisons;
}

/** float16 is recorded as the shortest decimal that rounds to it. */
function compareValues(key: string, { dtype, values }: ExpectedTensor, actual: TypedArray | undefined): Comparison {
  const wanted = values.data as Float32Array;
  const expected = dtype === 'float16' ? wanted.map((v) => halfToFloat(floatToHalf(v))) : wanted;
  return exact(key, expected, actual ?? []);
}

/** Arrays without the recorded dtype beside their numbers. */
function plainMeta(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(plainMeta);
  if (value === null || typeof value !== 'object') return value;
  const array = value as NdArray<TypedArray>;
  if (ArrayBuffer.isView(array.data)) return { shape: array.shape, data: array.data };
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, plainMeta(item)]));
}

// ---- old names

type Arrays = ReadonlyMap<string, NdArray>;

const ARRAY_OPS: TensorOps<NdArray> = {
  negate: ({ data, shape }) => ({ data: data.map((v) => -v), shape }),
  rotateFirst({ data, shape }) {
    const first = data.length / shape[0];
    return { data: Float32Array.from([...data.subarray(first), ...data.subarray(0, first)]), shape };
  },
};

function hook(convert: (stateDict: Arrays, prefix: string, version: number | null, ctx: CaseContext) => Arrays) {
  return (ctx: CaseContext): Comparison[] => {
    const { prefix, version } = ctx.params;
    const found = convert(new Map(Object.entries<NdArray>(ctx.inputs.state_dict)), prefix, version, ctx);
    const expected = Object.entries<GoldenTensor>(ctx.outputs.state_dict);
    return [
      exact('keys', expected.map(([key]) => key).sort(), [...found.keys()].sort()),
      ...expected.map(([key, { data, shape }]) => exact(key, { data, shape }, found.get(key))),
    ];
  };
}

export const OPS: OpTable = {
  checkpoint,
  'BasePoseEstimator._load_state_dict_pre_hook': hook((sd, _prefix, version) => convertPoseEstimator(sd, version)),
  'HeatmapHead._load_state_dict_pre_hook': hook((sd, prefix, version, ctx) =>
    convertHeatmapHead(sd, prefix, version, ctx.params.conv_layers ?? 0),
  ),
  'RLEHead._load_state_dict_pre_hook': hook((sd, prefix, version) => convertRLEHead(sd, prefix, version)),
  // The recorded head has deconvolutions, MMPose's default.
  'IntegralRegressionHead._load_state_dict_pre_hook': hook((sd, prefix) =>
    convertIntegralRegressionHead(sd, prefix, true),
  ),
  'CIDHead._load_state_dict_pre_hook': hook((sd, _prefix, version) => convertCIDHead(sd, version)),
  'DEKRHead._load_state_dict_pre_hook': hook((sd, _prefix, version) => convertDEKRHead(sd, version, ARRAY_OPS)),
};
