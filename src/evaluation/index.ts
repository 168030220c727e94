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
export { buildMetric, METRICS, type MetricLike } from './metrics/index.js';
