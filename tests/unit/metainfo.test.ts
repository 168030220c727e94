/** Every dataset's meta-info against what MMPose's own `parse_pose_metainfo` makes of its files. */
import { readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { coco as cocoInfo } from '../../src/datasets/metainfo/coco.js';
import {
  DATASET_METAINFO,
  DATASET_TYPE_TO_METAINFO,
  datasetTypeToMetainfo,
  loadPoseMetainfo,
} from '../../src/datasets/metainfo/index.js';
import type { KeypointName } from '../../src/datasets/metainfo/types.js';
import { parsePoseMetainfo, poseMetainfoFromCheckpoint } from '../../src/datasets/utils.js';
import { ndarray } from '../../src/ndarray.js';

interface Parsed {
  dataset_name: string;
  keypoint_names: string[];
  upper_body_ids: number[];
  lower_body_ids: number[];
  flip_indices: number[];
  flip_pairs: number[][];
  keypoint_colors: number[];
  skeleton_links: number[][];
  skeleton_link_colors: number[];
  dataset_keypoint_weights: number[];
  sigmas: number[];
}

const fixture = new URL('../fixtures/metainfo/parsed.json', import.meta.url);
const PARSED: Record<string, Parsed> = JSON.parse(readFileSync(fixture, 'utf8'));

describe('meta-info', () => {
  it('has exactly the recorded datasets', () => {
    // Before any test registers its own.
    expect(DATASET_METAINFO.types().sort()).toEqual(Object.keys(PARSED).sort());
  });

  it.each(Object.entries(PARSED))('%s is parsed as by MMPose', async (name, expected) => {
    const meta = await loadPoseMetainfo(name);
    expect(meta.datasetName).toBe(expected.dataset_name);
    expect(meta.numKeypoints).toBe(expected.keypoint_names.length);
    expect(meta.keypointId2name).toEqual(expected.keypoint_names);
    expect(expected.keypoint_names.map((n) => meta.keypointName2id[n])).toEqual(
      expected.keypoint_names.map((n) => expected.keypoint_names.lastIndexOf(n)),
    );
    expect(meta.flipIndices).toEqual(expected.flip_indices);
    expect(meta.flipPairs).toEqual(expected.flip_pairs);
    expect(meta.upperBodyIds).toEqual(expected.upper_body_ids);
    expect(meta.lowerBodyIds).toEqual(expected.lower_body_ids);
    expect(meta.skeletonLinks).toEqual(expected.skeleton_links);
    expect([...meta.keypointColors]).toEqual(expected.keypoint_colors);
    expect([...meta.skeletonLinkColors]).toEqual(expected.skeleton_link_colors);
    expect(meta.jointWeights).toEqual(Float32Array.from(expected.dataset_keypoint_weights));
    expect(meta.sigmas).toEqual(Float32Array.from(expected.sigmas));
  });

  it('has flip indices that undo themselves, but for one point of DeepFashion2', () => {
    const odd = Object.entries(PARSED).filter(([, { flip_indices: f }]) => f.some((j, i) => f[j] !== i));
    expect(odd.map(([name]) => name)).toEqual(['deepfashion2']);
  });

  it('gives keypoint names as types', () => {
    expectTypeOf<'nose'>().toExtend<KeypointName<typeof cocoInfo>>();
    expectTypeOf<'neck'>().not.toExtend<KeypointName<typeof cocoInfo>>();
  });

  it('knows which dataset uses which, and reads from_file', () => {
    for (const name of Object.values(DATASET_TYPE_TO_METAINFO)) expect(DATASET_METAINFO.has(name)).toBe(true);
    expect(datasetTypeToMetainfo('mmpose.CocoDataset')).toBe('coco');
    expect(datasetTypeToMetainfo({ type: 'DeepFashionDataset', subset: 'upper' })).toBe('deepfashion_upper');
    const combined = { type: 'CombinedDataset', metainfo: { from_file: 'configs/_base_/datasets/halpe26.py' } };
    expect(datasetTypeToMetainfo(combined)).toBe('halpe26');
    expect(datasetTypeToMetainfo('MyDataset')).toBeUndefined();
  });

  it('takes an application’s own, and names what is wrong with it', async () => {
    const hand = {
      dataset_name: 'two',
      keypoint_info: { 0: { name: 'tip', id: 0 }, 1: { name: 'base', id: 1 } },
      skeleton_info: { 0: { link: ['tip', 'base'], id: 0 } },
      joint_weights: [1, 1],
    } as const;
    const meta = await loadPoseMetainfo(hand);
    expect(meta.skeletonLinks).toEqual([[0, 1]]);
    expect([...meta.keypointColors]).toEqual([255, 128, 0, 255, 128, 0]);
    expect([...meta.skeletonLinkColors]).toEqual([96, 96, 255]);
    const typo = { ...hand, skeleton_info: { 0: { link: ['tipp', 'base'], id: 0 } } } as const;
    expect(() => parsePoseMetainfo(typo)).toThrow(
      /two\.skeleton_info\.link: "tipp" is not a keypoint\. Did you mean "tip"\?/,
    );
    DATASET_METAINFO.register('two_points', () => hand);
    expect(await loadPoseMetainfo('two_points')).toEqual(meta);
    await expect(loadPoseMetainfo('cocoo')).rejects.toThrow(/Did you mean "coco"/);
  });

  it('reads the dict that a checkpoint holds, as object or Map', () => {
    const dict = {
      dataset_name: 'two',
      num_keypoints: 2,
      keypoint_id2name: new Map([
        [0, 'a'],
        [1, 'b'],
      ]),
      flip_indices: [1, 0],
      flip_pairs: [
        [1, 0],
        [0, 1],
      ],
      skeleton_links: [[0, 1]],
      keypoint_colors: ndarray(Uint8Array.of(1, 2, 3, 4, 5, 6), [2, 3]),
      skeleton_link_colors: [[7, 8, 9]],
      sigmas: ndarray(Float32Array.of(0.1, 0.2), [2]),
      dataset_keypoint_weights: [1, 1.5],
      upper_body_ids: [0],
      lower_body_ids: [1],
    };
    const meta = poseMetainfoFromCheckpoint(dict);
    expect(meta).toEqual(poseMetainfoFromCheckpoint(new Map(Object.entries(dict))));
    expect(meta).toMatchObject({ numKeypoints: 2, keypointId2name: ['a', 'b'], flipIndices: [1, 0] });
    expect(meta?.keypointColors).toEqual(Uint8Array.of(1, 2, 3, 4, 5, 6));
    expect(meta?.sigmas).toEqual(Float32Array.of(0.1, 0.2));
    expect(poseMetainfoFromCheckpoint({ CLASSES: ['person'] })).toBeNull();
  });
});
