/**
 * Variants of kernels as they were timed: what the tuner of the library sees, kept for tables of defaults. All variants of a shape are
 * compiled at once when the first is asked for, so that the time allowed goes into measuring.
 */
import { compileProgram } from '../../src/jit/compile_program.js';
import { GpuTimer } from '../../src/jit/gpu_timer.js';
import type { Variant } from '../../src/jit/kernels/program.js';
import type { Choice } from '../../src/jit/plan.js';
import type { VariantTimer } from '../../src/jit/tune.js';

/** One shape. */
export interface TunedShape {
  /** The kernel's name for it, as in `src/jit/kernels`. */
  readonly shape: string;
  readonly winner: string;
  readonly winner_ms: number;
  /** What the table of defaults takes. */
  readonly default: string;
  readonly default_ms: number;
  /** ms of each variant; null where it does not run here. */
  readonly ms: Readonly<Record<string, number | null>>;
}

export interface Tuning {
  /** All of it, compiling included, ms. */
  readonly ms: number;
  /** Shapes that were measured, in that order. */
  readonly shapes: readonly TunedShape[];
}

export class VariantTimes implements VariantTimer {
  readonly #device: GPUDevice;
  readonly #timer: VariantTimer;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #times = new Map<string, Map<string, number>>();

  /** @param timer - replaced in tests */
  constructor(device: GPUDevice, timer?: VariantTimer) {
    this.#device = device;
    this.#timer = timer ?? new GpuTimer(device, (_device, program) => this.#pipeline(program));
  }

  async time(choice: Choice, variant: Variant): Promise<number> {
    const { shapeKey, variants } = choice;
    let times = this.#times.get(shapeKey);
    if (!times) {
      times = new Map(variants.map(({ name }) => [name, Infinity]));
      this.#times.set(shapeKey, times);
      for (const program of variants.flatMap((each) => each.programs())) this.#pipeline(program).catch(() => {});
    }
    const ms = await this.#timer.time(choice, variant);
    times.set(variant.name, ms);
    return ms;
  }

  /** Its first variant is the default. */
  shapes(): TunedShape[] {
    return [...this.#times].map(([shape, times]) => {
      const [[first, firstMs]] = times;
      const [winner, winnerMs] = [...times].reduce((best, entry) => (entry[1] < best[1] ? entry : best));
      const ms = Object.fromEntries([...times].map(([name, time]) => [name, time === Infinity ? null : time]));
      return { shape, winner, winner_ms: winnerMs, default: first, default_ms: firstMs, ms };
    });
  }

  #pipeline(program: Parameters<typeof compileProgram>[1]): Promise<GPUComputePipeline> {
    const found = this.#pipelines.get(program.wgsl) ?? compileProgram(this.#device, program);
    this.#pipelines.set(program.wgsl, found);
    return found;
  }
}
