/**
 * The order of a plan's steps. Steps that do not need each other's results, such as the branches of HRNet, come next to each other:
 * a GPU may run them side by side, when nothing else makes it wait (`memory.ts`).
 */

/** Names of the storages that a step reads and writes. */
export interface Touches {
  readonly reads: readonly string[];
  readonly writes: readonly string[];
}

/** For each step, the number of its wave: one more than the latest wave that it needs a result of. Steps come in an order that works. */
export function wavesOf(steps: readonly Touches[]): number[] {
  const written = new Map<string, number>();
  return steps.map(({ reads, writes }) => {
    const wave = 1 + Math.max(-1, ...reads.map((name) => written.get(name) ?? -1));
    // A concatenation is written by several steps; whoever reads any of it waits for all that came before.
    for (const name of writes) written.set(name, Math.max(wave, written.get(name) ?? -1));
    return wave;
  });
}

/** Indices of the steps, wave by wave, in their old order within each. */
export function waveOrder(waves: readonly number[]): number[] {
  return waves.map((_, step) => step).sort((a, b) => waves[a] - waves[b] || a - b);
}
