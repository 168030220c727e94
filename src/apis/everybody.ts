/** All persons of a picture with a detector: found anew, or followed from frame to frame. */
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import type { PoseTracker } from '../tracking/pose_tracker.js';
import type { BoxesLike } from './boxes.js';
import type { FrameSource } from './frame.js';
import { HeldPicture } from './held_picture.js';
import type { PersonDetector } from './person_detector.js';
import type { PoseModel } from './pose_model.js';
import { inferPicture, noTimings, type PredictOptions, type Timings } from './predict_topdown.js';

/** A person per sample. */
export interface EverybodyResult {
  readonly samples: readonly PoseDataSample[];
  readonly imgShape: readonly [h: number, w: number];
  readonly timings: Timings;
}

/** A picture to look at several times. */
interface Held {
  readonly picture: FrameSource;
  close(): void;
}

/** The picture as it is now, in the form that the pose model reads without a further copy on the CPU. */
async function hold(model: PoseModel, image: FrameSource): Promise<Held> {
  if (!model.jit?.takesPictures) return { picture: await model.frames.read(image), close: () => {} };
  const held = new HeldPicture(image, model.frames);
  return { picture: await held.still(), close: () => held.close() };
}

/** One picture's looks by both networks, and where the time went. */
class Looks {
  readonly timings = noTimings();
  readonly #model: PoseModel;
  readonly #detector: PersonDetector;
  readonly #image: FrameSource;
  readonly #options: PredictOptions;
  readonly #start = performance.now();
  #held: Promise<Held> | null = null;

  constructor(model: PoseModel, detector: PersonDetector, image: FrameSource, options: PredictOptions) {
    this.#model = model;
    this.#detector = detector;
    this.#image = image;
    this.#options = options;
  }

  /** The picture is read when this is called. */
  readonly find = async () => {
    this.#held = hold(this.#model, this.#image);
    const { picture } = await this.#held;
    const t0 = performance.now();
    this.timings.frame += t0 - this.#start;
    const { signal } = this.#options;
    const persons = await this.#detector.persons(picture, { signal });
    this.timings.detect += performance.now() - t0;
    return persons;
  };

  /** Of what `find` read, or else of the picture as it is when this is called. */
  readonly look = async (boxes: BoxesLike): Promise<PoseDataSample[]> => {
    const picture = this.#held ? (await this.#held).picture : this.#image;
    const { samples, width, height, timings } = await inferPicture(this.#model, picture, boxes, this.#options);
    this.imgShape = [height, width];
    for (const hop of Object.keys(timings) as (keyof Timings)[]) this.timings[hop] += timings[hop];
    return samples;
  };

  /** px; after a look. */
  imgShape: readonly [h: number, w: number] = [0, 0];

  close(): void {
    this.timings.total = performance.now() - this.#start;
    this.#held?.then(
      (held) => held.close(),
      () => {},
    );
  }
}

/** Everybody in one picture. */
export async function findEverybody(
  model: PoseModel,
  detector: PersonDetector,
  image: FrameSource,
  options: PredictOptions,
): Promise<EverybodyResult> {
  const looks = new Looks(model, detector, image, options);
  try {
    const samples = await looks.look(await looks.find());
    return { samples, imgShape: looks.imgShape, timings: looks.timings };
  } finally {
    looks.close();
  }
}

/**
 * Everybody in the next frame of a video. Either way the picture is read when this is called: the tracker awaits nothing before its
 * first look.
 */
export async function followEverybody(
  model: PoseModel,
  detector: PersonDetector,
  image: FrameSource,
  tracker: PoseTracker,
  options: PredictOptions,
): Promise<EverybodyResult> {
  const looks = new Looks(model, detector, image, options);
  const shown = new HeldPicture(image, model.frames);
  try {
    const imgShape = shown.imgShape ?? (await shown.decodedShape());
    const view = { imgShape, timestamp: options.timestamp ?? 0 };
    const samples = await tracker.track(view, looks.find, looks.look);
    return { samples, imgShape, timings: looks.timings };
  } finally {
    looks.close();
    shown.close();
  }
}
