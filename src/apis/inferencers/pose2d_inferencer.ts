/** The high-level entry (MMPose: `mmpose/apis/inferencers/pose2d_inferencer.py`): pictures and videos in, one sample per picture out. */
import { readConfig } from '../../config.js';
import type { BackendName } from '../../backend/init.js';
import { InputError } from '../../errors.js';
import type { ByteSourceLike } from '../../checkpoint/byte_source.js';
import type { PoseMetaInfo } from '../../datasets/metainfo/types.js';
import { zeros } from '../../ndarray.js';
import type { PoseDataSample } from '../../structures/pose_data_sample.js';
import { mergeDataSamples } from '../../structures/utils.js';
import { RoiTracker } from '../../tracking/roi.js';
import type { BoxesLike } from '../boxes.js';
import type { FrameSource } from '../frame.js';
import { HeldPicture } from '../held_picture.js';
import { FrameTicker } from '../frame_ticker.js';
import { LookAhead } from '../look_ahead.js';
import { INIT_OPTION_KEYS, initModel, type ConfigSource, type InitModelOptions } from '../inference.js';
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

export interface Pose2DInferencerOptions extends InitModelOptions {
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

export interface InferOptions extends PredictOptions {
  /** Person boxes, px, image space. Left out: the whole picture is one person; an empty list: nobody. */
  readonly bboxes?: BoxesLike | null;
  /** In place of boxes: finds one person anywhere in the picture, and follows it through the pictures of later calls. */
  readonly tracker?: RoiTracker | null;
}

export interface StreamOptions extends Omit<InferOptions, 'timestamp' | 'bboxes'> {
  /** Boxes for all frames, or a function that gives the next frame's from the last result. @default a tracker follows one person */
  readonly bboxes?: BoxesLike | null | ((last: PoseDataSample | null) => BoxesLike | null | undefined);
}

/**
 * ```js
 * const inferencer = await Pose2DInferencer.create(); // or create({ checkpoint: 'hrnet.safetensors' })
 * const sample = await inferencer.infer(image, { bboxes: [[12, 30, 200, 410]] });
 * sample.predInstances.keypoints; // { data: Float32Array, shape: [1, 17, 2] }
 * for await (const s of inferencer.stream(video)) draw(s);
 * await inferencer.dispose();
 * ```
 */
export class Pose2DInferencer {
  readonly model: PoseModel;
  #timings: Timings = noTimings();

  private constructor(model: PoseModel) {
    this.model = model;
  }

  /** Loads a model, without options the one that comes with the package; see `initModel` for the errors. */
  static async create(options: Pose2DInferencerOptions = {}): Promise<Pose2DInferencer> {
    readConfig(options as Record<string, unknown>, 'Pose2DInferencer options', OPTION_KEYS);
    const { config, checkpoint, flipTest, warmup, ...rest } = options;
    const model = await initModel(config, checkpoint, rest);
    const inferencer = new Pose2DInferencer(model);
    if (flipTest !== undefined) model.testCfg = { ...model.testCfg, flipTest };
    try {
      if (warmup ?? runsOnGpu(model)) await (isBottomup(model) ? warmUpWhole : warmUp)(model, options.signal);
      return inferencer;
    } catch (error) {
      await model.dispose();
      throw error;
    }
  }

  /** The backend in use and, in one readable line, why. */
  get backend(): { readonly name: BackendName; readonly reason: string } {
    const { name, reason } = this.model.backend;
    const { jit } = this.model;
    return { name, reason: jit ? `${reason}; ${jit.note}` : reason };
  }

  /** Whether `infer` wants to be told where people are: not by a bottom-up model. */
  get takesBoxes(): boolean {
    return !isBottomup(this.model);
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
   * With a `tracker` it is one person, found by itself; a picture may then be looked at several times. A bottom-up model finds
   * everybody by itself, and takes neither boxes nor a tracker.
   *
   * @throws InputError for an unusable picture or box; BackendError when the GPU fails or `dispose` is called meanwhile
   */
  async infer(image: FrameSource, options: InferOptions = {}): Promise<PoseDataSample> {
    readConfig(options as Record<string, unknown>, 'infer options', INFER_KEYS);
    if (isBottomup(this.model)) return this.#findAll(image, options);
    const { bboxes, tracker, ...rest } = options;
    if (tracker) return this.#follow(image, tracker, options);
    const { samples, width, height, timings } = await inferPicture(this.model, image, bboxes, rest);
    this.#timings = timings;
    return samples.length > 0 ? mergeDataSamples(samples) : this.#nobody([height, width], options.timestamp ?? 0);
  }

  /**
   * Poses for a playing video, until it ends or the signal is aborted; without `bboxes` of one person, who is found and followed
   * (`tracker: null` takes the whole picture as one person instead), with a bottom-up model of everybody. A frame that arrives while the last one is being computed
   * replaces the one that waits: results are always of the newest picture. `timestamp` is the frame's presentation time.
   */
  async *stream(video: HTMLVideoElement, options: StreamOptions = {}): AsyncGenerator<PoseDataSample, void, undefined> {
    const ownTracker = options.bboxes === undefined && !isBottomup(this.model) ? new RoiTracker() : null;
    const { bboxes, signal, tracker = ownTracker, ...rest } = options;
    const ticker = new FrameTicker(video);
    const stop = () => ticker.stop();
    signal?.addEventListener('abort', stop);
    const ignoreClose = this.model.queue.onClose(stop);
    let last: PoseDataSample | null = null;
    const infer = (timestamp: number) => {
      const boxes = typeof bboxes === 'function' ? bboxes(last) : bboxes;
      return this.infer(video, { ...rest, tracker, bboxes: boxes, timestamp, signal });
    };
    // Boxes that follow from the last result have to wait for it; and only calls on the GPU overlap.
    const isFree = !tracker && typeof bboxes !== 'function' && this.model.jit?.takesPictures;
    const ahead = isFree ? new LookAhead(ticker, infer) : null;
    const next = async () => {
      const timestamp = await ticker.next();
      return timestamp === null ? null : infer(timestamp);
    };
    try {
      for (;;) {
        last = signal?.aborted ? null : await (ahead ? ahead.next() : next());
        if (this.model.queue.closed) throw this.model.queue.closed;
        if (!last) return;
        yield last;
      }
    } catch (error) {
      // The loop that aborted it has what it wanted.
      if (!signal?.aborted) throw error;
    } finally {
      signal?.removeEventListener('abort', stop);
      ignoreClose();
      ticker.stop();
    }
  }

  /** Frees the model and, if nobody else uses it, the backend. Running and waiting calls are rejected. Safe to call twice. */
  dispose(): Promise<void> {
    return this.model.dispose();
  }

  async #findAll(image: FrameSource, options: InferOptions): Promise<PoseDataSample> {
    refuseBoxes(this.model, options as Record<string, unknown>);
    const { samples, timings } = await inferWholePicture(this.model, image, options);
    this.#timings = timings;
    return samples[0];
  }

  async #follow(image: FrameSource, tracker: RoiTracker, options: InferOptions): Promise<PoseDataSample> {
    const { bboxes, tracker: _, bboxFormat, ...rest } = options;
    if (bboxes || bboxFormat) throw new InputError('infer options: found bboxes and a tracker; expected one of them.');
    const [w, h] = pipelineOf(this.model).affine.inputSize;
    const held = new HeldPicture(image);
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
