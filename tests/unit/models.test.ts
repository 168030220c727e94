/** Configs to networks, and what surrounds the networks: test_cfg, preprocessor, heads' layouts, mapping to the picture. */
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest';
import { createBackend, type Backend } from '../../src/backend/init.js';
import type { KeypointCodec } from '../../src/codecs/base.js';
import type { ConfigDict } from '../../src/config.js';
import { buildBackbone, buildHead, buildNeck, buildPoseEstimator } from '../../src/models/builder.js';
import { SCNet } from '../../src/models/backbones/scnet.js';
import { PoseDataPreprocessor } from '../../src/models/data_preprocessors/data_preprocessor.js';
import { HeatmapHead } from '../../src/models/heads/heatmap_heads/heatmap_head.js';
import { TopdownPoseEstimator } from '../../src/models/pose_estimators/topdown.js';
import { parseTestCfg } from '../../src/models/test_cfg.js';
import { checkAndUpdateConfig } from '../../src/models/utils/check_and_update_config.js';
import { ndarray, type NdArray } from '../../src/ndarray.js';
import { ConvTranspose3d } from '../../src/nn/conv3d.js';
import { disposeModule, Module, namedParameters, prepareModule, type Feats } from '../../src/nn/module.js';
import type { PoseDataSample } from '../../src/structures/pose_data_sample.js';
import * as tf from '../../src/tf.js';
import type { Tensor4D } from '../../src/tf.js';

const MODEL: ConfigDict = {
  type: 'mmpose.TopdownPoseEstimator',
  data_preprocessor: { type: 'PoseDataPreprocessor', mean: [0, 0, 0], std: [1, 1, 1], bgr_to_rgb: true },
  backbone: { type: 'ResNet', depth: 18 },
  head: {
    type: 'HeatmapHead',
    in_channels: 512,
    out_channels: 3,
    deconv_out_channels: [8],
    deconv_kernel_sizes: [4],
    loss: { type: 'KeypointMSELoss' },
    decoder: { type: 'MSRAHeatmap', input_size: [32, 64], heatmap_size: [2, 4], sigma: 2 },
  },
  test_cfg: { flip_test: true, flip_mode: 'heatmap', shift_heatmap: true },
};
const withBackbone = (backbone: object): ConfigDict => ({ ...MODEL, backbone });
const withHead = (changes: object): ConfigDict => ({ ...MODEL, head: { ...(MODEL.head as object), ...changes } });

describe('buildPoseEstimator', () => {
  it('builds with scopes, names keys as PyTorch does, and refuses to train', async () => {
    const model = await buildPoseEstimator(MODEL);
    const keys = [...namedParameters(model).keys()];
    expect(keys).toContain('backbone.layer1.0.conv1.weight');
    expect(keys.filter((key) => key.startsWith('head.'))).toEqual([
      'head.deconv_layers.0.weight',
      ...['weight', 'bias', 'running_mean', 'running_var'].map((name) => `head.deconv_layers.1.${name}`),
      'head.final_layer.weight',
      'head.final_layer.bias',
    ]);
    expect(model.testCfg.flipTest).toBe(true);
    expect(() => model.forward(null as never, 'loss')).toThrow(/does not train/);
  });

  it.each([
    [
      { ...MODEL, backbone: { type: 'HRNett' } },
      'model.backbone.type: "HRNett" is not in BACKBONES. Did you mean "HRNet"?',
    ],
    [
      withHead({ decoder: { type: 'SimCCLable' } }),
      'model.head.decoder.type: "SimCCLable" is not in KEYPOINT_CODECS. Did you mean "SimCCLabel"?',
    ],
    [withHead({ out_chanels: 3 }), 'model.head: unknown key "out_chanels" Did you mean "out_channels"?'],
    [withHead({ in_channels: [1, 2] }), 'model.head.in_channels: found [1,2]; expected a whole number from 1.'],
    [withHead({ deconv_kernel_sizes: [5] }), 'model.head.deconv_kernel_sizes: found 5; expected 4, 3 or 2.'],
    [withHead({ deconv_kernel_sizes: [4, 4] }), 'model.head.deconv_kernel_sizes: found [4,4]; expected as many as'],
    [withHead({ deconv_num_groups: [1] }), 'model.head: unknown key "deconv_num_groups"'],
    [
      withHead({ type: 'ViPNASHead', deconv_num_groups: [8, 8] }),
      'model.head.deconv_num_groups: found [8,8]; expected as many as model.head.deconv_out_channels, 1.',
    ],
    [withHead({ type: 'ViPNASHead', deconv_num_groups: [3] }), 'found groups 3; expected a divisor of 512'],
    [withBackbone({ type: 'SCNet', depth: 18 }), 'model.backbone.depth: found 18; expected one of 50, 101.'],
    [
      withBackbone({ type: 'ResNeSt', depth: 50, radix: 0 }),
      'model.backbone.radix: found 0; expected a whole number from 1.',
    ],
    [withBackbone({ type: 'ViPNAS_ResNet', depth: 101 }), 'model.backbone.depth: found 101; expected 50.'],
    [
      withBackbone({ type: 'ViPNAS_ResNet', depth: 50, ks: [7, 3] }),
      'model.backbone.ks: found 2 values; expected 5, one for the stem and one per stage.',
    ],
    [{ ...MODEL, test_cfg: { flip_tset: true } }, 'model.test_cfg: unknown key "flip_tset" Did you mean "flip_test"?'],
    [{ ...MODEL, head: 'HeatmapHead' }, 'model.head: found "HeatmapHead"; expected an object with a "type"'],
    [{ ...MODEL, type: 'TopDown' }, 'model.type: "TopDown" is not in POSE_ESTIMATORS.'],
    [{ type: 'TopdownPoseEstimator' }, 'model: "backbone" is missing'],
  ] as [ConfigDict, string][])('says what is wrong: case %#', async (config, message) => {
    await expect(buildPoseEstimator(config)).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining(message),
    });
  });

  it.each([
    [{ type: 'HourglassNet', num_stacks: 0 }, 'model.backbone.num_stacks: found 0; expected a whole number from 1.'],
    [{ type: 'HourglassNet', downsample_times: 6 }, 'model.backbone: found downsample_times 6, stage_channels [256, '],
    [
      { type: 'HourglassAENet', num_stacks: 1.5 },
      'model.backbone.num_stacks: found 1.5; expected a whole number from 1.',
    ],
    [
      { type: 'HourglassAENet', downsample_times: 5 },
      'model.backbone: found downsample_times 5, stage_channels [256, ',
    ],
    [
      { type: 'HourglassAENet', feat_channels: 128 },
      'model.backbone.feat_channels: found 128; expected 256, the first',
    ],
    [{ type: 'CPM', in_channels: 1, out_channels: 3 }, 'model.backbone.in_channels: found 1; expected 3.'],
    [
      { type: 'CPM', in_channels: 3, out_channels: 3, num_stages: 0.5 },
      'model.backbone.num_stages: found 0.5; expected',
    ],
    [
      { type: 'TCN', in_channels: 34, num_blocks: 3 },
      'backbone.kernel_sizes: found [3, 3, 3] for num_blocks 3; expected 4',
    ],
    [
      { type: 'TCN', in_channels: 34, kernel_sizes: [3, 2, 3] },
      'kernel_sizes: found [3, 2, 3] for num_blocks 2; expected',
    ],
    [{ type: 'TCN', in_channels: 34, conv_cfg: null }, 'backbone.conv_cfg: found null; expected { "type": "Conv1d" }.'],
    [{ type: 'V2VNet', input_channels: 17 }, 'model.backbone: "output_channels" is missing'],
    [
      { type: 'V2VNet', input_channels: 17, output_channels: 1, mid_channels: 0 },
      'model.backbone.mid_channels: found 0; expected a whole number from 1.',
    ],
    [{ type: 'MSPN', num_stages: 0 }, 'model.backbone.num_stages: found 0; expected a whole number from 1.'],
    [{ type: 'MSPN', num_units: 3 }, 'model.backbone: found num_units 3, num_blocks [2, 2, 2, 2]; expected 2 units'],
    [{ type: 'MSPN', res_top_channels: 32 }, 'model.backbone.res_top_channels: found 32; expected 64'],
    [{ type: 'RSN', num_steps: 1 }, 'model.backbone.num_steps: found 1; expected a whole number from 2.'],
  ] as [ConfigDict, string][])('says what is wrong with a backbone: %j', async (backbone, message) => {
    await expect(buildPoseEstimator({ ...MODEL, backbone })).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining(message),
    });
  });

  it('HourglassAENet gives heatmaps and tags itself: the head around it has no weights', async () => {
    const head = { in_channels: 34, num_keypoints: 17, deconv_out_channels: null, final_layer: null };
    const model = await buildPoseEstimator({
      type: 'BottomupPoseEstimator',
      backbone: { type: 'HourglassAENet', num_stacks: 2 },
      head: { type: 'AssociativeEmbeddingHead', ...head, deconv_kernel_sizes: null },
    });
    const keys = [...namedParameters(model).keys()];
    expect(keys.every((key) => key.startsWith('backbone.'))).toBe(true);
    expect(keys).toContain('backbone.hourglass_modules.1.0.low2.low2.low2.low2.conv.weight');
    expect(keys).toContain('backbone.remap_feature_convs.0.bn.running_var');
  });

  it('moves what old heads did into a neck', () => {
    const head = {
      type: 'HeatmapHead',
      in_channels: [32, 64, 128],
      input_transform: 'resize_concat',
      input_index: [0, 2],
    };
    expect(checkAndUpdateConfig(null, { ...head, align_corners: true, has_final_layer: false })).toEqual({
      neck: { type: 'FeatureMapProcessor', concat: true, select_index: [0, 2], align_corners: true },
      head: { type: 'HeatmapHead', in_channels: 160, final_layer: null },
    });
    const old = { type: 'HeatmapHead', in_channels: 384, extra: { final_conv_kernel: 3, upsample: 4 } };
    expect(checkAndUpdateConfig(null, old)).toEqual({
      neck: { type: 'FeatureMapProcessor', scale_factor: 4, apply_relu: true },
      head: { type: 'HeatmapHead', in_channels: 384, final_layer: { kernel_size: 3, padding: 1 } },
    });
    expect(checkAndUpdateConfig(null, MODEL.head as ConfigDict)).toEqual({ neck: null, head: MODEL.head });
  });
});

describe('heads', () => {
  it('SimCCHead without deconvolutions and RTMCCHead have the layers of their configs', async () => {
    const common = { in_channels: 16, out_channels: 5, input_size: [48, 64], in_featuremap_size: [6, 8] };
    const shapes = async (config: ConfigDict) =>
      Object.fromEntries([...namedParameters(await buildHead(config))].map(([name, p]) => [name, p.shape.join()]));
    expect(await shapes({ type: 'SimCCHead', ...common, deconv_out_channels: null })).toEqual({
      ...{ 'final_layer.weight': '5,16,1,1', 'final_layer.bias': '5' },
      ...{
        'mlp_head_x.weight': '96,48',
        'mlp_head_x.bias': '96',
        'mlp_head_y.weight': '128,48',
        'mlp_head_y.bias': '128',
      },
    });
    expect(await shapes({ type: 'RTMCCHead', ...common, simcc_split_ratio: 1.5, final_layer_kernel_size: 7 })).toEqual({
      ...{ 'final_layer.weight': '5,16,7,7', 'final_layer.bias': '5', 'mlp.0.g': '1', 'mlp.1.weight': '256,48' },
      ...{ 'gau.o.weight': '256,512', 'gau.uv.weight': '1152,256', 'gau.gamma': '2,128', 'gau.beta': '2,128' },
      ...{ 'gau.ln.g': '1', 'gau.res_scale.scale': '256', 'cls_x.weight': '72,256', 'cls_y.weight': '96,256' },
    });
  });

  it('RTMWHead reads two maps', async () => {
    const config = {
      ...{ type: 'RTMWHead', in_channels: 16, out_channels: 5, input_size: [48, 64], in_featuremap_size: [6, 8] },
    };
    const head = await buildHead(config);
    expect(() => head.forward([])).toThrow('RTMWHead: found 0 feature maps; expected two, the finer one first.');
    await expect(buildHead({ ...config, in_channels: 18 })).rejects.toThrow(
      'head.in_channels: found 18; expected a multiple of 4.',
    );
  });

  it('of several stages want as many from the backbone', async () => {
    const config = { type: 'CPMHead', in_channels: 4, out_channels: 5, num_stages: 2 };
    const head = await buildHead(config);
    expect([...namedParameters(head).keys()]).toEqual(
      [0, 1].flatMap((i) => [`multi_final_layers.${i}.weight`, `multi_final_layers.${i}.bias`]),
    );
    expect(() => head.forward([])).toThrow('head.num_stages: found 2, and 0 from the backbone');
    await expect(buildHead({ ...config, num_stages: 0 })).rejects.toThrow('head.num_stages: found 0; expected a whole');
    await expect(buildHead({ ...config, deconv_out_channels: [8] })).rejects.toThrow(
      'head.deconv_kernel_sizes: found null; expected as many as',
    );
  });

  it('of several units want as many from the backbone, too', async () => {
    const config = { type: 'MSPNHead', num_stages: 1, num_units: 2, level_indices: [0, 1] };
    const head = await buildHead(config);
    expect(() => head.forward([])).toThrow('head: found num_stages 1, num_units 2, and stages of [] maps');
    await expect(buildHead({ ...config, level_indices: [0] })).rejects.toThrow('head.level_indices: found 1 entries');
    await expect(buildHead({ ...config, use_prm: true })).rejects.toThrow('head.use_prm: found true; expected false');
    await expect(buildHead({ ...config, out_shape: [64] })).rejects.toThrow('head.out_shape.1: found undefined');
  });

  it('need a decoder to predict', async () => {
    const head = new HeatmapHead({ type: 'HeatmapHead', in_channels: 1, out_channels: 1, deconv_out_channels: null });
    const decode = Reflect.get(head, 'decode') as HeatmapHead['predict'];
    expect(() => decode.call(head, [], [], parseTestCfg(null))).toThrow(/model\.head\.decoder: found none/);
  });
});

describe('SCNet', () => {
  it('says when a picture is too small for its windows', async () => {
    const backend = await createBackend('cpu');
    const stages = { num_stages: 1, strides: [1], dilations: [1], out_indices: [0] };
    const model = new SCNet({ type: 'SCNet', depth: 50, base_channels: 8, ...stages });
    backend.run(() => {
      prepareModule(model);
      const small = () => tf.tidy(() => [...model.forward(tf.zeros([1, 16, 8, 3]))]);
      expect(small).toThrow(/found a map of 2 x 4; .* 128 x 128/);
      disposeModule(model);
    });
    backend.dispose();
  });
});

describe('TCN', () => {
  it('says when a sequence is too short, and when strides do not fit', async () => {
    const backend = await createBackend('cpu');
    const build = (config: object) => buildBackbone({ type: 'TCN', in_channels: 4, stem_channels: 8, ...config });
    const [dense, strided] = await Promise.all([build({}), build({ use_stride_conv: true })]);
    backend.run(() => {
      for (const model of [dense, strided]) prepareModule(model);
      const run = (model: typeof dense, frames: number) => () =>
        tf.tidy(() => [...model.forward(tf.zeros([1, 1, frames, 4]))]);
      expect(run(dense, 26)).toThrow('found a sequence [1,1,26,4]; expected [N, 1, T, C] with at least 27 frames');
      expect(run(dense, 28)).not.toThrow();
      expect(run(strided, 35)).toThrow('found 11 frames before a convolution of stride 3; expected a multiple of it');
      for (const model of [dense, strided]) disposeModule(model);
    });
    backend.dispose();
  });
});

test('V2VNet says when a volume cannot be halved twice; ConvTranspose3d when cubes would overlap', async () => {
  const model = await buildBackbone({ type: 'V2VNet', input_channels: 2, output_channels: 1 });
  const run = (shape: number[]) => () => model.forward({ shape } as unknown as Tensor4D);
  expect(run([1, 8, 8, 6, 2])).toThrow(
    'V2VNet: found an input [1,8,8,6,2]; expected a volume [N, D, H, W, C] whose sides',
  );
  expect(run([8, 8, 8, 2])).toThrow('found an input [8,8,8,2]');
  expect(() => new ConvTranspose3d(2, 2, 3, { stride: 2 })).toThrow('found a kernel of 3 and a stride of 2');
});

describe('parseTestCfg', () => {
  it('fills in MMPose defaults', () => {
    expect(parseTestCfg(undefined)).toMatchObject({
      ...{ flipTest: false, flipMode: 'heatmap', shiftHeatmap: false, shiftCoords: true, outputHeatmaps: false },
      ...{ outputKeypointIndices: null, scoreThr: null, nmsThr: null },
    });
    expect(parseTestCfg({ score_thr: 0.1, nms_thr: 0.65, input_size: [640, 640] })).toMatchObject({
      ...{ scoreThr: 0.1, nmsThr: 0.65, inputSize: [640, 640] },
    });
  });

  it.each([
    [{ flip_test: 'yes' }, 'test_cfg.flip_test: found "yes"; expected true or false.'],
    [{ flip_mode: 'mirror' }, 'test_cfg.flip_mode: found "mirror"; expected one of heatmap, udp_combined, offset.'],
    [{ output_keypoint_indices: [0, -1] }, 'found [0,-1]; expected a list of whole numbers.'],
    [{ multiscale_test: true }, 'multiscale_test: found true'],
    [[], 'found []; expected an object'],
  ])('refuses %j', (config, message) => {
    expect(() => parseTestCfg(config)).toThrow(message);
  });
});

describe('IntegralRegressionHead and DSNTHead', () => {
  const config = { type: 'DSNTHead', in_channels: 8, in_featuremap_size: [3, 4], num_joints: 2, lambda_t: 5 };

  it('keeps its heatmaps in simplebaseline_head, and the grid of their size in the checkpoint', async () => {
    const head = await buildHead({ ...config, deconv_out_channels: [4], deconv_kernel_sizes: [4] });
    const shapes = new Map([...namedParameters(head)].map(([name, { shape }]) => [name, shape]));
    expect(shapes.get('linspace_x')).toEqual([1, 1, 1, 6]);
    expect(shapes.get('linspace_y')).toEqual([1, 1, 8, 1]);
    expect(shapes.get('simplebaseline_head.deconv_layers.0.weight')).toEqual([8, 4, 4, 4]);
    expect(shapes.get('simplebaseline_head.final_layer.weight')).toEqual([2, 4, 1, 1]);
  });

  it('has only a final layer without deconvolutions', async () => {
    const head = await buildHead({ ...config, deconv_out_channels: [] });
    expect([...namedParameters(head).keys()]).toEqual([
      'linspace_x',
      'linspace_y',
      'final_layer.weight',
      'final_layer.bias',
    ]);
  });

  it.each([
    [{ in_featuremap_size: 4 }, 'head.in_featuremap_size: found 4; expected [width, height]'],
    [{ in_featuremap_size: [4, 0] }, 'head.in_featuremap_size: found 0; expected a whole number from 1.'],
    [{ in_channels: [8, 8] }, 'head.in_channels: found [8,8]'],
    [{ type: 'IntegralRegressionHead' }, 'unknown key "lambda_t"'],
  ])('refuses %j', async (changes, message) => {
    await expect(buildHead({ ...config, ...changes })).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining(message),
    });
  });
});

describe('VisPredictHead', () => {
  const poseCfg = { type: 'HeatmapHead', in_channels: 8, out_channels: 3, deconv_out_channels: null };
  const config = { type: 'VisPredictHead', pose_cfg: poseCfg };

  it('names its layers as PyTorch does and decodes with the codec of its pose head', async () => {
    const decoder = { type: 'MSRAHeatmap', input_size: [32, 64], heatmap_size: [2, 4], sigma: 2 };
    const head = await buildHead({ ...config, pose_cfg: { ...poseCfg, decoder } });
    expect([...namedParameters(head).keys()]).toEqual([
      ...['pose_head.final_layer.weight', 'pose_head.final_layer.bias', 'vis_head.2.weight', 'vis_head.2.bias'],
    ]);
    expect(head.decoder!.inputSize).toEqual([32, 64]);
  });

  it.each([
    [{ pose_cfg: undefined }, '"pose_cfg" is missing'],
    [{ pose_cfg: { ...poseCfg, type: 'HeatmapHed' } }, 'head.pose_cfg.type: "HeatmapHed" is not in HEADS.'],
    [{ pose_cfg: { ...poseCfg, sigma: 2 } }, 'head.pose_cfg: unknown key "sigma"'],
    [{ loss: { type: 'BCELoss', use_sigmoid: 1 } }, 'head.loss.use_sigmoid: found 1; expected true or false.'],
  ])('refuses %j', async (changes, message) => {
    await expect(buildHead({ ...config, ...changes } as ConfigDict)).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining(message),
    });
  });
});

describe('necks of several maps', () => {
  const fpn = { type: 'FPN', in_channels: [8, 16, 32], out_channels: 4, num_outs: 5 };
  const shapesOf = async (config: ConfigDict) =>
    [...namedParameters(await buildNeck(config))]
      .filter(([name]) => name.endsWith('conv.weight'))
      .map(([name, { shape }]) => `${name} ${shape.join()}`);

  it('FPN reads the last input for its extra levels, or makes them without weights', async () => {
    const own = [0, 1, 2].map((i) => `lateral_convs.${i}.conv.weight 4,${8 * 2 ** i},1,1`);
    const out = [0, 1, 2, 3, 4].map((i) => `fpn_convs.${i}.conv.weight 4,${i === 3 ? 32 : 4},3,3`);
    expect(await shapesOf({ ...fpn, add_extra_convs: true })).toEqual([...own, ...out]);
    expect(await shapesOf(fpn)).toEqual([...own, ...out.slice(0, 3)]);
    expect(await shapesOf({ ...fpn, start_level: 1, end_level: 1, num_outs: 1 })).toEqual([
      ...['lateral_convs.0.conv.weight 4,16,1,1', 'fpn_convs.0.conv.weight 4,4,3,3'],
    ]);
  });

  it.each([
    [{ ...fpn, num_outs: 2 }, 'neck.num_outs: found 2; expected 3 or more.'],
    [{ ...fpn, end_level: 1 }, 'neck.num_outs: found 5; expected 2, as many as levels.'],
    [{ ...fpn, start_level: 3 }, 'found start_level 3 and end_level -1; expected levels from 0 to 2, in order.'],
    [{ ...fpn, add_extra_convs: 'on_top' }, 'neck.add_extra_convs: found "on_top"; expected true, false, "on_input"'],
    [{ ...fpn, upsample_cfg: { mode: 'cubic' } }, 'neck.upsample_cfg.mode: found "cubic"'],
    [{ ...fpn, in_channels: 8 }, 'neck.in_channels: found 8; expected a list, one width per feature map.'],
    [{ type: 'ChannelMapper', in_channels: [8, 0], out_channels: 4 }, 'neck.in_channels.1: found 0'],
    [
      { type: 'ChannelMapper', in_channels: [8], out_channels: 4, kernel_size: [3, 3] },
      'neck.kernel_size: found [3,3]',
    ],
  ] as [ConfigDict, string][])('refuses %j', async (config, message) => {
    await expect(buildNeck(config)).rejects.toMatchObject({
      code: 'ConfigError',
      message: expect.stringContaining(message),
    });
  });
});

describe('PoseDataPreprocessor', () => {
  const pixel = (...data: number[]) => ndarray(Uint8Array.from(data), [1, 1, data.length]);

  it('gives the network the order it wants, whatever the pictures have', () => {
    const rgb = new PoseDataPreprocessor({ mean: [1, 2, 3], std: [1, 1, 1], bgr_to_rgb: true });
    const bgr = new PoseDataPreprocessor({ mean: [1, 2, 3], std: [1, 1, 1] });
    expect([...rgb.forward([pixel(10, 20, 30)]).inputs.data]).toEqual([9, 18, 27]);
    expect([...rgb.forward([pixel(30, 20, 10)], 'bgr').inputs.data]).toEqual([9, 18, 27]);
    expect([...bgr.forward([pixel(10, 20, 30)]).inputs.data]).toEqual([29, 18, 7]);
    expect(new PoseDataPreprocessor({ rgb_to_bgr: true }).channelOrder).toBe('rgb'); // MMPose's pictures are BGR: the same swap
  });

  it('pads at the right and bottom', () => {
    const { inputs, metainfo } = new PoseDataPreprocessor({
      pad_size_divisor: 2,
      pad_value: 7,
      bgr_to_rgb: true,
    }).forward([ndarray(Uint8Array.of(1, 2, 3), [1, 1, 3]), ndarray(new Uint8Array(9).fill(5), [1, 3, 3])]);
    expect(inputs.shape).toEqual([2, 2, 4, 3]);
    expect([...inputs.data.subarray(0, 6)]).toEqual([1, 2, 3, 7, 7, 7]);
    expect(metainfo.map((m) => m.padShape)).toEqual([
      [2, 2],
      [2, 4],
    ]);
  });

  it.each([
    [{ mean: [1, 2, 3] }, 'std: found null; expected mean and std both or neither.'],
    [{ mean: [1, 2], std: [1, 2] }, 'mean: found [1,2]; expected a list of 1 or 3 numbers.'],
    [{ bgr_to_rgb: true, rgb_to_bgr: true }, 'expected only one of'],
    [{ pad_size_divisor: 0 }, 'pad_size_divisor: found 0'],
  ])('refuses %j', (config, message) => {
    expect(() => new PoseDataPreprocessor(config)).toThrow(message);
  });

  it('refuses pictures that do not fit', () => {
    const preprocessor = new PoseDataPreprocessor({ mean: [1, 2, 3], std: [1, 1, 1] });
    expect(() => preprocessor.forward([])).toThrow('at least one');
    expect(() => preprocessor.forward([pixel(1, 2, 3, 4)])).toThrow('found a picture of shape [1,1,4]');
    expect(() => preprocessor.forward([pixel(1)])).toThrow('expected [h, w, 3]');
  });
});

describe('TopdownPoseEstimator', () => {
  let backend: Backend;
  beforeAll(async () => {
    backend = await createBackend('cpu');
  });
  afterAll(() => backend.dispose());

  /** The picture itself as features. */
  class Identity extends Module<Tensor4D, Feats> {
    override forward(x: Tensor4D): Feats {
      return [tf.clone(x)];
    }
  }

  /** Shows what reached `decode`; the position of keypoint k is (k, k). */
  class Recorder implements KeypointCodec {
    readonly inputSize = [4, 2] as const;
    readonly encodedNames = ['heatmaps'];
    readonly seen: NdArray[] = [];
    encode(): never {
      throw new Error('not used');
    }
    decode(heatmaps: NdArray) {
      this.seen.push(heatmaps);
      const k = heatmaps.shape[0];
      const keypoints = ndarray(
        Float32Array.from({ length: 2 * k }, (_, i) => i >> 1),
        [1, k, 2],
      );
      return {
        keypoints,
        scores: ndarray(
          Float32Array.from({ length: k }, (_, i) => i / 10),
          [1, k],
        ),
      };
    }
  }

  function estimator(testCfg: object): { model: TopdownPoseEstimator; decoder: Recorder } {
    const decoder = new Recorder();
    const config = {
      type: 'HeatmapHead',
      in_channels: 3,
      out_channels: 3,
      deconv_out_channels: null,
      final_layer: null,
    };
    const head = new HeatmapHead(config, decoder);
    return {
      model: new TopdownPoseEstimator({ backbone: new Identity(), head, testCfg: parseTestCfg(testCfg) }),
      decoder,
    };
  }

  function sample(): PoseDataSample {
    return {
      metainfo: {
        ...{ imgShape: [100, 100], inputSize: [4, 2], flipIndices: [0, 2, 1], timestamp: 0 },
        inputCenter: ndarray(Float32Array.of(50, 40), [1, 2]),
        inputScale: ndarray(Float32Array.of(8, 4), [1, 2]),
      },
    };
  }

  const picture = () =>
    tf.tensor4d(
      Float32Array.from({ length: 24 }, (_, i) => i),
      [1, 2, 4, 3],
    );

  async function predict(testCfg: object) {
    const { model, decoder } = estimator(testCfg);
    const before = backend.run(() => tf.memory().numTensors);
    backend.run(() => prepareModule(model));
    const x = backend.run(picture);
    const [result] = await backend.run(() => model.predict(x, [sample()]));
    x.dispose();
    expect(backend.run(() => tf.memory().numTensors)).toBe(before);
    return { result, seen: decoder.seen };
  }

  it('hands (K, h, w) maps to the codec and maps coordinates to the picture', async () => {
    const { result, seen } = await predict({});
    expect(seen[0].shape).toEqual([3, 2, 4]);
    expect([...seen[0].data.subarray(0, 8)]).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
    // k / [4, 2] * [8, 4] + [50, 40] - [4, 2]
    expect([...result.predInstances!.keypoints.data]).toEqual([46, 38, 48, 40, 50, 42]);
    expect([...result.predInstances!.bboxes.data]).toEqual([46, 38, 54, 42]);
    expect(result.predFields).toBeUndefined();
  });

  it('averages with the mirrored picture, partners swapped', async () => {
    const { seen } = await predict({ flip_test: true });
    // The identity network commutes with mirroring, so map 0 is unchanged and maps 1 and 2 become their mean.
    expect([...seen[0].data.subarray(0, 8)]).toEqual([0, 3, 6, 9, 12, 15, 18, 21]);
    expect([...seen[0].data.subarray(8, 16)]).toEqual([1.5, 4.5, 7.5, 10.5, 13.5, 16.5, 19.5, 22.5]);
    expect(seen).toHaveLength(1);
  });

  it('selects keypoints and their heatmaps', async () => {
    const { result } = await predict({ output_heatmaps: true, output_keypoint_indices: [2, 0] });
    expect([...result.predInstances!.keypoints.data]).toEqual([50, 42, 46, 38]);
    expect([...result.predInstances!.keypointsVisible.data]).toEqual([Math.fround(0.2), 0]);
    expect(result.predFields!.heatmaps.shape).toEqual([2, 2, 4]);
    expect(result.predFields!.heatmaps.data[0]).toBe(2);
    expect(result.predInstances!.keypointsVisible.data.buffer).not.toBe(
      result.predInstances!.keypointScores.data.buffer,
    );
    await expect(predict({ output_keypoint_indices: [3] })).rejects.toThrow('output_keypoint_indices: found 3');
  });

  it('refuses a wrong number of samples, and a flip test without partners', async () => {
    const { model } = estimator({ flip_test: true });
    const x = backend.run(picture);
    await expect(backend.run(() => model.predict(x, []))).rejects.toThrow('found 0 samples for 1 crops');
    const { metainfo } = sample();
    const bare = { metainfo: { ...metainfo, flipIndices: undefined as never } };
    await expect(backend.run(() => model.predict(x, [bare]))).rejects.toThrow('found no flipIndices');
    await expect(
      backend.run(() => model.predict(x, [{ metainfo: { ...metainfo, flipIndices: [0] } }])),
    ).rejects.toThrow('found 1 flipIndices for 3 keypoints');
    x.dispose();
  });
});
