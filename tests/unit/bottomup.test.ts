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

  test.each([
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
});
