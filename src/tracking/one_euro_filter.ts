/**
 * Smoothing of poses over time, a filter per person and joint: the 1 Euro filter (https://gery.casiez.net/1euro/), a low pass whose
 * cutoff rises with speed. It damps what stands still, where jitter is seen, and follows what moves, where lag is seen.
 */
import { ConfigError, InputError } from '../errors.js';
import type { InstanceData, PoseDataSample } from '../structures/pose_data_sample.js';

export interface OneEuroOptions {
  /** Cutoff at rest, Hz: lower is calmer. */
  readonly minCutoff: number;
  /** Rise of the cutoff with speed, Hz per (person's size a second): higher lags less. */
  readonly beta: number;
  /** Cutoff for the speed itself, Hz. */
  readonly dCutoff: number;
}

/** `light` hardly lags, `strong` is calm; the cutoffs of the second are what `stream` uses. */
export const SMOOTHING_PRESETS = {
  light: { minCutoff: 3, beta: 12, dCutoff: 1 },
  medium: { minCutoff: 1.2, beta: 8, dCutoff: 1 },
  strong: { minCutoff: 0.5, beta: 4, dCutoff: 1 },
} as const satisfies Readonly<Record<string, OneEuroOptions>>;

export type SmoothingPreset = keyof typeof SMOOTHING_PRESETS;

/** Some numbers over time, each filtered by itself. */
export class OneEuroFilter {
  readonly #options: OneEuroOptions;
  #values: Float64Array | null = null;
  #speeds = new Float64Array();
  #time = 0;

  constructor(options: OneEuroOptions) {
    checkOptions(options);
    this.#options = options;
  }

  /**
   * The next values, smoothed. The first ones, and those of a time that is not later than the last, come back as they are: there the
   * filter begins anew.
   *
   * @param timestamp - ms
   * @param unit - length in which speed counts: px of a person's size, so that presets hold at all sizes
   * @throws InputError when there are more or fewer values than before
   */
  filter(values: ArrayLike<number>, timestamp: number, unit = 1): Float64Array {
    const before = this.#values;
    if (before && before.length !== values.length) {
      throw new InputError(`OneEuroFilter: found ${values.length} values; expected ${before.length}, as before.`);
    }
    const seconds = (timestamp - this.#time) / 1000;
    this.#time = timestamp;
    if (!before || !(seconds > 0)) {
      this.#values = Float64Array.from(values);
      this.#speeds = new Float64Array(values.length);
      return this.#values.slice();
    }
    const { minCutoff, beta, dCutoff } = this.#options;
    const speedShare = share(dCutoff, seconds);
    for (let i = 0; i < before.length; i++) {
      this.#speeds[i] += speedShare * ((values[i] - before[i]) / seconds - this.#speeds[i]);
      const cutoff = minCutoff + (beta * Math.abs(this.#speeds[i])) / unit;
      before[i] += share(cutoff, seconds) * (values[i] - before[i]);
    }
    return before.slice();
  }
}

function checkOptions(options: OneEuroOptions): void {
  for (const name of ['minCutoff', 'beta', 'dCutoff'] as const) {
    const value = options[name];
    if (Number.isFinite(value) && (name === 'beta' ? value >= 0 : value > 0)) continue;
    const least = name === 'beta' ? 'from 0' : 'above 0';
    throw new ConfigError(`OneEuroFilter.${name}: found ${String(value)}; expected a number ${least}.`);
  }
}

/** Of a new value, in a low pass of first order. */
function share(cutoff: number, seconds: number): number {
  const tau = 1 / (2 * Math.PI * cutoff);
  return 1 / (1 + tau / seconds);
}

interface PersonFilter {
  readonly filter: OneEuroFilter;
  lastSeen: number;
}

/** ms; who was away for longer begins anew, or the pose would glide from where it was. */
const MAX_PAUSE_MS = 500;

/**
 * ```js
 * const smoother = new PoseSmoother('medium'); // one per video
 * draw(smoother.smooth(sample)); // a sample with trackIds and a timestamp
 * ```
 *
 * Filters belong to track ids, so people who cross do not pull each other; without ids nothing is smoothed.
 */
export class PoseSmoother {
  readonly #options: OneEuroOptions;
  readonly #filters = new Map<number, PersonFilter>();

  /** @throws ConfigError for an unknown preset or a number that is none */
  constructor(smoothing: SmoothingPreset | OneEuroOptions = 'medium') {
    if (typeof smoothing === 'string' && !Object.hasOwn(SMOOTHING_PRESETS, smoothing)) {
      const names = Object.keys(SMOOTHING_PRESETS).join(', ');
      throw new ConfigError(`smoothing: found ${JSON.stringify(smoothing)}; expected ${names}, or numbers.`);
    }
    this.#options = typeof smoothing === 'string' ? SMOOTHING_PRESETS[smoothing] : smoothing;
    checkOptions(this.#options);
  }

  /** The sample with smoothed keypoints; the one given is not changed. */
  smooth(sample: PoseDataSample): PoseDataSample {
    const { predInstances, metainfo } = sample;
    if (!predInstances?.trackIds) return sample;
    const { timestamp } = metainfo;
    const { keypoints, trackIds } = predInstances;
    const size = keypoints.shape[1] * keypoints.shape[2];
    const data = keypoints.data.slice();
    for (const [i, id] of trackIds.data.entries()) {
      if (id < 0) continue;
      const own = data.subarray(i * size, (i + 1) * size);
      own.set(this.#filterOf(id, timestamp).filter(own, timestamp, sizeOf(predInstances, i)));
    }
    for (const [id, { lastSeen }] of this.#filters) {
      if (Math.abs(timestamp - lastSeen) > MAX_PAUSE_MS) this.#filters.delete(id);
    }
    return { ...sample, predInstances: { ...predInstances, keypoints: { data, shape: keypoints.shape } } };
  }

  #filterOf(id: number, timestamp: number): OneEuroFilter {
    let person = this.#filters.get(id);
    if (!person || Math.abs(timestamp - person.lastSeen) > MAX_PAUSE_MS) {
      person = { filter: new OneEuroFilter(this.#options), lastSeen: timestamp };
      this.#filters.set(id, person);
    }
    person.lastSeen = timestamp;
    return person.filter;
  }

  /** Forgets everybody. */
  reset(): void {
    this.#filters.clear();
  }
}

/** Mean side of a person's box, px. */
function sizeOf({ bboxes: { data } }: InstanceData, i: number): number {
  return Math.max(1, (data[i * 4 + 2] - data[i * 4] + data[i * 4 + 3] - data[i * 4 + 1]) / 2);
}
