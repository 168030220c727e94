/** The library as the page uses it: one model in, one sample per picture out. */
import { Pose2DInferencer } from 'inpose';
import type { BackendChoice, LoadProgress, PoseConfig, PoseDataSample, PoseMetaInfo } from 'inpose';
import type { Box } from './box_editor.js';

export type FlipChoice = 'config' | 'on' | 'off';

export interface EngineRequest {
  readonly checkpoint: File;
  /** MMPose config as text, picked with the file or pasted; null: it is in the checkpoint. */
  readonly config: string | null;
  readonly backend: BackendChoice;
  readonly signal: AbortSignal;
  /** Text for people and the part that is done, 0..1 where known. */
  readonly onProgress: (text: string, part?: number) => void;
}

type Picture = HTMLImageElement | ImageBitmap;

export interface Engine {
  readonly metainfo: PoseMetaInfo;
  readonly backend: { readonly name: string; readonly reason: string };
  /** ms per step of the last picture */
  readonly timings: Readonly<Record<string, number>>;
  /** Name and value of what is worth knowing about the model. */
  readonly facts: readonly (readonly [name: string, value: string])[];
  /** Without boxes the whole picture is one person. */
  infer(picture: Picture, boxes: readonly Box[], flip: FlipChoice, timestamp: number): Promise<PoseDataSample>;
  dispose(): Promise<void>;
}

/** Loads a model; rejects with the library's own errors, or with the signal's reason. */
export async function openEngine(request: EngineRequest): Promise<Engine> {
  const { checkpoint, config, backend, signal, onProgress } = request;
  const inferencer = await Pose2DInferencer.create({
    checkpoint,
    backend,
    config,
    signal,
    onProgress: (progress) => onProgress(...describeProgress(progress)),
  });
  return {
    metainfo: inferencer.metainfo,
    backend: inferencer.backend,
    facts: factsOf(inferencer, checkpoint),
    get timings() {
      const { total: _, ...hops } = inferencer.timings;
      return hops;
    },
    infer: (picture, boxes, flip, timestamp) =>
      inferencer.infer(picture, {
        timestamp,
        ...(boxes.length > 0 && { bboxes: boxes.map(({ x1, y1, x2, y2 }) => [x1, y1, x2, y2]) }),
        ...(flip !== 'config' && { flipTest: flip === 'on' }),
      }),
    dispose: () => inferencer.dispose(),
  };
}

function describeProgress({ stage, loaded, total }: LoadProgress): [text: string, part?: number] {
  const done = stage === 'weights' && total > 0 && loaded >= total;
  if (done) return ['Starting the backend'];
  const text = stage === 'download' ? 'Reading the file' : 'Reading weights';
  return total > 0 ? [text, loaded / total] : [text];
}

function factsOf({ model, metainfo, notices }: Pose2DInferencer, { name, size }: File): [string, string][] {
  const { backbone, head } = networkOf(model.config);
  const facts: [string, string][] = [
    ['File', `${name}, ${(size / 1e6).toFixed(1)} MB`],
    ['Network', [backbone?.type, head?.type].filter(Boolean).join(' + ')],
    ['Keypoints', `${metainfo.numKeypoints} (${metainfo.datasetName})`],
    ['Flip test', model.testCfg.flipTest ? 'on in the config' : 'off in the config'],
  ];
  return [...facts, ...notices.map((notice): [string, string] => ['Note', notice])];
}

interface Node {
  readonly type?: string;
}

function networkOf(config: PoseConfig): { backbone?: Node; head?: Node } {
  return config.model as { backbone?: Node; head?: Node };
}
