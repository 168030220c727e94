/**
 * Picks kernels by measuring: where a kernel comes in variants, each is timed on the visitor's adapter for the shapes that occur, in
 * idle time after the first result, and the winners are remembered. Until then, and without a store, the kernels' own table decides.
 */
import type { Variant } from './kernels/program.js';
import type { Choice } from './plan.js';

/** Times one variant. */
export interface VariantTimer {
  /** Shortest of a few runs, ms on the GPU. */
  time(choice: Choice, variant: Variant): Promise<number>;
}

/** Remembers winners between visits. */
export interface WinnerStore {
  /** Names of winners by shape. */
  load(): Promise<ReadonlyMap<string, string>>;
  save(shapeKey: string, winner: string): Promise<void>;
}

/** Resolves when the page has nothing better to do. */
export type Idle = () => Promise<void>;

export interface TunerParts {
  readonly timer: VariantTimer;
  readonly store: WinnerStore;
  readonly idle: Idle;
  /** Milliseconds of the clock that one `tune` may take; the rest of the shapes wait for the next one. @default 4000 */
  readonly budgetMs?: number;
  readonly now?: () => number;
}

/** A variant must be faster than the default by this share to replace it: nearer is noise. */
const MARGIN = 0.05;
/** One that takes more memory than the weights must be faster by this share besides. */
const MEMORY_MARGIN = 0.15;
const BUDGET_MS = 4000;

export class Tuner {
  readonly #parts: TunerParts;
  readonly #winners = new Map<string, string>();
  #loaded: Promise<void> | null = null;

  constructor(parts: TunerParts) {
    this.#parts = parts;
  }

  /** Reads what was remembered, once. A store that cannot be read is an empty one. */
  load(): Promise<void> {
    this.#loaded ??= this.#parts.store.load().then(
      (winners) => {
        for (const [shape, winner] of winners) this.#winners.set(shape, winner);
      },
      () => {},
    );
    return this.#loaded;
  }

  /** `KernelContext.choose`. A remembered name that no variant has any more counts as none. */
  readonly choose = (shapeKey: string, variants: readonly Variant[]): Variant | undefined => {
    const winner = this.#winners.get(shapeKey);
    return winner === undefined ? undefined : variants.find(({ name }) => name === winner);
  };

  /**
   * Times every shape that has no winner yet.
   *
   * @returns whether a plan made now would differ from the one that the choices come from
   */
  async tune(choices: readonly Choice[], signal?: AbortSignal): Promise<boolean> {
    const { idle, now = () => performance.now(), budgetMs = BUDGET_MS } = this.#parts;
    const end = now() + budgetMs;
    let changed = false;
    for (const choice of mostFrequentFirst(choices)) {
      if (choice.variants.length < 2 || this.choose(choice.shapeKey, choice.variants)) continue;
      await idle();
      if (signal?.aborted || now() >= end) break;
      const winner = await this.#fastest(choice, signal);
      if (!winner) break;
      this.#winners.set(choice.shapeKey, winner.name);
      changed ||= winner.name !== choice.chosen;
      await this.#parts.store.save(choice.shapeKey, winner.name).catch(() => {});
    }
    return changed;
  }

  async #fastest(choice: Choice, signal?: AbortSignal): Promise<Variant | null> {
    const [first, ...others] = choice.variants;
    let best = first;
    let bestTime = (await this.#parts.timer.time(choice, first)) * (1 - MARGIN);
    for (const variant of others) {
      await this.#parts.idle();
      if (signal?.aborted) return null;
      // A variant that this device cannot run is no candidate.
      const measured = await this.#parts.timer.time(choice, variant).catch(() => Infinity);
      const time = variant.constantBytes === undefined ? measured : measured / (1 - MEMORY_MARGIN);
      if (time >= bestTime) continue;
      best = variant;
      bestTime = time;
    }
    return best;
  }
}

/** Each shape once: the time allowed may not be enough for all. */
function mostFrequentFirst(choices: readonly Choice[]): Choice[] {
  const found = new Map<string, { choice: Choice; count: number }>();
  for (const choice of choices) {
    const count = (found.get(choice.shapeKey)?.count ?? 0) + 1;
    found.set(choice.shapeKey, { choice, count });
  }
  return [...found.values()].sort((a, b) => b.count - a.count).map(({ choice }) => choice);
}

/** The browser's idle callback, or a short pause where there is none (workers, Node). */
export function whenIdle(): Promise<void> {
  return new Promise((resolve) => {
    if (typeof requestIdleCallback === 'function') requestIdleCallback(() => resolve(), { timeout: 1000 });
    else setTimeout(resolve, 20);
  });
}

/** For tests, and where nothing can be kept. */
export function memoryStore(winners = new Map<string, string>()): WinnerStore {
  return {
    load: () => Promise.resolve(winners),
    save: (shapeKey, winner) => {
      winners.set(shapeKey, winner);
      return Promise.resolve();
    },
  };
}
