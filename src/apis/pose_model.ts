/** A loaded model: MMPose's `nn.Module` with `cfg` and `dataset_meta` attached, plus the backend that it lives on. */
import type { PoseMetaInfo } from '../datasets/metainfo/types.js';
import type { BasePoseEstimator } from '../models/pose_estimators/index.js';
import type { TestCfg } from '../models/test_cfg.js';
import { LoadedModel, type Living, type LoadedModelParts } from './loaded_model.js';
import type { ModelJit } from './model_jit.js';

export type LivingPoseModel = Living<BasePoseEstimator, ModelJit>;

export interface PoseModelParts extends LoadedModelParts<BasePoseEstimator, ModelJit> {
  readonly metainfo: PoseMetaInfo;
  readonly notices: readonly string[];
}

/** Made by `initModel`. Keep one per network; calls on it queue. */
export class PoseModel extends LoadedModel<BasePoseEstimator, ModelJit> {
  /** Names, flip pairs, skeleton, colours and sigmas of the keypoints. */
  readonly metainfo: PoseMetaInfo;
  /** Sentences for people about what had to be assumed while loading; mostly empty. */
  readonly notices: readonly string[];

  constructor(parts: PoseModelParts) {
    super('PoseModel', parts);
    this.metainfo = parts.metainfo;
    this.notices = parts.notices;
  }

  get estimator(): BasePoseEstimator {
    return this.network;
  }

  /** Flip test, heatmap output and the like; may be replaced between calls. */
  get testCfg(): TestCfg {
    return this.estimator.testCfg;
  }

  set testCfg(testCfg: TestCfg) {
    this.estimator.testCfg = testCfg;
  }

  protected override revived(before: BasePoseEstimator): void {
    this.testCfg = before.testCfg;
  }
}
