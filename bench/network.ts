/**
 * A network of the benchmark: MMPose's config, the golden set's formula weights, its input, and what MMPose gave for it. Used in
 * the page and in Node alike.
 */
import type { CheckpointDtype, StateDict } from '../src/checkpoint/state_dict.js';
import type { ConfigDict } from '../src/config.js';
import { buildPoseEstimator } from '../src/models/builder.js';
import type { BasePoseEstimator } from '../src/models/pose_estimators/index.js';
import { sizeOf, type NdArray } from '../src/ndarray.js';
import { loadStateDict } from '../src/nn/load_state_dict.js';
import { transpose } from '../src/nn/module.js';
import { readGoldenFile, type GoldenTensor } from '../tests/golden/format.js';
import { blocks8, weightTensor, type WeightsFormula } from '../tests/golden/formula.js';
import { BENCH_MODELS, type BenchModel, type BenchModelName } from './models.js';

export interface BenchNetwork {
  readonly name: string;
  /** [h, w] px that is timed. */
  readonly size: readonly [h: number, w: number];
  /** [h, w] px of the recorded case. */
  readonly recordedSize: readonly [h: number, w: number];
  /** Outputs of the head for the recorded input, [1, ...] in MMPose's layout. */
  readonly recorded: readonly NdArray[];
  /** max|f32 - f64| / max|f64| of MMPose's own outputs. */
  readonly float64Noise: number;
  /** A new estimator with all weights on the host; `prepareModule` comes next. */
  load(): Promise<BasePoseEstimator>;
  /**
   * A batch in NCHW, at the recorded size or another. Its first and its last picture are the same (the recorded one, where the
   * size allows), and the others differ, so that a batch that is mixed up shows.
   */
  input(persons: number, size: readonly [h: number, w: number]): NdArray;
}

/** Bytes of a file of `bench/fixtures`. */
export type ReadFixture = (name: string) => Promise<Uint8Array>;

export function loadBenchNetwork(name: BenchModelName, read: ReadFixture): Promise<BenchNetwork> {
  return loadNetwork(name, BENCH_MODELS[name], read);
}

/** The first case of a golden file, as a network to run. */
export async function loadNetwork(
  name: string,
  { fixture, size }: BenchModel,
  read: ReadFixture,
): Promise<BenchNetwork> {
  const file = (await readGoldenFile({ read, readShared: () => Promise.resolve(null) }, `${fixture}.json`))!;
  const { params, inputs, outputs, ...rest } = file.decode(file.cases[0]);
  const recordedInput = inputs.input as NdArray;
  const [, , h, w] = recordedInput.shape;
  const stateDict = formulaStateDict(rest.state_dict as readonly StateDictEntry[], rest.kept_values, params.weights);
  return {
    ...{ name, size, recordedSize: [h, w] },
    recorded: [outputs.head].flat() as NdArray[],
    float64Noise: Math.max(...Object.values<number>(rest.float64_noise)),
    load: async () => {
      const estimator = await buildPoseEstimator(params.config as ConfigDict);
      await loadStateDict(estimator, stateDict, { source: name });
      return estimator;
    },
    input: (persons, wanted) => batch(name, persons, wanted, recordedInput),
  };
}

/** [name, shape, "keep" or a dtype other than float32] */
type StateDictEntry = readonly [name: string, shape: readonly number[], mark?: string];

/** Each tensor is computed once, however many runners load it. */
function formulaStateDict(
  entries: readonly StateDictEntry[],
  kept: Readonly<Record<string, GoldenTensor>> | undefined,
  weights: WeightsFormula,
): StateDict {
  const computed = new Map<string, GoldenTensor['data']>();
  const valuesOf = ([name, shape, mark]: StateDictEntry) => {
    const values = computed.get(name) ?? (mark === 'keep' ? kept![name].data : weightTensor(name, shape, weights).data);
    computed.set(name, values);
    return values;
  };
  return new Map(
    entries.map((entry) => {
      const [name, shape, mark] = entry;
      const dtype: CheckpointDtype = mark === undefined || mark === 'keep' ? 'float32' : (mark as CheckpointDtype);
      return [name, { dtype, shape, read: async () => valuesOf(entry) }];
    }),
  );
}

function batch(name: string, persons: number, [h, w]: readonly [number, number], recorded: NdArray): NdArray {
  const fits = recorded.shape[2] === h && recorded.shape[3] === w;
  const first = fits ? recorded : blocks8(`bench:${name}`, [1, 3, h, w], -2, 2);
  const data = new Float32Array(persons * first.data.length);
  for (let person = 0; person < persons; person++) {
    const isEnd = person === 0 || person === persons - 1;
    const picture = isEnd ? first : blocks8(`bench:${name}:${person}`, [1, 3, h, w], -2, 2);
    data.set(picture.data, person * first.data.length);
  }
  return { data, shape: [persons, 3, h, w] };
}

/** NCHW to NHWC, for the library's own networks. */
export function toNhwc({ data, shape }: NdArray): NdArray {
  return transpose(data, shape, [0, 2, 3, 1]);
}

/** Maps of the library in MMPose's layout; everything else has the same. */
export function toNchw({ data, shape }: NdArray): NdArray {
  return shape.length === 4 ? transpose(data, shape, [0, 3, 1, 2]) : { data, shape };
}

/** One person's part of a batch. */
export function personOf({ data, shape }: NdArray, person: number): NdArray {
  const size = sizeOf(shape.slice(1));
  return { data: data.subarray(person * size, (person + 1) * size), shape: [1, ...shape.slice(1)] };
}
