/**
 * What a whole MMPose config says beside the network: how the test pipeline crops, and which keypoints the dataset has. Configs
 * differ in where they say it, so each is looked for in MMPose's order.
 */
import { DATASET_METAINFO, datasetTypeToMetainfo, loadPoseMetainfo } from '../datasets/metainfo/index.js';
import type { DatasetInfo, PoseMetaInfo } from '../datasets/metainfo/types.js';
import { GetBBoxCenterScale } from '../datasets/transforms/common_transforms.js';
import { BottomupRandomChoiceResize } from '../datasets/transforms/bottomup_random_choice_resize.js';
import { BottomupResize } from '../datasets/transforms/bottomup_transforms.js';
import { TopdownAffine } from '../datasets/transforms/topdown_transforms.js';
import { selectKeypoints } from '../datasets/select_keypoints.js';
import { poseMetainfoFromCheckpoint } from '../datasets/utils.js';
import type { ConfigDict } from '../config.js';
import { ConfigError } from '../errors.js';
import { stripScope } from '../registry.js';

/** A whole config (`model`, `test_dataloader`, ...) as JSON. */
export type PoseConfig = Readonly<Record<string, unknown>> & { readonly model: ConfigDict };

type Dict = Readonly<Record<string, unknown>>;

function isDict(value: unknown): value is Dict {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Follows a path of keys; undefined as soon as one is missing. */
function at(value: unknown, ...path: readonly string[]): unknown {
  let node = value;
  for (const key of path) node = isDict(node) ? node[key] : undefined;
  return node;
}

/**
 * Accepts a whole config, or only its `model` node.
 *
 * @throws ConfigError when it is neither
 */
export function normalizeConfig(config: unknown, where: string): PoseConfig {
  if (isDict(config) && isDict(config.model)) return config as PoseConfig;
  if (isDict(config) && typeof config.type === 'string' && ('backbone' in config || 'head' in config)) {
    return { model: config as ConfigDict };
  }
  const found = isDict(config) ? `keys ${Object.keys(config).slice(0, 8).join(', ') || 'none'}` : typeof config;
  throw new ConfigError(`${where}: found ${found}; expected an MMPose config as JSON, with a "model".`);
}

/** The two steps of a top-down test pipeline that decide what the network sees. */
export interface TopdownPipeline {
  readonly centerScale: GetBBoxCenterScale;
  readonly affine: TopdownAffine;
}

const PIPELINE_PATHS = [
  ['test_dataloader', 'dataset', 'pipeline'],
  ['test_pipeline'],
  ['val_dataloader', 'dataset', 'pipeline'],
  ['val_pipeline'],
];

/**
 * The crop of the config's test pipeline. Without a pipeline: MMPose's defaults, the codec's input size, and UDP's matrix for the
 * codec that was made for it.
 *
 * @throws ConfigError when the config names neither a pipeline nor a codec
 */
export function topdownPipeline(config: PoseConfig): TopdownPipeline {
  const step = pipelineStep(config);
  return {
    centerScale: new GetBBoxCenterScale(step('GetBBoxCenterScale') ?? {}),
    affine: new TopdownAffine(step('TopdownAffine') ?? affineOfCodec(config)),
  };
}

/** Finds a step of the test pipeline by its type; undefined where there is none, or no pipeline. */
export function pipelineStep(config: PoseConfig): (name: string) => Dict | undefined {
  const path = PIPELINE_PATHS.find((keys) => Array.isArray(at(config, ...keys)));
  const steps = path ? (at(config, ...path) as unknown[]).filter(isDict) : [];
  return (name) => steps.find(({ type }) => stripScope(String(type)) === name);
}

/** What resizes a bottom-up model's pictures. */
export type PictureResize = BottomupResize | BottomupRandomChoiceResize;

/**
 * How a bottom-up model's pictures are resized. Without a pipeline: to the network's input as `test_cfg` or the codec has it, with the
 * margins of YOLOX's training.
 *
 * @throws ConfigError when the config names neither
 */
export function bottomupResize(config: PoseConfig): PictureResize {
  const step = pipelineStep(config);
  const resize = step('BottomupResize');
  if (resize) return new BottomupResize(resize);
  const choice = step('BottomupRandomChoiceResize');
  if (choice) return oneSize(new BottomupRandomChoiceResize(choice));
  const size = at(config.model, 'test_cfg', 'input_size');
  if (size !== undefined) return new BottomupResize({ input_size: size, pad_val: [114, 114, 114] });
  // Its codec names no size, so this is how MMPose trained it.
  const isEdpose = stripScope(String(at(config.model, 'head', 'type'))) === 'EDPoseHead';
  if (isEdpose) return new BottomupRandomChoiceResize({ scales: [800, 1333], keep_ratio: true, backend: 'pillow' });
  const codecSize = at(config.model, 'head', 'decoder', 'input_size') ?? at(config, 'codec', 'input_size');
  if (codecSize !== undefined) {
    return new BottomupResize({ input_size: codecSize, size_factor: 64, resize_mode: 'expand' });
  }
  throw new ConfigError(
    'config: found no test_pipeline with BottomupResize; expected one, or "test_cfg" or a codec with input_size.',
  );
}

/** The sequences of a lifter's test data, as far as the config says. */
export function liftingSequence(config: PoseConfig): { readonly seqLen: number | null; readonly step: number } {
  const dataset = at(config, 'test_dataloader', 'dataset');
  const number = (key: string) => {
    const value = at(dataset, key);
    return typeof value === 'number' && Number.isInteger(value) && value > 0 ? value : null;
  };
  return { seqLen: number('seq_len'), step: number('seq_step') ?? 1 };
}

/** @throws ConfigError where chance would decide */
function oneSize(resize: BottomupRandomChoiceResize): BottomupRandomChoiceResize {
  if (resize.scales.length === 1) return resize;
  throw new ConfigError(
    `test_pipeline, BottomupRandomChoiceResize.scales: found ${resize.scales.length}; expected one, for results that can be repeated.`,
  );
}

/** A head with several codecs (MSPN) decodes with the last one. */
function affineOfCodec(config: PoseConfig): Dict {
  const ofHead = at(config.model, 'head', 'pose_cfg', 'decoder') ?? at(config.model, 'head', 'decoder');
  const codecs = [ofHead, config.codec].map((c) => (Array.isArray(c) ? c.at(-1) : c));
  const codec = codecs.find((c) => isDict(c) && c.input_size !== undefined) as Dict | undefined;
  if (!codec) {
    throw new ConfigError(
      'config: found no test_pipeline and no codec; expected "test_pipeline" with TopdownAffine, or "codec" with input_size.',
    );
  }
  return { input_size: codec.input_size, use_udp: stripScope(String(codec.type)) === 'UDPHeatmap' };
}

/** What an application may hand over as meta-info: a name (`halpe26`), MMPose's raw form, or the parsed one. */
export type MetainfoSource = string | DatasetInfo | PoseMetaInfo;

/**
 * MMPose's rule: the checkpoint's `dataset_meta`, else the config's dataset, else COCO. An explicit one comes first.
 *
 * @param notices - gets a sentence when COCO had to be assumed
 */
export async function findMetainfo(
  given: MetainfoSource | undefined,
  datasetMeta: unknown,
  config: PoseConfig,
  notices: string[],
): Promise<PoseMetaInfo> {
  if (given !== undefined) return isParsed(given) ? given : loadPoseMetainfo(given, 'metainfo');
  const stored = datasetMeta ? poseMetainfoFromCheckpoint(datasetMeta) : null;
  if (stored) return stored;
  const ofDataset = await metainfoOfConfig(config);
  if (ofDataset) return ofDataset;
  notices.push(
    'Neither the checkpoint nor the config says which keypoints the model has; COCO is assumed. Pass the option metainfo if that is wrong.',
  );
  return loadPoseMetainfo('coco');
}

function isParsed(source: MetainfoSource): source is PoseMetaInfo {
  return typeof source === 'object' && 'keypointId2name' in source;
}

/** MMPose asks the training set; configs without one still name the others. */
async function metainfoOfConfig(config: PoseConfig): Promise<PoseMetaInfo | null> {
  for (const loader of ['train_dataloader', 'val_dataloader', 'test_dataloader']) {
    const dataset = at(config, loader, 'dataset');
    if (!isDict(dataset)) continue;
    const inline = dataset.metainfo;
    if (isDict(inline) && 'keypoint_info' in inline)
      return loadPoseMetainfo(inline as DatasetInfo, `${loader}.dataset.metainfo`);
    const name = datasetTypeToMetainfo(dataset);
    if (name !== undefined && DATASET_METAINFO.has(name)) return loadPoseMetainfo(name, `${loader}.dataset`);
  }
  const name = typeof config.dataset_type === 'string' ? datasetTypeToMetainfo(config.dataset_type) : undefined;
  return name === undefined ? null : loadPoseMetainfo(name, 'dataset_type');
}

/**
 * The meta-info of what comes out: of the network's keypoints only those that `test_cfg.output_keypoint_indices` names, in its order.
 *
 * @param metainfo - of the network, or already of what comes out
 */
export function outputMetainfo(config: PoseConfig, metainfo: PoseMetaInfo): PoseMetaInfo {
  const indices = outputKeypointIndices(config);
  return indices === null || indices.length === metainfo.numKeypoints ? metainfo : selectKeypoints(metainfo, indices);
}

function outputKeypointIndices(config: PoseConfig): readonly number[] | null {
  const indices = at(config.model, 'test_cfg', 'output_keypoint_indices');
  return Array.isArray(indices) ? (indices as number[]) : null;
}

/**
 * Whether the meta-info can be the model's: its number of keypoints against the head's.
 *
 * @returns what does not fit, or null
 */
export function metainfoMismatch(config: PoseConfig, metainfo: PoseMetaInfo): string | null {
  const head = at(config.model, 'head', 'pose_cfg') ?? at(config.model, 'head');
  // Its out_channels are coordinates.
  if (stripScope(String(at(head, 'type'))) === 'MotionRegressionHead') return null;
  const outputs = at(head, 'num_joints') ?? at(head, 'num_keypoints') ?? at(head, 'out_channels');
  const k = metainfo.numKeypoints;
  // UDP's combined maps are three per keypoint; lists belong to heads with several outputs; a lifter may leave out the root.
  const root = at(head, 'decoder', 'remove_root') === true ? 1 : 0;
  if (outputKeypointIndices(config)?.length === k) return null;
  if (typeof outputs !== 'number' || outputs + root === k || outputs === 3 * k) return null;
  return `the model's head has ${outputs} outputs, but the meta-info "${metainfo.datasetName}" ${k} keypoints`;
}
