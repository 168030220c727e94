/** The transforms by MMPose's names, and pipelines as lists of their configs. */
import type { ConfigDict } from '../../config.js';
import { Registry } from '../../registry.js';
import type { Transform, TransformClass, TransformContext, TransformResults } from './base.js';

/** Transform classes by `type`; an application adds its own with `TRANSFORMS.register`. */
export const TRANSFORMS: Registry<TransformClass> = /* @__PURE__ */ new Registry<TransformClass>('TRANSFORMS', {
  LoadImage: () => import('./loading.js').then((m) => m.LoadImage),
  GetBBoxCenterScale: () => import('./common_transforms.js').then((m) => m.GetBBoxCenterScale),
  RandomFlip: () => import('./common_transforms.js').then((m) => m.RandomFlip),
  RandomHalfBody: () => import('./common_transforms.js').then((m) => m.RandomHalfBody),
  RandomBBoxTransform: () => import('./common_transforms.js').then((m) => m.RandomBBoxTransform),
  GenerateTarget: () => import('./common_transforms.js').then((m) => m.GenerateTarget),
  TopdownAffine: () => import('./topdown_transforms.js').then((m) => m.TopdownAffine),
  BottomupResize: () => import('./bottomup_transforms.js').then((m) => m.BottomupResize),
  BottomupRandomAffine: () => import('./bottomup_transforms.js').then((m) => m.BottomupRandomAffine),
  BottomupRandomChoiceResize: () =>
    import('./bottomup_random_choice_resize.js').then((m) => m.BottomupRandomChoiceResize),
  PackPoseInputs: () => import('./formatting.js').then((m) => m.PackPoseInputs),
});

/** A pipeline: samples in, samples out; null where a transform dropped one. */
export type Pipeline = (results: TransformResults) => Promise<TransformResults | null>;

/**
 * Builds a pipeline from MMPose's list of configs.
 *
 * @param context - the source of random numbers, how to build a codec (`buildCodec`) and how to decode a picture
 * @throws ConfigError for an unknown type, with the nearest known one
 *
 * @example
 * const prepare = await buildPipeline(
 *   [{ type: 'GetBBoxCenterScale' }, { type: 'RandomFlip' }, { type: 'TopdownAffine', input_size: [192, 256] },
 *    { type: 'GenerateTarget', encoder: { type: 'SimCCLabel', input_size: [192, 256] } }, { type: 'PackPoseInputs' }],
 *   { random: seededRandom(1), buildEncoder: buildCodec });
 * const { inputs, dataSample } = await prepare({ img, bbox, keypoints, keypointsVisible, flipIndices });
 */
export async function buildPipeline(
  configs: readonly ConfigDict[],
  context: TransformContext = {},
  where = 'pipeline',
): Promise<Pipeline> {
  const steps: Transform[] = [];
  for (const [i, config] of configs.entries()) steps.push(await buildTransform(config, context, `${where}.${i}`));
  return async (results) => {
    let current: TransformResults | null = results;
    for (const step of steps) {
      if (!current) return null;
      current = await step.transform(current);
    }
    return current;
  };
}

/** Builds one transform; an `encoder` in its config is built first. */
export async function buildTransform(config: ConfigDict, context: TransformContext, where: string): Promise<Transform> {
  const TransformType = await TRANSFORMS.get(config.type, `${where}.type`);
  const { buildEncoder } = context;
  const { encoder } = config;
  if (!encoder || !buildEncoder) return new TransformType(config, context);
  const build = (node: unknown, at: string) => (isConfig(node) ? buildEncoder(node, at) : node);
  const built = Array.isArray(encoder)
    ? await Promise.all(encoder.map((node, i) => build(node, `${where}.encoder.${i}`)))
    : await build(encoder, `${where}.encoder`);
  return new TransformType({ ...config, encoder: built }, context);
}

function isConfig(node: unknown): node is ConfigDict {
  return typeof node === 'object' && node !== null && 'type' in node && !('encode' in node);
}
