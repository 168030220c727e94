/** The library as the page uses it: one model in, one sample per picture out. */
import { createBackend, Pose2DInferencer, PoseTracker, RoiTracker } from 'inpose';
import type { BackendChoice, InferOptions, LoadProgress, PoseConfig, PoseDataSample, PoseMetaInfo } from 'inpose';
import defaultModel from '../models/inpose-default.json';
import type { Box } from './box_editor.js';
import type { ModelFile } from './model_files.js';

export type FlipChoice = 'config' | 'on' | 'off';

/** Who is looked at when no box is drawn. */
export type Alone = 'find' | 'whole';

export interface EngineRequest {
  /** null: the model that comes with the library. */
  readonly checkpoint: File | null;
  /** MMPose config as text, picked with the file or pasted; null: it is in the checkpoint. */
  readonly config: string | null;
  /** null: nobody finds everybody. */
  readonly detector: ModelFile | null;
  readonly backend: BackendChoice;
  readonly signal: AbortSignal;
  /** Text for people and the part that is done, 0..1 where known. */
  readonly onProgress: (text: string, part?: number) => void;
}

type Picture = HTMLImageElement | ImageBitmap;

export type Tracker = RoiTracker | PoseTracker;

export interface HowToLook {
  readonly boxes: readonly Box[];
  readonly alone: Alone;
  /** Of a video, `newTracker`'s: who was found is followed. null: this picture has nothing to do with the last one. */
  readonly tracker: Tracker | null;
  readonly flip: FlipChoice;
  /** ms */
  readonly timestamp: number;
}

export interface Engine {
  /** For titles and files. */
  readonly name: string;
  readonly metainfo: PoseMetaInfo;
  readonly backend: { readonly name: string; readonly reason: string };
  /** ms per step of the last picture */
  readonly timings: Readonly<Record<string, number>>;
  /** Name and value of what is worth knowing about the model. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Everybody is found, not one person. */
  readonly findsEverybody: boolean;
  /** For one video. */
  newTracker(): Tracker;
  infer(picture: Picture, how: HowToLook): Promise<PoseDataSample>;
  dispose(): Promise<void>;
}

/** Loads a model; rejects with the library's own errors, or with the signal's reason. */
export async function openEngine(request: EngineRequest): Promise<Engine> {
  const { checkpoint, config, detector, backend, signal, onProgress } = request;
  const inferencer = await Pose2DInferencer.create({
    ...(checkpoint && { checkpoint, config }),
    ...(detector && { detCheckpoint: detector.checkpoint, detConfig: detector.config }),
    backend,
    signal,
    onProgress: (progress) => onProgress(...describeProgress(progress)),
  });
  return {
    name: checkpoint?.name ?? defaultModel.name,
    metainfo: inferencer.metainfo,
    backend: inferencer.backend,
    facts: [
      ...factsOf(inferencer, checkpoint),
      ...(inferencer.detModel && detector ? [['Detector', detector.checkpoint.name] as const] : []),
    ],
    findsEverybody: inferencer.detModel !== null,
    newTracker: () =>
      inferencer.detModel ? new PoseTracker({ sigmas: inferencer.metainfo.sigmas }) : new RoiTracker(),
    get timings() {
      const { total: _, detect, ...hops } = inferencer.timings;
      return detect > 0 ? { detect, ...hops } : hops;
    },
    infer: (picture, how) => inferencer.infer(picture, optionsOf(inferencer, how)),
    dispose: () => inferencer.dispose(),
  };
}

/** Who is looked at: whom the boxes mark, or else whoever is found. A bottom-up model finds everybody anyway. */
function optionsOf(inferencer: Pose2DInferencer, { boxes, alone, tracker, flip, timestamp }: HowToLook): InferOptions {
  const common = { timestamp, ...(flip !== 'config' && { flipTest: flip === 'on' }) };
  if (!inferencer.takesBoxes) return common;
  if (boxes.length > 0) return { ...common, bboxes: boxes.map(({ x1, y1, x2, y2 }) => [x1, y1, x2, y2]) };
  if (alone === 'whole') return { ...common, bboxes: null };
  // A picture by itself needs nobody who follows, if there is a detector.
  if (tracker || !inferencer.detModel) return { ...common, tracker: tracker ?? new RoiTracker() };
  return common;
}

/**
 * Backends for a page that has just been opened. WebGL is not among them: browsers without a GPU take up to a second to find that their
 * WebGL is a program, and wasm has found somebody by then.
 */
export const AT_ONCE: BackendChoice = ['webgpu', 'wasm', 'cpu'];

/** Whether another backend is better here than the one that was chosen of those. */
export async function knowsBetter(chosen: string): Promise<boolean> {
  if (chosen === 'webgpu') return false;
  const best = await createBackend('auto');
  await best.dispose();
  return best.name !== chosen;
}

function describeProgress({ stage, loaded, total }: LoadProgress): [text: string, part?: number] {
  const done = stage === 'weights' && total > 0 && loaded >= total;
  if (done) return ['Starting the backend'];
  const text = stage === 'download' ? 'Reading the file' : 'Reading weights';
  return total > 0 ? [text, loaded / total] : [text];
}

function factsOf(inferencer: Pose2DInferencer, file: File | null): [string, string][] {
  const { model, metainfo, notices } = inferencer;
  const { backbone, head } = networkOf(model.config);
  const facts: [string, string][] = [
    ...(file ? factsOfFile(file) : factsOfDefault()),
    ['Network', [backbone?.type, head?.type].filter(Boolean).join(' + ')],
    ['Keypoints', `${metainfo.numKeypoints} (${metainfo.datasetName})`],
    ['Input', inputOf(model.config)],
    ['People', inferencer.takesBoxes ? 'one per box' : 'everybody, without boxes'],
    ['Flip test', model.testCfg.flipTest ? 'on in the config' : 'off in the config'],
  ];
  return [...facts, ...notices.map((notice): [string, string] => ['Note', notice])];
}

function factsOfFile({ name, size }: File): [string, string][] {
  return [
    ['Model', name],
    ['Source', `a file on this device, ${(size / 1e6).toFixed(1)} MB`],
    ['Measured', 'not here; npm run eval measures it on your own pictures'],
  ];
}

function factsOfDefault(): [string, string][] {
  const { name, preview, source, measured, limits } = defaultModel;
  return [
    ['Model', preview ? `${name} (preview)` : name],
    ['Source', source],
    ['Measured', measured],
    ['Limits', limits],
  ];
}

/** Width and height that the network sees, px; every codec and crop of MMPose's says it under this name. */
function inputOf(config: PoseConfig): string {
  const found = JSON.stringify(config).match(/"input_size":\[(\d+),(\d+)\]/);
  return found ? `${found[1]} x ${found[2]} px` : 'as the config says';
}

interface Node {
  readonly type?: string;
}

function networkOf(config: PoseConfig): { backbone?: Node; head?: Node } {
  return config.model as { backbone?: Node; head?: Node };
}
