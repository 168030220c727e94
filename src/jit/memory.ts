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

interface Placed {
  readonly offset: number;
  readonly bytes: number;
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
  const arenas: Arena[] = [];
  const slots = new Map<string, Slot>();
  const ordered = [...uses].sort((a, b) => firstStep(a) - firstStep(b) || b.bytes - a.bytes);
  for (const use of ordered) {
    const bytes = Math.ceil(use.bytes / ALIGNMENT) * ALIGNMENT;
    const lifetime = { first: firstStep(use), last: lastStep(use) };
    let best: { arena: number; offset: number; waits: boolean; growth: number } | null = null;
    for (let i = 0; i <= arenas.length; i++) {
      const arena = arenas[i] as Arena | undefined;
      if (arena?.forbids(use)) continue;
      const offset = arena?.gap(bytes, lifetime) ?? 0;
      if (arena && offset + bytes > maxArenaBytes) continue;
      const growth = arena ? Math.max(0, offset + bytes - arena.size) : bytes + ALIGNMENT;
      const waits = arena ? arena.delays(use, waves) : i >= MOST_ARENAS;
      if (!best || (waits === best.waits ? growth < best.growth : best.waits))
        best = { arena: i, offset, waits, growth };
    }
    const { arena, offset } = best!;
    arenas[arena] ??= new Arena();
    arenas[arena].add(use, { offset, bytes, ...lifetime }, waves);
    slots.set(use.id, { arena, offset, bytes });
  }
  return { slots, arenas: arenas.map(({ size }) => size) };
}

/** What lies in an arena so far, and which steps and waves touch it. */
class Arena {
  size = 0;
  readonly #placed: Placed[] = [];
  readonly #readSteps = new Set<number>();
  readonly #writeSteps = new Set<number>();
  readonly #readWaves = new Set<number>();
  readonly #writeWaves = new Set<number>();

  /** A step would write here while it reads this storage, or the other way round. */
  forbids({ reads, writes }: StorageUse): boolean {
    return reads.some((step) => this.#writeSteps.has(step)) || writes.some((step) => this.#readSteps.has(step));
  }

  /** Another step of a wave that touches this storage has something here, where one of the two writes. */
  delays({ reads, writes }: StorageUse, waves: readonly number[]): boolean {
    return (
      reads.some((step) => this.#writeWaves.has(waves[step])) ||
      writes.some((step) => this.#writeWaves.has(waves[step]) || this.#readWaves.has(waves[step]))
    );
  }

  /** Lowest offset at which `bytes` fit between the storages that are alive then. */
  gap(bytes: number, lifetime: { first: number; last: number }): number {
    let offset = 0;
    const alive = this.#placed.filter((placed) => overlaps(placed, lifetime));
    for (const other of alive.sort((a, b) => a.offset - b.offset)) {
      if (other.offset - offset >= bytes) return offset;
      offset = Math.max(offset, other.offset + other.bytes);
    }
    return offset;
  }

  add({ reads, writes }: StorageUse, placed: Placed, waves: readonly number[]): void {
    this.size = Math.max(this.size, placed.offset + placed.bytes);
    this.#placed.push(placed);
    for (const step of reads) {
      this.#readSteps.add(step);
      this.#readWaves.add(waves[step]);
    }
    for (const step of writes) {
      this.#writeSteps.add(step);
      this.#writeWaves.add(waves[step]);
    }
  }
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
