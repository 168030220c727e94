/** A detector as MMPose's inferencers and demos use one: boxes of some classes, above a score, after an NMS of their own. */
import type { ByteSourceLike } from '../checkpoint/byte_source.js';
import { ConfigError } from '../errors.js';
import { nms } from '../evaluation/functional/nms.js';
import type { NdArray } from '../ndarray.js';
import { inferenceDetector, initDetector, warmUpDetector, type InferenceDetectorOptions } from './detection.js';
import type { DetModel } from './det_model.js';
import type { FrameSource } from './frame.js';
import type { InitModelOptions } from './inference.js';
import type { ConfigSource } from './model_source.js';
import type { PoseModel } from './pose_model.js';

export interface PersonDetectorOptions {
  /** MMDetection's config of an RTMDet, whole, or a URL. @default null: it is in the checkpoint, or beside it */
  readonly detConfig?: ConfigSource;
  /** The detector's weights: URL, Blob or File, or bytes. With it `infer` finds everybody by itself; bottom-up models do without. */
  readonly detCheckpoint?: ByteSourceLike | null;
  /** Labels that count as persons. @default 0 */
  readonly detCatIds?: number | readonly number[];
  /** Boxes above this count. @default 0.3 */
  readonly detScoreThr?: number;
  /** Of two boxes that overlap by more than this, the better stays. @default 0.3 */
  readonly nmsThr?: number;
}

/** Names of `PersonDetectorOptions`, for `readConfig`. */
export const DETECTOR_KEYS = {
  detConfig: undefined,
  detCheckpoint: undefined,
  detCatIds: undefined,
  detScoreThr: undefined,
  nmsThr: undefined,
};

export class PersonDetector {
  readonly model: DetModel;
  readonly #catIds: ReadonlySet<number>;
  readonly #scoreThr: number;
  readonly #nmsThr: number;

  constructor(model: DetModel, { detCatIds = 0, detScoreThr = 0.3, nmsThr = 0.3 }: PersonDetectorOptions) {
    this.#catIds = new Set([detCatIds].flat());
    this.model = model;
    this.#scoreThr = detScoreThr;
    this.#nmsThr = nmsThr;
    checkShare('detScoreThr', detScoreThr);
    checkShare('nmsThr', nmsThr);
    const classes = model.detector.bbox_head.numClasses;
    const bad = [...this.#catIds].find((id) => !Number.isInteger(id) || id < 0 || id >= classes);
    if (bad !== undefined || this.#catIds.size === 0) {
      throw new ConfigError(`detCatIds: found ${bad ?? 'an empty list'}; expected labels from 0 to ${classes - 1}.`);
    }
  }

  /**
   * Loads the detector of a pose model's options, on the pose model's backend; null where the options name none.
   *
   * @throws as `initDetector`, and ConfigError for options that do not fit it
   */
  static async create(
    pose: PoseModel,
    options: PersonDetectorOptions & InitModelOptions,
  ): Promise<PersonDetector | null> {
    const { detConfig = null, detCheckpoint = null } = options;
    if (detConfig === null && detCheckpoint === null) return null;
    const { wasmPaths, onProgress, signal, fetch, jit, tune, fp16 } = options;
    const { backend: choice = 'auto' } = options;
    // A handle of its own on the same tfjs backend, unless that is the caller's.
    const isOwn = typeof choice === 'string' || Array.isArray(choice);
    const backend = isOwn ? pose.backend.name : pose.backend;
    const given = { wasmPaths, onProgress, signal, fetch, jit, tune, fp16 };
    const defined = Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
    const model = await initDetector(detConfig, detCheckpoint, { ...defined, backend });
    try {
      return new PersonDetector(model, options);
    } catch (error) {
      await model.dispose();
      throw error;
    }
  }

  /** Compiles what the first picture needs. */
  warmUp(signal?: AbortSignal): Promise<void> {
    return warmUpDetector(this.model, signal);
  }

  /**
   * @returns [N, 5] xyxy and score, px, image space, best first; boxes that lie wholly in the padding are left out
   * @throws as `inferenceDetector`
   */
  async persons(
    image: FrameSource,
    options: Pick<InferenceDetectorOptions, 'signal' | 'timestamp'> = {},
  ): Promise<NdArray> {
    const { predInstances, metainfo } = await inferenceDetector(this.model, image, {
      ...options,
      scoreThr: this.#scoreThr,
    });
    const [height, width] = metainfo.imgShape;
    const { bboxes, scores, labels } = predInstances;
    const rows: number[][] = [];
    for (const [i, score] of scores.data.entries()) {
      const [x1, y1, x2, y2] = bboxes.data.subarray(i * 4, i * 4 + 4);
      const isSeen = x2 > x1 && y2 > y1 && x1 < width && y1 < height && x2 > 0 && y2 > 0;
      if (isSeen && this.#catIds.has(labels.data[i])) rows.push([x1, y1, x2, y2, score]);
    }
    const kept = nms(fromRows(rows), this.#nmsThr);
    return fromRows(kept.map((i) => rows[i]));
  }

  dispose(): Promise<void> {
    return this.model.dispose();
  }
}

function fromRows(rows: readonly number[][]): NdArray {
  return { data: Float32Array.from(rows.flat()), shape: [rows.length, 5] };
}

function checkShare(name: string, value: number): void {
  if (value >= 0 && value <= 1) return;
  throw new ConfigError(`${name}: found ${value}; expected a number from 0 to 1.`);
}
