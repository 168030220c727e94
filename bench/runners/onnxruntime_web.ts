/** The peer: onnxruntime-web as its users get it, on the same weights, from an ONNX file of the traced network. */
import type * as Ort from 'onnxruntime-web';
import { trace } from '../../src/jit/trace.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import type { Tensor4D } from '../../src/tf.js';
import { profileDispatches } from '../gpu_meter.js';
import type { BenchNetwork } from '../network.js';
import { exportOnnx } from '../onnx/export.js';
import { pageBackend } from './inpose_eager.js';
import { labelProfile } from './jit_profile.js';
import type { Runner, RunnerName } from './runner.js';

const BUILDS = { webgpu: 'ort.webgpu.min.mjs', wasm: 'ort.wasm.min.mjs' } as const;
/** The module that the WebGPU build runs. */
export const WEBGPU_WASM = 'ort-wasm-simd-threaded.asyncify.wasm';
type Provider = keyof typeof BUILDS;

export interface OrtOptions {
  /** URL of the package's folder `dist`, unchanged, with a slash at its end. */
  readonly folder: string;
  readonly threads: number;
  /** Bytes of `WEBGPU_WASM`, where files cannot be fetched. */
  readonly wasm?: Uint8Array;
}

const builds = new Map<Provider, Promise<typeof Ort>>();

function load(provider: Provider, options: OrtOptions): Promise<typeof Ort> {
  const found = builds.get(provider) ?? importBuild(provider, options);
  builds.set(provider, found);
  return found;
}

async function importBuild(provider: Provider, { folder, threads, wasm }: OrtOptions): Promise<typeof Ort> {
  const ort: typeof Ort = await import(/* @vite-ignore */ folder + BUILDS[provider]);
  ort.env.wasm.wasmPaths = folder;
  ort.env.wasm.numThreads = threads;
  if (wasm) ort.env.wasm.wasmBinary = wasm.slice().buffer;
  // It warns of nodes that it keeps on the CPU on purpose; a run with warnings counts as failed here.
  ort.env.logLevel = 'error';
  return ort;
}

export async function ortVersion(options: OrtOptions): Promise<string> {
  return (await load('wasm', options)).env.versions.web ?? 'unknown';
}

export function ortRunner(name: RunnerName, provider: Provider, options: OrtOptions): Runner {
  return {
    name,
    async prepare(network, input) {
      const ort = await load(provider, options);
      const bytes = await onnxFile(network, input.shape);
      const x = new ort.Tensor('float32', input.data, [...input.shape]);
      return {
        async start() {
          const session = await ort.InferenceSession.create(bytes, { executionProviders: [provider] });
          const feeds = { [session.inputNames[0]]: x };
          const run = async () => {
            const results = await session.run(feeds);
            return session.outputNames.map((output) => ({
              data: results[output].data as Float32Array,
              shape: results[output].dims,
            }));
          };
          const profile = async () => {
            const device = (await ort.env.webgpu.device) as unknown as GPUDevice;
            return labelProfile(await profileDispatches(device, run));
          };
          return { layout: 'NCHW', run, ...(provider === 'webgpu' && { profile }), dispose: () => session.release() };
        },
        dispose: () => {},
      };
    },
  };
}

/** The last one made: both providers run the same file, and a large network has room for one. */
let last: { readonly key: string; readonly bytes: Uint8Array } | null = null;

async function onnxFile(network: BenchNetwork, shape: readonly number[]): Promise<Uint8Array> {
  const key = `${network.name} ${shape.join()}`;
  if (last?.key === key) return last.bytes;
  const backend = await pageBackend('cpu');
  const estimator = await network.load();
  backend.run(() => prepareModule(estimator));
  const [n, , h, w] = shape;
  const graph = await trace([n, h, w, 3], (image) => estimator.forward(image as Tensor4D));
  backend.run(() => disposeModule(estimator));
  last = { key, bytes: exportOnnx(graph) };
  return last.bytes;
}
