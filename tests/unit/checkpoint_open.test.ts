import { describe, expect, it } from 'vitest';
import { convertStateDict, encodeModelMetadata, encodeSafetensors } from '../../src/checkpoint/index.js';
import { openCheckpoint, type ByteSource, type CheckpointTensor } from '../../src/checkpoint/index.js';
import { CheckpointError, ConfigError, InposeError } from '../../src/errors.js';
import { fixture, fixtureNames } from './checkpoint_files.js';

describe('openCheckpoint', () => {
  it('drops module., and takes state_dict before ema_state_dict, as MMEngine does', async () => {
    const prefixed = await openCheckpoint(fixture('module_prefix.pth'));
    expect([...prefixed.stateDict.keys()][0]).toBe('backbone.conv1.weight');
    const ema = await openCheckpoint(fixture('training_with_ema.pth'));
    expect(ema.stored.map(({ path }) => path)).toEqual([['state_dict'], ['ema_state_dict']]);
    expect(ema.stateDict.has('steps')).toBe(false);
  });

  it('keeps the versions of modules', async () => {
    const { versions } = await openCheckpoint(fixture('with_metadata_and_parameters.pth'));
    expect(versions.get('1')).toBe(2);
  });

  it('gives meta-info with its arrays', async () => {
    const { datasetMeta, meta } = await openCheckpoint(fixture('mmpose1x_published.pth'));
    expect(datasetMeta).toMatchObject({ dataset_name: 'coco', keypoint_colors: { shape: [17, 3] } });
    expect(meta.epoch).toBe(210);
  });

  it('reads the same from a Blob and from a source that gives small pieces', async () => {
    const bytes = fixture('legacy_format.pth');
    const pieces: ByteSource = { size: bytes.length, read: async (start, end) => bytes.slice(start, end) };
    for (const source of [new Blob([bytes]), pieces]) {
      expect((await openCheckpoint(source)).stateDict.size).toBe(8);
    }
  });
});

describe('where the config comes from', () => {
  const explicit = { model: { type: 'Explicit' } };
  const sidecar = '{"model": {"type": "Sidecar"}}';

  it('takes the first of explicit, safetensors, meta.cfg, sidecar', async () => {
    const pth = fixture('mmpose1x_published.pth');
    const inside = await openCheckpoint(pth, { sidecar });
    expect(inside.configOrigin).toBe('meta.cfg');
    expect(inside.config?.model).toMatchObject({ type: 'TopdownPoseEstimator' });
    const given = await openCheckpoint(pth, { config: explicit, sidecar });
    expect(given).toMatchObject({ configOrigin: 'explicit', config: explicit });
    const none = fixture('plain_state_dict.pth');
    expect(await openCheckpoint(none, { sidecar })).toMatchObject({
      configOrigin: 'sidecar',
      config: { model: { type: 'Sidecar' } },
    });
    expect(await openCheckpoint(none)).toMatchObject({ configOrigin: null, config: null, configProblem: null });
    const packed = await encodeSafetensors(inside.stateDict, { metadata: encodeModelMetadata(inside) });
    const reopened = await openCheckpoint(packed, { sidecar });
    expect(reopened.configOrigin).toBe('safetensors');
    expect(reopened.config).toEqual(inside.config);
    expect(reopened.datasetMeta).toEqual(inside.datasetMeta);
  });

  it('accepts Python and JSON text, and says what is wrong with it', async () => {
    const none = fixture('plain_state_dict.pth');
    const { config } = await openCheckpoint(none, { config: "model = dict(type='A')" });
    expect(config).toEqual({ model: { type: 'A' } });
    await expect(openCheckpoint(none, { config: 'model = Build()' })).rejects.toThrow(ConfigError);
    await expect(openCheckpoint(none, { config: '{"model": ' })).rejects.toThrow(ConfigError);
    await expect(openCheckpoint(none, { sidecar: '[1]' })).rejects.toThrow(/expected a whole config/);
  });
});

describe('convertStateDict', () => {
  const tensor = (...values: number[]): CheckpointTensor => ({
    dtype: 'float32',
    shape: [values.length, 1],
    read: async () => Float32Array.from(values),
  });
  const dekr = new Map([
    ['backbone.offset_conv_layers', tensor(1)],
    ['keypoint_head.offset_conv_layers.3.weight', tensor(1, -2)],
    ['keypoint_head.heatmap_conv_layers.2.weight', tensor(1, 2, 3)],
  ]);

  it("converts by the head's class, the head's keys only", async () => {
    const found = convertStateDict(dekr, new Map(), { head: { type: 'mmpose.DEKRHead' } });
    expect([...found.keys()].sort()).toEqual([
      'backbone.offset_conv_layers',
      'head.displacement_conv_layers.3.weight',
      'head.heatmap_conv_layers.2.weight',
    ]);
    expect(await found.get('head.displacement_conv_layers.3.weight')!.read()).toEqual(Float32Array.of(-1, 2));
    expect(await found.get('head.heatmap_conv_layers.2.weight')!.read()).toEqual(Float32Array.of(2, 3, 1));
  });

  it('leaves a file of version 2 alone, also after it became safetensors', async () => {
    const current = new Map([['head.heatmap_conv_layers.2.weight', tensor(1, 2, 3)]]);
    const versions = new Map([
      ['', 2],
      ['head', 2],
    ]);
    const model = { head: { type: 'DEKRHead' } };
    const metadata = encodeModelMetadata({ config: { model }, datasetMeta: null, versions, stateDict: current });
    const reopened = await openCheckpoint(await encodeSafetensors(current, { metadata }));
    const found = convertStateDict(reopened.stateDict, reopened.versions, model);
    expect(await found.get('head.heatmap_conv_layers.2.weight')!.read()).toEqual(Float32Array.of(1, 2, 3));
  });

  it('knows heads without a conversion, and models without a head', () => {
    const keys = (model: Record<string, unknown>) => [...convertStateDict(dekr, new Map(), model).keys()];
    expect(keys({ head: { type: 'RTMCCHead' } })).toContain('head.offset_conv_layers.3.weight');
    expect(keys({ head: null })).toContain('head.offset_conv_layers.3.weight');
    expect(keys({ head: { type: 'constructor' } })).toHaveLength(3);
  });
});

/** mulberry32: the same damage in every run. */
function random(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('damaged files', () => {
  const names = fixtureNames().filter((name) => !/^(bad_|hrnet_tiny)/.test(name));

  async function openAll(bytes: Uint8Array): Promise<void> {
    try {
      const { stateDict } = await openCheckpoint(bytes);
      for (const tensor of stateDict.values()) await tensor.read();
    } catch (error) {
      if (!(error instanceof CheckpointError)) throw error;
      if (!(error instanceof InposeError) || error.message.length < 20)
        throw new Error('no reason given', { cause: error });
    }
  }

  it.each([...names, 'safetensors'])(
    '%s: truncated or with changed bytes, it opens or gives a CheckpointError',
    async (name) => {
      const next = random(name.length * 7919 + name.charCodeAt(0));
      const { stateDict, ...model } = await openCheckpoint(fixture('mmpose1x_published.pth'));
      const metadata = encodeModelMetadata({ ...model, stateDict });
      const good = name === 'safetensors' ? await encodeSafetensors(stateDict, { metadata }) : fixture(name);
      for (let round = 0; round < 60; round++) {
        const bytes = good.slice(0, round % 3 === 0 ? Math.floor(next() * good.length) : good.length);
        const flips = round % 3 === 0 ? 0 : 1 + Math.floor(next() * 4);
        for (let i = 0; i < flips; i++) bytes[Math.floor(next() * bytes.length)] ^= 1 << Math.floor(next() * 8);
        await openAll(bytes);
      }
    },
  );
});
