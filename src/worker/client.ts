/** The page's side: the interface of `Pose2DInferencer`, with everything that takes time done in a worker. */
import { defaultModelUrl } from '../apis/default_model.js';
import { publishedModelsUrl } from '../apis/zoo.js';
import { bitmapsKeepPixels } from '../apis/file_pixels.js';
import { FrameReader, type FrameSource } from '../apis/frame.js';
import type { InferOptions, Pose2DInferencerOptions, StreamOptions } from '../apis/inferencers/pose2d_inferencer.js';
import { isConfigText } from '../apis/model_source.js';
import type { Timings } from '../apis/predict_topdown.js';
import { streamFrames } from '../apis/stream_frames.js';
import type { BackendChoice, BackendName } from '../backend/init.js';
import { wasmFiles } from '../backend/wasm_files.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import { BackendError, ConfigError, InputError } from '../errors.js';
import { absoluteUrl } from '../page_url.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import { PoseSmoother } from '../tracking/one_euro_filter.js';
import { Connection } from './connection.js';
import type { Answer, PlainInferOptions, PlainOptions, WorkerState } from './protocol.js';
import { startWorker } from './start_worker.js';

export interface Pose2DWorkerOptions extends Omit<Pose2DInferencerOptions, 'backend' | 'fetch'> {
  /** A name, or names of which the best is taken. @default 'auto' */
  readonly backend?: BackendChoice;
  /** A worker of your own, where the library's cannot start: one that loads `inpose.iife.js` and is called `inpose`. */
  readonly worker?: () => Worker;
}

export interface WorkerInferOptions extends Omit<InferOptions, 'tracker'> {
  /**
   * A name of your choice, in place of a tracker: pictures of the same name are one video, in which everybody whom the detector finds,
   * or without one a single person, is found and followed.
   */
  readonly track?: string;
}

export interface WorkerStreamOptions extends Omit<StreamOptions, 'tracker'> {
  /** False: without `bboxes`, everybody by the detector in each frame by itself, or the whole picture as one person. @default true */
  readonly track?: boolean;
}

/**
 * `Pose2DInferencer` in a worker of its own: the page stays responsive while models load, shaders compile and wasm computes. The
 * picture is copied when a call is made and handed over; results are copies.
 *
 * ```js
 * const inferencer = await Pose2DWorker.create(); // options as for Pose2DInferencer
 * for await (const sample of inferencer.stream(video)) draw(sample);
 * await inferencer.dispose();
 * ```
 */
export class Pose2DWorker {
  /** Names, flip pairs, skeleton, colours and sigmas of the keypoints. */
  readonly metainfo: PoseMetaInfo;
  /** What had to be assumed while loading, in sentences for people; mostly empty. */
  readonly notices: readonly string[];
  /** False for bottom-up models, which find everybody in a picture by themselves. */
  readonly takesBoxes: boolean;
  /** With a detector, or a bottom-up model: false where somebody must say where people are, or one person is followed. */
  readonly findsEverybody: boolean;
  readonly #connection: Connection;
  readonly #frames = new FrameReader();
  #state: WorkerState;
  #streams = 0;

  private constructor(connection: Connection, created: Answer & { type: 'created' }) {
    this.#connection = connection;
    this.metainfo = created.metainfo;
    this.notices = created.notices;
    this.takesBoxes = created.takesBoxes;
    this.findsEverybody = created.findsEverybody;
    this.#state = created.state;
  }

  /**
   * Starts the worker and loads a model there, without options the one that comes with the package.
   *
   * @throws BackendError when the worker cannot start; ConfigError for options that cannot be copied; and what
   *   `Pose2DInferencer.create` throws
   */
  static async create(options: Pose2DWorkerOptions = {}): Promise<Pose2DWorker> {
    const { worker = startWorker, signal, onProgress, ...rest } = options;
    const plain = plainOptions(rest);
    signal?.throwIfAborted();
    const connection = new Connection(worker);
    try {
      const created = await connection.request(
        { call: 'create', options: plain, publishedModels: publishedModelsUrl() },
        { signal, onProgress },
      );
      return new Pose2DWorker(connection, created as Answer & { type: 'created' });
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /** The backend in use and, in one readable line, why. */
  get backend(): { readonly name: BackendName; readonly reason: string } {
    return this.#state.backend;
  }

  /** Where the time of the last finished call went, in the worker, ms. */
  get timings(): Readonly<Timings> {
    return this.#state.timings;
  }

  /**
   * Poses of all persons in one picture, as one sample. Calls queue in order; the picture is read when this is called.
   *
   * @throws InputError for an unusable picture or box; BackendError when the GPU fails or `dispose` is called meanwhile
   */
  async infer(image: FrameSource, options: WorkerInferOptions = {}): Promise<PoseDataSample> {
    if ('tracker' in options) {
      throw new InputError('infer options: found tracker; expected track, a name: trackers live in the worker.');
    }
    return this.#infer(image, options);
  }

  /**
   * Poses for a playing video, until it ends or the signal is aborted, of the newest frame each; see `Pose2DInferencer.stream`.
   */
  async *stream(
    video: HTMLVideoElement,
    options: WorkerStreamOptions = {},
  ): AsyncGenerator<PoseDataSample, void, undefined> {
    const { bboxes, signal, track: isTracked = true, detInterval, ...given } = options;
    const { smoothing = this.findsEverybody ? 'medium' : false, ...rest } = given;
    const track = isTracked && bboxes === undefined ? { track: `stream ${++this.#streams}`, detInterval } : null;
    const smoother = smoothing === false ? null : new PoseSmoother(smoothing);
    const frames = streamFrames(video, {
      signal,
      owner: this.#connection,
      infer: (timestamp, last) => {
        const boxes = typeof bboxes === 'function' ? bboxes(last) : bboxes;
        return this.#infer(video, {
          ...rest,
          ...track,
          ...(boxes !== undefined && { bboxes: boxes }),
          timestamp,
          signal,
        });
      },
    });
    try {
      for await (const sample of frames) yield smoother ? smoother.smooth(sample) : sample;
    } finally {
      if (track) this.#connection.tell({ call: 'forget', track: track.track });
    }
  }

  /** Frees the model and ends the worker. Running and waiting calls are rejected. Safe to call twice. */
  dispose(): Promise<void> {
    return this.#connection.dispose();
  }

  async #infer(
    image: FrameSource,
    options: WorkerInferOptions & { readonly detInterval?: number | undefined },
  ): Promise<PoseDataSample> {
    const { signal, ...rest } = options;
    const plain: PlainInferOptions = { ...rest };
    const request = this.#picture(image).then(({ picture, transfer }) => ({
      message: { call: 'infer', image: picture, options: plain } as const,
      transfer,
    }));
    const answer = (await this.#connection.request(request, { signal })) as Answer & { type: 'sample' };
    this.#state = answer.state;
    return answer.sample;
  }

  /** Something that can be sent, as the picture was when this was called. Files are decoded in the worker, where that is exact. */
  async #picture(image: FrameSource): Promise<{ picture: FrameSource; transfer: Transferable[] }> {
    if (image instanceof Blob && (await bitmapsKeepPixels())) return { picture: image, transfer: [] };
    const { source } = await this.#frames.snapshot(image, { straightAlpha: true });
    return { picture: source, transfer: 'close' in source ? [source] : [] };
  }
}

/** Options as the worker can have them: addresses in full, since its own is another one, and where the library's files are. */
function plainOptions(options: Omit<Pose2DWorkerOptions, 'worker' | 'signal' | 'onProgress'>): PlainOptions {
  const plain: Record<string, unknown> = { ...options };
  for (const [key, value] of Object.entries(plain)) {
    const isBackend = key === 'backend' && typeof value === 'object' && !Array.isArray(value);
    if (typeof value === 'function' || isBackend) {
      throw new ConfigError(
        `Pose2DWorker options.${key}: found something that cannot go to a worker; use Pose2DInferencer, or leave it out.`,
      );
    }
  }
  for (const key of ['checkpoint', 'config', 'detCheckpoint', 'detConfig']) plain[key] = absolute(plain[key]);
  if (plain.checkpoint === undefined && (plain.config ?? null) === null) plain.checkpoint = defaultModelUrl();
  plain.wasmPaths = wasmUrls(options.wasmPaths);
  return Object.fromEntries(Object.entries(plain).filter(([, value]) => value !== undefined));
}

/** A URL in full; other sources as they are. */
function absolute(source: unknown): unknown {
  if (source instanceof URL) return source.href;
  if (typeof source !== 'string' || isConfigText(source)) return source;
  try {
    return absoluteUrl(source);
  } catch (cause) {
    throw new BackendError(`Pose2DWorker options: ${source}: is no address.`, { cause });
  }
}

function wasmUrls(paths: Pose2DWorkerOptions['wasmPaths']): Record<string, string> | string {
  if (typeof paths === 'string') return absoluteUrl(paths.endsWith('/') ? paths : `${paths}/`);
  return Object.fromEntries(Object.entries(paths ?? wasmFiles()).map(([name, url]) => [name, absoluteUrl(url)]));
}
