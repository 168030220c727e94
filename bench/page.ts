/** The page half of the benchmark: all runners in one page, one model at a time. */
import * as tf from '../src/tf.js';
import { installGpuMeter, uncapturedErrors } from './gpu_meter.js';
import { measure, type Row } from './measure.js';
import type { BenchModelName } from './models.js';
import { loadBenchNetwork, type BenchNetwork } from './network.js';
import { eagerRunner, pageBackend } from './runners/inpose_eager.js';
import { jitRunner, type JitHost } from './runners/inpose_jit.js';
import { ortRunner, ortVersion, type OrtOptions } from './runners/onnxruntime_web.js';
import type { Runner, RunnerName } from './runners/runner.js';

export interface StartRequest {
  /** Threads of both wasm runners. */
  readonly threads: number;
}

export interface StartReply {
  readonly adapter: string;
  readonly crossOriginIsolated: boolean;
  readonly versions: Readonly<Record<string, string>>;
}

export interface ModelRequest {
  readonly model: BenchModelName;
  readonly runners: readonly RunnerName[];
  readonly persons: number;
  readonly runs: number;
  readonly capMs: number;
  readonly profile: boolean;
}

declare global {
  interface Window {
    startBench(request: StartRequest): Promise<StartReply>;
    benchModel(request: ModelRequest): Promise<Row[]>;
    /** Errors that no promise of a runner has seen. */
    benchErrors(): readonly string[];
  }
}

let threads = 2;
let network: BenchNetwork | null = null;

window.startBench = async (request) => {
  threads = request.threads;
  // tfjs's wasm backend takes half of it for its number of threads.
  Object.defineProperty(navigator, 'hardwareConcurrency', { value: 2 * threads });
  installGpuMeter();
  return {
    adapter: await adapterName(),
    crossOriginIsolated,
    versions: { tfjs: tf.version_core, 'onnxruntime-web': await ortVersion(ortOptions()) },
  };
};

async function adapterName(): Promise<string> {
  const info = (await navigator.gpu?.requestAdapter())?.info;
  if (!info) return 'no WebGPU';
  return [info.vendor, info.architecture, info.device, info.description].filter(Boolean).join(' ') || 'unnamed';
}

window.benchModel = async ({ model, runners, ...options }) => {
  if (network?.name !== model) network = await loadBenchNetwork(model, readFixture);
  return measure(
    network,
    runners.map((name) => RUNNERS[name]()),
    { ...options, ...(SEES_LONG_TASKS && { longTasks }), onProgress: window.reportProgress },
  );
};

window.benchErrors = uncapturedErrors;

/** As long as the library measures in one go. */
const TUNE_MS = 4000;

const RUNNERS: Readonly<Record<RunnerName, () => Runner>> = {
  'inpose webgpu jit': () => jitRunner('inpose webgpu jit', jitHost),
  'inpose webgpu jit tuned': () => jitRunner('inpose webgpu jit tuned', jitHost, { tuneMs: TUNE_MS }),
  'inpose webgpu jit fp16': () => jitRunner('inpose webgpu jit fp16', jitHost, { fp16: true }),
  'inpose webgpu eager': () => eagerRunner('inpose webgpu eager', 'webgpu'),
  'inpose webgl': () => eagerRunner('inpose webgl', 'webgl'),
  'inpose wasm': () => eagerRunner('inpose wasm', 'wasm'),
  'onnxruntime-web webgpu': () => ortRunner('onnxruntime-web webgpu', 'webgpu', ortOptions()),
  'onnxruntime-web wasm': () => ortRunner('onnxruntime-web wasm', 'wasm', ortOptions()),
};

/** As the page's server serves it. */
function ortOptions(): OrtOptions {
  return { threads, folder: new URL('/node_modules/onnxruntime-web/dist/', location.href).href };
}

/** tfjs's own device, as in the library. */
async function jitHost(): Promise<JitHost> {
  const backend = await pageBackend('webgpu');
  const { device } = backend.run(() => tf.backend()) as unknown as { device: GPUDevice };
  return { device, run: (section) => backend.run(section) };
}

async function readFixture(name: string): Promise<Uint8Array> {
  const response = await fetch(new URL(`fixtures/${name}`, location.href));
  if (!response.ok) throw new Error(`fixtures/${name}: HTTP ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

// --- long tasks --------------------------------------------------------------------------------------------------------------

/** Only Chromium's browsers tell of them. */
const SEES_LONG_TASKS = PerformanceObserver.supportedEntryTypes.includes('longtask');
const observed: PerformanceEntry[] = [];
if (SEES_LONG_TASKS) {
  new PerformanceObserver((list) => observed.push(...list.getEntries())).observe({ type: 'longtask', buffered: true });
}

/** Entries come some time after their task. */
const OBSERVER_DELAY_MS = 200;

async function longTasks(from: number, to: number): Promise<number[]> {
  await new Promise((resolve) => setTimeout(resolve, OBSERVER_DELAY_MS));
  return observed
    .filter(({ startTime, duration }) => startTime < to && startTime + duration > from)
    .map(({ startTime, duration }) => Math.min(startTime + duration, to) - Math.max(startTime, from));
}
