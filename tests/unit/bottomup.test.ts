/** Bottom-up models without a network: candidates from dense outputs, and what configs get wrong. */
import { describe, expect, test } from 'vitest';
import { bottomupResize } from '../../src/apis/model_config.js';
import { ConfigError } from '../../src/errors.js';
import { buildBackbone, buildHead, buildNeck, buildPoseEstimator } from '../../src/models/builder.js';
import { clipBoxes, GridPriors, selectCandidates } from '../../src/models/heads/hybrid_heads/yolox_candidates.js';
import { parseTestCfg } from '../../src/models/test_cfg.js';
import type { NdArray } from '../../src/ndarray.js';

const map = (h: number, w: number, c: number): NdArray => ({ data: new Float32Array(h * w * c), shape: [1, h, w, c] });

describe('cells', () => {
  const levels = [map(4, 4, 1), map(2, 2, 1)];

  test.each([
    [{ offset: 0 }, [8, 16, 8], [16, 0, 16]],
    [{}, [12, 20, 8], [24, 8, 16]],
    [{ centralize_points: true }, [11.5, 19.5, 8], [23.5, 7.5, 16]],
  ])('%o lie where MMPose puts them', (options, fine, coarse) => {
    const grid = new GridPriors({ type: 'MlvlPointGenerator', strides: [8, 16], ...options }, 'grid');
    expect(Object.values(grid.cell(levels, 9))).toEqual(fine);
    expect(Object.values(grid.cell(levels, 17))).toEqual(coarse);
  });
});

describe('candidates', () => {
  const grid = new GridPriors({ type: 'MlvlPointGenerator', strides: [8], offset: 0 }, 'grid');
  const scores = [0.3, 0.9, 0.05, 0.3, 0.6, 0.1];
  const boxes = map(2, 3, 4);
  // Cells 1 and 4 see the same square of 8 px around (8, 0); the others one around themselves.
  boxes.data.set([0, -1, 0, 0], 4 * 4);

  test('above the threshold, best first, without double detections', () => {
    const found = selectCandidates(scores, [boxes], grid, parseTestCfg({ score_thr: 0.1, nms_thr: 0.65 }));
    expect(found.cells).toEqual([1, 0, 3]);
    expect([...found.scores].map((s) => s.toFixed(1))).toEqual(['0.9', '0.3', '0.3']);
    expect([...found.bboxes.data.slice(0, 4)]).toEqual([4, -4, 12, 4]);
    expect([...found.priors.data]).toEqual([8, 0, 0, 0, 0, 8]);
    expect([...clipBoxes(found.bboxes, [10, 10]).data.slice(0, 4)]).toEqual([4, 0, 10, 4]);
  });

  test("MMPose's defaults keep double detections", () => {
    expect(selectCandidates(scores, [boxes], grid, parseTestCfg({})).cells).toEqual([1, 4, 0, 3, 5, 2]);
  });
});

describe('configs', () => {
  const rtmo = {
    type: 'RTMOHead',
    ...{ num_keypoints: 17, head_module_cfg: { in_channels: 64, pose_vec_channels: 32, channels_per_group: 4 } },
    prior_generator: { type: 'MlvlPointGenerator', strides: [16, 32], centralize_points: true },
    dcc_cfg: { in_channels: 32, feat_channels: 8, num_bins: [4, 4] },
  };

  const layer = { self_attn_cfg: { embed_dims: 32, num_heads: 4 }, ffn_cfg: { embed_dims: 32 } };
  const edpose = {
    ...{ type: 'EDPoseHead', num_queries: 20, as_two_stage: true },
    encoder: { num_layers: 1, layer_cfg: layer },
    decoder: {
      num_layers: 6,
      embed_dims: 32,
      num_group: 4,
      layer_cfg: { ...layer, cross_attn_cfg: { embed_dims: 32 } },
    },
    out_head: { num_classes: 2 },
    positional_encoding: { num_pos_feats: 16 },
    denosing_cfg: { dn_labelbook_size: 3 },
    data_decoder: { type: 'EDPoseLabel', num_select: 4 },
  };
  const edposeWith = (part: 'encoder' | 'decoder' | 'out_head', changes: object) => () =>
    buildHead({ ...edpose, [part]: { ...edpose[part], ...changes } });

  test.each([
    ['ED-Pose', () => buildHead({ ...edpose, as_two_stage: false }), /as_two_stage: found false; expected true/],
    ['its codec', () => buildHead({ ...edpose, data_decoder: { type: 'EDPoseLable' } }), /head\.data_decoder\.type/],
    ['its decoder', edposeWith('decoder', { num_box_decoder_layers: 6 }), /expected less than num_layers, 6/],
    ['its queries', edposeWith('decoder', { query_dim: 2 }), /query_dim: found 2; expected 4/],
    ['its width', edposeWith('decoder', { embed_dims: 64 }), /decoder\.embed_dims: found 64; expected 32/],
    ['its encoder', edposeWith('encoder', { num_layers: 0 }), /encoder\.num_layers: found 0/],
    ['its last layers', edposeWith('out_head', { num_pred_layer: 3 }), /num_pred_layer: found 3; expected 6/],
    ['their sharing', edposeWith('out_head', { dec_pred_bbox_embed_share: true }), /share: found true; expected false/],
    [
      'its positions',
      () => buildHead({ ...edpose, positional_encoding: { num_pos_feats: 8 } }),
      /positional_encoding: found 16 channels; expected 32/,
    ],
    [
      'its attention',
      edposeWith('encoder', { layer_cfg: { ...layer, self_attn_cfg: { embed_dims: 32, num_heads: 5 } } }),
      /self_attn_cfg\.num_heads: found 5 heads for 32 channels/,
    ],
    [
      'a group norm',
      () =>
        buildNeck({
          type: 'ChannelMapper',
          in_channels: [8],
          out_channels: 6,
          norm_cfg: { type: 'GN', num_groups: 4 },
        }),
      /num_groups: found 4 for 6 channels/,
    ],
    ['a head', () => buildHead({ ...rtmo, num_keypoints: 0 }), /head\.num_keypoints: found 0/],
    ['its branches', () => buildHead({ ...rtmo, head_module_cfg: { in_channel: 64 } }), /Did you mean "in_channels"/],
    ['its strides', () => buildHead({ ...rtmo, featmap_strides: [] }), /featmap_strides: found \[\]/],
    [
      'its attention',
      () => buildHead({ ...rtmo, dcc_cfg: { ...rtmo.dcc_cfg, gau_cfg: { pos_enc: 'rope' } } }),
      /gau_cfg\.pos_enc: found "rope"; expected "add" or "none"/,
    ],
    ['a backbone', () => buildBackbone({ type: 'CSPDarknet', arch: 'P7' }), /backbone\.arch: found "P7"/],
    [
      'a neck',
      () => buildNeck({ type: 'HybridEncoder', use_encoder_idx: [3] }),
      /use_encoder_idx: found \[3\]; expected 0 to 2/,
    ],
    [
      'its projector',
      () => buildNeck({ type: 'HybridEncoder', projector: { type: 'FPN' } }),
      /projector\.type: found "FPN"; expected "ChannelMapper"/,
    ],
    [
      'another neck',
      () => buildNeck({ type: 'YOLOXPAFPN', in_channels: [8, 16], out_channels: null }),
      /out_channels: found null/,
    ],
    [
      'AE',
      () => buildHead({ type: 'AssociativeEmbeddingHead', in_channels: 8, num_keypoints: 17, tag_dim: 0 }),
      /tag_dim: found 0/,
    ],
    ['CID', () => buildHead({ type: 'CIDHead', in_channels: 8, num_keypoints: 17 }), /"gfd_channels" is missing/],
    [
      'DEKR',
      () => buildHead({ type: 'DEKRHead', in_channels: 8, num_keypoints: 17, rescore_cfg: {} }),
      /rescore_cfg: "in_channels" is missing/,
    ],
  ])('%s: the message names the key', async (_what, build, message) => {
    const building = build();
    await expect(building).rejects.toThrow(ConfigError);
    await expect(building).rejects.toThrow(message);
  });

  test('a head for single persons does not fit a bottom-up model', async () => {
    const model = {
      type: 'BottomupPoseEstimator',
      backbone: { type: 'CSPDarknet', widen_factor: 0.125, deepen_factor: 0.1 },
      head: { type: 'HeatmapHead', in_channels: 128, out_channels: 17, deconv_out_channels: null },
    };
    await expect(buildPoseEstimator(model)).rejects.toThrow(/model\.head: found a head for single persons/);
  });

  test('pictures are resized as the pipeline says, else as the network was made', () => {
    const model = { type: 'BottomupPoseEstimator' };
    const step = { type: 'BottomupResize', input_size: [320, 160], pad_val: [1, 2, 3] };
    const fromPipeline = bottomupResize({ model, test_pipeline: [{ type: 'LoadImage' }, step] });
    expect([fromPipeline.inputSize, fromPipeline.padVal]).toEqual([
      [320, 160],
      [1, 2, 3],
    ]);
    const fromTestCfg = bottomupResize({ model: { ...model, test_cfg: { input_size: [640, 640] } } });
    expect([fromTestCfg.inputSize, fromTestCfg.padVal]).toEqual([
      [640, 640],
      [114, 114, 114],
    ]);
    const fromCodec = bottomupResize({ model: { ...model, head: { decoder: { input_size: [512, 512] } } } });
    // Over the input instead of into it: the shorter side is 512 px.
    expect(fromCodec.place([800, 600]).inputSize).toEqual([704, 512]);
    expect(() => bottomupResize({ model })).toThrow(/BottomupResize/);
  });

  test('ED-Pose: the longer or the shorter side decides, and margins there are none', () => {
    const model = { type: 'BottomupPoseEstimator', head: { type: 'EDPoseHead' } };
    const step = { type: 'BottomupRandomChoiceResize', scales: [[80, 133]], keep_ratio: true, backend: 'pillow' };
    const pipeline = bottomupResize({ model, test_pipeline: [step] });
    expect(pipeline.inputSize).toEqual([133, 80]);
    expect(pipeline.place([640, 427]).inputSize).toEqual([120, 80]);
    expect(pipeline.place([640, 100]).inputSize).toEqual([133, 21]);
    expect(pipeline.place([300, 400]).inputSize).toEqual([80, 107]);
    // MMPose takes the ratio of the other axis: 21 of 100 rows, and 133 of 640 columns.
    const { inputScale, inputCenter } = pipeline.place([640, 100]);
    expect([...inputScale.data].map((v) => v.toFixed(2))).toEqual(['633.33', '101.05']);
    expect([...inputCenter.data].map((v) => v.toFixed(2))).toEqual(['316.67', '50.53']);
    expect(bottomupResize({ model }).place([640, 427]).inputSize).toEqual([1199, 800]);
    const several = {
      ...step,
      scales: [
        [80, 133],
        [90, 133],
      ],
    };
    expect(() => bottomupResize({ model, test_pipeline: [several] })).toThrow(/scales: found 2; expected one/);
    const other = { ...step, backend: 'tifffile' };
    expect(() => bottomupResize({ model, test_pipeline: [other] })).toThrow(/backend: found "tifffile"/);
  });
});
