/**
 * The whole path: a picture's bytes and person boxes through the public `inferenceTopdown` to keypoints in the picture, and on the
 * way the decoded picture, the crops and the network's input.
 */
import { inferenceTopdown } from '../../../src/apis/inference.js';
import type { Frame } from '../../../src/apis/frame.js';
import { normalizeConfig, topdownPipeline } from '../../../src/apis/model_config.js';
import { ModelJit } from '../../../src/apis/model_jit.js';
import { PoseModel } from '../../../src/apis/pose_model.js';
import { pipelineOf } from '../../../src/apis/predict_topdown.js';
import { loadPoseMetainfo } from '../../../src/datasets/metainfo/index.js';
import { buildPoseEstimator } from '../../../src/models/builder.js';
import type { TopdownPoseEstimator } from '../../../src/models/pose_estimators/topdown.js';
import { row, type NdArray } from '../../../src/ndarray.js';
import { namedParameters, prepareModule } from '../../../src/nn/module.js';
import type { PixelImage } from '../../../src/datasets/transforms/warp_affine.js';
import * as tf from '../../../src/tf.js';
import type { GoldenSummary } from '../format.js';
import { weightTensor } from '../formula.js';
import { goldenBackend } from '../page_backend.js';
import { close, outcome, type CaseContext, type Comparison, type OpTable } from '../runner.js';
import { CROP, JPEG, MAX_CROP_DEVIATIONS, NUMERIC, type Tolerance } from '../tolerances.js';
import { compareE2eInstances } from './models_predict.js';
import { nhwcToNchw } from './preprocessor.js';

async function inferenceTopdownCase(ctx: CaseContext): Promise<Comparison[]> {
  const backend = await goldenBackend(ctx.backend);
  const before = backend.run(() => tf.memory().numTensors);
  const model = await loadModel(ctx);
  const comparisons: Comparison[] = [];
  try {
    const { image, bboxes_xyxy: boxes } = ctx.inputs;
    const source = 'file' in image ? new Blob([(await ctx.readShared(image.file)) as BlobPart]) : pixelsOf(image);
    const frame = await model.frames.read(source);
    const sameInput = sumOf(bgrOf(frame).data) === ctx.outputs.decoded_image_bgr.sum;
    comparisons.push(...compareInputs(ctx, model, frame, boxes, sameInput));
    // Heatmaps say where refinement is well conditioned; the other codecs need none.
    const outputHeatmaps = 'heatmap_size' in ctx.params.model.head.decoder;
    const results = await inferenceTopdown(model, source, boxes, { outputHeatmaps });
    const estimator = model.estimator as TopdownPoseEstimator;
    comparisons.push(...compareE2eInstances(ctx, estimator, ctx.outputs.instances, results, sameInput));
  } finally {
    await model.dispose();
  }
  const left = backend.run(() => tf.memory().numTensors) - before;
  return left === 0 ? comparisons : [outcome('tensors left', ['0'], String(left)), ...comparisons];
}

/** The case's network with formula weights; every parameter's name and shape are its own. */
async function loadModel(ctx: CaseContext): Promise<PoseModel> {
  const { model, test_cfg, pipeline, weights } = ctx.params;
  const config = normalizeConfig({ model: { ...model, test_cfg }, test_pipeline: pipeline }, ctx.name);
  const backend = await goldenBackend(ctx.backend);
  const estimator = await buildPoseEstimator(config.model);
  for (const [name, parameter] of namedParameters(estimator)) {
    if (parameter.persistent) parameter.value = weightTensor(name, parameter.shape, weights).data;
  }
  backend.run(() => prepareModule(estimator));
  const metainfo = await loadPoseMetainfo('coco');
  const { inputSize: cropSize } = topdownPipeline(config).affine;
  const topdown = estimator as TopdownPoseEstimator;
  const jit = ctx.backend === 'webgpu' ? new ModelJit(backend, topdown, { cropSize }) : null;
  return new PoseModel({ network: estimator, config, metainfo, backend, ownsBackend: false, notices: [], jit });
}

function pixelsOf({ data, shape }: NdArray<Uint8Array>): PixelImage {
  return { data, width: shape[1], height: shape[0], channels: 3 };
}

/** What the network sees, step by step. A decoded JPEG may differ from OpenCV's by a level or two, and so may all after it. */
function compareInputs(
  ctx: CaseContext,
  model: PoseModel,
  frame: Frame,
  boxes: NdArray,
  sameInput: boolean,
): Comparison[] {
  const { decoded_image_bgr, input_crops_bgr_uint8, input_tensor } = ctx.outputs;
  const { dataPreprocessor } = model.estimator;
  const comparisons = [
    close('decoded_image', decoded_image_bgr, bgrOf(frame), !sameInput && isJpeg(ctx) ? JPEG : EXACT),
  ];
  for (const [i, expected] of (input_crops_bgr_uint8 as GoldenSummary[]).entries()) {
    const { data, height, width } = cropOf(model, frame, row(boxes, i));
    const image = { data, shape: [height, width, 3] } as NdArray<Uint8Array>;
    const chw = squeeze(
      nhwcToNchw({ data: bgrOf({ data, height, width, channels: 3 }).data, shape: [1, height, width, 3] }),
    );
    const tolerance = !sameInput && isJpeg(ctx) ? JPEG : cropTolerance(expected, chw.data);
    comparisons.push(close(`crop ${i}`, expected, chw, tolerance));
    const levels = { abs: tolerance.abs / Math.min(...(dataPreprocessor.std ?? [1])), rel: 0 };
    const tensor = squeeze(nhwcToNchw(dataPreprocessor.forward([image]).inputs));
    comparisons.push(close(`input_tensor ${i}`, input_tensor[i], tensor, tolerance.abs > 0 ? levels : NUMERIC));
  }
  return comparisons;
}

function isJpeg(ctx: CaseContext): boolean {
  return /\.jpe?g$/i.test(ctx.inputs.image.file ?? '');
}

function sumOf(values: Uint8Array): number {
  return values.reduce((sum, v) => sum + v, 0);
}

const EXACT: Tolerance = { abs: 0, rel: 0 };

/** Exact, unless the sums say that a value or two differ by 1. */
function cropTolerance(expected: GoldenSummary, crop: Uint8Array): Tolerance {
  const deviation = Math.abs(sumOf(crop) - expected.sum);
  return deviation > 0 && deviation <= MAX_CROP_DEVIATIONS ? CROP : EXACT;
}

function cropOf(model: PoseModel, frame: Frame, box: NdArray): PixelImage {
  const { centerScale, affine } = pipelineOf(model);
  const bbox = { data: box.data.slice(), shape: [1, 4] };
  return affine.transform(centerScale.transform({ img: frame, bbox })).img as PixelImage;
}

/** [h, w, 3] in MMPose's channel order, from RGB or RGBA. */
function bgrOf({ data, width, height, channels }: PixelImage): NdArray<Uint8Array> {
  const out = new Uint8Array(width * height * 3);
  for (let i = 0; i < out.length; i++) out[i] = data[Math.floor(i / 3) * channels + 2 - (i % 3)];
  return { data: out, shape: [height, width, 3] };
}

function squeeze<T extends NdArray | NdArray<Uint8Array>>(array: T): T {
  return { ...array, shape: array.shape.slice(1) };
}

export const OPS: OpTable = { inference_topdown: inferenceTopdownCase };
