/**
 * What all pose estimators share (MMPose: `mmpose/models/pose_estimators/base.py`): backbone, neck and head as one network with
 * one entry. Training is left out.
 */
import { ConfigError, InputError } from '../../errors.js';
import type { PoseMetaInfo } from '../../datasets/metainfo/types.js';
import { disposeModule, Module, type Feats } from '../../nn/module.js';
import type { PoseDataSample } from '../../structures/pose_data_sample.js';
import type { Tensor, Tensor4D } from '../../tf.js';
import { PoseDataPreprocessor } from '../data_preprocessors/data_preprocessor.js';
import type { BaseHead, HeadFeats } from '../heads/base_head.js';
import { parseTestCfg, type TestCfg } from '../test_cfg.js';

export type Backbone = Module<Tensor4D, Feats>;
export type Neck = Module<Feats, HeadFeats>;

/** An estimator's parts, built by `buildPoseEstimator`. */
export interface PoseEstimatorParts {
  readonly backbone: Backbone;
  readonly neck?: Neck | null;
  readonly head?: BaseHead | null;
  /** Default: no flip test. */
  readonly testCfg?: TestCfg;
  /** Default: no normalisation. */
  readonly dataPreprocessor?: PoseDataPreprocessor;
  /** What a PoseLifter has beside those for the root (`traj_backbone`, `traj_neck`, `traj_head`). */
  readonly trajectory?: {
    readonly backbone: Backbone | null;
    readonly neck: Neck | null;
    readonly head: BaseHead | null;
  };
  /** When given, its flip indices replace those of the samples. */
  readonly metainfo?: PoseMetaInfo | null;
}

export type PoseEstimatorClass = new (parts: PoseEstimatorParts) => BasePoseEstimator;

/** The field names `backbone`, `neck` and `head` are the first parts of the checkpoint's keys. */
export abstract class BasePoseEstimator extends Module<Tensor4D, Tensor[]> {
  readonly backbone: Backbone;
  readonly neck: Neck | null;
  readonly head: BaseHead | null;
  readonly dataPreprocessor: PoseDataPreprocessor;
  readonly metainfo: PoseMetaInfo | null;
  /** May be replaced between calls, to switch the flip test on and off. */
  testCfg: TestCfg;

  constructor(parts: PoseEstimatorParts) {
    super();
    this.backbone = parts.backbone;
    this.neck = parts.neck ?? null;
    this.head = parts.head ?? null;
    this.testCfg = parts.testCfg ?? parseTestCfg(null);
    this.dataPreprocessor = parts.dataPreprocessor ?? new PoseDataPreprocessor();
    this.metainfo = parts.metainfo ?? null;
  }

  /**
   * MMPose's one entry. `'tensor'` gives the head's raw outputs (the features of a model without head) and belongs in the caller's
   * tidy; `'predict'` is `predict`.
   *
   * @param x - [N, h, w, 3], normalised
   * @throws ConfigError for `'loss'`: this library does not train
   */
  override forward(x: Tensor4D, mode?: 'tensor'): Tensor[];
  override forward(x: Tensor4D, mode: 'predict', samples: readonly PoseDataSample[]): Promise<PoseDataSample[]>;
  override forward(x: Tensor4D, mode: 'loss'): never;
  override forward(
    x: Tensor4D,
    mode: 'tensor' | 'predict' | 'loss' = 'tensor',
    samples?: readonly PoseDataSample[],
  ): Tensor[] | Promise<PoseDataSample[]> {
    switch (mode) {
      case 'tensor': {
        const feats = this.extractFeat(x);
        return this.head ? this.head.forward(feats) : [...feats];
      }
      case 'predict':
        if (!samples) throw new InputError('forward: found mode "predict" without samples; expected one per picture.');
        return this.predict(x, samples);
      case 'loss':
        throw new ConfigError('forward: found mode "loss"; inpose does not train: use "tensor" or "predict".');
      default:
        mode satisfies never;
        throw new ConfigError(`forward: found mode ${JSON.stringify(mode)}; expected "tensor" or "predict".`);
    }
  }

  /** Backbone and neck: features at one or more resolutions. In the caller's tidy. */
  extractFeat(x: Tensor4D): HeadFeats {
    const feats = this.backbone.forward(x);
    return this.neck ? this.neck.forward(feats) : feats;
  }

  /**
   * Poses for a batch. Everything that needs the backend happens before the first await.
   *
   * @param x - [N, h, w, 3], normalised
   * @param samples - N; not changed
   */
  abstract predict(x: Tensor4D, samples: readonly PoseDataSample[]): Promise<PoseDataSample[]>;

  /** Frees all parameters. Safe to call twice. */
  dispose(): void {
    disposeModule(this);
  }
}
