/** Time per kernel: dispatches or kernel calls that are alike, added up. */

export interface KernelTime {
  /** Kernel and the shapes that tell it from others of its kind. */
  readonly kernel: string;
  readonly calls: number;
  readonly ms: number;
  /** Multiply-adds of all calls, direct convolution's count; 0 where the kernel does none or nobody knows. */
  readonly macs: number;
}

/** Adds up calls of the same name, longest first. */
export function addUp(calls: readonly Omit<KernelTime, 'calls'>[]): KernelTime[] {
  const sums = new Map<string, KernelTime>();
  for (const { kernel, ms, macs } of calls) {
    const sum = sums.get(kernel) ?? { kernel, calls: 0, ms: 0, macs: 0 };
    sums.set(kernel, { kernel, calls: sum.calls + 1, ms: sum.ms + ms, macs: sum.macs + macs });
  }
  return [...sums.values()].sort((a, b) => b.ms - a.ms);
}

/** 10^9 multiply-adds per second. */
export function gmacsPerSecond({ macs, ms }: Pick<KernelTime, 'macs' | 'ms'>): number {
  return ms > 0 ? macs / ms / 1e6 : 0;
}
