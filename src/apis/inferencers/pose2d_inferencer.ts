/** The high-level entry (MMPose: `mmpose/apis/inferencers/pose2d_inferencer.py`): pictures and videos in, one sample per picture out. */
import { readConfig } from '../../config.js';
import type { BackendName } from '../../backend/init.js';
import { InputError } from '../../errors.js';
import type { ByteSourceLike } from '../../checkpoint/byte_source.js';
import type { PoseMetaInfo } from '../../datasets/metainfo/types.js';
import { zeros } from '../../ndarray.js';
import type { PoseDataSample } from '../../structures/pose_data_sample.js';
import { mergeDataSamples } from '../../structures/utils.js';
import { PoseSmoother, type OneEuroOptions, type SmoothingPreset } from '../../tracking/one_euro_filter.js';
import { PoseTracker } from '../../tracking/pose_tracker.js';
import { RoiTracker } from '../../tracking/roi.js';
import type { BoxesLike } from '../boxes.js';
import type { DetModel } from '../det_model.js';
import { findEverybody, followEverybody, type EverybodyResult } from '../everybody.js';
import type { FrameSource } from '../frame.js';
import { HeldPicture } from '../held_picture.js';
import { streamFrames } from '../stream_frames.js';
import { INIT_OPTION_KEYS, initModel, type ConfigSource, type InitModelOptions } from '../inference.js';
import { DETECTOR_KEYS, PersonDetector, type PersonDetectorOptions } from '../person_detector.js';
import type { PoseModel } from '../pose_model.js';
import { inferWholePicture, isBottomup, refuseBoxes, warmUpWhole } from '../predict_bottomup.js';
import {
  inferPicture,
  noTimings,
  pipelineOf,
  runsOnGpu,
  warmUp,
  type PredictOptions,
  type Timings,
} from '../predict_topdown.js';

export interface Pose2DInferencerOptions extends InitModelOptions, PersonDetectorOptions {
  /** A whole config, its `model` node, or a URL. @default null: it is in the checkpoint, or beside it */
  readonly config?: ConfigSource;
  /** URL, Blob or File, or bytes of a `.pth` or `.safetensors`. @default the model that comes with the package, if there is no config */
  readonly checkpoint?: ByteSourceLike | null;
  /** Replaces the config's `test_cfg.flip_test`. */
  readonly flipTest?: boolean;
  /** Runs one empty picture first, so that the first real one does not wait for shaders. @default true on GPUs */
  readonly warmup?: boolean;
}

const OPTION_KEYS = {
  config: undefined,
  checkpoint: undefined,
  flipTest: undefined,
  warmup: undefined,
  ...INIT_OPTION_KEYS,
  ...DETECTOR_KEYS,
};

const INFER_KEYS = {
  tracker: undefined,
  bboxes: undefined,
  bboxFormat: undefined,
  flipTest: undefined,
  outputHeatmaps: undefined,
  timestamp: undefined,
  signal: undefined,
};

const BOXES_AND_TRACKER = 'infer options: found bboxes and a tracker; expected one of them.';

export interface InferOptions extends PredictOptions {
  /**
   * Person boxes, px, image space. Left out: everybody whom the detector finds, or without one the whole picture as one person; null:
   * the whole picture; an empty list: nobody.
   */
  readonly bboxes?: BoxesLike | null;
  /**
   * In place of boxes: a `RoiTracker` finds one person anywhere in the picture, and follows it through the pictures of later calls; a
   * `PoseTracker` follows everybody whom the detector finds.
   */
  readonly tracker?: RoiTracker | PoseTracker | null;
}

export interface StreamOptions extends Omit<InferOptions, 'timestamp' | 'bboxes'> {
  /**
   * Boxes for all frames, or a function that gives the next frame's from the last result.
   * @default a tracker follows everybody whom the detector finds, or without one a single person
   */
  readonly bboxes?: BoxesLike | null | ((last: PoseDataSample | null) => BoxesLike | null | undefined);
  /** Frames from one look of the detector to the next, unless somebody gets lost. @default 10 */
  readonly detInterval?: number;
  /** Smooths keypoints over time, per track id; false: as the network gives them. @default 'medium' where everybody is found, else false */
  readonly smoothing?: SmoothingPreset | OneEuroOptions | false;
}

/**
 * ```js
 * const inferencer = await Pose2DInferencer.create(); // or create({ checkpoint: 'hrnet.safetensors' })
 * const sample = await inferencer.infer(image, { bboxes: [[12, 30, 200, 410]] });
 * sample.predInstances.keypoints; // { data: Float32Array, shape: [1, 17, 2] }
 * for await (const s of inferencer.stream(video)) draw(s);
 * // create({ detCheckpoint: 'rtmdet_nano_person.pth' }): infer(image) finds everybody
 * await inferencer.dispose();
 * ```
 */
export class Pose2DInferencer {
  readonly model: PoseModel;
  readonly #detector: PersonDetector | null;
  #timings: Timings = noTimings();

  private constructor(model: PoseModel, detector: PersonDetector | null) {
    this.model = model;
    this.#detector = detector;
  }

  /** Loads a model, without options the one that comes with the package; see `initModel` for the errors. */
  static async create(options: Pose2DInferencerOptions = {}): Promise<Pose2DInferencer> {
    readConfig(options as Record<string, unknown>, 'Pose2DInferencer options', OPTION_KEYS);
    const { config, checkpoint, flipTest, warmup, ...rest } = options;
    const { detConfig: _c, detCheckpoint: _w, detCatIds: _i, detScoreThr: _s, nmsThr: _n, ...init } = rest;
    const model = await initModel(config, checkpoint, init);
    let detector: PersonDetector | null = null;
    try {
      // As in MMPose, a model that takes no boxes needs none.
      if (!isBottomup(model)) detector = await PersonDetector.create(model, rest);
      if (flipTest !== undefined) model.testCfg = { ...model.testCfg, flipTest };
      if (warmup ?? runsOnGpu(model)) {
        await (isBottomup(model) ? warmUpWhole : warmUp)(model, options.signal);
        await detector?.warmUp(options.signal);
      }
      return new Pose2DInferencer(model, detector);
    } catch (error) {
      await Promise.all([model.dispose(), detector?.dispose()]);
      throw error;
    }
  }

  /** The backend in use and, in one readable line, why. */
  get backend(): { readonly name: BackendName; readonly reason: string } {
    const { name, reason } = this.model.backend;
    const notes = [this.model.jit?.note, this.#detector?.model.jit && `detector ${this.#detector.model.jit.note}`];
    return { name, reason: [reason, ...notes.filter(Boolean)].join('; ') };
  }

  /** The detector that finds everybody; null without one. */
  get detModel(): DetModel | null {
    return this.#detector?.model ?? null;
  }

  /** Whether `infer` wants to be told where people are: not by a bottom-up model. */
  get takesBoxes(): boolean {
    return !isBottomup(this.model);
  }

  /** With a detector, or a bottom-up model: false where somebody must say where people are, or one person is followed. */
  get findsEverybody(): boolean {
    return this.#detector !== null || isBottomup(this.model);
  }

  get metainfo(): PoseMetaInfo {
    return this.model.metainfo;
  }

  /** What had to be assumed while loading, in sentences for people; mostly empty. */
  get notices(): readonly string[] {
    return this.model.notices;
  }

  /** Where the time of the last finished call went, ms. */
  get timings(): Readonly<Timings> {
    return this.#timings;
  }

  /**
   * Poses of all persons in one picture, as one sample; heatmaps, if asked for, in the picture's own pixels. Calls queue in order; the picture is read when this is called.
   * With a `tracker` people are found by themselves and keep their `trackIds`; a picture may then be looked at several times. A
   * bottom-up model finds everybody by itself, and takes no boxes; a `PoseTracker` gives its people ids.
   *
   * @throws InputError for an unusable picture or box; BackendError when the GPU fails or `dispose` is called meanwhile
   */
  async infer(image: FrameSource, options: InferOptions = {}): Promise<PoseDataSample> {
    readConfig(options as Record<string, unknown>, 'infer options', INFER_KEYS);
    if (isBottomup(this.model)) return this.#findAll(image, options);
    const { bboxes, tracker, ...rest } = options;
    if (tracker instanceof RoiTracker) return this.#follow(image, tracker, options);
    if (tracker || (this.#detector && bboxes === undefined)) return this.#everybody(image, options);
    const { samples, width, height, timings } = await inferPicture(this.model, image, bboxes, rest);
    this.#timings = timings;
    return samples.length > 0 ? mergeDataSamples(samples) : this.#nobody([height, width], options.timestamp ?? 0);
  }

  /** Whom the detector finds; with a tracker, whom it follows. */
  async #everybody(image: FrameSource, options: InferOptions): Promise<PoseDataSample> {
    const { tracker, bboxes, bboxFormat, ...rest } = options;
    if (tracker && (bboxes || bboxFormat)) throw new InputError(BOXES_AND_TRACKER);
    const detector = this.#detector;
    if (!detector) {
      throw new InputError(
        'infer options.tracker: a PoseTracker needs a detector; create the inferencer with detCheckpoint.',
      );
    }
    const { samples, imgShape, timings }: EverybodyResult = tracker
      ? await followEverybody(this.model, detector, image, tracker as PoseTracker, rest)
      : await findEverybody(this.model, detector, image, rest);
    this.#timings = timings;
    if (samples.length > 0) return mergeDataSamples(samples);
    const nobody = this.#nobody(imgShape, options.timestamp ?? 0);
    if (!tracker) return nobody;
    const trackIds = { data: new Int32Array(), shape: [0] };
    return { ...nobody, predInstances: { ...nobody.predInstances!, trackIds } };
  }

  /**
   * Poses for a playing video, until it ends or the signal is aborted. Without `bboxes` of everybody whom the detector finds, with
   * `trackIds`, as with a bottom-up model; without either of one person, who is found and followed (`tracker: null` takes the whole
   * picture as one person). A frame that arrives while the last one is being computed
   * replaces the one that waits: results are always of the newest picture. `timestamp` is the frame's presentation time.
   */
  async *stream(video: HTMLVideoElement, options: StreamOptions = {}): AsyncGenerator<PoseDataSample, void, undefined> {
    const { bboxes, signal, detInterval, smoothing = this.findsEverybody ? 'medium' : false, ...given } = options;
    const { tracker = bboxes === undefined ? this.newTracker(detInterval) : null, ...rest } = given;
    const smoother = smoothing === false ? null : new PoseSmoother(smoothing);
    // Boxes that follow from the last result have to wait for it; and only calls on the GPU overlap.
    const waits = tracker instanceof RoiTracker || (tracker && !isBottomup(this.model)) || typeof bboxes === 'function';
    const frames = streamFrames(video, {
      signal,
      owner: this.model.queue,
      isFree: !waits && Boolean(this.model.jit?.takesPictures),
      infer: (timestamp, last) => {
        const boxes = typeof bboxes === 'function' ? bboxes(last) : bboxes;
        return this.infer(video, { ...rest, tracker, bboxes: boxes, timestamp, signal });
      },
    });
    for await (const sample of frames) yield smoother ? smoother.smooth(sample) : sample;
  }

  /** Frees the model, the detector and, if nobody else uses it, the backend. Running and waiting calls are rejected. Safe to call twice. */
  async dispose(): Promise<void> {
    await Promise.all([this.model.dispose(), this.#detector?.dispose()]);
  }

  /**
   * What `stream` follows people with, for one video: everybody whom the detector or a bottom-up model finds, or without
   * either a single person.
   *
   * @param detInterval - frames from one look of the detector to the next
   * @throws InputError for an interval without a detector
   */
  newTracker(detInterval?: number): RoiTracker | PoseTracker {
    const { sigmas } = this.model.metainfo;
    if (this.#detector) return new PoseTracker({ sigmas, ...(detInterval !== undefined && { detInterval }) });
    if (detInterval === undefined) return isBottomup(this.model) ? new PoseTracker({ sigmas }) : new RoiTracker();
    throw new InputError('stream options: found detInterval without a detector; create it with detCheckpoint.');
  }

  async #findAll(image: FrameSource, options: InferOptions): Promise<PoseDataSample> {
    const { tracker, ...rest } = options;
    // It needs nobody to tell it where to look, only who is who.
    const ids = tracker instanceof PoseTracker ? tracker : null;
    refuseBoxes(this.model, ids ? rest : (options as Record<string, unknown>));
    const { samples, timings } = await inferWholePicture(this.model, image, rest);
    this.#timings = timings;
    return ids ? ids.update(samples[0]) : samples[0];
  }

  async #follow(image: FrameSource, tracker: RoiTracker, options: InferOptions): Promise<PoseDataSample> {
    const { bboxes, tracker: _, bboxFormat, ...rest } = options;
    if (bboxes || bboxFormat) throw new InputError(BOXES_AND_TRACKER);
    const [w, h] = pipelineOf(this.model).affine.inputSize;
    const held = new HeldPicture(image, this.model.frames);
    const total = noTimings();
    const start = performance.now();
    const look = async (source: FrameSource, boxes: BoxesLike) => {
      const { samples, timings } = await inferPicture(this.model, source, boxes, rest);
      for (const hop of Object.keys(total) as (keyof Timings)[]) total[hop] += timings[hop];
      return samples;
    };
    // One pass is the rule while somebody is followed, and needs no copy. Either way the picture is read now.
    let fresh = tracker.box !== null && held.imgShape !== null;
    if (!fresh) void held.still();
    try {
      const view = { imgShape: held.imgShape ?? (await held.decodedShape()), aspectRatio: w / h };
      const sample = await tracker.track(view, (boxes) => {
        if (!fresh) return held.still().then((source) => look(source, boxes));
        fresh = false;
        return look(image, boxes);
      });
      this.#timings = { ...total, total: performance.now() - start };
      return mergeDataSamples([sample]);
    } finally {
      held.close();
    }
  }

  #nobody(imgShape: readonly [h: number, w: number], timestamp: number): PoseDataSample {
    const { flipIndices, numKeypoints: k } = this.model.metainfo;
    const { inputSize } = pipelineOf(this.model).affine;
    return {
      metainfo: { imgShape, inputSize, inputCenter: zeros([0, 2]), inputScale: zeros([0, 2]), flipIndices, timestamp },
      predInstances: {
        bboxes: zeros([0, 4]),
        bboxScores: zeros([0]),
        keypoints: zeros([0, k, 2]),
        keypointScores: zeros([0, k]),
        keypointsVisible: zeros([0, k]),
      },
    };
  }
}
