/**
 * TensorFlow.js's pose-detection (`@tensorflow-models/pose-detection`), its functions and results, on this library's models: a page
 * that uses it imports `inpose/pose-detection` instead. MoveNet's and PoseNet's 17 keypoints are COCO's, in the same order and of the same names.
 */
import { coco } from '../datasets/metainfo/coco.js';
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import { parsePoseMetainfo } from '../datasets/utils.js';
import { ConfigError } from '../errors.js';
import type { PoseDataSample } from '../structures/pose_data_sample.js';
import { toPoses, type Pose } from '../structures/poses.js';
import { PoseSmoother } from '../tracking/one_euro_filter.js';
import { PoseTracker } from '../tracking/pose_tracker.js';
import { RoiTracker } from '../tracking/roi.js';
import type { FrameSource } from './frame.js';
import { Pose2DInferencer, type Pose2DInferencerOptions } from './inferencers/pose2d_inferencer.js';

export type { Keypoint, Pose, PoseBox } from '../structures/poses.js';

/** BlazePose is not among them: its 33 keypoints are no model's of MMPose. */
export const SupportedModels = { MoveNet: 'MoveNet', PoseNet: 'PoseNet' } as const;
export type SupportedModels = (typeof SupportedModels)[keyof typeof SupportedModels];

const MULTIPOSE = 'MultiPose.Lightning';

export const movenet = {
  modelType: {
    SINGLEPOSE_LIGHTNING: 'SinglePose.Lightning',
    SINGLEPOSE_THUNDER: 'SinglePose.Thunder',
    MULTIPOSE_LIGHTNING: MULTIPOSE,
  },
} as const;

export const TrackerType = { Keypoint: 'keypoint', BoundingBox: 'boundingBox' } as const;

/** What is of that library. Settings of its networks and trackers that are not here (`WITHOUT_EFFECT`) are taken and do nothing. */
interface OwnConfig {
  /** `MultiPose.Lightning` needs a `detCheckpoint`, or a bottom-up `checkpoint`. @default everybody with one of these, else one person */
  readonly modelType?: (typeof movenet.modelType)[keyof typeof movenet.modelType];
  /** Smooths the keypoints of videos, and of pictures that come with a time. @default true */
  readonly enableSmoothing?: boolean;
  /** Whether poses have an `id`. @default true */
  readonly enableTracking?: boolean;
  /** Least mean score of a pose's keypoints. @default 0 */
  readonly minPoseScore?: number;
  /** `maxAge`: how long who is lost keeps the id, ms. @default { maxAge: 1000 } */
  readonly trackerConfig?: { readonly maxAge?: number; readonly [setting: string]: unknown };
}

export interface DetectorConfig extends OwnConfig, Pose2DInferencerOptions {}

export interface EstimationConfig {
  /** The best ones. @default 1 for a single-pose `modelType`, else everybody */
  readonly maxPoses?: number;
  /** Mirrors x, for a video that is shown mirrored; left stays left. @default false */
  readonly flipHorizontal?: boolean;
}

const OWN_KEYS = ['modelType', 'enableSmoothing', 'enableTracking', 'minPoseScore', 'trackerConfig'];
const WITHOUT_EFFECT = [
  ...['trackerType', 'multiPoseMaxDimension', 'architecture', 'outputStride', 'inputResolution', 'multiplier'],
  'quantBytes',
];

/**
 * ```js
 * const detector = await poseDetection.createDetector(poseDetection.SupportedModels.MoveNet);
 * const [pose] = await detector.estimatePoses(video);
 * pose.keypoints[0]; // { x: 211.4, y: 80.3, score: 0.97, name: 'nose' }
 * ```
 *
 * @param config - of that library, and the options of `Pose2DInferencer.create`: `checkpoint`, `detCheckpoint`, `backend`, ...
 * @throws ConfigError for another model or many people without a detector; and what `Pose2DInferencer.create` throws
 */
export async function createDetector(model: SupportedModels, config: DetectorConfig = {}): Promise<PoseDetector> {
  oneOf('model', model, Object.values(SupportedModels));
  const entries = Object.entries(config);
  const own: OwnConfig = Object.fromEntries(entries.filter(([key]) => OWN_KEYS.includes(key)));
  const options = entries.filter(([key]) => !OWN_KEYS.includes(key) && !WITHOUT_EFFECT.includes(key));
  if (own.modelType !== undefined) oneOf('modelType', own.modelType, Object.values(movenet.modelType));
  const inferencer = await Pose2DInferencer.create(Object.fromEntries(options));
  if (own.modelType === MULTIPOSE && !inferencer.findsEverybody) {
    await inferencer.dispose();
    throw new ConfigError(
      `createDetector: modelType: found ${MULTIPOSE} with a model of one person; expected a detCheckpoint, or a bottom-up checkpoint.`,
    );
  }
  return new PoseDetector(inferencer, own);
}

function oneOf(what: string, found: unknown, expected: readonly unknown[]): void {
  if (expected.includes(found)) return;
  throw new ConfigError(`createDetector: ${what}: found ${JSON.stringify(found)}; expected ${expected.join(', ')}.`);
}

/** One for each video: people are followed from picture to picture. */
export class PoseDetector {
  /** What does the work, for everything that is not here. */
  readonly inferencer: Pose2DInferencer;
  readonly #config: OwnConfig;
  #tracker: RoiTracker | PoseTracker;
  #smoother: PoseSmoother;
  #running: Promise<PoseDataSample> | null = null;
  /** The frame that was looked at last: pages ask more often than videos have new ones. */
  #last: { readonly frame: readonly unknown[]; readonly sample: Promise<PoseDataSample> } | null = null;

  /** Of `createDetector`. */
  constructor(inferencer: Pose2DInferencer, config: OwnConfig) {
    this.inferencer = inferencer;
    this.#config = config;
    this.#tracker = this.#newTracker();
    this.#smoother = new PoseSmoother();
  }

  /**
   * The people in a picture, best first. Those of a video, and of pictures with a timestamp, are followed; a picture by itself is searched anew.
   *
   * @param image - null, as while a camera starts: nobody, and whom it followed is forgotten
   * @param timestamp - ms @default a video's `currentTime`
   * @throws InputError for an unusable picture; BackendError when the GPU fails or `dispose` is called meanwhile
   */
  async estimatePoses(
    image: FrameSource | null,
    { maxPoses, flipHorizontal = false }: EstimationConfig = {},
    timestamp?: number,
  ): Promise<Pose[]> {
    if (image === null) {
      this.reset();
      return [];
    }
    const sample = await this.#sample(image, timestamp);
    const { enableTracking = true, minPoseScore = 0 } = this.#config;
    const found = toPoses(sample, this.inferencer.metainfo).filter(({ score }) => score >= minPoseScore);
    const poses = found.sort((a, b) => b.score - a.score).slice(0, maxPoses ?? this.#usualPoses);
    return poses.map(({ id, ...pose }) => ({
      ...(flipHorizontal ? mirror(pose, sample.metainfo.imgShape[1]) : pose),
      ...(enableTracking && id !== undefined && { id }),
    }));
  }

  /** Forgets whom it followed. */
  reset(): void {
    this.#tracker = this.#newTracker();
    this.#smoother = new PoseSmoother();
    this.#last = null;
  }

  /** Frees the model. Safe to call twice. */
  dispose(): Promise<void> {
    return this.inferencer.dispose();
  }

  get #usualPoses(): number {
    const { modelType = MULTIPOSE } = this.#config;
    return modelType === MULTIPOSE ? Infinity : 1;
  }

  #sample(image: FrameSource, timestamp?: number): Promise<PoseDataSample> {
    if (timestamp !== undefined) return this.#follow(image, timestamp);
    return isVideo(image) ? this.#frameOf(image) : this.#search(image);
  }

  #frameOf(video: HTMLVideoElement): Promise<PoseDataSample> {
    const { currentTime, srcObject, currentSrc } = video;
    const frame = [video, srcObject ?? currentSrc, currentTime];
    if (this.#last && this.#last.frame.every((part, i) => part === frame[i])) return this.#last.sample;
    const sample = this.#follow(video, currentTime * 1000);
    const last = { frame, sample };
    this.#last = last;
    sample.catch(() => {
      if (this.#last === last) this.#last = null;
    });
    return sample;
  }

  /** One picture after the other, as trackers want it; pages may ask for the next one before. */
  #follow(image: FrameSource, timestamp: number): Promise<PoseDataSample> {
    const look = () => this.#look(image, timestamp);
    const sample = this.#running ? this.#running.then(look, look) : look();
    const end = () => {
      if (this.#running === sample) this.#running = null;
    };
    this.#running = sample;
    sample.then(end, end);
    return sample;
  }

  async #look(image: FrameSource, timestamp: number): Promise<PoseDataSample> {
    const smoother = this.#smoother;
    const sample = await this.inferencer.infer(image, { tracker: this.#tracker, timestamp });
    return this.#config.enableSmoothing === false ? sample : smoother.smooth(sample);
  }

  /** Everybody, or one person anywhere in the picture. */
  #search(image: FrameSource): Promise<PoseDataSample> {
    return this.inferencer.infer(image, this.inferencer.findsEverybody ? {} : { tracker: new RoiTracker() });
  }

  #newTracker(): RoiTracker | PoseTracker {
    const maxGap = this.#config.trackerConfig?.maxAge;
    if (maxGap === undefined || !this.inferencer.findsEverybody) return this.inferencer.newTracker();
    return new PoseTracker({ sigmas: this.inferencer.metainfo.sigmas, maxGap });
  }
}

/** Also of another window. */
function isVideo(image: FrameSource): image is HTMLVideoElement {
  return typeof image === 'object' && 'currentTime' in image;
}

function mirror({ keypoints, box, ...pose }: Pose, width: number): Pose {
  const turn = (x: number) => width - 1 - x;
  return {
    ...pose,
    keypoints: keypoints.map((point) => ({ ...point, x: turn(point.x) })),
    box: { ...box, xMin: turn(box.xMax), xMax: turn(box.xMin) },
  };
}

/** Facts about MoveNet's and PoseNet's keypoints. Those of other checkpoints are in `detector.inferencer.metainfo`. */
export const util = {
  /** Pairs of keypoints that are drawn as a line: MMPose's for COCO. */
  getAdjacentPairs: (_model?: SupportedModels): number[][] => metainfo().skeletonLinks.map(([a, b]) => [a, b]),

  /** `{ nose: 0, left_eye: 1, ... }` */
  getKeypointIndexByName: (_model?: SupportedModels): Record<string, number> =>
    Object.fromEntries(metainfo().keypointId2name.map((name, i) => [name, i])),

  getKeypointIndexBySide(_model?: SupportedModels): { left: number[]; right: number[]; middle: number[] } {
    const names = metainfo().keypointId2name;
    const of = (isOf: (name: string) => boolean) => [...names.keys()].filter((i) => isOf(names[i]));
    return {
      left: of((name) => name.startsWith('left')),
      right: of((name) => name.startsWith('right')),
      middle: of((name) => !/^(left|right)/.test(name)),
    };
  },
};

function metainfo(): PoseMetaInfo {
  return parsePoseMetainfo(coco);
}
