/** MMPose's necks by their config `type`. One line and one chunk per neck. */
import type { AnyModule } from '../../nn/module.js';
import { Registry } from '../../registry.js';

/** A neck's class: reads its config node (`where` is its path, for messages) and maps feature maps to feature maps. */
export type NeckClass = new (config: Readonly<Record<string, unknown>>, where?: string) => AnyModule;

export const NECKS = /*@__PURE__*/ new Registry<NeckClass>('NECKS', {
  ChannelMapper: () => import('./channel_mapper.js').then((m) => m.ChannelMapper),
  CSPNeXtPAFPN: () => import('./cspnext_pafpn.js').then((m) => m.CSPNeXtPAFPN),
  FeatureMapProcessor: () => import('./fmap_proc_neck.js').then((m) => m.FeatureMapProcessor),
  FPN: () => import('./fpn.js').then((m) => m.FPN),
  GlobalAveragePooling: () => import('./gap_neck.js').then((m) => m.GlobalAveragePooling),
  HybridEncoder: () => import('./hybrid_encoder.js').then((m) => m.HybridEncoder),
  YOLOXPAFPN: () => import('./yolox_pafpn.js').then((m) => m.YOLOXPAFPN),
});
