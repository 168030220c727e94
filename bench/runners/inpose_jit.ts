/** The library's compiled WebGPU networks: the one file of the benchmark that knows the compiler's interface. */
import { JitCompiler, type CompiledNetwork, type JitOptions } from '../../src/jit/compiler.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import type { Tensor4D } from '../../src/tf.js';
import { profileDispatches } from '../gpu_meter.js';
import { toNhwc } from '../network.js';
import { nextTask } from '../timing.js';
import { jitProfile } from './jit_profile.js';
import type { Runner, RunnerName } from './runner.js';

/** Where the weights lie until they are compiled, and the device that runs them. */
export interface JitHost {
  readonly device: GPUDevice;
  /** Runs a synchronous section on the tfjs backend that holds the weights. */
  run<T>(section: () => T): T;
}

/** @param options - of the compiler; fp16 where the device has it, else an error */
export function jitRunner(name: RunnerName, host: () => Promise<JitHost>, options: JitOptions = {}): Runner {
  return {
    name,
    async prepare(network, input) {
      const { device, run } = await host();
      const estimator = await network.load();
      const x = toNhwc(input);
      return {
        async start() {
          run(() => prepareModule(estimator));
          await nextTask();
          const compileStart = performance.now();
          const compiler = new JitCompiler(device, options);
          if (options.fp16 && !compiler.fp16) throw new Error(`${name}: found a device without shader-f16`);
          const compiled = await compiler.compile(x.shape, (image) => estimator.forward(image as Tensor4D));
          return {
            ...{ layout: 'NHWC', compileStart, overlaps: true, macs: macsOf(compiled) },
            run: () => compiled.run(x.data),
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

/** Every operation once, however many dispatches it takes. */
function macsOf({ steps }: CompiledNetwork): number {
  return [...new Set(steps.map(({ node }) => node))].reduce((sum, { macs }) => sum + macs, 0);
}
