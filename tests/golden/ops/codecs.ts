/** Codecs and their utils: MMPose's operations by name. */
import { type NdArray, type TypedArray, row } from '../../../src/ndarray.js';
import type { DecodedBoxes } from '../../../src/codecs/edpose_label.js';
import type { DecodedRoots } from '../../../src/codecs/spr.js';
import type { DecodedInstances } from '../../../src/codecs/associative_embedding.js';
import type { DecodedKeypoints, KeypointCodec } from '../../../src/codecs/base.js';
import { KEYPOINT_CODECS, buildCodec } from '../../../src/codecs/index.js';
import * as utils from '../../../src/codecs/utils/index.js';
import { InposeError } from '../../../src/errors.js';
import { type CaseContext, type Comparison, type OpTable, NotSupported, close, exact, outcome } from '../runner.js';
import type { GoldenTensor } from '../format.js';
import { MIN_HESSIAN_DET } from '../tolerances.js';

const ARRAY_OF_DTYPE: Readonly<Record<string, unknown>> = {
  float32: Float32Array,
  float64: Float64Array,
  int32: Int32Array,
};

/** Values within the tolerance, and the array type that MMPose's dtype asks for. */
function same(name: string, expected: GoldenTensor, actual: NdArray<TypedArray>, mask?: ArrayLike<number>): Comparison {
  if (expected.data.length === 0) return exact(`${name}.shape`, expected.shape, actual.shape);
  const values = close(name, expected, actual, undefined, mask);
  const found = actual.data.constructor;
  if (found === ARRAY_OF_DTYPE[expected.dtype]) return values;
  const message = `found a ${found.name}; expected dtype ${expected.dtype}`;
  return { name, check: (corrupt) => ({ ...values.check(corrupt), ok: false, message }) };
}

/** All arrays of `expected`, found under the same names in `actual`; null stands for absent. */
function sameAll(expected: object, actual: Readonly<Record<string, unknown>>, masks: Masks = {}): Comparison[] {
  return Object.entries(expected).map(([name, value]) => {
    if (value === null) return exact(name, null, actual[name] ?? null);
    return same(name, value as GoldenTensor, actual[name] as NdArray<TypedArray>, masks[name]);
  });
}

type Masks = Readonly<Record<string, ArrayLike<number> | undefined>>;

/** Keypoints whose refinement is well conditioned (golden README); NaN means that nothing was inverted. */
function comparable(ctx: CaseContext): ArrayLike<number> | undefined {
  const det = ctx.hessian_det as GoldenTensor | undefined;
  return det && Array.from(det.data as Float64Array, (d) => (Math.abs(d) <= MIN_HESSIAN_DET ? 0 : 1));
}

async function codecOf(ctx: CaseContext): Promise<KeypointCodec> {
  const type = ctx.op.slice(0, ctx.op.indexOf('.'));
  if (!KEYPOINT_CODECS.has(type)) throw new NotSupported(type);
  return buildCodec({ type, ...(ctx.params.codec ?? ctx.params) }, 'codec');
}

/** Our error's class where MMPose raised, else what `run` compares. */
async function orError(ctx: CaseContext, run: () => Promise<Comparison[]>): Promise<Comparison[]> {
  if (!ctx.error) return run();
  const allowed = ctx.op.endsWith('__init__') ? ['ConfigError'] : ['InputError', 'ConfigError'];
  try {
    await run();
    return [outcome('error', allowed, 'no error')];
  } catch (error) {
    if (error instanceof NotSupported) throw error;
    return [outcome('error', allowed, error instanceof InposeError ? error.code : String(error))];
  }
}

/** Encode with whatever else the case gives; recorded draws of -1, 0 or 1 stand in for random numbers. */
const encode = (ctx: CaseContext): Promise<Comparison[]> =>
  orError(ctx, async () => {
    const { keypoints, keypoints_visible, ...auxiliary } = ctx.inputs;
    const draws = ((ctx.random_draws ?? []) as NdArray[]).flatMap((draw) => [...draw.data]);
    const random = (): number => (draws.shift()! + 1.5) / 3;
    const codec = (await codecOf(ctx)) as RandomCodec;
    return sameAll(ctx.outputs, codec.encode(keypoints, keypoints_visible, auxiliary, random));
  });

/** `DecoupledHeatmap.encode` takes a source of random numbers as well. */
interface RandomCodec {
  encode(...args: [...Parameters<KeypointCodec['encode']>, () => number]): ReturnType<KeypointCodec['encode']>;
}

const decode = (ctx: CaseContext): Promise<Comparison[]> =>
  orError(ctx, async () => {
    const found = (await codecOf(ctx)).decode(...(Object.values(ctx.inputs) as NdArray[]));
    return sameAll(ctx.outputs, named(found), { keypoints: comparable(ctx) });
  });

/** Our names of decoded arrays as MMPose's; EDPose returns a plain tuple. */
function named(found: DecodedKeypoints & Partial<DecodedRoots & DecodedBoxes>): Record<string, unknown> {
  return {
    ...found,
    visibility: found.visible,
    root_scores: found.rootScores,
    keypoint_scores: found.keypointScores,
    0: found.bboxes,
    1: found.keypoints,
    2: found.scores,
  };
}

/** MMPose decodes a batch and returns one array per image. */
const batchDecode = async (ctx: CaseContext): Promise<Comparison[]> => {
  const codec = await codecOf(ctx);
  const images = (ctx.inputs.batch_heatmaps as GoldenTensor).shape[0];
  return Array.from({ length: images }).flatMap((_, b) => {
    const found = codec.decode(row(ctx.inputs.batch_heatmaps, b), row(ctx.inputs.batch_tags, b)) as DecodedInstances;
    const expected = ctx.outputs as Record<'keypoints' | 'keypoint_scores' | 'instance_scores', GoldenTensor[]>;
    return [
      same(`keypoints[${b}]`, expected.keypoints[b], found.keypoints),
      same(`keypoint_scores[${b}]`, expected.keypoint_scores[b], found.scores),
      same(`instance_scores[${b}]`, expected.instance_scores[b], found.instanceScores),
    ];
  });
};

const init = (ctx: CaseContext): Promise<Comparison[]> =>
  orError(ctx, async () => {
    await codecOf(ctx);
    return [];
  });

/** A util whose outputs are one object of named arrays. */
function fields(run: (inputs: CaseContext['inputs']) => object, rename: Readonly<Record<string, string>> = {}) {
  return (ctx: CaseContext): Comparison[] => {
    const found = run(ctx.inputs) as Record<string, unknown>;
    for (const [theirs, ours] of Object.entries(rename)) found[theirs] = found[ours];
    return sameAll(ctx.outputs, found);
  };
}

/** A util that returns one array. */
function array(run: (inputs: CaseContext['inputs']) => NdArray) {
  return (ctx: CaseContext): Comparison[] => [same(ctx.op, ctx.outputs, run(ctx.inputs))];
}

/** A scalar sigma or the array of one per instance. */
const sigmaOf = (sigma: number | NdArray): number | ArrayLike<number> =>
  typeof sigma === 'number' ? sigma : sigma.data;

const WEIGHTS = { keypoint_weights: 'keypointWeights' };

const UTILS: OpTable = {
  get_heatmap_maximum: fields((i) => utils.getHeatmapMaximum(i.heatmaps)),
  get_simcc_maximum: fields((i) => utils.getSimccMaximum(i.simcc_x, i.simcc_y, i.apply_softmax)),
  get_simcc_normalized: array((i) => utils.getSimccNormalized(i.batch_pred_simcc, i.sigma)),
  gaussian_blur: array((i) => utils.gaussianBlur(i.heatmaps, i.kernel)),
  gaussian_blur1d: array((i) => utils.gaussianBlur1d(i.simcc, i.kernel)),
  batch_heatmap_nms: array((i) => utils.batchHeatmapNms(i.batch_heatmaps, i.kernel_size)),
  refine_keypoints: array((i) => utils.refineKeypoints(i.keypoints, i.heatmaps)),
  refine_keypoints_dark: array((i) => utils.refineKeypointsDark(i.keypoints, i.heatmaps, i.blur_kernel_size)),
  refine_keypoints_dark_udp: array((i) => utils.refineKeypointsDarkUdp(i.keypoints, i.heatmaps, i.blur_kernel_size)),
  refine_simcc_dark: array((i) => utils.refineSimccDark(i.keypoints, i.simcc, i.blur_kernel_size)),
  generate_gaussian_heatmaps: fields(
    (i) => utils.generateGaussianHeatmaps(i.heatmap_size, i.keypoints, i.keypoints_visible, sigmaOf(i.sigma)),
    WEIGHTS,
  ),
  generate_udp_gaussian_heatmaps: fields(
    (i) => utils.generateUdpGaussianHeatmaps(i.heatmap_size, i.keypoints, i.keypoints_visible, i.sigma),
    WEIGHTS,
  ),
  generate_unbiased_gaussian_heatmaps: fields(
    (i) => utils.generateUnbiasedGaussianHeatmaps(i.heatmap_size, i.keypoints, i.keypoints_visible, i.sigma),
    WEIGHTS,
  ),
  generate_offset_heatmap: fields(
    (i) => utils.generateOffsetHeatmap(i.heatmap_size, i.keypoints, i.keypoints_visible, i.radius_factor),
    WEIGHTS,
  ),
  generate_displacement_heatmap: fields(
    (i) =>
      utils.generateDisplacementHeatmap(
        i.heatmap_size,
        i.keypoints,
        i.keypoints_visible,
        i.roots,
        i.roots_visible,
        i.diagonal_lengths,
        i.radius,
      ),
    { displacement_weights: 'displacementWeights' },
  ),
  get_instance_root: (ctx) => {
    const found = utils.getInstanceRoot(ctx.inputs.keypoints, ctx.inputs.keypoints_visible, ctx.inputs.root_type);
    return [same('roots', ctx.outputs[0], found.roots), same('visible', ctx.outputs[1], found.visible)];
  },
  get_instance_bbox: array((i) => utils.getInstanceBbox(i.keypoints, i.keypoints_visible)),
  get_diagonal_lengths: array((i) => utils.getDiagonalLengths(i.keypoints, i.keypoints_visible)),
};

const PLAIN_CODECS = [
  'MSRAHeatmap',
  'UDPHeatmap',
  'MegviiHeatmap',
  'SimCCLabel',
  'RegressionLabel',
  'IntegralRegressionLabel',
  'AssociativeEmbedding',
  'SPR',
  'DecoupledHeatmap',
  'YOLOXPoseAnnotationProcessor',
  'EDPoseLabel',
];

export const OPS: OpTable = {
  ...UTILS,
  'AssociativeEmbedding.batch_decode': batchDecode,
  ...Object.fromEntries(
    PLAIN_CODECS.flatMap((name) => [
      [`${name}.__init__`, init],
      [`${name}.encode`, encode],
      [`${name}.decode`, decode],
    ]),
  ),
};
