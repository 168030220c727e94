/**
 * What a page and its worker say to each other. Everything is plain data that `postMessage` can copy; each request has a number, and
 * gets one answer with it, apart from progress.
 */
import type { BackendName } from '../backend/init.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import {
  BackendError,
  CheckpointError,
  ConfigError,
  InposeError,
  InputError,
  type InposeErrorCode,
} from '../errors.js';
import type { FrameSource } from '../apis/frame.js';
import type { LoadProgress } from '../apis/inference.js';
import type { Timings } from '../apis/predict_topdown.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';

/** Name of the worker, by which the script-tag build knows that it was started as one. */
export const WORKER_NAME = 'inpose';

/** Options of `Pose2DInferencer.create` that can be copied. */
export type PlainOptions = Readonly<Record<string, unknown>>;

/** Options of `infer` that can be copied; `track` names a tracker that the worker keeps, made with `detInterval`. */
export interface PlainInferOptions extends PlainOptions {
  readonly track?: string;
  readonly detInterval?: number;
}

export type Request =
  | {
      readonly id: number;
      readonly call: 'create';
      readonly options: PlainOptions;
      /** Address of the list of published models. */
      readonly publishedModels: string;
    }
  | { readonly id: number; readonly call: 'infer'; readonly image: FrameSource; readonly options: PlainInferOptions }
  /** `id` is of the request that nobody waits for any more. */
  | { readonly id: number; readonly call: 'abort' }
  /** The next picture of this name belongs to another video. */
  | { readonly id: number; readonly call: 'forget'; readonly track: string }
  | { readonly id: number; readonly call: 'dispose' };

/** What may change with every call. */
export interface WorkerState {
  readonly backend: { readonly name: BackendName; readonly reason: string };
  readonly timings: Readonly<Timings>;
}

export type Answer =
  | { readonly id: number; readonly type: 'progress'; readonly progress: LoadProgress }
  | {
      readonly id: number;
      readonly type: 'created';
      readonly state: WorkerState;
      readonly metainfo: PoseMetaInfo;
      readonly notices: readonly string[];
      readonly takesBoxes: boolean;
      readonly findsEverybody: boolean;
    }
  | { readonly id: number; readonly type: 'sample'; readonly state: WorkerState; readonly sample: PoseDataSample }
  | { readonly id: number; readonly type: 'disposed' }
  | { readonly id: number; readonly type: 'error'; readonly error: PlainError };

/** An error as data: its class would be lost on the way. */
export interface PlainError {
  readonly code: InposeErrorCode | null;
  readonly name: string;
  readonly message: string;
  readonly stack?: string;
}

export function toPlainError(error: unknown): PlainError {
  if (!(error instanceof Error)) return { code: null, name: 'Error', message: String(error) };
  const { name, message, stack } = error;
  return { code: error instanceof InposeError ? error.code : null, name, message, ...(stack && { stack }) };
}

const ERRORS = { BackendError, CheckpointError, ConfigError, InputError } as const satisfies Record<
  InposeErrorCode,
  new (message: string) => InposeError
>;

/** An error of the same class, with the worker's stack as its cause. */
export function fromPlainError({ code, name, message, stack }: PlainError): Error {
  const cause = { cause: stack };
  if (code) return new ERRORS[code](message, cause);
  const error = new Error(message, cause);
  error.name = name;
  return error;
}
