/** An RTMO of a few thousand weights, from MMPose's formula: finds people everywhere, and the same ones every time. */
import { encodeSafetensors, type StateDict } from '../../src/checkpoint/index.js';
import type { ConfigDict } from '../../src/config.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { namedParameters } from '../../src/nn/module.js';
import { weightTensor } from '../golden/formula.js';

const BN = { type: 'BN', eps: 0.001 };

export const TINY_RTMO = {
  dataset_type: 'CocoDataset',
  model: {
    type: 'BottomupPoseEstimator',
    data_preprocessor: { type: 'PoseDataPreprocessor', pad_size_divisor: 32, mean: [0, 0, 0], std: [1, 1, 1] },
    backbone: { type: 'CSPDarknet', deepen_factor: 0.33, widen_factor: 0.125, norm_cfg: BN },
    neck: {
      ...{ type: 'HybridEncoder', in_channels: [32, 64, 128], hidden_dim: 32, deepen_factor: 0.33, widen_factor: 0.5 },
      output_indices: [1, 2],
      encoder_cfg: {
        self_attn_cfg: { embed_dims: 32, num_heads: 4 },
        ffn_cfg: { embed_dims: 32, feedforward_channels: 64, act_cfg: { type: 'GELU' } },
      },
    },
    head: {
      ...{ type: 'RTMOHead', num_keypoints: 17, featmap_strides: [16, 32] },
      head_module_cfg: {
        ...{ in_channels: 16, cls_feat_channels: 16, channels_per_group: 4, num_groups: 4, pose_vec_channels: 32 },
        norm_cfg: BN,
      },
      prior_generator: { type: 'MlvlPointGenerator', centralize_points: true, strides: [16, 32] },
      dcc_cfg: {
        in_channels: 32,
        feat_channels: 16,
        num_bins: [24, 32],
        spe_channels: 16,
        gau_cfg: { s: 16, pos_enc: 'add' },
      },
    },
    test_cfg: { input_size: [96, 96], score_thr: 0.1, nms_thr: 0.65 },
  },
};

/** Its weights as a `.safetensors` file. */
export function tinyRtmoWeights(): Promise<Uint8Array<ArrayBuffer>> {
  return formulaWeights(TINY_RTMO.model);
}

/** Weights of any model by MMPose's formula. */
export async function formulaWeights(model: ConfigDict): Promise<Uint8Array<ArrayBuffer>> {
  const stateDict: StateDict = new Map(
    [...namedParameters(await buildPoseEstimator(model))]
      .filter(([, { persistent }]) => persistent)
      .map(([name, { shape }]) => {
        const { data } = weightTensor(name, shape, { gain: 1.25, norm: [0.5, 1] });
        return [name, { dtype: 'float32', shape, read: () => Promise.resolve(data) }];
      }),
  );
  return encodeSafetensors(stateDict);
}
