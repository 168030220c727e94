/**
 * One comparison: all runners on one network and batch size, started one after the other and then timed in turns, so that a machine
 * that slows down slows all of them. Every first result is compared with MMPose's recorded numbers.
 */
import type { NdArray } from '../src/ndarray.js';
import { networkTolerance } from '../tests/golden/tolerances.js';
import { gpuCounts } from './gpu_meter.js';
import { personOf, toNchw, type BenchNetwork } from './network.js';
import type { KernelTime } from './profile.js';
import type { Prepared, Runner, RunnerName, Session } from './runners/runner.js';
import type { Tuning } from './runners/variant_times.js';
import { median, percentile } from './stats.js';
import { timed, type Timed } from './timing.js';

export interface MeasureOptions {
  readonly persons: number;
  /** Timed runs of each runner, at most. */
  readonly runs: number;
  /** A runner whose timed runs have taken this long, ms, and are two or more, is not run again. */
  readonly capMs: number;
  /** Frames issued at once to measure throughput, where a runner can; none by default. */
  readonly burst?: number;
  readonly profile: boolean;
  /**
   * Before each timed run, ms: what a runner leaves behind, garbage and work of the browser's other processes, is not charged to the
   * next. @default 500
   */
  readonly settleMs?: number;
  /** Long tasks of the thread between two moments, where they can be observed. */
  readonly longTasks?: (from: number, to: number) => Promise<readonly number[]>;
  readonly onProgress?: (text: string) => void;
}

export interface Row {
  readonly model: string;
  readonly runner: RunnerName;
  readonly persons: number;
  /** From numbers to numbers, ms per frame of all persons. */
  readonly median_ms: number;
  readonly p95_ms: number;
  readonly min_ms: number;
  readonly runs: number;
  /** ms per frame with `burst` frames under way at once; null where not measured. */
  readonly burst_ms: number | null;
  /** Multiply-adds per frame, direct convolution's count, in 10^9; null where no runner of the comparison says. */
  readonly gmacs: number | null;
  /** Median of the time until the call returned its promise, ms per frame. */
  readonly js_ms: number;
  /** Median of the time until the calling thread was free for the first time, ms per frame. */
  readonly busy_ms: number;
  /** From weights on the host to the first result, ms. */
  readonly cold_ms: number;
  /** Of `cold_ms`, from weights on the backend to the first result, ms; null where that is no moment of its own. */
  readonly compile_ms: number | null;
  /** Longest task that blocked the main thread during `compile_ms`, ms; null where not observed. */
  readonly longest_task_ms: number | null;
  /** From the GPU to the CPU per frame; null where nothing runs on a GPU that can be counted. */
  readonly bytes_read: number | null;
  readonly gpu_bytes: number | null;
  readonly dispatches: number | null;
  readonly pipelines: number | null;
  /** Largest difference from what MMPose gave. */
  readonly max_abs_diff: number;
  /** What the difference may be: the golden tolerance of the backend, times max|recorded|. */
  readonly tolerance: number;
  /** Input of the comparison with MMPose, [h, w] px, where it is not the one that is timed. */
  readonly checked_at?: readonly [h: number, w: number];
  /** There: largest difference from the first runner's outputs for the timed input, as a share of max|out|. */
  readonly share_at_size?: number;
  readonly ok: boolean;
  readonly profile?: readonly KernelTime[];
  /** What was measured between the cold start and the timed runs. */
  readonly tuning?: TuningRow;
}

export interface TuningRow extends Tuning {
  /** Shortest frame of a few before anything was replaced, ms; beside `min_ms`. */
  readonly before_ms: number;
  /** GPU memory that the winners' own forms of the weights and their network have added. */
  readonly added_bytes: number;
}

const RUNS_BEFORE_TUNING = 5;

/** One runner under way. */
interface Lane {
  readonly runner: Runner;
  readonly prepared: Prepared;
  readonly session: Session;
  readonly cold: Cold;
  readonly tuning?: TuningRow;
  readonly check: Check;
  readonly times: Pick<Timed<unknown>, 'ms' | 'jsMs' | 'busyMs'>[];
  burstMs: number | null;
  frame: Frame;
}

interface Frame {
  readonly bytesRead: number;
  readonly dispatches: number;
}

interface Cold {
  readonly ms: number;
  readonly compileMs: number | null;
  readonly longestTask: number | null;
  readonly bufferBytes: number;
  readonly pipelines: number;
  readonly outputs: readonly NdArray[];
}

interface Check {
  readonly maxAbsDiff: number;
  readonly tolerance: number;
  readonly at: readonly [number, number];
  readonly shareAtSize?: number;
}

export async function measure(
  network: BenchNetwork,
  runners: readonly Runner[],
  options: MeasureOptions,
): Promise<Row[]> {
  const lanes: Lane[] = [];
  try {
    for (const runner of runners) {
      options.onProgress?.(`${network.name} ${runner.name}: starting`);
      lanes.push(await openLane(network, runner, lanes[0]?.cold.outputs, options));
    }
    await takeTurns(lanes, options, network.name);
    for (const lane of lanes) lane.burstMs = await burstTime(lane, options);
    // The runner that knows how much work the network is says so for all.
    const macs = lanes.find(({ session }) => session.macs !== undefined)?.session.macs;
    const rows: Row[] = [];
    for (const lane of lanes) {
      const profile = options.profile ? await lane.session.profile?.() : undefined;
      const row = rowOf(network, lane, options.persons);
      rows.push({ ...row, gmacs: macs === undefined ? null : macs / 1e9, ...(profile && { profile }) });
    }
    return rows;
  } finally {
    for (const { session, prepared } of lanes) {
      await session.dispose();
      prepared.dispose();
    }
  }
}

// --- starting ----------------------------------------------------------------------------------------------------------------

async function openLane(
  network: BenchNetwork,
  runner: Runner,
  others: readonly NdArray[] | undefined,
  options: MeasureOptions,
): Promise<Lane> {
  const elsewhere = network.recordedSize.join() !== network.size.join();
  const recordedCheck = elsewhere ? await checkElsewhere(network, runner, options.persons) : null;
  const prepared = await runner.prepare(network, network.input(options.persons, network.size));
  const { session, cold } = await startCold(prepared, options);
  const tuning = await tune(session, options);
  const outputs = tuning ? await outputsOf(session) : cold.outputs;
  const reference = others ?? (tuning && cold.outputs);
  const check = recordedCheck
    ? { ...recordedCheck, ...(reference && { shareAtSize: shareOf(reference, outputs) }) }
    : compare(network, runner.name, outputs, options.persons);
  const frame = { bytesRead: 0, dispatches: 0 };
  return { runner, prepared, session, cold, ...(tuning && { tuning }), check, times: [], burstMs: null, frame };
}

/** The same runner on the recorded input, where that has another size. */
async function checkElsewhere(network: BenchNetwork, runner: Runner, persons: number): Promise<Check> {
  const prepared = await runner.prepare(network, network.input(persons, network.recordedSize));
  const session = await prepared.start();
  try {
    return compare(network, runner.name, await outputsOf(session), persons);
  } finally {
    await session.dispose();
    prepared.dispose();
  }
}

async function startCold(prepared: Prepared, { longTasks }: MeasureOptions): Promise<{ session: Session; cold: Cold }> {
  const before = gpuCounts();
  const start = performance.now();
  const session = await prepared.start();
  const outputs = await outputsOf(session);
  const end = performance.now();
  const after = gpuCounts();
  const { compileStart } = session;
  const tasks = compileStart === undefined ? null : await longTasks?.(compileStart, end);
  const cold = {
    ms: end - start,
    compileMs: compileStart === undefined ? null : end - compileStart,
    longestTask: tasks ? Math.max(0, ...tasks) : null,
    bufferBytes: after.bufferBytes - before.bufferBytes + (session.otherGpuBytes ?? 0),
    pipelines: after.pipelines - before.pipelines,
    outputs,
  };
  return { session, cold };
}

async function tune(session: Session, { runs }: MeasureOptions): Promise<TuningRow | undefined> {
  if (!session.tune) return undefined;
  let before = Infinity;
  for (let i = 0; i < Math.min(runs, RUNS_BEFORE_TUNING); i++) {
    before = Math.min(before, (await timed(() => session.run())).ms);
  }
  const { bufferBytes } = gpuCounts();
  const tuning = await session.tune();
  return { ...tuning, before_ms: before, added_bytes: gpuCounts().bufferBytes - bufferBytes };
}

/** Outputs in MMPose's layout. */
async function outputsOf(session: Session): Promise<NdArray[]> {
  const outputs = await session.run();
  return outputs.map((output) => (session.layout === 'NHWC' ? toNchw(output) : output));
}

// --- numbers -----------------------------------------------------------------------------------------------------------------

/** fp16 storage: the share of max|out| that rounding each stored value to 11 bits may cost over a whole network. */
const FP16_SHARE = 2e-2;

function shareAllowed(runner: RunnerName, float64Noise: number): number {
  if (runner.endsWith('fp16')) return FP16_SHARE;
  return networkTolerance(/webgpu|webgl/.exec(runner)?.[0] ?? 'wasm', float64Noise);
}

/** The first and the last person are the recorded one. */
function compare(
  { recorded, float64Noise, recordedSize }: BenchNetwork,
  runner: RunnerName,
  outputs: readonly NdArray[],
  persons: number,
): Check {
  const share = shareAllowed(runner, float64Noise);
  let [maxAbsDiff, tolerance] = [0, Infinity];
  for (const [i, expected] of recorded.entries()) {
    tolerance = Math.min(tolerance, share * maxAbs(expected.data));
    for (const person of [0, persons - 1]) {
      maxAbsDiff = Math.max(maxAbsDiff, difference(expected, personOf(outputs[i], person)));
    }
  }
  return { maxAbsDiff, tolerance, at: recordedSize };
}

function shareOf(expected: readonly NdArray[], found: readonly NdArray[]): number {
  return Math.max(...expected.map((e, i) => difference(e, found[i]) / maxAbs(e.data)));
}

/** Largest difference; NaN and a wrong shape count as infinite. */
function difference(expected: NdArray, found: NdArray): number {
  if (expected.shape.join() !== found.shape.join()) return Infinity;
  let max = 0;
  for (let i = 0; i < expected.data.length; i++) {
    const off = Math.abs(expected.data[i] - found.data[i]);
    if (!(off <= max)) max = Number.isNaN(off) ? Infinity : off;
  }
  return max;
}

function maxAbs(data: Float32Array): number {
  let max = 0;
  for (const value of data) max = Math.max(max, Math.abs(value));
  return max;
}

// --- timing ------------------------------------------------------------------------------------------------------------------

async function takeTurns(lanes: readonly Lane[], options: MeasureOptions, model: string) {
  const { runs, capMs, settleMs = 500, onProgress } = options;
  const isDone = ({ times }: Lane) => times.length >= 2 && times.reduce((sum, { ms }) => sum + ms, 0) > capMs;
  for (let round = 0; round < runs; round++) {
    for (const lane of lanes) {
      if (isDone(lane)) continue;
      onProgress?.(`${model} ${lane.runner.name}: run ${round + 1} of ${runs}`);
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      const before = gpuCounts();
      const { ms, jsMs, busyMs } = await timed(() => lane.session.run());
      const after = gpuCounts();
      lane.times.push({ ms, jsMs, busyMs });
      lane.frame = {
        bytesRead: after.bytesRead - before.bytesRead,
        dispatches: after.dispatches - before.dispatches,
      };
    }
  }
}

/** Slow runners show nothing more when their frames queue up. */
const BURST_FRAME_LIMIT_MS = 500;
const BURSTS = 3;

/** The best of a few bursts, ms per frame. */
async function burstTime({ session, times }: Lane, { burst = 1 }: MeasureOptions): Promise<number | null> {
  if (burst < 2 || !session.overlaps || median(times.map(({ ms }) => ms)) > BURST_FRAME_LIMIT_MS) return null;
  let best = Infinity;
  for (let i = 0; i < BURSTS; i++) {
    const start = performance.now();
    await Promise.all(Array.from({ length: burst }, () => session.run()));
    best = Math.min(best, (performance.now() - start) / burst);
  }
  return best;
}

function rowOf(
  network: BenchNetwork,
  { runner, session, cold, tuning, check, times, burstMs, frame }: Lane,
  persons: number,
): Omit<Row, 'gmacs'> {
  const ms = times.map((time) => time.ms);
  const isWebGpu = runner.name.includes('webgpu');
  const isElsewhere = network.recordedSize.join() !== network.size.join();
  const allowed = 2 * shareAllowed(runner.name, network.float64Noise);
  return {
    ...{ model: network.name, runner: runner.name, persons },
    ...{ median_ms: median(ms), p95_ms: percentile(ms, 0.95), min_ms: Math.min(...ms), runs: ms.length },
    burst_ms: burstMs,
    js_ms: median(times.map(({ jsMs }) => jsMs)),
    busy_ms: median(times.map(({ busyMs }) => busyMs)),
    ...{ cold_ms: cold.ms, compile_ms: cold.compileMs, longest_task_ms: cold.longestTask },
    bytes_read: isWebGpu ? frame.bytesRead : null,
    gpu_bytes: isWebGpu || session.otherGpuBytes ? cold.bufferBytes + (tuning?.added_bytes ?? 0) : null,
    dispatches: isWebGpu ? frame.dispatches : null,
    pipelines: isWebGpu ? cold.pipelines : null,
    ...{ max_abs_diff: check.maxAbsDiff, tolerance: check.tolerance },
    ...(isElsewhere && { checked_at: check.at, share_at_size: check.shareAtSize }),
    ...(tuning && { tuning }),
    ok: check.maxAbsDiff <= check.tolerance && (check.shareAtSize ?? 0) <= Math.max(allowed, 2e-3),
  };
}
