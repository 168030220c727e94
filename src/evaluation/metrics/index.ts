/** The metrics by MMPose's names, loaded when first asked for. */
import type { ConfigDict } from '../../config.js';
import { Registry } from '../../registry.js';
import type { EvalSample, MetricContext, MetricValues } from './base.js';

/** What `buildMetric` gives: all metrics fit, also an application's own. */
export interface MetricLike {
  process(samples: readonly EvalSample[]): void;
  evaluate(): MetricValues;
}

/** Metric classes by `type`; an application adds its own with `METRICS.register`. */
export const METRICS: Registry<new (config: Readonly<Record<string, unknown>>, context?: MetricContext) => MetricLike> =
  /* @__PURE__ */ new Registry('METRICS', {
    AUC: () => import('./keypoint_2d_metrics.js').then((m) => m.AUC),
    CocoMetric: () => import('./coco_metric.js').then((m) => m.CocoMetric),
    CocoWholeBodyMetric: () => import('./coco_wholebody_metric.js').then((m) => m.CocoWholeBodyMetric),
    EPE: () => import('./keypoint_2d_metrics.js').then((m) => m.EPE),
    JhmdbPCKAccuracy: () => import('./keypoint_2d_metrics.js').then((m) => m.JhmdbPCKAccuracy),
    KeypointPartitionMetric: () => import('./keypoint_partition_metric.js').then((m) => m.KeypointPartitionMetric),
    MpiiPCKAccuracy: () => import('./keypoint_2d_metrics.js').then((m) => m.MpiiPCKAccuracy),
    NME: () => import('./keypoint_2d_metrics.js').then((m) => m.NME),
    PCKAccuracy: () => import('./keypoint_2d_metrics.js').then((m) => m.PCKAccuracy),
  });

/**
 * Builds a metric from a node of `val_evaluator`.
 *
 * @example
 * const metric = await buildMetric({ type: 'CocoMetric', score_mode: 'bbox' }, { annotations, datasetMeta });
 */
export async function buildMetric(
  config: ConfigDict,
  context: MetricContext = {},
  where = 'evaluator',
): Promise<MetricLike> {
  const MetricType = await METRICS.get(config.type, `${where}.type`);
  return new MetricType(config, context);
}
