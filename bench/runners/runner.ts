/** What the benchmark asks of everything that runs a network: the library's backends and its peers alike. */
import type { NdArray } from '../../src/ndarray.js';
import type { BenchNetwork } from '../network.js';
import type { KernelTime } from '../profile.js';
import type { Tuning } from './variant_times.js';

export const RUNNER_NAMES = [
  'inpose webgpu jit',
  'inpose webgpu jit tuned',
  'inpose webgpu jit fp16',
  'inpose webgpu eager',
  'inpose webgl',
  'inpose wasm',
  'onnxruntime-web webgpu',
  'onnxruntime-web wasm',
] as const;

export type RunnerName = (typeof RUNNER_NAMES)[number];

/** A network ready to run. */
export interface Session {
  /**
   * One frame: numbers in, numbers out. Work that is synchronous is done when this returns.
   *
   * @returns waits for the outputs of the head; their layout is `layout`
   */
  run(): Promise<readonly NdArray[]>;
  /** Layout of maps among the outputs; turning them is not measured. */
  readonly layout: 'NCHW' | 'NHWC';
  /** When the weights were on the backend and compiling could start, ms; only where there is such a moment. */
  readonly compileStart?: number;
  /** The next frame may be issued while the last is under way. */
  readonly overlaps?: boolean;
  /** Multiply-adds per frame. */
  readonly macs?: number;
  /** Bytes on the GPU that the counters of WebGPU do not see. */
  readonly otherGpuBytes?: number;
  /** Measures kernels and replaces the slow ones; called once, after the cold start. */
  tune?(): Promise<Tuning>;
  /** Time per kernel of one frame, longest first; only where it can be measured. */
  profile?(): Promise<readonly KernelTime[]>;
  dispose(): Promise<void>;
}

/** Everything on the host: weights, input, the file of a peer. The time from here to the first result is the cold start. */
export interface Prepared {
  start(): Promise<Session>;
  /** Frees what `prepare` has loaded. After the session's `dispose`. */
  dispose(): void;
}

export interface Runner {
  readonly name: RunnerName;
  /** @param input - NCHW, of the benchmark's */
  prepare(network: BenchNetwork, input: NdArray): Promise<Prepared>;
}
