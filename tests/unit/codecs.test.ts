/** Codecs as their users meet them: built from configs, with readable errors, and leaving their inputs alone. */
import { describe, expect, test } from 'vitest';
import { KEYPOINT_CODECS, buildCodec } from '../../src/codecs/index.js';
import { SimCCLabel } from '../../src/codecs/simcc_label.js';
import { SPR } from '../../src/codecs/spr.js';
import { UDPHeatmap } from '../../src/codecs/udp_heatmap.js';
import { ConfigError, InputError } from '../../src/errors.js';
import { type NdArray, zeros } from '../../src/ndarray.js';

describe('KEYPOINT_CODECS', () => {
  const minimal: Record<string, object> = {
    MSRAHeatmap: { input_size: [32, 32], heatmap_size: [8, 8], sigma: 2 },
    UDPHeatmap: { input_size: [32, 32], heatmap_size: [8, 8] },
    MegviiHeatmap: { input_size: [32, 32], heatmap_size: [8, 8], kernel_size: 5 },
    SimCCLabel: { input_size: [32, 32] },
    RegressionLabel: { input_size: [32, 32] },
    IntegralRegressionLabel: { input_size: [32, 32], heatmap_size: [8, 8], sigma: 2 },
    AssociativeEmbedding: { input_size: [32, 32], heatmap_size: [8, 8] },
    SPR: { input_size: [32, 32], heatmap_size: [8, 8] },
    DecoupledHeatmap: { input_size: [32, 32], heatmap_size: [8, 8] },
    YOLOXPoseAnnotationProcessor: {},
    EDPoseLabel: {},
    Hand3DHeatmap: {},
    ImagePoseLifting: { num_keypoints: 17 },
    MotionBERTLabel: { num_keypoints: 17 },
    VideoPoseLifting: { num_keypoints: 17 },
  };

  test('every registered codec builds from a minimal config', async () => {
    expect(KEYPOINT_CODECS.types().sort()).toEqual(Object.keys(minimal).sort());
    for (const type of KEYPOINT_CODECS.types()) await buildCodec({ type, ...minimal[type] });
  });

  test('errors name the place, what was found and what to do', async () => {
    const build = (config: object) => buildCodec({ type: 'SimCCLabel', ...config }, 'model.head.decoder');
    await expect(buildCodec({ type: 'SimCCLable' }, 'model.head.decoder')).rejects.toThrow(
      /model\.head\.decoder\.type: "SimCCLable".*Did you mean "SimCCLabel"/,
    );
    await expect(build({})).rejects.toThrow(/model\.head\.decoder: "input_size" is missing/);
    await expect(build({ input_size: [192] })).rejects.toThrow(/model\.head\.decoder\.input_size: found \[192\]/);
    await expect(build({ input_size: [192, 256], sigmas: 6 })).rejects.toThrow(/"sigmas".*Did you mean "sigma"/);
    await expect(build({ input_size: [192, 256], sigma: -1 })).rejects.toThrow(/sigma: found -1/);
  });
});

describe('SimCCLabel', () => {
  test('refuses smoothing of Gaussian labels and weights outside 0..1', () => {
    const input_size = [64, 64] as const;
    expect(() => new SimCCLabel({ input_size, label_smooth_weight: 0.1 })).toThrow(ConfigError);
    expect(() => new SimCCLabel({ input_size, smoothing_type: 'standard', label_smooth_weight: 1.5 })).toThrow(
      ConfigError,
    );
    expect(() => new SimCCLabel({ input_size, smoothing_type: 'nope' as 'standard' })).toThrow(ConfigError);
  });
});

describe('decode', () => {
  test('leaves its inputs as they were', () => {
    const maps = ramp([3, 16, 12]);
    const kept = maps.data.slice();
    new UDPHeatmap({ input_size: [48, 64], heatmap_size: [12, 16] }).decode(maps);
    expect(maps.data).toEqual(kept);
    const x = ramp([1, 2, 64]);
    const keptX = x.data.slice();
    new SimCCLabel({ input_size: [32, 32], use_dark: true, decode_visibility: true }).decode(x, ramp([1, 2, 64]));
    expect(x.data).toEqual(keptX);
  });

  test('says which shape it wants', () => {
    const codec = new UDPHeatmap({ input_size: [48, 64], heatmap_size: [12, 16], heatmap_type: 'combined' });
    expect(() => codec.decode(zeros([16, 12]))).toThrow(InputError);
    expect(() => codec.decode(zeros([4, 16, 12]))).toThrow(/found 4 maps; expected 3 per keypoint/);
    const spr = new SPR({ input_size: [32, 32], heatmap_size: [8, 8] });
    expect(() => spr.decode(zeros([1, 8, 8]), zeros([4, 8, 7]))).toThrow(InputError);
  });
});

/** Values that rise by 0.001. */
function ramp(shape: number[]): NdArray {
  const array = zeros(shape);
  array.data.forEach((_, i) => (array.data[i] = i * 0.001));
  return array;
}
