/** MMPose's backbones by their config `type`. One line and one chunk per network. */
import type { AnyModule } from '../../nn/module.js';
import { Registry } from '../../registry.js';

/**
 * A backbone's class: reads its config node (`where` is its path, for messages) and maps [N, H, W, 3] to feature maps. AnyModule,
 * since a few of MMPose's backbones give nested lists, or take sequences of poses or volumes.
 */
export type BackboneClass = new (config: Readonly<Record<string, unknown>>, where?: string) => AnyModule;

export const BACKBONES = /*@__PURE__*/ new Registry<BackboneClass>('BACKBONES', {
  AlexNet: () => import('./alexnet.js').then((m) => m.AlexNet),
  CPM: () => import('./cpm.js').then((m) => m.CPM),
  CSPDarknet: () => import('./csp_darknet.js').then((m) => m.CSPDarknet),
  CSPNeXt: () => import('./cspnext.js').then((m) => m.CSPNeXt),
  DSTFormer: () => import('./dstformer.js').then((m) => m.DSTFormer),
  HRFormer: () => import('./hrformer.js').then((m) => m.HRFormer),
  HRNet: () => import('./hrnet.js').then((m) => m.HRNet),
  HourglassAENet: () => import('./hourglass_ae.js').then((m) => m.HourglassAENet),
  HourglassNet: () => import('./hourglass.js').then((m) => m.HourglassNet),
  LiteHRNet: () => import('./litehrnet.js').then((m) => m.LiteHRNet),
  MSPN: () => import('./mspn.js').then((m) => m.MSPN),
  MobileNetV2: () => import('./mobilenet_v2.js').then((m) => m.MobileNetV2),
  MobileNetV3: () => import('./mobilenet_v3.js').then((m) => m.MobileNetV3),
  PyramidVisionTransformer: () => import('./pvt.js').then((m) => m.PyramidVisionTransformer),
  PyramidVisionTransformerV2: () => import('./pvt.js').then((m) => m.PyramidVisionTransformerV2),
  RSN: () => import('./rsn.js').then((m) => m.RSN),
  RegNet: () => import('./regnet.js').then((m) => m.RegNet),
  ResNeSt: () => import('./resnest.js').then((m) => m.ResNeSt),
  ResNeXt: () => import('./resnext.js').then((m) => m.ResNeXt),
  ResNet: () => import('./resnet.js').then((m) => m.ResNet),
  ResNetV1d: () => import('./resnet.js').then((m) => m.ResNetV1d),
  SCNet: () => import('./scnet.js').then((m) => m.SCNet),
  SEResNeXt: () => import('./seresnext.js').then((m) => m.SEResNeXt),
  SEResNet: () => import('./seresnet.js').then((m) => m.SEResNet),
  ShuffleNetV1: () => import('./shufflenet_v1.js').then((m) => m.ShuffleNetV1),
  ShuffleNetV2: () => import('./shufflenet_v2.js').then((m) => m.ShuffleNetV2),
  SwinTransformer: () => import('./swin.js').then((m) => m.SwinTransformer),
  TCN: () => import('./tcn.js').then((m) => m.TCN),
  V2VNet: () => import('./v2v_net.js').then((m) => m.V2VNet),
  VGG: () => import('./vgg.js').then((m) => m.VGG),
  VisionTransformer: () => import('./vision_transformer.js').then((m) => m.VisionTransformer),
  ViPNAS_MobileNetV3: () => import('./vipnas_mbv3.js').then((m) => m.ViPNAS_MobileNetV3),
  ViPNAS_ResNet: () => import('./vipnas_resnet.js').then((m) => m.ViPNAS_ResNet),
});
