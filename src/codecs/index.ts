/**
 * The codecs by their MMPose names (MMPose: `mmpose/codecs/__init__.py`), loaded when first asked for.
 */
import type { ConfigDict } from '../config.js';
import { Registry } from '../registry.js';
import type { CodecClass, KeypointCodec } from './base.js';

/** Every codec class. Add your own with `KEYPOINT_CODECS.register('Name', loader)`. */
export const KEYPOINT_CODECS: Registry<CodecClass> = /* @__PURE__ */ new Registry<CodecClass>('KEYPOINT_CODECS', {
  MSRAHeatmap: () => import('./msra_heatmap.js').then((m) => m.MSRAHeatmap as unknown as CodecClass),
  UDPHeatmap: () => import('./udp_heatmap.js').then((m) => m.UDPHeatmap as unknown as CodecClass),
  MegviiHeatmap: () => import('./megvii_heatmap.js').then((m) => m.MegviiHeatmap as unknown as CodecClass),
  SimCCLabel: () => import('./simcc_label.js').then((m) => m.SimCCLabel as unknown as CodecClass),
  AssociativeEmbedding: () =>
    import('./associative_embedding.js').then((m) => m.AssociativeEmbedding as unknown as CodecClass),
  RegressionLabel: () => import('./regression_label.js').then((m) => m.RegressionLabel as unknown as CodecClass),
});

/**
 * Builds the codec that a config describes: `{ type: 'SimCCLabel', input_size: [192, 256], ... }`.
 *
 * @param where - path of the node, for messages: `model.head.decoder`
 * @throws ConfigError for an unknown type or unusable keys
 */
export async function buildCodec(config: ConfigDict, where = 'codec'): Promise<KeypointCodec> {
  const Codec = await KEYPOINT_CODECS.get(config.type, `${where}.type`);
  return new Codec(config, where);
}
