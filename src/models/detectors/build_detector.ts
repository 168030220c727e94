/** From an MMDetection model config to a detector without weights. */
import { readConfig, REQUIRED, type ConfigDict } from '../../config.js';
import { ConfigError } from '../../errors.js';
import type { Feats, Module } from '../../nn/module.js';
import { POSE_ESTIMATORS } from '../pose_estimators/index.js';
import { buildBackbone, buildDataPreprocessor, buildNeck, checkNode } from '../builder.js';
import { parseDetTestCfg } from './bbox_post_process.js';
import { BBOX_HEADS, DETECTORS, type RTMDet } from './index.js';

interface DetectorConfig {
  readonly backbone: unknown;
  readonly neck: unknown;
  readonly bbox_head: unknown;
  readonly test_cfg: Readonly<Record<string, unknown>> | null;
  readonly data_preprocessor: ConfigDict | null;
}

const SPEC = {
  backbone: REQUIRED,
  neck: null,
  bbox_head: REQUIRED,
  test_cfg: null,
  data_preprocessor: null,
  use_syncbn: true,
};

/**
 * Builds the `model` of an MMDetection config. Weights are zero until `loadStateDict`, and the network runs after `prepareModule`.
 *
 * @throws ConfigError with the path of the key that is wrong
 */
export async function buildDetector(config: ConfigDict): Promise<RTMDet> {
  const { type } = checkNode(config, 'model');
  if (POSE_ESTIMATORS.has(type) && !DETECTORS.has(type)) {
    throw new ConfigError(
      `model.type: found "${type}", a pose estimator; expected a detector: ${DETECTORS.types().join(', ')}.`,
    );
  }
  const Detector = await DETECTORS.get(type, 'model.type');
  const cfg = readConfig<DetectorConfig>(config, 'model', SPEC);
  const head = checkNode(cfg.bbox_head, 'model.bbox_head');
  const [backbone, neck, Head, dataPreprocessor] = await Promise.all([
    buildBackbone(cfg.backbone as ConfigDict, 'model.backbone'),
    cfg.neck === null ? null : buildNeck(cfg.neck as ConfigDict, 'model.neck'),
    BBOX_HEADS.get(head.type, 'model.bbox_head.type'),
    buildDataPreprocessor(cfg.data_preprocessor, 'model.data_preprocessor'),
  ]);
  return new Detector({
    backbone,
    neck: neck as Module<Feats, Feats> | null,
    bboxHead: new Head(head, 'model.bbox_head'),
    testCfg: parseDetTestCfg(cfg.test_cfg, 'model.test_cfg'),
    dataPreprocessor,
  });
}
