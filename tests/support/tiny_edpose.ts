/** An ED-Pose of a few thousand weights: finds four persons everywhere, of whom decoding gives three. */
const LAYER = {
  self_attn_cfg: { embed_dims: 32, num_heads: 4 },
  ffn_cfg: { embed_dims: 32, feedforward_channels: 48 },
};

export const TINY_EDPOSE = {
  dataset_type: 'CocoDataset',
  model: {
    type: 'BottomupPoseEstimator',
    data_preprocessor: { type: 'PoseDataPreprocessor', mean: [120, 120, 120], std: [60, 60, 60], bgr_to_rgb: true },
    backbone: {
      ...{ type: 'ResNet', depth: 18, base_channels: 8, stem_channels: 8, out_indices: [1, 2, 3] },
      norm_cfg: { type: 'FrozenBatchNorm2d', requires_grad: false },
    },
    neck: {
      ...{ type: 'ChannelMapper', in_channels: [16, 32, 64], kernel_size: 1, out_channels: 32, num_outs: 4 },
      ...{ act_cfg: null, norm_cfg: { type: 'GN', num_groups: 8 } },
    },
    head: {
      ...{ type: 'EDPoseHead', num_queries: 40, as_two_stage: true },
      encoder: { num_layers: 1, layer_cfg: LAYER },
      decoder: {
        ...{ num_layers: 3, embed_dims: 32, num_group: 4, num_box_decoder_layers: 1 },
        layer_cfg: { ...LAYER, cross_attn_cfg: { embed_dims: 32 } },
      },
      out_head: { num_classes: 2, num_pred_layer: 3 },
      positional_encoding: { num_pos_feats: 16, temperatureH: 20, temperatureW: 20, normalize: true },
      denosing_cfg: { dn_labelbook_size: 3 },
      data_decoder: { type: 'EDPoseLabel', num_select: 3, num_keypoints: 17 },
    },
    test_cfg: { num_select: 3 },
  },
  test_pipeline: [
    { type: 'LoadImage' },
    { type: 'BottomupRandomChoiceResize', scales: [[64, 128]], keep_ratio: true, backend: 'pillow' },
  ],
};
