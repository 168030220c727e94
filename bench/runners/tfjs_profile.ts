/**
 * Time per kernel of a tfjs backend that computes while it is called (wasm, cpu): every kernel is wrapped for the length of one
 * forward pass.
 */
import * as tf from '../../src/tf.js';
import { addUp, type KernelTime } from '../profile.js';

type Call = Parameters<tf.KernelConfig['kernelFunc']>[0];
type Result = ReturnType<tf.KernelConfig['kernelFunc']>;

export function profileKernels(backend: string, work: () => void): KernelTime[] {
  const calls: Omit<KernelTime, 'calls'>[] = [];
  const originals = tf.getKernelsForBackend(backend);
  replaceKernels(
    originals.map((config) => ({
      ...config,
      kernelFunc: (call: Call) => {
        const start = performance.now();
        const result = config.kernelFunc(call);
        const ms = performance.now() - start;
        calls.push({ kernel: describe(config.kernelName, call), ms, macs: macsOf(config.kernelName, call, result) });
        return result;
      },
    })),
  );
  try {
    work();
  } finally {
    replaceKernels(originals);
  }
  return addUp(calls);
}

function replaceKernels(configs: readonly tf.KernelConfig[]): void {
  for (const config of configs) {
    tf.unregisterKernel(config.kernelName, config.backendName);
    tf.registerKernel(config);
  }
}

function describe(name: string, { inputs, attrs }: Call): string {
  const shapes = Object.values(inputs)
    .flat()
    .filter((tensor) => tensor)
    .slice(0, 2)
    .map((tensor) => (tensor as tf.TensorInfo).shape.join('x'));
  const strides = [(attrs as { strides?: number | number[] } | undefined)?.strides ?? []].flat();
  return `${name} ${shapes.join(' ')}${strides.some((stride) => stride > 1) ? ` /${strides[0]}` : ''}`;
}

function macsOf(name: string, { inputs }: Call, result: Result): number {
  const size = ({ shape }: tf.TensorInfo) => tf.util.sizeFromShape(shape);
  const out = size([result].flat()[0]);
  const { filter, a } = inputs as Record<string, tf.TensorInfo | undefined>;
  if (/^(Fused)?Conv2D$/.test(name)) return (out * size(filter!)) / filter!.shape[3];
  if (/Depthwise/.test(name)) return out * filter!.shape[0] * filter!.shape[1];
  return /MatMul/.test(name) ? out * a!.shape.at(-1)! : 0;
}
