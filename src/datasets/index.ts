/** Dataset meta-information, COCO-format datasets, and the transforms between a picture and the network's input. */
export { CocoIndex } from './coco.js';
export type * from './coco.js';
export * from './datasets/base_coco_style_dataset.js';
export { buildDataset, DATASETS, type BuildDatasetOptions, type DatasetClass } from './datasets/index.js';
export * from './metainfo/index.js';
export type * from './metainfo/types.js';
export { GetBBoxCenterScale } from './transforms/common_transforms.js';
export { TopdownAffine } from './transforms/topdown_transforms.js';
export type {
  RandomSource,
  TargetArray,
  TargetArrays,
  TargetEncoder,
  Transform,
  TransformClass,
  TransformContext,
  TransformResults,
} from './transforms/base.js';
export type { PackedResults, PackedSample } from './transforms/formatting.js';
export { buildPipeline, TRANSFORMS, type Pipeline } from './transforms/index.js';
export { seededRandom } from './transforms/random.js';
export {
  warpAffine,
  warpAffineTerms,
  warpPerspective,
  type PixelImage,
  type WarpAffineOptions,
  type WarpTerms,
} from './transforms/warp_affine.js';
export { parsePoseMetainfo, poseMetainfoFromCheckpoint } from './utils.js';
