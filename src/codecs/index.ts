/**
 * The codecs by their MMPose names (MMPose: `mmpose/codecs/__init__.py`), loaded when first asked for.
 */
import type { ConfigDict } from '../config.js';
import { Registry } from '../registry.js';
import type { CodecClass, KeypointCodec } from './base.js';

export { loadBatchDecode } from './utils/batch_decoders.js';

/** The constructors take their own config type; the registry hands them whatever a file says, and `readConfig` checks it. */
const asCodecClass = (codec: unknown): CodecClass => codec as CodecClass;

/** Every codec class. Add your own with `KEYPOINT_CODECS.register('Name', loader)`. */
export const KEYPOINT_CODECS: Registry<CodecClass> = /* @__PURE__ */ new Registry<CodecClass>('KEYPOINT_CODECS', {
  MSRAHeatmap: () => import('./msra_heatmap.js').then((m) => asCodecClass(m.MSRAHeatmap)),
  UDPHeatmap: () => import('./udp_heatmap.js').then((m) => asCodecClass(m.UDPHeatmap)),
  MegviiHeatmap: () => import('./megvii_heatmap.js').then((m) => asCodecClass(m.MegviiHeatmap)),
  SimCCLabel: () => import('./simcc_label.js').then((m) => asCodecClass(m.SimCCLabel)),
  RegressionLabel: () => import('./regression_label.js').then((m) => asCodecClass(m.RegressionLabel)),
  IntegralRegressionLabel: () =>
    import('./integral_regression_label.js').then((m) => asCodecClass(m.IntegralRegressionLabel)),
  AssociativeEmbedding: () => import('./associative_embedding.js').then((m) => asCodecClass(m.AssociativeEmbedding)),
  SPR: () => import('./spr.js').then((m) => asCodecClass(m.SPR)),
  DecoupledHeatmap: () => import('./decoupled_heatmap.js').then((m) => asCodecClass(m.DecoupledHeatmap)),
  YOLOXPoseAnnotationProcessor: () =>
    import('./annotation_processors.js').then((m) => asCodecClass(m.YOLOXPoseAnnotationProcessor)),
  Hand3DHeatmap: () => import('./hand_3d_heatmap.js').then((m) => asCodecClass(m.Hand3DHeatmap)),
  ImagePoseLifting: () => import('./image_pose_lifting.js').then((m) => asCodecClass(m.ImagePoseLifting)),
  MotionBERTLabel: () => import('./motionbert_label.js').then((m) => asCodecClass(m.MotionBERTLabel)),
  VideoPoseLifting: () => import('./video_pose_lifting.js').then((m) => asCodecClass(m.VideoPoseLifting)),
  EDPoseLabel: () => import('./edpose_label.js').then((m) => asCodecClass(m.EDPoseLabel)),
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
