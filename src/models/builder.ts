/**
 * From an MMPose model config to a network without weights (MMPose: `mmpose/models/builder.py`, and the constructors that call
 * `MODELS.build` for their children). Children are built here because their classes load lazily.
 */
import type { KeypointCodec } from '../codecs/base.js';
import { buildCodec, loadBatchDecode } from '../codecs/index.js';
import { readConfig, REQUIRED, type ConfigDict } from '../config.js';
import { loadPoseMetainfo } from '../datasets/metainfo/index.js';
import type { DatasetInfo, PoseMetaInfo } from '../datasets/metainfo/types.js';
import { ConfigError } from '../errors.js';
import { stripScope } from '../registry.js';
import { BACKBONES } from './backbones/index.js';
import { DATA_PREPROCESSORS, type PoseDataPreprocessor } from './data_preprocessors/index.js';
import { DETECTORS } from './detectors/index.js';
import { HEADS, type BaseHead } from './heads/index.js';
import { NECKS } from './necks/index.js';
import {
  POSE_ESTIMATORS,
  type Backbone,
  type BasePoseEstimator,
  type Neck,
  type PoseEstimatorParts,
} from './pose_estimators/index.js';
import { parseTestCfg } from './test_cfg.js';
import { checkAndUpdateConfig } from './utils/check_and_update_config.js';

export interface BuildOptions {
  /** Parsed meta-info that replaces the config's and that of the samples. */
  readonly metainfo?: PoseMetaInfo | null;
}

interface ModelConfig {
  readonly backbone: unknown;
  readonly neck: unknown;
  readonly head: unknown;
  readonly test_cfg: unknown;
  readonly data_preprocessor: unknown;
  readonly metainfo: DatasetInfo | { from_file: string } | null;
  readonly traj_backbone: unknown;
  readonly traj_neck: unknown;
  readonly traj_head: unknown;
}

const SPEC = {
  backbone: REQUIRED,
  neck: null,
  head: null,
  test_cfg: null,
  data_preprocessor: null,
  metainfo: null,
  use_syncbn: false,
};

/** A PoseLifter's keys beside those; the loss is training's. */
const LIFTER_SPEC = { ...SPEC, traj_backbone: null, traj_neck: null, traj_head: null, semi_loss: null };

/**
 * Builds the `model` of an MMPose config. Weights are zero until `loadStateDict`, and the network runs after `prepareModule`.
 *
 * @throws ConfigError with the path of the key that is wrong: `model.head.decoder.type: ...`
 */
export async function buildPoseEstimator(config: ConfigDict, options: BuildOptions = {}): Promise<BasePoseEstimator> {
  const { type } = checkNode(config, 'model');
  if (DETECTORS.has(type) && !POSE_ESTIMATORS.has(type)) {
    throw new ConfigError(
      `model.type: found "${type}", a detector; expected a pose estimator: pass this one as detCheckpoint, or to initDetector.`,
    );
  }
  const PoseEstimator = await POSE_ESTIMATORS.get(type, 'model.type');
  const isLifter = stripScope(type) === 'PoseLifter';
  const cfg = readConfig<ModelConfig>(config, 'model', isLifter ? LIFTER_SPEC : SPEC);
  const nodes = childNodes(cfg);
  const [backbone, neck, head, dataPreprocessor, metainfo] = await Promise.all([
    buildBackbone(cfg.backbone as ConfigDict, 'model.backbone'),
    nodes.neck && buildNeck(nodes.neck, 'model.neck'),
    nodes.head && buildHead(nodes.head, 'model.head'),
    buildDataPreprocessor(cfg.data_preprocessor as ConfigDict | null, 'model.data_preprocessor'),
    options.metainfo ?? (cfg.metainfo && loadPoseMetainfo(cfg.metainfo, 'model.metainfo')),
  ]);
  const testCfg = parseTestCfg(cfg.test_cfg, 'model.test_cfg');
  const trajectory = isLifter ? await buildTrajectory(cfg) : undefined;
  return new PoseEstimator({ backbone, neck, head, testCfg, dataPreprocessor, metainfo, trajectory });
}

/** The second network of a PoseLifter that was trained semi-supervised. */
async function buildTrajectory(cfg: ModelConfig): Promise<PoseEstimatorParts['trajectory']> {
  const [backbone, neck, head] = await Promise.all([
    cfg.traj_backbone === null ? null : buildBackbone(cfg.traj_backbone as ConfigDict, 'model.traj_backbone'),
    cfg.traj_neck === null ? null : buildNeck(cfg.traj_neck as ConfigDict, 'model.traj_neck'),
    cfg.traj_head === null ? null : buildHead(cfg.traj_head as ConfigDict, 'model.traj_head'),
  ]);
  return { backbone, neck, head };
}

/** Neck and head, brought up to date where the config is an old one. */
function childNodes(cfg: ModelConfig): { neck: ConfigDict | null; head: ConfigDict | null } {
  const neck = cfg.neck === null ? null : checkNode(cfg.neck, 'model.neck');
  if (cfg.head === null) return { neck, head: null };
  return checkAndUpdateConfig(neck, checkNode(cfg.head, 'model.head'), 'model.head');
}

/** A backbone of BACKBONES. */
export async function buildBackbone(config: ConfigDict, where = 'backbone'): Promise<Backbone> {
  const Class = await BACKBONES.get(checkNode(config, where).type, `${where}.type`);
  return new Class(config, where) as Backbone;
}

/** A neck of NECKS. */
export async function buildNeck(config: ConfigDict, where = 'neck'): Promise<Neck> {
  const Class = await NECKS.get(checkNode(config, where).type, `${where}.type`);
  return new Class(config, where) as Neck;
}

/** A head of HEADS, with its decoder; a head around another (`pose_cfg`) gets that one built, as `pose_head`. */
export async function buildHead(config: ConfigDict, where = 'head'): Promise<BaseHead> {
  const Class = await HEADS.get(checkNode(config, where).type, `${where}.type`);
  if (config.pose_cfg !== undefined) {
    const inner = await buildHead(config.pose_cfg as ConfigDict, `${where}.pose_cfg`);
    return new Class({ ...config, pose_head: inner }, null, where);
  }
  // ED-Pose's `decoder` is a part of the network.
  const key = config.data_decoder === undefined ? 'decoder' : 'data_decoder';
  const decoder = (config[key] ?? null) as ConfigDict | null;
  return new Class(config, decoder && (await buildDecoder(decoder, `${where}.${key}`)), where);
}

/** `buildCodec`, and tfjs with it: the codec decodes tensors as well as arrays. */
export async function buildDecoder(config: ConfigDict, where = 'codec'): Promise<KeypointCodec> {
  const [codec] = await Promise.all([buildCodec(config, where), loadBatchDecode()]);
  return codec;
}

/** A data preprocessor; `null` and MMEngine's plain `BaseDataPreprocessor` neither normalise nor swap channels. */
export async function buildDataPreprocessor(
  config: ConfigDict | null,
  where = 'data_preprocessor',
): Promise<PoseDataPreprocessor | undefined> {
  if (config === null || stripScope(String(checkNode(config, where).type)) === 'BaseDataPreprocessor') return undefined;
  const Class = await DATA_PREPROCESSORS.get(config.type, `${where}.type`);
  return new Class(config, where);
}

/** @throws ConfigError unless `node` is an object with a type */
export function checkNode(node: unknown, where: string): ConfigDict {
  if (typeof node === 'object' && node !== null && 'type' in node && typeof node.type === 'string') {
    return node as ConfigDict;
  }
  throw new ConfigError(
    `${where}: found ${JSON.stringify(node)?.slice(0, 80) ?? 'nothing'}; expected an object with a "type", as in an MMPose config.`,
  );
}
