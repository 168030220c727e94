/** The pose estimators that configs may name, each loaded when it is first built. */
import { Registry } from '../../registry.js';
import type { PoseEstimatorClass } from './base.js';

export type { Backbone, BasePoseEstimator, Neck, PoseEstimatorClass, PoseEstimatorParts } from './base.js';
export type { BottomupPoseEstimator } from './bottomup.js';
export type { PoseLifter } from './pose_lifter.js';
export type { TopdownPoseEstimator } from './topdown.js';

export const POSE_ESTIMATORS = /*@__PURE__*/ new Registry<PoseEstimatorClass>('POSE_ESTIMATORS', {
  BottomupPoseEstimator: () => import('./bottomup.js').then((m) => m.BottomupPoseEstimator),
  PoseLifter: () => import('./pose_lifter.js').then((m) => m.PoseLifter),
  TopdownPoseEstimator: () => import('./topdown.js').then((m) => m.TopdownPoseEstimator),
});
