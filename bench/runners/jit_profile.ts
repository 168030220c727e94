/** Time per operation of a compiled network, from the timestamps of its dispatches. */
import type { CompiledStep } from '../../src/jit/compiler.js';
import type { GpuDispatch } from '../gpu_meter.js';
import { addUp, type KernelTime } from '../profile.js';

/** Dispatches of one operation (a transform, a product, a transform back) are one line. */
export function jitProfile(steps: readonly CompiledStep[], dispatches: readonly GpuDispatch[]): KernelTime[] {
  if (steps.length !== dispatches.length) {
    throw new Error(`profile: found ${dispatches.length} dispatches; expected the ${steps.length} of the network`);
  }
  const operations = new Map<CompiledStep['node'], { labels: Set<string>; ms: number }>();
  for (const [i, { node, label }] of steps.entries()) {
    const operation = operations.get(node) ?? { labels: new Set<string>(), ms: 0 };
    operation.labels.add(label);
    operation.ms += dispatches[i].ms;
    operations.set(node, operation);
  }
  return addUp(
    [...operations].map(([{ shape, macs }, { labels, ms }]) => {
      return { kernel: `${[...labels].join(' + ')} -> ${shape.join('x')}`, ms, macs };
    }),
  );
}

/** Where nobody says what a dispatch works on: by label and number of workgroups. */
export function labelProfile(dispatches: readonly GpuDispatch[]): KernelTime[] {
  return addUp(
    dispatches.map(({ label, workgroups, ms }) => ({ kernel: `${label} ${workgroups.join('x')} groups`, ms, macs: 0 })),
  );
}
