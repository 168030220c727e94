/** Wrong configs and checkpoints of networks: the message names the place, what was found, and what is expected. */
import { expect, test } from 'vitest';
import type { StateDict } from '../../src/checkpoint/state_dict.js';
import { ConfigError } from '../../src/errors.js';
import { BACKBONES } from '../../src/models/backbones/index.js';
import { NECKS } from '../../src/models/necks/index.js';
import { loadStateDict } from '../../src/nn/load_state_dict.js';
import { namedParameters, type AnyModule } from '../../src/nn/module.js';

const stage = (branches: number, extra = {}) => ({
  num_modules: 1,
  num_branches: branches,
  block: 'BASIC',
  num_blocks: Array.from({ length: branches }, () => 1),
  num_channels: Array.from({ length: branches }, (_, i) => 8 * 2 ** i),
  ...extra,
});
const hrnet = (extra = {}) => ({
  type: 'HRNet',
  extra: { stage1: stage(1), stage2: stage(2), stage3: stage(3), stage4: stage(4), ...extra },
});
const lite = (spec = {}) => ({
  type: 'LiteHRNet',
  extra: {
    stem: { stem_channels: 16, out_channels: 16, expand_ratio: 1 },
    num_stages: 1,
    stages_spec: {
      ...{ num_modules: [1], num_branches: [2], num_blocks: [1], module_type: ['LITE'], with_fuse: [true] },
      ...{ reduce_ratios: [8], num_channels: [[16, 32]] },
      ...spec,
    },
    with_head: true,
  },
});

const windowed = (branches: number, extra = {}) => {
  const each = (value: number) => Array.from({ length: branches }, () => value);
  const keys = { num_heads: each(1), window_sizes: each(7), mlp_ratios: each(4) };
  return stage(branches, { block: 'HRFORMERBLOCK', ...keys, ...extra });
};
const hrformer = (extra = {}) => ({
  type: 'HRFormer',
  extra: {
    stage1: stage(1, { block: 'BOTTLENECK' }),
    ...{ stage2: windowed(2), stage3: windowed(3), stage4: windowed(4) },
    ...extra,
  },
});
const SMALL = { embed_dims: 384, num_layers: 1, num_heads: 12, feedforward_channels: 1536 };
const vit = (extra = {}) => ({
  ...{ type: 'VisionTransformer', arch: SMALL, img_size: [256, 192], with_cls_token: false, out_type: 'featmap' },
  ...extra,
});

const WRONG: readonly [config: { type: string }, message: RegExp][] = [
  [hrnet({ stage2: stage(2, { num_block: 4 }) }), /extra\.stage2: unknown key "num_block" Did you mean "num_blocks"\?/],
  [hrnet({ stage3: stage(3, { num_blocks: [1, 1] }) }), /extra\.stage3: found 3 branches, num_blocks \[1, 1\]/],
  [hrnet({ stage4: stage(4, { block: 'BASICS' }) }), /extra\.stage4\.block: found "BASICS"; expected "BASIC"/],
  [hrnet({ upsample: { mode: 'bicubic' } }), /extra\.upsample\.mode: found "bicubic"/],
  [{ type: 'HRNet' }, /"extra" is missing/],
  [{ ...hrnet(), conv_cfg: { type: 'DCNv2' } } as never, /conv_cfg: found .*DCNv2/],
  [{ ...hrnet(), norm_cfg: { type: 'GN', num_groups: 4 } } as never, /found "GN"/],
  [lite({ module_type: ['HEAVY'] }), /module_type\[0\]: found "HEAVY"/],
  [lite({ num_channels: [[16]] }), /num_channels\[0\]: found \[16\]; expected 2 numbers/],
  [{ type: 'ResNet', depth: 20 } as never, /depth: found 20; expected one of 18, 34/],
  [{ type: 'ResNet', depth: 50, out_indices: [4] } as never, /out_indices: found \[4\]; expected 0 to 3/],
  [{ type: 'ResNet', depth: 50, strides: [1, 2] } as never, /strides \[1, 2\]/],
  [{ type: 'ResNet', depth: 50, style: 'torch' } as never, /style: found "torch"/],
  [{ type: 'ResNetV1d', depth: 50, deep_stem: true } as never, /unknown key "deep_stem"/],
  [{ type: 'CSPNeXt', arch: 'P7' } as never, /arch: found "P7"/],
  [{ type: 'CSPNeXt', act_cfg: { type: 'SiLu' } } as never, /act_cfg\.type: found "SiLu".*Did you mean "SiLU"\?/],
  [{ type: 'CSPNeXt', out_indices: [5] } as never, /out_indices: found \[5\]; expected 0 to 4/],
  [{ type: 'PyramidVisionTransformer', num_layers: [3, 4] } as never, /num_layers: found \[3,4\]; expected 4 numbers/],
  [{ type: 'PyramidVisionTransformer', num_heads: [1, 2, 5, 0] } as never, /num_heads\.3: found 0/],
  [{ type: 'PyramidVisionTransformer', norm_cfg: { type: 'BN' } } as never, /norm_cfg\.type: found "BN"; expected LN/],
  [{ type: 'PyramidVisionTransformerV2', patch_sizes: [4, 2, 2, 2] } as never, /unknown key "patch_sizes"/],
  [vit({ out_type: 'cls_token' }), /out_type: found "cls_token"; only "featmap" is supported/],
  [vit({ with_cls_token: true }), /with_cls_token: found true; only false is supported/],
  [vit({ arch: 'tiny' }), /arch: found "tiny"; expected one of small, base/],
  [vit({ arch: { embed_dims: 384, num_layers: 12, num_heads: 12 } }), /arch: "feedforward_channels" is missing/],
  [vit({ arch: { ...SMALL, num_heads: 7 } }), /arch\.num_heads: found 7 heads for 384 channels/],
  [vit({ patch_cfg: { padding: 'same' } }), /patch_cfg\.padding: found "same"/],
  [vit({ img_size: [256, 0] }), /img_size: found 0/],
  [{ type: 'SwinTransformer', num_heads: [3, 6] } as never, /num_heads: found \[3,6\]; expected 4 numbers/],
  [{ type: 'SwinTransformer', num_heads: [3, 6, 12, 25] } as never, /num_heads\.3: found 25 heads for 768 channels/],
  [{ type: 'SwinTransformer', strides: [4, 2, 2, 1] } as never, /strides: found .*; expected \[4, 2, 2, 2\]/],
  [{ type: 'SwinTransformer', use_abs_pos_embed: true } as never, /use_abs_pos_embed: found true; only false/],
  [{ type: 'SwinTransformer', window_size: 0 } as never, /window_size: found 0/],
  [hrformer({ with_pad_mask: true }), /extra\.with_pad_mask: found true; only false is supported/],
  [hrformer({ stage2: stage(2) }), /extra\.stage2: "num_heads" is missing; "window_sizes" is missing/],
  [hrformer({ stage1: stage(1) }), /extra\.stage1\.block: found "BASIC"; expected "BOTTLENECK"/],
  [hrformer({ stage3: windowed(3, { mlp_ratios: [4, 4] }) }), /extra\.stage3\.mlp_ratios: found \[4,4\]; expected a/],
  [hrformer({ stage4: windowed(4, { num_heads: [1, 2, 4, 7] }) }), /num_heads: found 7 heads for 64 channels/],
];

test.each(WRONG)('%# %o', async (config, message) => {
  const Class = await BACKBONES.get(config.type, 'model.backbone.type');
  const build = () => new Class(config, 'model.backbone');
  expect(build).toThrow(ConfigError);
  expect(build).toThrow(message);
});

test('keys that only training reads are accepted', async () => {
  const ResNet = await BACKBONES.get('mmpose.models.ResNet', 'type');
  const training = { frozen_stages: -1, norm_eval: false, with_cp: true, init_cfg: {}, zero_init_residual: true };
  expect(() => new ResNet({ type: 'ResNet', depth: 18, ...training })).not.toThrow();
});

test('necks', async () => {
  const Neck = await NECKS.get('FeatureMapProcessor', 'type');
  expect(() => new Neck({ scale_factor: 0 }, 'model.neck')).toThrow(/model\.neck\.scale_factor: found 0/);
  expect(() => new Neck({ select: 0 }, 'model.neck')).toThrow(/unknown key "select"/);
});

test('a checkpoint that does not fit is reported whole', async () => {
  const HRNet = await BACKBONES.get('HRNet', 'type');
  const model: AnyModule = new HRNet(hrnet());
  const keys = [...namedParameters(model)];
  expect(keys.map(([key]) => key)).toContain('stage3.0.fuse_layers.2.0.1.0.weight');
  const entries = keys.map(([key, { shape }]) => {
    return [key, { dtype: 'float32' as const, shape, read: () => Promise.resolve(new Float32Array(1)) }] as const;
  });
  const renamed = entries.map(([key, tensor], i) => {
    if (key === 'conv1.weight') return ['conv0.weight', tensor] as const;
    return i === 5 ? ([key, { ...tensor, shape: [1, 2, 3] }] as const) : ([key, tensor] as const);
  });
  const file: StateDict = new Map(renamed);
  const error: unknown = await loadStateDict(model, file, { source: 'a.pth' }).catch((e: unknown) => e);
  expect(String(error)).toMatch(/a\.pth: .*does not fit/);
  for (const part of [
    'Missing keys (1):\n  conv1.weight',
    'Unexpected keys (1):\n  conv0.weight',
    'checkpoint [1, 2, 3]',
  ]) {
    expect(String(error)).toContain(part);
  }
});
