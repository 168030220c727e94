/** Dataset meta-information, COCO-format datasets, and the transforms between a picture and the network's input. */
export type * from './coco.js';
export * from './datasets/base_coco_style_dataset.js';
export * from './metainfo/index.js';
export type * from './metainfo/types.js';
export { GetBBoxCenterScale } from './transforms/common_transforms.js';
export { TopdownAffine } from './transforms/topdown_transforms.js';
export type { Transform, TransformClass, TransformContext, TransformResults } from './transforms/base.js';
export { warpAffine, type PixelImage, type WarpAffineOptions } from './transforms/warp_affine.js';
export { parsePoseMetainfo } from './utils.js';
