/**
 * Several people in a video: where the detector looks now and then, and where the last poses say that people are in between; and who
 * is who from frame to frame. MMPose's inferencer matches greedily by IoU or OKS (`track_by_iou.ts`, `track_by_oks.ts`); this adds what
 * a stream needs: people that move are expected where they will be, best pairs are matched first, and who is away for a while keeps
 * the id.
 *
 * Nothing here runs a network: the caller's functions do.
 */
import { InputError } from '../errors.js';
import { row, type NdArray } from '../ndarray.js';
import type { InstanceData, PoseDataSample } from '../structures/pose_data_sample.js';
import { concatInstances, sliceInstances } from '../structures/utils.js';
import { plausible, regionOf, type Look } from './roi.js';
import type { Box } from './search_windows.js';
import { boxIou } from './track_by_iou.js';
import { poseOks } from './track_by_oks.js';

export interface PoseTrackerOptions {
  /** Frames from one look of the detector to the next; earlier when somebody gets lost. 1: every frame. @default 10 */
  readonly detInterval?: number;
  /** Mean score of all keypoints below which a person counts as lost in that frame. @default 0.2 */
  readonly minScore?: number;
  /** What is added to the joints' box at each side, as a share of its larger side: joints lie inside the body. @default 0.1 */
  readonly padding?: number;
  /** How long who is lost keeps the id, ms. @default 1000 */
  readonly maxGap?: number;
  /** OKS sigmas of the keypoints, [K]. @default the same for all */
  readonly sigmas?: ArrayLike<number> | null;
}

/** The picture that is looked at. */
export interface FrameView {
  /** px */
  readonly imgShape: readonly [h: number, w: number];
  /** ms; frames without one count as 33 ms apart. */
  readonly timestamp: number;
}

/** Runs the detector: [N, 5] xyxy and score, px, image space. */
export type Find = () => Promise<NdArray>;

/** Similarity, mean of IoU and OKS with where somebody is expected, from which it may be the same person. */
const SAME_PERSON = 0.2;
/** How far from where somebody was lost the same person may appear at once, in sizes (mean side of the box); twice that at last. */
const REACH = 0.4;
/** A detected box that overlaps a person's expected one by more (IoU) is that person's. */
const SAME_BOX = 0.4;
/** Two poses of one frame that are this similar are one person, seen twice. */
const SEEN_TWICE = 0.7;
/** Frames between looks of the detector at least, when somebody gets lost: in a crowd that happens all the time. */
const LOST_INTERVAL = 3;
/** ms between frames that have no timestamps. */
const USUAL_STEP_MS = 33;
/** Speeds older than this say nothing, ms. */
const SPEED_HORIZON_MS = 300;
/** How fast a speed follows. */
const SPEED_RATE = 0.5;
/** Sigma of keypoints whose dataset publishes none. */
const USUAL_SIGMA = 0.07;

/** One person over time. */
interface Track {
  readonly id: number;
  instances: InstanceData;
  /** Where the person was seen last. */
  region: Box;
  /** px per ms */
  speed: readonly [x: number, y: number];
  /** ms */
  lastSeen: number;
  /** Frames in a row without a pose. */
  missed: number;
}

/** One pose of this frame. */
interface Candidate {
  readonly sample: PoseDataSample;
  readonly instances: InstanceData;
  readonly region: Box | null;
  readonly score: number;
  /** A detector's box, not one that was expected. */
  readonly isDetected: boolean;
}

/** Where to look. */
interface Place {
  readonly box: Box;
  /** Of the detector; for expected boxes that of the last sight. */
  readonly score: number;
  readonly isDetected: boolean;
}

/**
 * ```js
 * const tracker = new PoseTracker({ detInterval: 10 }); // one per video
 * const sample = await inferencer.infer(frame, { tracker, timestamp }); // an inferencer with a detector
 * sample.predInstances.trackIds; // { data: Int32Array [0, 1, 4], shape: [3] }
 * ```
 *
 * One call after the other: the next frame's boxes come from this frame's poses.
 */
export class PoseTracker {
  readonly #options: Required<Omit<PoseTrackerOptions, 'sigmas'>>;
  readonly #sigmas: ArrayLike<number> | null;
  #tracks: Track[] = [];
  #nextId = 0;
  #sinceDetection = Infinity;
  /** Since the detector looked last. */
  #someLost = false;
  #imgShape: readonly number[] = [];
  #now = 0;
  #lastTimestamp = -Infinity;

  constructor({ sigmas = null, ...options }: PoseTrackerOptions = {}) {
    this.#options = { detInterval: 10, minScore: 0.2, padding: 0.1, maxGap: 1000, ...options };
    this.#sigmas = sigmas;
    for (const [name, value] of Object.entries(this.#options)) {
      const least = name === 'detInterval' ? 1 : 0;
      const ok = Number.isFinite(value) && value >= least;
      if (!ok) throw new InputError(`PoseTracker.${name}: found ${value}; expected a number from ${least}.`);
    }
  }

  /** Whether the next frame will be searched by the detector. */
  get wantsDetection(): boolean {
    const frames = this.#sinceDetection + 1;
    if (frames >= this.#options.detInterval || this.#present.length === 0) return true;
    return this.#someLost && frames >= LOST_INTERVAL;
  }

  /** Forgets everybody; ids go on. */
  reset(): void {
    this.#tracks = [];
    this.#sinceDetection = Infinity;
    this.#lastTimestamp = -Infinity;
  }

  /**
   * One frame.
   *
   * @param find - called when `wantsDetection`
   * @param look - called once at most
   * @returns one sample per person with `trackIds`, in the order of the ids
   */
  async track(view: FrameView, find: Find, look: Look): Promise<PoseDataSample[]> {
    this.#begin(view);
    const detects = this.wantsDetection;
    this.#sinceDetection = detects ? 0 : this.#sinceDetection + 1;
    if (detects) this.#someLost = false;
    const places = this.#places(detects ? await find() : null, view);
    const samples = places.length > 0 ? await look(places.map(({ box }) => [...box])) : [];
    const candidates = samples.map((sample, i) => this.#candidate(sample, places[i], view));
    return this.#settle(candidates);
  }

  /**
   * One frame whose people were found without boxes, by a bottom-up model.
   *
   * @returns the sample with `trackIds`, people in the order of the ids; without those who were found twice, or have no size
   */
  update(sample: PoseDataSample): PoseDataSample {
    const { metainfo, predInstances: all } = sample;
    if (!all) return sample;
    this.#begin(metainfo);
    const candidates = Array.from({ length: all.keypoints.shape[0] }, (_, i) => {
      const predInstances = sliceInstances(all, [i]);
      const place = { score: predInstances.bboxScores.data[0], isDetected: true };
      return this.#candidate({ ...sample, predInstances }, place, metainfo);
    });
    const people = this.#settle(candidates).map(({ predInstances }) => predInstances!);
    const nobody = { ...sliceInstances(all, []), trackIds: { data: new Int32Array(), shape: [0] } };
    return { ...sample, predInstances: people.length > 0 ? concatInstances(people) : nobody };
  }

  get #present(): Track[] {
    return this.#tracks.filter(({ missed }) => missed === 0);
  }

  #begin({ imgShape, timestamp }: FrameView): void {
    const isCut = imgShape.join() !== this.#imgShape.join() || timestamp < this.#lastTimestamp;
    if (isCut) this.reset();
    this.#imgShape = imgShape;
    this.#now =
      timestamp > this.#lastTimestamp && !isCut ? this.#now + this.#step(timestamp) : this.#now + USUAL_STEP_MS;
    this.#lastTimestamp = timestamp;
    this.#tracks = this.#tracks.filter(({ lastSeen }) => this.#now - lastSeen <= this.#options.maxGap);
  }

  #step(timestamp: number): number {
    return Number.isFinite(this.#lastTimestamp) ? timestamp - this.#lastTimestamp : USUAL_STEP_MS;
  }

  /** Detected boxes, and those of people who were there a frame ago and were not detected. */
  #places(detected: NdArray | null, view: FrameView): Place[] {
    const found = detected ? placesOf(detected) : [];
    const expected = this.#present
      .map((track) => ({ box: this.#expectedBox(track), score: track.instances.bboxScores.data[0] }))
      .filter(({ box }) => plausible(box, view) && !found.some((place) => boxIou(place.box, box) > SAME_BOX));
    return [...found, ...expected.map((place) => ({ ...place, isDetected: false }))];
  }

  #candidate(
    sample: PoseDataSample,
    { score: boxScore, isDetected }: Omit<Place, 'box'>,
    view: Pick<FrameView, 'imgShape'>,
  ): Candidate {
    const found = sample.predInstances!;
    const bboxScores = { data: Float32Array.of(boxScore), shape: [1] };
    const instances = { ...found, bboxScores };
    const scores = found.keypointScores.data;
    const score = scores.reduce((sum, value) => sum + value, 0) / (scores.length || 1);
    const region = plausible(regionOf(found, this.#options.padding), view);
    return { sample: { ...sample, predInstances: instances }, instances, region, score, isDetected };
  }

  /** Who is who, best pairs first; new ids for the others. */
  #settle(candidates: readonly Candidate[]): PoseDataSample[] {
    const usable = candidates.filter(({ region, score, isDetected }) => {
      return region !== null && (isDetected || score >= this.#options.minScore);
    });
    const ids = this.#assign(usable);
    const rest = usable.filter((candidate) => !ids.has(candidate));
    const taken = [...ids.keys()];
    for (const candidate of rest) {
      // Two boxes may end on one body; only a detector's word is enough for somebody new.
      if (!candidate.isDetected || this.#isSeenTwice(candidate, taken)) continue;
      const track = this.#newTrack(candidate);
      this.#tracks.push(track);
      ids.set(candidate, track);
      taken.push(candidate);
    }
    const seen = new Set(ids.values());
    for (const track of this.#tracks) {
      if (seen.has(track)) continue;
      track.missed++;
      if (track.missed === 1) this.#someLost = true;
    }
    return [...ids].sort(([, a], [, b]) => a.id - b.id).map(([{ sample }, { id }]) => withTrackId(sample, id));
  }

  #assign(candidates: readonly Candidate[]): Map<Candidate, Track> {
    const assigned = new Map<Candidate, Track>();
    const [present, lost] = [this.#present, this.#tracks.filter(({ missed }) => missed > 0)];
    this.#match(candidates, present, assigned, (c, track) => this.#similarity(c, track), SAME_PERSON);
    const left = candidates.filter((c) => !assigned.has(c) && !this.#isSeenTwice(c, [...assigned.keys()]));
    this.#match(left, lost, assigned, (c, track) => this.#nearness(c, track), 0);
    for (const [candidate, track] of assigned) this.#follow(track, candidate);
    return assigned;
  }

  #match(
    candidates: readonly Candidate[],
    tracks: readonly Track[],
    assigned: Map<Candidate, Track>,
    similarity: (candidate: Candidate, track: Track) => number,
    least: number,
  ): void {
    const pairs = candidates.flatMap((candidate) =>
      tracks.map((track) => ({ candidate, track, value: similarity(candidate, track) })),
    );
    const used = new Set<Track>();
    for (const { candidate, track, value } of pairs.sort((a, b) => b.value - a.value)) {
      if (value <= least) break;
      if (assigned.has(candidate) || used.has(track) || this.#isSeenTwice(candidate, [...assigned.keys()])) continue;
      assigned.set(candidate, track);
      used.add(track);
    }
  }

  /** With where the person is expected now. */
  #similarity({ instances, region }: Candidate, track: Track): number {
    const expected = moved(track.instances, this.#shift(track));
    return (boxIou(region!, this.#expectedBox(track)) + this.#oks(instances, expected)) / 2;
  }

  /**
   * Of a person who was lost: 1 at the place where they are expected or were seen last, 0 as far from it as they may have come, in
   * sizes of the person.
   */
  #nearness({ region }: Candidate, track: Track): number {
    const [own, theirs] = [sizeOf(region!), sizeOf(track.region)];
    if (own > 2 * theirs || theirs > 2 * own) return 0;
    const [x, y] = middleOf(region!);
    const distances = [track.region, this.#expectedBox(track)].map(middleOf).map(([u, v]) => Math.hypot(x - u, y - v));
    const reach = theirs * (REACH + REACH * Math.min(1, (this.#now - track.lastSeen) / this.#options.maxGap));
    return 1 - Math.min(...distances) / reach;
  }

  #isSeenTwice({ instances }: Candidate, others: readonly Candidate[]): boolean {
    return others.some((other) => other.instances !== instances && this.#oks(instances, other.instances) > SEEN_TWICE);
  }

  #oks(a: InstanceData, b: InstanceData): number {
    const k = a.keypoints.shape[1];
    const sigmas = this.#sigmas?.length === k ? this.#sigmas : new Float32Array(k).fill(USUAL_SIGMA);
    return poseOks(a, [b], sigmas)[0];
  }

  /** px since the person was seen last. */
  #shift({ speed: [x, y], lastSeen }: Track): readonly [x: number, y: number] {
    const ms = Math.min(this.#now - lastSeen, SPEED_HORIZON_MS);
    return [x * ms, y * ms];
  }

  #expectedBox(track: Track): Box {
    const [dx, dy] = this.#shift(track);
    const [x1, y1, x2, y2] = track.region;
    return [x1 + dx, y1 + dy, x2 + dx, y2 + dy];
  }

  #follow(track: Track, { instances, region }: Candidate): void {
    const ms = this.#now - track.lastSeen;
    const [[x, y], [lastX, lastY]] = [middleOf(region!), middleOf(track.region)];
    const fresh = [(x - lastX) / ms, (y - lastY) / ms] as const;
    // After a gap only the new speed counts.
    const rate = track.missed > 0 ? 1 : SPEED_RATE;
    track.speed = [
      track.speed[0] + rate * (fresh[0] - track.speed[0]),
      track.speed[1] + rate * (fresh[1] - track.speed[1]),
    ];
    track.instances = instances;
    track.region = region!;
    track.lastSeen = this.#now;
    track.missed = 0;
  }

  #newTrack({ instances, region }: Candidate): Track {
    return { id: this.#nextId++, instances, region: region!, speed: [0, 0], lastSeen: this.#now, missed: 0 };
  }
}

function placesOf(detected: NdArray): Place[] {
  return Array.from({ length: detected.shape[0] }, (_, i) => {
    const [x1, y1, x2, y2, score] = row(detected, i).data;
    return { box: [x1, y1, x2, y2], score, isDetected: true };
  });
}

function middleOf([x1, y1, x2, y2]: Box): [x: number, y: number] {
  return [(x1 + x2) / 2, (y1 + y2) / 2];
}

/** Mean side, px. */
function sizeOf([x1, y1, x2, y2]: Box): number {
  return (x2 - x1 + y2 - y1) / 2;
}

/** One person somewhere else. */
function moved(instances: InstanceData, [dx, dy]: readonly [x: number, y: number]): InstanceData {
  const { keypoints } = instances;
  const data = keypoints.data.slice();
  const dims = keypoints.shape[2];
  for (let i = 0; i < data.length; i += dims) {
    data[i] += dx;
    data[i + 1] += dy;
  }
  return { ...instances, keypoints: { data, shape: keypoints.shape } };
}

function withTrackId(sample: PoseDataSample, id: number): PoseDataSample {
  const trackIds = { data: Int32Array.of(id), shape: [1] };
  return { ...sample, predInstances: { ...sample.predInstances!, trackIds } };
}
