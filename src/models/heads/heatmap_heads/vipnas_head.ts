/**
 * ViPNAS's heatmap head (Xu et al. 2021; MMPose: `mmpose/models/heads/heatmap_heads/vipnas_head.py`): HeatmapHead with grouped
 * deconvolutions.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import type { ConfigDict } from '../../../config.js';
import { HEATMAP_HEAD_SPEC, HeatmapHead } from './heatmap_head.js';

const SPEC = { ...HEATMAP_HEAD_SPEC, deconv_out_channels: [144, 144, 144], deconv_num_groups: [16, 16, 16] };

/** Features [N, h, w, C] (the last of the list) -> one tensor of heatmaps [N, h', w', out_channels]. */
export class ViPNASHead extends HeatmapHead {
  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(config, decoder, where, SPEC);
  }
}
