/**
 * The datasets by MMPose's names. All are COCO-style: a class of its own exists only where the annotations differ, otherwise the
 * name stands for the meta-info.
 */
import type { ConfigDict } from '../../config.js';
import { ConfigError } from '../../errors.js';
import { Registry, stripScope } from '../../registry.js';
import type { CocoJson } from '../coco.js';
import { DATASET_TYPE_TO_METAINFO, datasetTypeToMetainfo, loadPoseMetainfo } from '../metainfo/index.js';
import type { DatasetInfo, PoseMetaInfo } from '../metainfo/types.js';
import type { TransformContext } from '../transforms/base.js';
import { buildPipeline } from '../transforms/index.js';
import type { BaseCocoStyleDataset, CocoDetectionResult, DatasetContext } from './base_coco_style_dataset.js';

/** A dataset class: built from one config object with MMPose's keys. */
export type DatasetClass = new (
  config: Readonly<Record<string, unknown>>,
  context: DatasetContext,
) => BaseCocoStyleDataset;

const cocoStyle = () => import('./base_coco_style_dataset.js').then((m) => m.BaseCocoStyleDataset);

/** MMPose's datasets whose files are not COCO JSON, or that are three-dimensional. */
const OTHER_FORMATS: ReadonlySet<string> = new Set([
  'MpiiDataset',
  'MpiiTrbDataset',
  'Human36mDataset',
  'H36MWholeBodyDataset',
  'UBody3dDataset',
  'InterHand2DDoubleDataset',
  'InterHand3DDataset',
  'PoseTrack18VideoDataset',
]);

/** Dataset classes by `type`; an application adds its own with `DATASETS.register`. */
export const DATASETS: Registry<DatasetClass> = /* @__PURE__ */ new Registry<DatasetClass>('DATASETS', {
  ...Object.fromEntries(
    Object.keys(DATASET_TYPE_TO_METAINFO)
      .filter((type) => !OTHER_FORMATS.has(type))
      .map((type) => [type, cocoStyle]),
  ),
  BaseCocoStyleDataset: cocoStyle,
  DeepFashionDataset: cocoStyle,
  CocoWholeBodyDataset: () => import('./coco_wholebody_dataset.js').then((m) => m.CocoWholeBodyDataset),
  UBody2dDataset: () => import('./coco_wholebody_dataset.js').then((m) => m.CocoWholeBodyDataset),
});

/** The content of a dataset's files, and what its pipeline needs. */
export interface BuildDatasetOptions extends TransformContext {
  /** Content of `ann_file`. */
  readonly annotations: CocoJson;
  /** Content of `bbox_file`. */
  readonly detections?: readonly CocoDetectionResult[];
  /** Takes the place of the type's meta-info and of the config's `metainfo`. */
  readonly metainfo?: PoseMetaInfo;
}

/**
 * Builds a dataset from a node of `test_dataloader.dataset`.
 *
 * @throws ConfigError for an unknown type, or one without meta-info
 *
 * @example
 * const dataset = await buildDataset({ type: 'CocoDataset', test_mode: true }, { annotations });
 */
export async function buildDataset(
  config: ConfigDict,
  options: BuildDatasetOptions,
  where = 'dataset',
): Promise<BaseCocoStyleDataset> {
  const DatasetType = await DATASETS.get(config.type, `${where}.type`);
  const { annotations, detections, metainfo = await metainfoOf(config, where), ...context } = options;
  const pipeline = await buildPipeline(
    (config['pipeline'] ?? []) as readonly ConfigDict[],
    context,
    `${where}.pipeline`,
  );
  const { subset: _, ...own } = config;
  const dataset = stripScope(config.type) === 'DeepFashionDataset' ? own : config;
  return new DatasetType(dataset, { annotations, metainfo, pipeline, ...(detections && { detections }) });
}

async function metainfoOf(config: ConfigDict, where: string): Promise<PoseMetaInfo> {
  const given = config['metainfo'] as DatasetInfo | { readonly from_file: string } | null | undefined;
  if (given) return loadPoseMetainfo(given, `${where}.metainfo`);
  const name = datasetTypeToMetainfo(config);
  if (!name)
    throw new ConfigError(`${where}.metainfo: found none, and "${config.type}" has none of its own; pass one.`);
  return loadPoseMetainfo(name, where);
}
