/** Layers with PyTorch's names, parameters and checkpoint keys, to build networks of one's own from. Tensors have their channels last. */
export { Act, buildActivation, type ActCfg, type Activation } from './act.js';
export { Conv2d, ConvTranspose2d, type Conv2dOptions, type ConvTranspose2dOptions, type Pair } from './conv.js';
export { Conv1d, type Conv1dOptions } from './conv1d.js';
export { Conv3d, ConvTranspose3d, type Conv3dOptions } from './conv3d.js';
export {
  ConvModule,
  ConvNormAct,
  DepthwiseSeparableConvModule,
  type ConvLayer,
  type ConvModuleOptions,
  type DepthwiseSeparableOptions,
} from './conv_module.js';
export { Linear } from './linear.js';
export {
  chain,
  disposeModule,
  Module,
  namedParameters,
  Parameter,
  prepareModule,
  type AnyModule,
  type Feats,
  type Layers,
  type Step,
} from './module.js';
export { BatchNorm2d, LayerNorm, type NormCfg } from './norm.js';
export {
  AdaptiveAvgPool2d,
  AvgPool2d,
  globalAvgPool,
  MaxPool2d,
  type AvgPoolOptions,
  type PoolOptions,
} from './pool.js';
export { MaxPool3d } from './pool3d.js';
export { Upsample, type ResizeMode, type ResizeOptions } from './resize.js';
