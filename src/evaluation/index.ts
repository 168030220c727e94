/** Accuracy, NMS and the metrics of MMPose, on plain arrays. */
export * from './functional/coco_eval.js';
export * from './functional/keypoint_eval.js';
export * from './functional/nms.js';
export * from './functional/transforms.js';
export {
  Metric,
  type EvalPredictions,
  type EvalSample,
  type EvalTruth,
  type MetricClass,
  type MetricContext,
  type MetricValues,
} from './metrics/base.js';
export type { CocoMetric, PersonResult } from './metrics/coco_metric.js';
export type { CocoWholeBodyMetric, WholeBodyPart } from './metrics/coco_wholebody_metric.js';
export { buildMetric, METRICS, type MetricLike } from './metrics/index.js';
