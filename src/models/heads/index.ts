/** The heads that configs may name, each loaded when it is first built. */
import { Registry } from '../../registry.js';
import type { HeadClass } from './base_head.js';

export type { BaseHead, DenseFields, HeadClass, HeadFeats, HeadPrediction } from './base_head.js';

export const HEADS = /*@__PURE__*/ new Registry<HeadClass>('HEADS', {
  AssociativeEmbeddingHead: () => import('./heatmap_heads/ae_head.js').then((m) => m.AssociativeEmbeddingHead),
  CIDHead: () => import('./heatmap_heads/cid_head.js').then((m) => m.CIDHead),
  CPMHead: () => import('./heatmap_heads/cpm_head.js').then((m) => m.CPMHead),
  HeatmapHead: () => import('./heatmap_heads/heatmap_head.js').then((m) => m.HeatmapHead),
  InternetHead: () => import('./heatmap_heads/internet_head.js').then((m) => m.InternetHead),
  MSPNHead: () => import('./heatmap_heads/mspn_head.js').then((m) => m.MSPNHead),
  ViPNASHead: () => import('./heatmap_heads/vipnas_head.js').then((m) => m.ViPNASHead),
  SimCCHead: () => import('./coord_cls_heads/simcc_head.js').then((m) => m.SimCCHead),
  RTMCCHead: () => import('./coord_cls_heads/rtmcc_head.js').then((m) => m.RTMCCHead),
  RTMWHead: () => import('./coord_cls_heads/rtmw_head.js').then((m) => m.RTMWHead),
  RegressionHead: () => import('./regression_heads/regression_head.js').then((m) => m.RegressionHead),
  IntegralRegressionHead: () =>
    import('./regression_heads/integral_regression_head.js').then((m) => m.IntegralRegressionHead),
  DSNTHead: () => import('./regression_heads/dsnt_head.js').then((m) => m.DSNTHead),
  RLEHead: () => import('./regression_heads/rle_head.js').then((m) => m.RLEHead),
  MotionRegressionHead: () =>
    import('./regression_heads/motion_regression_head.js').then((m) => m.MotionRegressionHead),
  TemporalRegressionHead: () =>
    import('./regression_heads/temporal_regression_head.js').then((m) => m.TemporalRegressionHead),
  TrajectoryRegressionHead: () =>
    import('./regression_heads/temporal_regression_head.js').then((m) => m.TrajectoryRegressionHead),
  DEKRHead: () => import('./hybrid_heads/dekr_head.js').then((m) => m.DEKRHead),
  EDPoseHead: () => import('./transformer_heads/edpose_head.js').then((m) => m.EDPoseHead),
  RTMOHead: () => import('./hybrid_heads/rtmo_head.js').then((m) => m.RTMOHead),
  VisPredictHead: () => import('./hybrid_heads/vis_head.js').then((m) => m.VisPredictHead),
  YOLOXPoseHead: () => import('./hybrid_heads/yoloxpose_head.js').then((m) => m.YOLOXPoseHead),
});
