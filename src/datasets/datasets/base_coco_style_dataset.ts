/**
 * Samples out of COCO-format annotations (MMPose: `mmpose/datasets/datasets/base/base_coco_style_dataset.py`): one per person
 * for top-down models, one per picture for bottom-up ones, or one per detected box. Files are opened by the caller: this class
 * gets their content, and knows pictures by path only.
 */
import { readConfig } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { concatRows, ndarray, zeros, type NdArray } from '../../ndarray.js';
import { CocoIndex, type CocoAnnotation, type CocoImage, type CocoJson } from '../coco.js';
import type { PoseMetaInfo } from '../metainfo/types.js';
import type { TransformResults } from '../transforms/base.js';
import type { Pipeline } from '../transforms/index.js';

/** A person detector's box, as COCO's result files hold them. */
export interface CocoDetectionResult {
  readonly image_id: number;
  readonly category_id: number;
  /** [x, y, w, h] px */
  readonly bbox: readonly number[];
  readonly score: number;
}

/** A sample before the pipeline. Top-down samples have N = 1. */
export interface CocoDataInfo extends TransformResults {
  imgId: number;
  imgPath: string;
  /** Annotation id, or the ids of all persons of a picture, or the number of a detected box. */
  id: number | number[];
  categoryId?: number | number[];
  iscrowd?: number | number[];
  numKeypoints?: number | number[];
  segmentation?: unknown;
  crowdIndex?: number;
  rawAnnInfo?: CocoAnnotation | CocoAnnotation[] | null;
  /** Segments of people whose keypoints are not annotated; bottom-up training masks them. */
  invalidSegs?: unknown[];
}

/** The content of a dataset's files. */
export interface DatasetContext {
  /** Content of `ann_file`. */
  readonly annotations: CocoJson;
  /** Content of `bbox_file`. */
  readonly detections?: readonly CocoDetectionResult[];
  readonly metainfo: PoseMetaInfo;
  /** Steps to take in `get`; see `buildPipeline`. */
  readonly pipeline?: Pipeline;
}

export type DataMode = 'topdown' | 'bottomup';

interface DatasetConfig {
  data_mode: DataMode;
  bbox_file: string | null;
  data_root: string | null;
  data_prefix: Readonly<Record<string, string>>;
  filter_cfg: { readonly bbox_score_thr?: number } | null;
  indices: number | readonly number[] | null;
  test_mode: boolean;
  sample_interval: number;
}

const SPEC = {
  ann_file: '',
  bbox_file: null,
  data_mode: 'topdown',
  metainfo: null,
  data_root: null,
  data_prefix: { img: '' },
  filter_cfg: null,
  indices: null,
  serialize_data: true,
  pipeline: [],
  test_mode: false,
  lazy_init: false,
  max_refetch: 1000,
  sample_interval: 1,
};

/** Area of a person as a share of the box, where the annotation gives none. */
const BOX_TO_AREA = 0.53;

/**
 * @example
 * const dataset = new BaseCocoStyleDataset({ data_mode: 'topdown' }, { annotations, metainfo });
 * dataset.length; // persons with annotated joints
 * dataset.getDataInfo(0).bbox; // { data: Float32Array [x1, y1, x2, y2], shape: [1, 4] }
 */
export class BaseCocoStyleDataset {
  readonly metainfo: PoseMetaInfo;
  readonly dataMode: DataMode;
  readonly testMode: boolean;
  readonly #config: DatasetConfig;
  readonly #context: DatasetContext;
  readonly #list: readonly CocoDataInfo[];

  /** @throws ConfigError for an unknown key or a contradiction, InputError for annotations that are no COCO file */
  constructor(config: Readonly<Record<string, unknown>>, context: DatasetContext) {
    const cfg = readConfig<DatasetConfig>(config, new.target.name, SPEC);
    this.#config = cfg;
    this.#context = context;
    this.metainfo = context.metainfo;
    this.dataMode = cfg.data_mode;
    this.testMode = cfg.test_mode;
    this.#check();
    this.#list = this.#select(this.#filter(this.#load(new CocoIndex(context.annotations))));
  }

  /** How many samples there are. */
  get length(): number {
    return this.#list.length;
  }

  /**
   * A sample before the pipeline, with the meta-info that transforms need.
   *
   * @throws InputError when there is no such sample
   */
  getDataInfo(index: number): CocoDataInfo {
    const info = this.#list[index];
    if (!info) throw new InputError(`dataset: found index ${index}; expected 0..${this.length - 1}.`);
    const { datasetName, upperBodyIds, lowerBodyIds, flipPairs, flipIndices, skeletonLinks, jointWeights } =
      this.metainfo;
    const datasetKeypointWeights = ndarray(jointWeights, [jointWeights.length]);
    return {
      ...info,
      datasetName,
      upperBodyIds,
      lowerBodyIds,
      flipPairs,
      flipIndices,
      skeletonLinks,
      datasetKeypointWeights,
    };
  }

  /** A sample after the pipeline; null when the pipeline dropped it. */
  async get(index: number): Promise<TransformResults | null> {
    const info = this.getDataInfo(index);
    const { pipeline } = this.#context;
    return pipeline ? pipeline({ ...info, dataset: this }) : info;
  }

  /** All samples before the pipeline. */
  *[Symbol.iterator](): IterableIterator<CocoDataInfo> {
    for (let i = 0; i < this.length; i++) yield this.getDataInfo(i);
  }

  #check(): void {
    const { data_mode: mode, bbox_file: boxes, test_mode: test, filter_cfg: filter } = this.#config;
    const problem =
      mode !== 'topdown' && mode !== 'bottomup'
        ? `data_mode: found ${JSON.stringify(mode)}; expected "topdown" or "bottomup"`
        : (boxes || this.#context.detections) && mode !== 'topdown'
          ? 'bbox_file: found with data_mode "bottomup"; only "topdown" can use detected boxes'
          : (boxes || this.#context.detections) && !test
            ? 'bbox_file: found with test_mode false; detected boxes have no annotated joints to train on'
            : boxes && !this.#context.detections
              ? `bbox_file: found "${boxes}" but not its content; pass it as \`detections\``
              : filter?.bbox_score_thr !== undefined && mode !== 'topdown'
                ? 'filter_cfg.bbox_score_thr: found with data_mode "bottomup"; only "topdown" can filter by it'
                : null;
    if (problem) throw new ConfigError(`${this.constructor.name}.${problem}.`);
  }

  #load(index: CocoIndex): CocoDataInfo[] {
    if (this.#context.detections) return this.#loadDetections(index, this.#context.detections);
    const images = [...index.images.values()].filter(({ id }) => id % this.#config.sample_interval === 0);
    const infos = images.flatMap((image) =>
      index.annotationsOf(image.id).flatMap((ann) => this.parseDataInfo(ann, image) ?? []),
    );
    return this.dataMode === 'topdown' ? infos.filter(isValidInstance) : this.#loadPictures(infos, images);
  }

  /**
   * One annotated person, the box clipped to the picture; null when box or joints are missing.
   */
  protected parseDataInfo(ann: CocoAnnotation, image: CocoImage): CocoDataInfo | null {
    const values = this.keypointsOf(ann);
    if (!ann.bbox || !values) return null;
    const bbox = clipBox(ann.bbox, image);
    const { keypoints, keypointsVisible } = splitKeypoints(values, (v) => this.visibilityOf(v));
    return {
      imgId: ann.image_id,
      imgPath: this.imgPath(image),
      bbox,
      bboxScore: ndarray(Float32Array.of(1), [1]),
      numKeypoints: ann.num_keypoints ?? countPlaced(keypoints),
      keypoints,
      keypointsVisible,
      area: ndarray(Float32Array.of(ann.area ?? areaOfBox(bbox)), [1]),
      iscrowd: Number(ann.iscrowd ?? 0),
      segmentation: ann['segmentation'] ?? null,
      id: ann.id,
      categoryId: ann.category_id,
      rawAnnInfo: ann,
      ...(image.crowdIndex !== undefined && { crowdIndex: image.crowdIndex }),
    };
  }

  /** [K * 3] x, y, visibility of an annotation. */
  protected keypointsOf(ann: CocoAnnotation): readonly number[] | undefined {
    return ann.keypoints;
  }

  /** 0 or 1 (or a weight between) from the third number of an annotated keypoint. */
  protected visibilityOf(value: number): number {
    return Math.min(1, value);
  }

  /** Path of a picture: data_root, data_prefix.img and its file name. */
  protected imgPath(image: CocoImage): string {
    const { data_root: root, data_prefix: prefix } = this.#config;
    return [root, prefix['img'], image.file_name ?? String(image.id)].filter(Boolean).join('/').replaceAll('//', '/');
  }

  #loadPictures(infos: readonly CocoDataInfo[], images: readonly CocoImage[]): CocoDataInfo[] {
    const groups = new Map<number, CocoDataInfo[]>();
    for (const info of infos) groups.set(info.imgId, [...(groups.get(info.imgId) ?? []), info]);
    const pictures = [...groups.values()].map(mergePersons);
    if (!this.testMode) return pictures;
    // Pictures without people still show what a model invents there.
    const empty = images.filter(({ id }) => !groups.has(id));
    return [
      ...pictures,
      ...empty.map((image) => ({ imgId: image.id, imgPath: this.imgPath(image), id: [], rawAnnInfo: null })),
    ];
  }

  #loadDetections(index: CocoIndex, detections: readonly CocoDetectionResult[]): CocoDataInfo[] {
    const k = this.metainfo.numKeypoints;
    const persons = detections.filter((d) => d.category_id === 1);
    return persons.map((d, id) => {
      const image = index.images.get(d.image_id);
      if (!image) throw new InputError(`bbox_file: image ${d.image_id} is not among the annotated ones.`);
      const [x, y, w, h] = d.bbox.map(Math.fround);
      return {
        imgId: d.image_id,
        imgPath: this.imgPath(image),
        imgShape: [image.height, image.width],
        bbox: ndarray(Float32Array.of(x, y, x + w, y + h), [1, 4]),
        bboxScore: ndarray(Float32Array.of(d.score), [1]),
        keypoints: zeros([1, k, 2]),
        keypointsVisible: ndarray(new Float32Array(k).fill(1), [1, k]),
        id,
      };
    });
  }

  #filter(list: CocoDataInfo[]): CocoDataInfo[] {
    const threshold = this.#config.filter_cfg?.bbox_score_thr;
    return threshold === undefined ? list : list.filter(({ bboxScore }) => !((bboxScore?.data[0] ?? 1) < threshold));
  }

  #select(list: CocoDataInfo[]): CocoDataInfo[] {
    const { indices } = this.#config;
    if (indices === null) return list;
    if (typeof indices === 'number') return indices >= 0 ? list.slice(0, indices) : list.slice(indices);
    return indices.map((i) => list[i < 0 ? list.length + i : i]);
  }
}

/** Whether a person has annotated joints and a box, and is no crowd. */
export function isValidInstance({ iscrowd, numKeypoints, bbox, keypoints }: CocoDataInfo): boolean {
  if (iscrowd || numKeypoints === 0) return false;
  if (bbox && (bbox.data[2] - bbox.data[0] <= 0 || bbox.data[3] - bbox.data[1] <= 0)) return false;
  return !keypoints || keypoints.data.some((v) => v > 0);
}

/** [1, 4] xyxy within the picture's pixels. */
function clipBox([x, y, w, h]: readonly number[], { width, height }: CocoImage): NdArray {
  const clip = (value: number, size: number): number => Math.min(Math.max(value, 0), size - 1);
  return ndarray(Float32Array.of(clip(x, width), clip(y, height), clip(x + w, width), clip(y + h, height)), [1, 4]);
}

function areaOfBox({ data: [x1, y1, x2, y2] }: NdArray): number {
  return Math.max(1, (x2 - x1) * (y2 - y1) * BOX_TO_AREA);
}

function splitKeypoints(
  values: readonly number[],
  visibilityOf: (value: number) => number,
): { keypoints: NdArray; keypointsVisible: NdArray } {
  const k = Math.floor(values.length / 3);
  const keypoints = zeros([1, k, 2]);
  const keypointsVisible = zeros([1, k]);
  for (let i = 0; i < k; i++) {
    keypoints.data[i * 2] = values[i * 3];
    keypoints.data[i * 2 + 1] = values[i * 3 + 1];
    keypointsVisible.data[i] = visibilityOf(values[i * 3 + 2]);
  }
  return { keypoints, keypointsVisible };
}

/** Joints whose larger coordinate is not 0. */
function countPlaced({ data }: NdArray): number {
  let count = 0;
  for (let i = 0; i < data.length; i += 2) if (Math.max(data[i], data[i + 1]) !== 0) count++;
  return count;
}

/** The persons of a picture as one sample with N rows. */
function mergePersons(persons: readonly CocoDataInfo[]): CocoDataInfo {
  const rows = (of: (info: CocoDataInfo) => NdArray | undefined): NdArray =>
    concatRows(persons.map((p) => of(p) as NdArray));
  return {
    imgId: persons[0].imgId,
    imgPath: persons[0].imgPath,
    bbox: rows(({ bbox }) => bbox),
    bboxScore: rows(({ bboxScore }) => bboxScore),
    keypoints: rows(({ keypoints }) => keypoints),
    keypointsVisible: rows(({ keypointsVisible }) => keypointsVisible),
    area: rows(({ area }) => area),
    numKeypoints: persons.map(({ numKeypoints }) => numKeypoints as number),
    iscrowd: persons.map(({ iscrowd }) => iscrowd as number),
    segmentation: persons.map(({ segmentation }) => segmentation),
    id: persons.map(({ id }) => id as number),
    categoryId: persons.map(({ categoryId }) => categoryId as number),
    rawAnnInfo: persons.map(({ rawAnnInfo }) => rawAnnInfo as CocoAnnotation),
    invalidSegs: persons.filter((p) => !isValidInstance(p)).map(({ segmentation }) => segmentation),
    ...(persons[0].crowdIndex !== undefined && { crowdIndex: persons[0].crowdIndex }),
  };
}
