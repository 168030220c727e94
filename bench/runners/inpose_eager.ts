/** The library on a tfjs backend, kernel by kernel: what runs where there is no compiled form. */
import { createBackend, type Backend, type BackendName } from '../../src/backend/init.js';
import { readTensor } from '../../src/backend/readback.js';
import { disposeModule, prepareModule } from '../../src/nn/module.js';
import * as tf from '../../src/tf.js';
import type { Tensor, Tensor4D } from '../../src/tf.js';
import { profileDispatches } from '../gpu_meter.js';
import { toNhwc } from '../network.js';
import { profileKernels } from './tfjs_profile.js';
import { labelProfile } from './jit_profile.js';
import type { Runner, RunnerName, Session } from './runner.js';

const backends = new Map<BackendName, Promise<Backend>>();

/** The page's backend of this name, started at the first call. */
export function pageBackend(name: BackendName): Promise<Backend> {
  const found = backends.get(name) ?? createBackend(name);
  backends.set(name, found);
  return found;
}

export function eagerRunner(name: RunnerName, backendName: BackendName): Runner {
  return {
    name,
    async prepare(network, input) {
      const backend = await pageBackend(backendName);
      const estimator = await network.load();
      const { data, shape } = toNhwc(input);
      const forward = (): Tensor[] =>
        tf.tidy(() => estimator.forward(tf.tensor(data, [...shape]) as unknown as Tensor4D) as Tensor[]);
      const run = async () => {
        const outputs = backend.run(forward);
        const values = await Promise.all(outputs.map(readTensor));
        backend.run(() => tf.dispose(outputs));
        return values.map((values, i) => ({ data: values, shape: outputs[i].shape }));
      };
      return {
        async start() {
          backend.run(() => prepareModule(estimator));
          return {
            ...{ layout: 'NHWC', run, dispose: async () => {} },
            profile: profileOf(backend, run, () => backend.run(() => tf.dispose(forward()))),
            get otherGpuBytes() {
              return backendName === 'webgl' ? webglBytes(backend) : 0;
            },
          };
        },
        dispose: () => backend.run(() => disposeModule(estimator)),
      };
    },
  };
}

function profileOf(backend: Backend, run: () => Promise<unknown>, forward: () => void): Session['profile'] {
  if (backend.name === 'wasm') return async () => profileKernels('wasm', forward);
  if (backend.name !== 'webgpu') return undefined;
  const { device } = backend.run(() => tf.backend()) as unknown as { device: GPUDevice };
  return async () => labelProfile(await profileDispatches(device, run));
}

function webglBytes(backend: Backend): number {
  return backend.run(() => (tf.memory() as { numBytesInGPU?: number }).numBytesInGPU ?? 0);
}
