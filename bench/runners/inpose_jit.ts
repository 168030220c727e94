/** The library's compiled WebGPU networks: the one file of the benchmark that knows the compiler's interface. */
import { JitCompiler, type CompiledNetwork } from '../../src/jit/compiler.js';
import { memoryStore, Tuner } from '../../src/jit/tune.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import { turn } from '../../src/slices.js';
import type { Tensor4D } from '../../src/tf.js';
import { profileDispatches } from '../gpu_meter.js';
import { toNhwc } from '../network.js';
import { jitProfile } from './jit_profile.js';
import type { Runner, RunnerName } from './runner.js';
import { VariantTimes, type Tuning } from './variant_times.js';

/** Where the weights lie until they are compiled, and the device that runs them. */
export interface JitHost {
  readonly device: GPUDevice;
  /** Runs a synchronous section on the tfjs backend that holds the weights. */
  run<T>(section: () => T): T;
}

export interface JitRunnerOptions {
  /** 16-bit filters, with the kernels of GPUs on software adapters, too. */
  readonly fp16?: boolean;
  /** Measure the variants of kernels for about this long, ms, before the runs are timed. */
  readonly tuneMs?: number;
}

export function jitRunner(
  name: RunnerName,
  host: () => Promise<JitHost>,
  { fp16 = false, tuneMs }: JitRunnerOptions = {},
): Runner {
  return {
    name,
    async prepare(network, input) {
      const { device, run } = await host();
      const estimator = await network.load();
      const x = toNhwc(input);
      return {
        async start() {
          run(() => prepareModule(estimator));
          await turn();
          const compileStart = performance.now();
          const times = new VariantTimes(device);
          const parts = { timer: times, store: memoryStore(), idle: () => Promise.resolve(), budgetMs: tuneMs };
          const compiler = new JitCompiler(device, {
            ...(fp16 && { fp16, software: false }),
            tuner: tuneMs === undefined ? undefined : new Tuner(parts),
          });
          const compiled = await compiler.compile(x.shape, (image) => estimator.forward(image as Tensor4D));
          return {
            ...{ layout: 'NHWC', compileStart, overlaps: true, macs: macsOf(compiled) },
            run: () => compiled.run(x.data),
            ...(tuneMs !== undefined && { tune: () => tune(compiler, compiled, times) }),
            profile: async () => {
              const dispatches = await profileDispatches(device, () => compiled.run(x.data));
              return jitProfile(compiled.steps, dispatches);
            },
            dispose: async () => {
              compiled.dispose();
              compiler.dispose();
            },
          };
        },
        dispose: () => run(() => disposeModule(estimator)),
      };
    },
  };
}

async function tune(compiler: JitCompiler, compiled: CompiledNetwork, times: VariantTimes): Promise<Tuning> {
  const start = performance.now();
  await compiler.tune(compiled);
  return { ms: performance.now() - start, shapes: times.shapes() };
}

/** Every operation once, however many dispatches it takes. */
function macsOf({ steps }: CompiledNetwork): number {
  return [...new Set(steps.map(({ node }) => node))].reduce((sum, { macs }) => sum + macs, 0);
}
