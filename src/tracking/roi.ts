/**
 * One person in a picture or a video without a detector: windows over the whole picture first, then the region round the last pose,
 * re-centred and re-scaled with every frame, until it is lost. No counterpart in MMPose, which takes boxes from a detector or the
 * whole picture as one; a network that expects a person to fill its input finds little in the whole of a wide picture.
 *
 * Nothing here runs a network: the caller's function does, and gets boxes.
 */
import { InputError } from '../errors.js';
import type { InstanceData, PoseDataSample } from '../structures/pose_data_sample.js';
import { searchWindows, type Box } from './search_windows.js';

export interface RoiTrackerOptions {
  /** Mean score of all keypoints from which there is a person. @default 0.3 */
  readonly minScore?: number;
  /** What is added to the joints' box at each side, as a share of its larger side: joints lie inside the body. @default 0.1 */
  readonly padding?: number;
  /** Passes through the network in one frame at most, the search counted as one. @default 3 */
  readonly maxPasses?: number;
}

/** The picture that is looked at, and the network that looks. */
export interface RoiView {
  /** px */
  readonly imgShape: readonly [h: number, w: number];
  /** Width by height of the network's input. */
  readonly aspectRatio: number;
}

/** Runs the network: one sample per box, in their order. Boxes are xyxy, px, image space. */
export type Look = (bboxes: number[][]) => Promise<PoseDataSample[]>;

/** A person with less than this is looked for elsewhere too, now and then: wrong guesses reach about 0.5. */
const SURE_SCORE = 0.6;
/** Frames between such searches, twice as many after each that was in vain. */
const SEARCH_EVERY = 10;
const SEARCH_EVERY_AT_MOST = 160;
/** A score that falls to this part of what is usual: something was cut off, or the person has moved on. */
const SUDDEN_DROP = 0.75;
/** How fast "usual" follows. */
const USUAL_RATE = 0.1;
/** A pose whose region overlaps the box it was found in by less (IoU) was seen too small, or cut: it is looked at again. */
const SETTLED_OVERLAP = 0.8;
/** A search that ends where the person was anyway was in vain. */
const SAME_PLACE = 0.3;
/** Joints that score at least this part of the person's mean shape the region. */
const CONFIDENT = 0.5;
/** How far a side of the region moves inwards per frame; outwards it moves at once, so that nothing is cut off. */
const SHRINK = 0.5;
/** Sides of a region, as a share of the picture's shorter side, and the part of it that lies in the picture. */
const SMALLEST_SIDE = 0.04;
const LEAST_VISIBLE = 0.25;

/** One look at one person. */
interface Candidate {
  readonly sample: PoseDataSample;
  /** Where it was looked at. */
  readonly box: Box;
  readonly score: number;
  /** Where its pose says that it is; null when that cannot be. */
  readonly region: Box | null;
}

/**
 * ```js
 * const tracker = new RoiTracker(); // one per video
 * const sample = await inferencer.infer(frame, { tracker });
 * sample.predInstances.trackIds.data[0]; // 0, and one more each time that the person was lost and found; -1: not found
 * ```
 *
 * One call after the other: the next frame's region comes from this frame's pose.
 */
export class RoiTracker {
  readonly #minScore: number;
  readonly #padding: number;
  readonly #maxPasses: number;
  #box: Box | null = null;
  #imgShape: readonly number[] = [];
  #id = -1;
  /** The score that this person has as a rule. */
  #usual = 0;
  #sinceSearch = 0;
  #searchEvery = SEARCH_EVERY;

  constructor({ minScore = 0.3, padding = 0.1, maxPasses = 3 }: RoiTrackerOptions = {}) {
    checkOption('minScore', minScore, minScore >= 0);
    checkOption('padding', padding, padding >= 0);
    checkOption('maxPasses', maxPasses, maxPasses >= 1);
    [this.#minScore, this.#padding, this.#maxPasses] = [minScore, padding, maxPasses];
  }

  /** Where the person is expected in the next frame, xyxy, px, image space; null: nowhere, the whole picture is searched. */
  get box(): readonly [x1: number, y1: number, x2: number, y2: number] | null {
    return this.#box;
  }

  /** Forgets the person. */
  reset(): void {
    this.#box = null;
  }

  /**
   * One frame. Always gives the best guess as one person, with `trackIds`; `box` says whether that counts as found.
   *
   * @param look - called once while the person is where it should be, else up to `maxPasses` times for the same picture
   */
  async track(view: RoiView, look: Look): Promise<PoseDataSample> {
    if (view.imgShape.join() !== this.#imgShape.join()) this.reset();
    this.#imgShape = view.imgShape;
    let best: Candidate | null = null;
    let passes = 0;
    if (this.#box) {
      best = (await this.#look(view, look, [this.#box]))[0];
      if (!this.#needsSearch(best)) return this.#settle(best, this.#box);
      passes++;
    }
    const before = best;
    if (passes < this.#maxPasses) {
      const found = await this.#look(view, look, searchWindows(view));
      best = [...(best ? [best] : []), ...found].reduce((a, b) => (b.score > a.score ? b : a));
      passes++;
    }
    best = await this.#refine(view, look, best!, this.#maxPasses - passes);
    return this.#settleSearch(best, before);
  }

  /** Looks again where the pose says that it is, until that is where it was looked at. */
  async #refine(view: RoiView, look: Look, first: Candidate, passes: number): Promise<Candidate> {
    let best = first;
    for (let i = 0; i < passes && best.region && overlap(best.region, best.box) < SETTLED_OVERLAP; i++) {
      const [next] = await this.#look(view, look, [best.region]);
      if (next.score < best.score) break;
      best = next;
    }
    return best;
  }

  async #look(view: RoiView, look: Look, boxes: readonly Box[]): Promise<Candidate[]> {
    const samples = await look(boxes.map((box) => [...box]));
    return samples.map((sample, i) => {
      const { keypointScores } = sample.predInstances!;
      const score = meanOf(keypointScores.data);
      return { sample, box: boxes[i], score, region: plausible(regionOf(sample.predInstances!, this.#padding), view) };
    });
  }

  #needsSearch({ score, region }: Candidate): boolean {
    this.#sinceSearch++;
    if (!region || score < this.#minScore || score < SUDDEN_DROP * this.#usual) return true;
    return score < SURE_SCORE && this.#sinceSearch >= this.#searchEvery;
  }

  /** @param before - what was there without the search */
  #settleSearch(best: Candidate, before: Candidate | null): PoseDataSample {
    this.#sinceSearch = 0;
    const inVain = before !== null && overlap(best.box, before.box) >= SAME_PLACE;
    this.#searchEvery = inVain ? Math.min(2 * this.#searchEvery, SEARCH_EVERY_AT_MOST) : SEARCH_EVERY;
    // A drop that a search cannot mend is how things are now.
    this.#usual = best.score;
    return this.#settle(best, best === before ? before.box : null);
  }

  /** @param box - the region so far, when the pose was found in it */
  #settle({ sample, score, region }: Candidate, box: Box | null): PoseDataSample {
    const found = region !== null && score >= this.#minScore;
    if (found && !this.#box) this.#id++;
    this.#box = found ? (box ? followed(box, region) : region) : null;
    this.#usual += USUAL_RATE * (score - this.#usual);
    return withTrackId(sample, found ? this.#id : -1);
  }
}

function checkOption(name: string, value: number, ok: boolean): void {
  if (ok && Number.isFinite(value)) return;
  throw new InputError(`RoiTracker.${name}: found ${value}; expected a number from ${name === 'maxPasses' ? 1 : 0}.`);
}

function meanOf(values: Float32Array): number {
  return values.reduce((sum, value) => sum + value, 0) / (values.length || 1);
}

/**
 * The box round one person's confident joints, widened by `padding` of its larger side. Confidence is relative to the person's own
 * mean: codecs differ in what their scores mean.
 *
 * @param instances - one person, keypoints [1, K, D] px, image space
 */
export function regionOf({ keypoints, keypointScores }: InstanceData, padding: number): Box {
  const [, k, dims] = keypoints.shape;
  const least = CONFIDENT * meanOf(keypointScores.data);
  let [x1, y1, x2, y2] = [Infinity, Infinity, -Infinity, -Infinity];
  for (let i = 0; i < k; i++) {
    if (!(keypointScores.data[i] >= least)) continue;
    const [x, y] = keypoints.data.subarray(i * dims);
    [x1, y1, x2, y2] = [Math.min(x1, x), Math.min(y1, y), Math.max(x2, x), Math.max(y2, y)];
  }
  const margin = padding * Math.max(x2 - x1, y2 - y1);
  return [x1 - margin, y1 - margin, x2 + margin, y2 + margin];
}

/** The region if it has a size, and shows some of the picture. */
export function plausible(region: Box, { imgShape: [h, w] }: Pick<RoiView, 'imgShape'>): Box | null {
  const [width, height] = [region[2] - region[0], region[3] - region[1]];
  // Also catches what is not a number.
  if (!(Math.max(width, height) >= SMALLEST_SIDE * Math.min(w, h))) return null;
  return shared(region, [0, 0, w, h]) >= LEAST_VISIBLE * width * height ? region : null;
}

/** The next region: each side goes outwards at once and inwards slowly. */
function followed(box: Box, region: Box): Box {
  return box.map((side, i) => {
    const step = region[i] - side;
    const outwards = i < 2 ? step < 0 : step > 0;
    return side + (outwards ? step : SHRINK * step);
  }) as Box;
}

/** px² in both. */
function shared(a: Box, b: Box): number {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]);
  const h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  return Math.max(0, w) * Math.max(0, h);
}

/** Intersection over union. */
function overlap(a: Box, b: Box): number {
  const [areaA, areaB] = [a, b].map((box) => (box[2] - box[0]) * (box[3] - box[1]));
  const both = shared(a, b);
  return both / Math.max(areaA + areaB - both, Number.EPSILON);
}

function withTrackId(sample: PoseDataSample, id: number): PoseDataSample {
  const trackIds = { data: Int32Array.of(id), shape: [1] };
  return { ...sample, predInstances: { ...sample.predInstances!, trackIds } };
}
