/** The peer: onnxruntime-web as its users get it, on the same weights, from an ONNX file of the traced network. */
import type * as Ort from 'onnxruntime-web';
import { trace } from '../../src/jit/trace.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import type { Tensor4D } from '../../src/tf.js';
import type { BenchNetwork } from '../network.js';
import { exportOnnx } from '../onnx/export.js';
import { pageBackend } from './inpose_eager.js';
import type { Runner, RunnerName } from './runner.js';

/** As the page's server serves it: unchanged, with the wasm files beside. */
const FOLDER = '/node_modules/onnxruntime-web/dist/';
const BUILDS = { webgpu: 'ort.webgpu.min.mjs', wasm: 'ort.wasm.min.mjs' } as const;
type Provider = keyof typeof BUILDS;

export interface OrtOptions {
  readonly threads: number;
}

const builds = new Map<Provider, Promise<typeof Ort>>();

function load(provider: Provider, { threads }: OrtOptions): Promise<typeof Ort> {
  const found = builds.get(provider) ?? importBuild(provider, threads);
  builds.set(provider, found);
  return found;
}

async function importBuild(provider: Provider, threads: number): Promise<typeof Ort> {
  const url = new URL(FOLDER + BUILDS[provider], location.href).href;
  const ort: typeof Ort = await import(/* @vite-ignore */ url);
  ort.env.wasm.wasmPaths = new URL(FOLDER, location.href).href;
  ort.env.wasm.numThreads = threads;
  // Its warnings (nodes kept on the CPU on purpose) are none of a failed run.
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
          return {
            layout: 'NCHW',
            run: async () => {
              const results = await session.run(feeds);
              return session.outputNames.map((output) => ({
                data: results[output].data as Float32Array,
                shape: results[output].dims,
              }));
            },
            dispose: () => session.release(),
          };
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
  const [n, c, h, w] = shape;
  const graph = await trace([n, h, w, c], (image) => estimator.forward(image as Tensor4D));
  backend.run(() => disposeModule(estimator));
  last = { key, bytes: exportOnnx(graph) };
  return last.bytes;
}
