/** MMPose's backbones by their config `type`. One line and one chunk per network. */
import type { AnyModule } from '../../nn/module.js';
import { Registry } from '../../registry.js';

/**
 * A backbone's class: reads its config node (`where` is its path, for messages) and maps [N, H, W, 3] to feature maps. AnyModule,
 * since a few of MMPose's backbones give nested lists.
 */
export type BackboneClass = new (config: Readonly<Record<string, unknown>>, where?: string) => AnyModule;

export const BACKBONES = /*@__PURE__*/ new Registry<BackboneClass>('BACKBONES', {
  CSPNeXt: () => import('./cspnext.js').then((m) => m.CSPNeXt),
  HRNet: () => import('./hrnet.js').then((m) => m.HRNet),
  LiteHRNet: () => import('./litehrnet.js').then((m) => m.LiteHRNet),
  ResNet: () => import('./resnet.js').then((m) => m.ResNet),
  ResNetV1d: () => import('./resnet.js').then((m) => m.ResNetV1d),
});
