/**
 * Gives every storage a place in a few large buffers ("arenas"), so that values that are never alive together share memory.
 * A WebGPU shader may not read and write one buffer at the same time, hence more than one arena.
 */

/** One storage and the steps that touch it. */
export interface StorageUse {
  readonly id: string;
  readonly bytes: number;
  /** Steps (programs, in order) that read it. */
  readonly reads: readonly number[];
  /** Steps that write it. */
  readonly writes: readonly number[];
  /** Alive from before the first step (an input) or to after the last (an output). */
  readonly fromStart?: boolean;
  readonly toEnd?: boolean;
}

export interface Slot {
  readonly arena: number;
  readonly offset: number;
  readonly bytes: number;
}

export interface MemoryPlan {
  readonly slots: ReadonlyMap<string, Slot>;
  /** Size of each arena, bytes. */
  readonly arenas: readonly number[];
}

interface Placed extends Slot {
  readonly use: StorageUse;
  readonly first: number;
  readonly last: number;
}

/** Bytes; WebGPU's largest `minStorageBufferOffsetAlignment`. */
const ALIGNMENT = 256;

/** Branches take about three each; beyond, steps of a wave wait for one another. */
const MOST_ARENAS = 16;

/**
 * First fit by first use. Of the arenas that the storage's steps allow, one that makes no two steps of a wave wait for each other,
 * and of those the one that grows least.
 *
 * @param waves - of each step: steps of one wave do not need each other. GPUs keep dispatches apart that touch the same buffer,
 *   when one of them writes to it, wherever in the buffer that is
 */
export function planMemory(uses: readonly StorageUse[], waves: readonly number[], maxArenaBytes: number): MemoryPlan {
  const arenas: number[] = [];
  const placed: Placed[] = [];
  const ordered = [...uses].sort((a, b) => firstStep(a) - firstStep(b) || b.bytes - a.bytes);
  for (const use of ordered) {
    const bytes = Math.ceil(use.bytes / ALIGNMENT) * ALIGNMENT;
    const forbidden = conflictingArenas(use, placed);
    const lifetime = { first: firstStep(use), last: lastStep(use) };
    const waiting = waitingArenas(use, placed, waves);
    let best: { arena: number; offset: number; waits: boolean; growth: number } | null = null;
    for (let arena = 0; arena <= arenas.length; arena++) {
      if (forbidden.has(arena)) continue;
      const offset = findGap(
        placed.filter((p) => p.arena === arena && overlaps(p, lifetime)),
        bytes,
      );
      const growth = Math.max(0, offset + bytes - (arenas[arena] ?? 0)) + (arena === arenas.length ? ALIGNMENT : 0);
      if (offset + bytes > maxArenaBytes && arena < arenas.length) continue;
      const waits = waiting.has(arena) || arena >= MOST_ARENAS;
      if (!best || (waits === best.waits ? growth < best.growth : best.waits)) best = { arena, offset, waits, growth };
    }
    const { arena, offset } = best!;
    arenas[arena] = Math.max(arenas[arena] ?? 0, offset + bytes);
    placed.push({ arena, offset, bytes, use, ...lifetime });
  }
  const slots = new Map(placed.map(({ use, arena, offset, bytes }) => [use.id, { arena, offset, bytes }]));
  return { slots, arenas };
}

function firstStep({ reads, writes, fromStart }: StorageUse): number {
  return fromStart ? -1 : Math.min(...reads, ...writes);
}

function lastStep({ reads, writes, toEnd }: StorageUse): number {
  return toEnd ? Infinity : Math.max(...reads, ...writes);
}

function overlaps(a: { first: number; last: number }, b: { first: number; last: number }): boolean {
  return a.first <= b.last && b.first <= a.last;
}

/** Arenas of what a step writes while it reads this storage, and the other way round. */
function conflictingArenas({ reads, writes }: StorageUse, placed: readonly Placed[]): ReadonlySet<number> {
  const [readSteps, writeSteps] = [new Set(reads), new Set(writes)];
  const clashes = ({ use }: Placed) =>
    use.writes.some((step) => readSteps.has(step)) || use.reads.some((step) => writeSteps.has(step));
  return new Set(placed.filter(clashes).map(({ arena }) => arena));
}

/** Arenas in which another step of a wave that touches this storage has something, where one of the two writes. */
function waitingArenas(use: StorageUse, placed: readonly Placed[], waves: readonly number[]): ReadonlySet<number> {
  const wavesOfSteps = (steps: readonly number[]) => new Set(steps.map((step) => waves[step]));
  const [reads, writes] = [wavesOfSteps(use.reads), wavesOfSteps(use.writes)];
  const waits = ({ use: other }: Placed) =>
    other.writes.some((step) => reads.has(waves[step]) || writes.has(waves[step])) ||
    other.reads.some((step) => writes.has(waves[step]));
  return new Set(placed.filter(waits).map(({ arena }) => arena));
}

/** Lowest offset at which `bytes` fit between the storages that are alive. */
function findGap(alive: readonly Placed[], bytes: number): number {
  let offset = 0;
  for (const other of [...alive].sort((a, b) => a.offset - b.offset)) {
    if (other.offset - offset >= bytes) return offset;
    offset = Math.max(offset, other.offset + other.bytes);
  }
  return offset;
}
