/** Group evaluation: accuracies and metrics, all in Node. */
import type { CocoJson } from '../../../src/datasets/coco.js';
import { coco } from '../../../src/datasets/metainfo/coco.js';
import type { PoseMetaInfo } from '../../../src/datasets/metainfo/types.js';
import { parsePoseMetainfo } from '../../../src/datasets/utils.js';
import * as functional from '../../../src/evaluation/functional/keypoint_eval.js';
import type { EvalSample, EvalTruth } from '../../../src/evaluation/metrics/base.js';
import { CocoMetric } from '../../../src/evaluation/metrics/coco_metric.js';
import { buildMetric } from '../../../src/evaluation/metrics/index.js';
import type { NdArray } from '../../../src/ndarray.js';
import { close, exact, type CaseContext, type GoldenOp, type OpTable } from '../runner.js';

type Inputs = CaseContext['inputs'];

const pck =
  (compute: (inputs: Inputs) => functional.PckAccuracy): GoldenOp =>
  ({ inputs, outputs: [acc, avgAcc, cnt] }) => {
    const found = compute(inputs);
    return [close('acc', acc, found.acc), close('avg_acc', avgAcc, found.avgAcc), exact('cnt', cnt, found.cnt)];
  };

const value =
  (compute: (inputs: Inputs) => number): GoldenOp =>
  ({ inputs, outputs }) => [close('output', outputs, compute(inputs))];

/** A sample as MMPose's metrics get it, in our names. */
function sampleOf({ pred_instances: pred, gt_instances: gt }: Inputs): EvalSample {
  const { keypoints, keypoints_visible: keypointsVisible, bboxes, head_size: headSize, ...rest } = gt;
  return {
    predInstances: { keypoints: pred.keypoints, keypointScores: pred.keypoint_scores },
    gtInstances: { ...rest, keypoints, keypointsVisible, bboxes, headSize } as EvalTruth,
  };
}

/** Meta-info with nothing but sigmas, as much as the recorded call had. */
function metaOf({ sigmas, dataset }: { sigmas: readonly number[] | NdArray; dataset: string }): PoseMetaInfo {
  const values = Float32Array.from('data' in sigmas ? sigmas.data : sigmas);
  return { ...parsePoseMetainfo(coco), datasetName: dataset, numKeypoints: values.length, sigmas: values };
}

const metric: GoldenOp = async ({ op, params, inputs, outputs }) => {
  const built = await buildMetric({ type: op, ...params });
  built.process(inputs.samples.map(sampleOf));
  const found = built.evaluate();
  const names = Object.keys(outputs);
  return [exact('names', names, Object.keys(found)), ...names.map((name) => close(name, outputs[name], found[name]))];
};

const cocoMetric: GoldenOp = async ({ params, inputs, outputs, readShared }) => {
  const { sigmas, dataset, ...config } = params;
  const annotations: CocoJson = inputs.gt.file
    ? JSON.parse(new TextDecoder().decode(await readShared(inputs.gt.file)))
    : inputs.gt;
  const built = new CocoMetric(config, { annotations, datasetMeta: metaOf({ sigmas, dataset }) });
  built.process(inputs.predictions.map(predictionOf));
  const found = built.evaluate();
  const names = Object.keys(outputs.metrics);
  const kept = built.keptAfterNms;
  return [
    exact('names', names, Object.keys(found)),
    ...names.map((name) => close(name, outputs.metrics[name], found[name])),
    exact(
      'kept image_id',
      outputs.kept_after_nms.map((k: { image_id: number }) => k.image_id),
      kept.map((k) => k.imgId),
    ),
    close(
      'kept score',
      outputs.kept_after_nms.map((k: { score: number }) => k.score),
      kept.map((k) => k.score),
    ),
  ];
};

function predictionOf(prediction: Inputs): EvalSample {
  const { id, img_id: imgId, keypoints, keypoint_scores: keypointScores, bboxes, bbox_scores: bboxScores } = prediction;
  return {
    id,
    imgId,
    predInstances: { keypoints, keypointScores, bboxes },
    gtInstances: { bboxScores, ...(prediction.bbox_scales && { bboxScales: prediction.bbox_scales }) },
  };
}

export const OPS: OpTable = {
  keypoint_pck_accuracy: pck((i) => functional.keypointPckAccuracy(i.pred, i.gt, i.mask, i.thr, i.norm_factor)),
  keypoint_auc: value((i) => functional.keypointAuc(i.pred, i.gt, i.mask, i.norm_factor, i.num_thrs)),
  keypoint_epe: value((i) => functional.keypointEpe(i.pred, i.gt, i.mask)),
  keypoint_nme: value((i) => functional.keypointNme(i.pred, i.gt, i.mask, i.normalize_factor)),
  pose_pck_accuracy: pck((i) => functional.posePckAccuracy(i.output, i.target, i.mask, i.thr, i.normalize)),
  simcc_pck_accuracy: pck((i) =>
    functional.simccPckAccuracy(i.output, i.target, i.simcc_split_ratio, i.mask, i.thr, i.normalize),
  ),
  multilabel_classification_accuracy: value((i) =>
    functional.multilabelClassificationAccuracy(i.pred, i.gt, i.mask, i.thr),
  ),
  PCKAccuracy: metric,
  MpiiPCKAccuracy: metric,
  JhmdbPCKAccuracy: metric,
  AUC: metric,
  EPE: metric,
  NME: metric,
  CocoMetric: cocoMetric,
};
