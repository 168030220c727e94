/** Which people a dataset keeps, and what pipelines make of them. */
import { describe, expect, it } from 'vitest';
import { buildCodec } from '../../src/codecs/index.js';
import type { CocoAnnotation, CocoJson } from '../../src/datasets/coco.js';
import { buildDataset } from '../../src/datasets/datasets/index.js';
import type { TransformContext, TransformResults } from '../../src/datasets/transforms/base.js';
import type { PackedResults } from '../../src/datasets/transforms/formatting.js';
import { buildPipeline } from '../../src/datasets/transforms/index.js';
import { seededRandom, truncNorm } from '../../src/datasets/transforms/random.js';
import { warpAffine, warpPerspective, type PixelImage } from '../../src/datasets/transforms/warp_affine.js';
import { ndarray, type NdArray } from '../../src/ndarray.js';

const K = 17;
const joints = (x: number, y: number, v = 2): number[] =>
  Array.from({ length: K }, (_, i) => [x + i, y + i * 2, v]).flat();

function person(id: number, extra: Partial<CocoAnnotation> = {}): CocoAnnotation {
  return {
    id,
    image_id: 7,
    category_id: 1,
    bbox: [10, 10, 40, 60],
    keypoints: joints(20, 15),
    num_keypoints: K,
    area: 1500,
    iscrowd: 0,
    ...extra,
  };
}

const annotations: CocoJson = {
  images: [
    { id: 7, width: 80, height: 64, file_name: 'a.jpg' },
    { id: 8, width: 80, height: 64, file_name: 'b.jpg' },
  ],
  annotations: [
    person(1, { bbox: [-5, 20, 40, 60] }),
    person(2, { iscrowd: 1 }),
    person(3, { num_keypoints: 0 }),
    person(4, { bbox: [90, 10, 20, 20] }),
    person(5, { keypoints: undefined } as Partial<CocoAnnotation>),
    person(6, { keypoints: joints(0, 0).map(() => 0), num_keypoints: 3 }),
    person(9),
  ],
  categories: [{ id: 1, name: 'person' }],
};

describe('CocoDataset', () => {
  it('keeps people with joints, without crowds, boxes clipped to the picture', async () => {
    const dataset = await buildDataset({ type: 'CocoDataset', data_prefix: { img: 'val/' } }, { annotations });
    const infos = [...dataset];
    expect(infos.map(({ id }) => id)).toEqual([1, 9]);
    expect(infos[0].bbox).toEqual(ndarray(Float32Array.of(0, 20, 35, 63), [1, 4]));
    expect(infos[0].imgPath).toBe('val/a.jpg');
    expect(infos[0].keypointsVisible?.data.every((v) => v === 1)).toBe(true);
    expect(infos[0].flipIndices?.[1]).toBe(2);
  });

  it('groups people by picture for bottom-up models', async () => {
    const config = { type: 'CocoDataset', data_mode: 'bottomup', test_mode: true };
    const infos = [...(await buildDataset(config, { annotations }))];
    expect(infos.map(({ imgId }) => imgId)).toEqual([7, 8]);
    expect(infos[0].keypoints?.shape).toEqual([6, K, 2]);
    expect(infos[0].id).toEqual([1, 2, 3, 4, 6, 9]);
    expect(infos[0].invalidSegs).toHaveLength(4);
    expect(infos[1].id).toEqual([]);
  });

  it('takes detected boxes instead, above a score', async () => {
    const detections = [0.9, 0.1].map((score) => ({ image_id: 8, category_id: 1, bbox: [1, 2, 3, 4], score }));
    const config = { type: 'CocoDataset', test_mode: true, filter_cfg: { bbox_score_thr: 0.3 } };
    const infos = [...(await buildDataset(config, { annotations, detections }))];
    expect(infos).toHaveLength(1);
    expect(infos[0].bbox?.data).toEqual(Float32Array.of(1, 2, 4, 6));
    const training = buildDataset({ type: 'CocoDataset' }, { annotations, detections });
    await expect(training).rejects.toThrow(/test_mode false/);
    const typo = buildDataset({ type: 'CocoDataset', test_modee: true }, { annotations });
    await expect(typo).rejects.toThrow(/unknown key "test_modee" Did you mean "test_mode"/);
  });
});

const img: PixelImage = {
  data: Uint8Array.from({ length: 80 * 64 * 3 }, (_, i) => (i * 7919) % 251),
  width: 80,
  height: 64,
  channels: 3,
};
const AUGMENT = [
  { type: 'LoadImage' },
  { type: 'GetBBoxCenterScale' },
  { type: 'RandomFlip', prob: 0.5, direction: 'horizontal' },
  { type: 'RandomHalfBody', prob: 0.9 },
  { type: 'RandomBBoxTransform' },
  { type: 'TopdownAffine', input_size: [48, 64], use_udp: true },
];
const heatmap = { type: 'MSRAHeatmap', input_size: [48, 64], heatmap_size: [12, 16], sigma: 1 };
const simcc = { type: 'SimCCLabel', input_size: [48, 64], sigma: 4, simcc_split_ratio: 2 };
const regression = { type: 'RegressionLabel', input_size: [48, 64] };

async function pack(target: Record<string, unknown>, context: TransformContext = {}): Promise<PackedResults> {
  const pipeline = [...AUGMENT, { type: 'GenerateTarget', ...target }, { type: 'PackPoseInputs' }];
  const random = seededRandom(3);
  const dataset = await buildDataset(
    { type: 'CocoDataset', pipeline },
    { annotations, random, buildEncoder: buildCodec, loadImage: () => img, ...context },
  );
  return (await dataset.get(1)) as PackedResults;
}

describe('pipelines', () => {
  it('give the same sample for the same seed, another for another', async () => {
    const target = { encoder: heatmap };
    expect(await pack(target)).toEqual(await pack(target));
    expect(await pack(target)).not.toEqual(await pack(target, { random: seededRandom(4) }));
  });

  it('pack pixels, annotations, targets and facts', async () => {
    const { inputs, dataSample } = await pack({ encoder: heatmap });
    expect((inputs as NdArray<Uint8Array>).shape).toEqual([64, 48, 3]);
    expect((dataSample.gtFields['heatmaps'] as NdArray).shape).toEqual([K, 16, 12]);
    expect((dataSample.gtInstanceLabels['keypoint_weights'] as NdArray).shape).toEqual([1, K]);
    expect(Object.keys(dataSample.gtInstances).sort()).toEqual(
      ['bboxScales', 'bboxScores', 'bboxes', 'keypoints', 'keypointsVisible'].sort(),
    );
    expect(dataSample.metainfo).toMatchObject({
      id: 9,
      imgId: 7,
      inputSize: [48, 64],
      oriShape: [64, 80],
      datasetName: 'coco',
    });
  });

  it('make all five kinds of target', async () => {
    const shapes = async (target: Record<string, unknown>) => {
      const { dataSample } = await pack(target);
      const all = { ...dataSample.gtFields, ...dataSample.gtInstanceLabels };
      return Object.fromEntries(
        Object.entries(all).map(([k, v]) => [k, Array.isArray(v) ? v.map(({ shape }) => shape) : v.shape]),
      );
    };
    expect(await shapes({ encoder: heatmap, target_type: 'heatmap' })).toMatchObject({ heatmaps: [K, 16, 12] });
    const small = { ...heatmap, heatmap_size: [6, 8] };
    expect(await shapes({ encoder: [heatmap, small], multilevel: true, target_type: 'multilevel_heatmap' })).toEqual({
      heatmaps: [
        [K, 16, 12],
        [K, 8, 6],
      ],
      keypoint_weights: [2, 1, K],
    });
    expect(await shapes({ encoder: regression, target_type: 'keypoint_label' })).toMatchObject({
      keypoint_labels: [1, K, 2],
    });
    expect(await shapes({ encoder: simcc, target_type: 'keypoint_xy_label' })).toMatchObject({
      keypoint_x_labels: [1, K, 96],
      keypoint_y_labels: [1, K, 128],
    });
    expect(await shapes({ encoder: [heatmap, regression], target_type: 'heatmap+keypoint_label' })).toMatchObject({
      heatmaps: [K, 16, 12],
      keypoint_labels: [1, K, 2],
      keypoint_weights: [2, 1, K],
    });
  });

  it('weigh keypoints as the dataset says', async () => {
    const weights = async (use: boolean) => {
      const { dataSample } = await pack({ encoder: heatmap, use_dataset_keypoint_weights: use });
      return (dataSample.gtInstanceLabels['keypoint_weights'] as NdArray).data;
    };
    const [plain, weighted] = [await weights(false), await weights(true)];
    expect(weighted[9]).toBeCloseTo(plain[9] * 1.5, 6);
    expect(weighted[0]).toBe(plain[0]);
  });

  it('name a wrong transform, and what a transform misses', async () => {
    await expect(buildPipeline([{ type: 'TopdownAfine' }])).rejects.toThrow(
      /pipeline\.0\.type.*Did you mean "TopdownAffine"/,
    );
    const bare = await buildPipeline([{ type: 'TopdownAffine', input_size: [48, 64] }]);
    await expect(bare({ img })).rejects.toThrow(/no bboxCenter/);
  });

  it('carry points and boxes through bottom-up augmentation as the picture', async () => {
    const results: TransformResults = {
      img,
      bbox: ndarray(Float32Array.of(10, 12, 30, 40), [1, 4]),
      keypoints: ndarray(Float32Array.of(10, 12, 30, 40), [1, 2, 2]),
      keypointsVisible: ndarray(Float32Array.of(1, 1), [1, 2]),
      area: ndarray(Float32Array.of(560), [1]),
    };
    for (const transform_mode of ['affine', 'affine_udp', 'perspective']) {
      const config = { type: 'BottomupRandomAffine', input_size: [64, 64], transform_mode };
      const out = await (await buildPipeline([config], { random: seededRandom(5) }))(results);
      const corners = out?.bbox as NdArray;
      expect(corners.shape).toEqual([1, 4, 2]);
      expect([...corners.data.slice(0, 2), ...corners.data.slice(6)]).toEqual([...(out?.keypoints?.data ?? [])]);
      expect((out!.img as PixelImage).data).toHaveLength(64 * 64 * 3);
      expect(out?.area?.data[0]).toBeGreaterThan(0);
    }
  });
});

describe('warps', () => {
  it('copy a picture under the identity, ignore alpha, fill the outside', () => {
    const identity = Float64Array.of(1, 0, 0, 0, 1, 0);
    expect(warpAffine(img, identity, [80, 64])).toEqual(img.data);
    expect(warpPerspective(img, [...identity, 0, 0, 1], [80, 64])).toEqual(img.data);
    const rgba = Uint8Array.from({ length: 80 * 64 * 4 }, (_, i) =>
      i % 4 === 3 ? 9 : img.data[(i >> 2) * 3 + (i % 4)],
    );
    const shift = Float64Array.of(0.7, 0.1, 5.3, -0.2, 0.8, 9.1);
    const borderValue = [1, 2, 3];
    const warped = warpAffine(img, shift, [40, 40], { borderValue });
    expect(warpAffine({ ...img, data: rgba, channels: 4 }, shift, [40, 40], { borderValue })).toEqual(warped);
    expect([...warped.slice(0, 3)]).toEqual([1, 2, 3]);
    const gray = Uint8Array.from({ length: 80 * 64 }, (_, i) => img.data[i * 3]);
    const plane = warpAffine({ ...img, data: gray, channels: 1 }, shift, [40, 40], { borderValue: [1] });
    expect(plane).toEqual(warped.filter((_, i) => i % 3 === 0));
    expect(() => warpAffine({ ...img, width: 81 }, shift, [4, 4])).toThrow(/expected 15552/);
  });

  it('survive a matrix without an inverse and one of NaN', () => {
    expect(warpAffine(img, new Float64Array(6), [2, 2])).toHaveLength(12);
    expect(warpAffine(img, new Float64Array(6).fill(NaN), [2, 2])).toHaveLength(12);
  });
});

describe('random numbers', () => {
  it('stay within the truncation and centre on the middle', () => {
    const random = seededRandom(1);
    const values = Array.from({ length: 5000 }, () => truncNorm(random));
    expect(values.every((v) => v >= -1 && v <= 1)).toBe(true);
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const variance = values.reduce((a, b) => a + b * b, 0) / values.length;
    expect(Math.abs(mean)).toBeLessThan(0.03);
    // Of a standard normal cut off at one sigma.
    expect(Math.abs(variance - 0.2911)).toBeLessThan(0.02);
  });
});
