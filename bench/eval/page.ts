/**
 * The page half of the accuracy harness: the library as an application uses it, with MMPose's own choice of people and its COCO
 * evaluation, one picture at a time.
 */
import { initDetector } from '../../src/apis/detection.js';
import { inferenceBottomup, inferenceTopdown, initModel } from '../../src/apis/inference.js';
import { PersonDetector } from '../../src/apis/person_detector.js';
import type { PoseModel } from '../../src/apis/pose_model.js';
import { isBottomup } from '../../src/apis/predict_bottomup.js';
import type { CocoImage, CocoJson } from '../../src/datasets/coco.js';
import {
  BaseCocoStyleDataset,
  type CocoDataInfo,
  type CocoDetectionResult,
} from '../../src/datasets/datasets/base_coco_style_dataset.js';
import type { EvalSample } from '../../src/evaluation/metrics/base.js';
import { CocoMetric } from '../../src/evaluation/metrics/coco_metric.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import type { BackendName } from '../../src/backend/init.js';
import type { ModelRequest, SourceRequest } from './cli_options.js';

type Json = Readonly<Record<string, unknown>>;

export interface StartRequest extends ModelRequest {
  readonly annotations: string;
  /** COCO detection results; null: the annotated boxes. */
  readonly detections: string | null;
  /** Stems of the picture files at hand. */
  readonly stems: readonly string[];
  /** Stop after the picture that reaches this many people. */
  readonly limit: number | null;
}

export interface StartReply {
  readonly backend: string;
  readonly reason: string;
  readonly notices: readonly string[];
  /** Stem and number of people of every picture to evaluate, in the dataset's order. */
  readonly pictures: readonly { readonly stem: string; readonly people: number }[];
  /** Annotated pictures without a file. */
  readonly absent: readonly string[];
  /** Detected boxes that show nothing of their picture. */
  readonly badBoxes: number;
}

export interface DetectorRequest extends SourceRequest {
  readonly backend: BackendName;
}

/** One person as `--out` writes it. */
export interface PersonRecord {
  readonly image_id: number;
  /** null for detected boxes, and for people that a bottom-up model found. */
  readonly annotation_id: number | null;
  /** xyxy, px */
  readonly bbox: readonly number[];
  readonly bbox_score: number;
  /** K x [x, y, score], px of the picture */
  readonly keypoints: readonly (readonly number[])[];
}

export interface FinishReply {
  readonly people: readonly PersonRecord[];
  /** COCO's table under MMPose's names; null when the dataset has no OKS sigmas. */
  readonly metrics: Readonly<Record<string, number>> | null;
  /** From picture file to keypoints, over all pictures but the first (which warms up), ms. */
  readonly ms: number;
  readonly timedPeople: number;
}

declare global {
  interface Window {
    startDetector(request: DetectorRequest): Promise<void>;
    /** How many people were found. */
    detectPicture(stem: string): Promise<number>;
    finishDetector(): Promise<void>;
    startEval(request: StartRequest): Promise<StartReply>;
    evalPicture(stem: string): Promise<void>;
    finishEval(): Promise<FinishReply>;
  }
}

interface Session {
  readonly model: PoseModel;
  readonly annotations: CocoJson;
  /** By stem. */
  readonly imgIds: ReadonlyMap<string, number>;
  readonly byPicture: ReadonlyMap<string, readonly CocoDataInfo[]>;
  /** Whether the limit left pictures out. */
  readonly limited: boolean;
  readonly withDetections: boolean;
  /** A person each; of a bottom-up model a picture each. */
  readonly done: { info: DoneInfo; sample: PoseDataSample }[];
  ms: number;
  timedPeople: number;
  pictures: number;
}

/** All that a bottom-up model's picture has is its number. */
type DoneInfo = Pick<CocoDataInfo, 'imgId'> & Partial<CocoDataInfo>;

let session: Session;
let detector: PersonDetector;
/** What the detector found, by picture; null without one. */
let searched: Map<string, { readonly bbox: readonly number[]; readonly score: number }[]> | null = null;

window.startDetector = async ({ config, checkpoint, sidecar, backend }) => {
  const options = { backend, ...(sidecar !== null && { sidecar }) };
  detector = new PersonDetector(await initDetector(config, checkpoint, options), {});
  searched = new Map();
};

window.detectPicture = async (stem) => {
  const { data, shape } = await detector.persons(await pictureOf(stem)).catch((error: Error) => {
    throw new Error(`${stem}: ${error.message}`, { cause: error });
  });
  const people = Array.from({ length: shape[0] }, (_, i) => {
    const [x1, y1, x2, y2, score] = data.subarray(i * 5, i * 5 + 5);
    return { bbox: [x1, y1, x2 - x1, y2 - y1], score };
  });
  searched!.set(stem, people);
  return people.length;
};

window.finishDetector = () => detector.dispose();

window.startEval = async (request) => {
  const options = { backend: request.backend, ...(request.sidecar !== null && { sidecar: request.sidecar }) };
  const model = await initModel(request.config, request.checkpoint ?? undefined, options);
  model.testCfg = { ...model.testCfg, flipTest: request.flip };
  if (isBottomup(model) && searched) {
    throw new Error('--det-checkpoint: this model finds everybody without boxes; leave it out');
  }
  const all = await getJson<CocoJson>(request.annotations);
  if (!Array.isArray(all?.images) || !Array.isArray(all.annotations)) {
    throw new Error(`${fileOf(request.annotations)}: expected a COCO file with lists "images" and "annotations"`);
  }
  const stems = new Set(request.stems);
  const annotations = { ...all, images: all.images.filter((image) => stems.has(stemOf(image))) };
  const known = new Map(annotations.images.map((image) => [image.id, image]));
  const found = request.detections === null ? detectionsOf(annotations) : await getDetections(request.detections);
  const detections = found?.filter((d) => known.has(d.image_id)) ?? null;
  const usable = detections?.filter((d) => isInPicture(d, known.get(d.image_id)!)) ?? null;
  const dataset = new BaseCocoStyleDataset(
    { data_mode: 'topdown', test_mode: true },
    {
      metainfo: model.metainfo,
      annotations: { ...annotations, annotations: all.annotations.filter((ann) => known.has(ann.image_id)) },
      ...(usable && { detections: usable }),
    },
  );
  const groups = groupByPicture(dataset);
  if (isBottomup(model)) addEmptyPictures(groups, annotations.images);
  const byPicture = limitPeople(groups, request.limit);
  session = {
    ...{ model, annotations: { ...all, images: annotations.images }, byPicture, limited: byPicture.size < groups.size },
    imgIds: new Map(annotations.images.map((image) => [stemOf(image), image.id])),
    ...{ withDetections: detections !== null, done: [], ms: 0, timedPeople: 0, pictures: 0 },
  };
  return {
    backend: model.backend.name,
    reason: model.backend.reason,
    notices: model.notices,
    pictures: [...byPicture].map(([stem, people]) => ({ stem, people: people.length })),
    absent: all.images.filter(({ id }) => !known.has(id)).map(stemOf),
    badBoxes: (detections?.length ?? 0) - (usable?.length ?? 0),
  };
};

window.evalPicture = async (stem) => {
  const people = session.byPicture.get(stem)!;
  const blob = await pictureOf(stem);
  const start = performance.now();
  const samples = await poses(blob, people).catch((error: Error) => {
    throw new Error(`${stem}: ${error.message}`, { cause: error });
  });
  const ms = performance.now() - start;
  const infos = isBottomup(session.model) ? [{ imgId: session.imgIds.get(stem)! }] : people;
  for (const [i, sample] of samples.entries()) session.done.push({ info: infos[i], sample });
  // The first picture compiles shaders.
  if (session.pictures++ === 0) return;
  session.ms += ms;
  session.timedPeople += people.length;
};

/** One sample per box; of a bottom-up model one for all, whoever is annotated. */
function poses(blob: Blob, people: readonly CocoDataInfo[]): Promise<PoseDataSample[]> {
  const { model } = session;
  if (isBottomup(model)) return inferenceBottomup(model, blob);
  return inferenceTopdown(
    model,
    blob,
    people.map(({ bbox }) => Array.from(bbox!.data)),
  );
}

window.finishEval = async () => {
  const { model, done, ms, timedPeople, withDetections } = session;
  const people = done.flatMap(({ info, sample }) => recordsOf(info, sample, withDetections));
  const metrics = model.metainfo.sigmas.length > 0 ? evaluate() : null;
  await model.dispose();
  return { people, metrics, ms, timedPeople };
};

/**
 * COCO's evaluation. A picture without boxes still counts: whoever is in it was missed. Only with a limit it is over the pictures
 * that were run.
 */
function evaluate(): Record<string, number> {
  const { model, annotations, byPicture, limited, done } = session;
  const images = limited ? annotations.images.filter((image) => byPicture.has(stemOf(image))) : annotations.images;
  const known = new Set(images.map(({ id }) => id));
  const truth = {
    ...annotations,
    images,
    annotations: annotations.annotations.filter((ann) => known.has(ann.image_id)),
  };
  const metric = new CocoMetric(metricConfig(model.config), { annotations: truth, datasetMeta: model.metainfo });
  metric.process(
    done.map(({ info, sample }) => {
      if (isBottomup(model)) return { imgId: info.imgId, predInstances: sample.predInstances! };
      return topdownSample(info, sample);
    }),
  );
  return metric.evaluate();
}

function topdownSample(info: DoneInfo, sample: PoseDataSample): EvalSample {
  return {
    id: info.id as number,
    imgId: info.imgId,
    predInstances: { ...sample.predInstances!, bboxScores: info.bboxScore as never },
    // The padded, aspect-corrected box, whose area MMPose's NMS uses.
    gtInstances: { bboxes: info.bbox, bboxScores: info.bboxScore, bboxScales: sample.metainfo.inputScale },
  };
}

/** Options of the config's own CocoMetric (CrowdPose and AIC differ from COCO in them). */
function metricConfig(config: Json): Json {
  const listed = [config.test_evaluator ?? config.val_evaluator ?? []].flat() as Json[];
  const own = listed.find(({ type }) => String(type).endsWith('CocoMetric')) ?? fallbackMetric(config);
  const { type: _type, ann_file: _file, outfile_prefix: _prefix, ...options } = own;
  return options;
}

/** What MMPose's configs say of bottom-up models; their heads have done away with double detections. */
function fallbackMetric({ model }: Json): Json {
  const { type, head } = model as { type?: string; head?: { type?: string } };
  if (!String(type).endsWith('BottomupPoseEstimator')) return {};
  return { nms_mode: 'none', score_mode: /RTMOHead|YOLOXPoseHead/.test(String(head?.type)) ? 'bbox' : 'keypoint' };
}

function recordsOf(info: DoneInfo, { predInstances }: PoseDataSample, withDetections: boolean): PersonRecord[] {
  const { keypoints, keypointScores, bboxes, bboxScores } = predInstances!;
  const [n, k, dims] = keypoints.shape;
  const isWhole = isBottomup(session.model);
  return Array.from({ length: n }, (_, i) => ({
    image_id: info.imgId,
    annotation_id: withDetections || isWhole ? null : (info.id as number),
    bbox: Array.from(isWhole ? bboxes.data.subarray(i * 4, i * 4 + 4) : info.bbox!.data),
    bbox_score: isWhole ? bboxScores.data[i] : info.bboxScore!.data[0],
    keypoints: Array.from({ length: k }, (_point, j) => {
      const at = (i * k + j) * dims;
      return [keypoints.data[at], keypoints.data[at + 1], keypointScores.data[i * k + j]];
    }),
  }));
}

/** A bottom-up model also looks at pictures in which nobody is annotated. */
function addEmptyPictures(groups: Map<string, CocoDataInfo[]>, images: readonly CocoImage[]): void {
  for (const image of images) {
    const stem = stemOf(image);
    if (!groups.has(stem)) groups.set(stem, []);
  }
}

function groupByPicture(dataset: BaseCocoStyleDataset): Map<string, CocoDataInfo[]> {
  const groups = new Map<string, CocoDataInfo[]>();
  for (const info of dataset) {
    const stem = stemOf({ id: info.imgId, file_name: info.imgPath });
    groups.set(stem, [...(groups.get(stem) ?? []), info]);
  }
  return groups;
}

/** Whole pictures, until `limit` people are reached. */
function limitPeople(groups: ReadonlyMap<string, CocoDataInfo[]>, limit: number | null): Map<string, CocoDataInfo[]> {
  const kept = new Map<string, CocoDataInfo[]>();
  let people = 0;
  for (const [stem, list] of groups) {
    if (limit !== null && people >= limit) break;
    kept.set(stem, list);
    people += list.length;
  }
  return kept;
}

/** `000000000785` of `val2017/000000000785.jpg`. */
function stemOf({ id, file_name }: { readonly id: number; readonly file_name?: string }): string {
  const name = (file_name ?? String(id)).split('/').at(-1)!;
  return name.replace(/\.[^.]*$/, '');
}

async function pictureOf(stem: string): Promise<Blob> {
  return (await fetch(`/@files/image/${encodeURIComponent(stem)}`)).blob();
}

/** What the detector found, as COCO detection results. */
function detectionsOf({ images }: CocoJson): CocoDetectionResult[] | null {
  if (!searched) return null;
  return images.flatMap((image) =>
    (searched!.get(stemOf(image)) ?? []).map((person) => ({
      ...{ image_id: image.id, category_id: 1 },
      ...{ bbox: person.bbox as unknown as CocoDetectionResult['bbox'], score: person.score },
    })),
  );
}

/** Whether a box shows anything of its picture; a detector's output may hold others. */
function isInPicture({ bbox: [x, y, w, h] }: CocoDetectionResult, { width, height }: CocoImage): boolean {
  return w > 0 && h > 0 && x < width && y < height && x + w > 0 && y + h > 0 && Number.isFinite(x + y + w + h);
}

async function getDetections(url: string): Promise<readonly CocoDetectionResult[]> {
  const list = await getJson<readonly CocoDetectionResult[]>(url);
  const bad = Array.isArray(list)
    ? list.findIndex((d) => !Number.isFinite(d?.score) || !Array.isArray(d.bbox) || d.bbox.length !== 4)
    : 0;
  if (bad < 0) return list;
  const found = JSON.stringify(Array.isArray(list) ? list[bad] : list).slice(0, 80);
  const entry = '{"image_id": 1, "category_id": 1, "bbox": [x, y, w, h], "score": 0.9}';
  throw new Error(`${fileOf(url)}: entry ${bad}: found ${found}; expected COCO detection results, a list of ${entry}`);
}

async function getJson<T>(url: string): Promise<T> {
  const text = await (await fetch(url)).text();
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw new Error(`${fileOf(url)}: expected JSON; ${(error as Error).message}`, { cause: error });
  }
}

function fileOf(url: string): string {
  return decodeURIComponent(url.split('/').at(-1)!);
}
