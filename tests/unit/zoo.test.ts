/** The published models: facts that hold together, found by every name they have, and used where a file says nothing itself. */
import { beforeAll, describe, expect, it } from 'vitest';
import { Pose2DInferencer } from '../../src/apis/inferencers/pose2d_inferencer.js';
import { initDetector } from '../../src/apis/detection.js';
import { initModel } from '../../src/apis/inference.js';
import {
  bottomupResize,
  findMetainfo,
  liftingSequence,
  metainfoMismatch,
  outputMetainfo,
  topdownPipeline,
} from '../../src/apis/model_config.js';
import { findModel, listModels, mainResult, publishedConfig, type ZooModel } from '../../src/apis/zoo.js';
import { loadPoseMetainfo } from '../../src/datasets/metainfo/index.js';
import { selectKeypoints } from '../../src/datasets/select_keypoints.js';
import { CheckpointError, ConfigError } from '../../src/errors.js';
import { buildPoseEstimator } from '../../src/models/builder.js';
import { buildDetector } from '../../src/models/detectors/build_detector.js';
import { zeroWeights } from '../support/zero_weights.js';

let models: readonly ZooModel[];
beforeAll(async () => {
  models = await listModels();
});

describe('the list', () => {
  it('has a name of its own for every model, alias and weights file', () => {
    expect(models).toHaveLength(364);
    const names = models.flatMap(({ name, aliases }) => [name, ...aliases]);
    expect(new Set(names).size).toBe(names.length);
    expect(new Set(models.map(({ weights }) => weights)).size).toBe(364);
    for (const { weights } of models) expect(weights).toMatch(/^https:\/\/[^?#]+\.pth$/);
  });

  it('has configs that say how pictures are cropped, and which keypoints come out', async () => {
    for (const { name, config, inputSize, numKeypoints, task } of models) {
      if (task === 'Detection') continue;
      const notices: string[] = [];
      const metainfo = await findMetainfo(undefined, null, config, notices);
      expect([name, ...notices, metainfoMismatch(config, metainfo)]).toEqual([name, null]);
      expect(outputMetainfo(config, metainfo).numKeypoints, name).toBe(numKeypoints);
      if (config.model.type === 'TopdownPoseEstimator')
        expect(topdownPipeline(config).affine.inputSize).toEqual(inputSize);
      else if (config.model.type === 'BottomupPoseEstimator')
        expect(bottomupResize(config).inputSize).toEqual(inputSize);
      else expect(liftingSequence(config).seqLen, name).toBeGreaterThan(0);
    }
  });

  it('is searched by words, and tells each model’s accuracy', async () => {
    const found = await listModels({ words: ' ViTPose  BASE coco-256' });
    expect(found.map((model) => [model.aliases.at(-1), mainResult(model)])).toEqual([
      ['vitpose-b', 'AP 0.756 (COCO)'],
      [undefined, 'AP 0.757 (COCO)'],
    ]);
    expect(await listModels({ words: 'octopus' })).toEqual([]);
    for (const model of models) expect(mainResult(model)).toMatch(/^[\w@. -]+ [\d.]+ \(.+\)$/);
  });

  it('agrees with MMPose about some', () => {
    const facts = (name: string) => {
      const { task, trainingData, numKeypoints, inputSize, results, config } = models.find((m) => m.name === name)!;
      return { task, trainingData, numKeypoints, inputSize, result: results[0].metrics, head: config.model.head };
    };
    expect(facts('rtmpose-m_8xb256-420e_coco-256x192')).toMatchObject({
      ...{ task: 'Body 2D Keypoint', trainingData: 'COCO', numKeypoints: 17, inputSize: [192, 256] },
      ...{ result: { AP: 0.746 }, head: { type: 'RTMCCHead', decoder: { type: 'SimCCLabel', use_dark: false } } },
    });
    // The index calls this one by the name of another.
    expect(facts('rtmpose-m_8xb64-210e_crowdpose-256x192')).toMatchObject({ numKeypoints: 14, result: { AP: 0.706 } });
    expect(facts('video-pose-lift_tcn-27frm-supv_8xb128-160e_h36m')).toMatchObject({ inputSize: null });
  });
});

describe('findModel', () => {
  it.each([
    ['td-hm_hrnet-w32_8xb64-210e_coco-256x192', 'td-hm_hrnet-w32_8xb64-210e_coco-256x192'],
    ['human', 'rtmpose-m_8xb256-420e_body8-256x192'],
    ['face', 'rtmpose-m_8xb256-120e_face6-256x256'],
    ['hrnet_w32_coco_512x512-bcb8c247_20200816.pth', 'ae_hrnet-w32_8xb24-300e_coco-512x512'],
    [
      'https://example.org/a/HRNET_w32_coco_512x512-bcb8c247_20200816 (2).safetensors?v=1',
      'ae_hrnet-w32_8xb24-300e_coco-512x512',
    ],
  ])('%s', async (name, expected) => {
    expect((await findModel(name)).name).toBe(expected);
  });

  it('names the nearest', async () => {
    await expect(findModel('rtmpose-m_8xb256-420e_coco-256x182')).rejects.toThrow(
      'model: "rtmpose-m_8xb256-420e_coco-256x182" is not a published model. Did you mean "rtmpose-m_8xb256-420e_coco-256x192"?',
    );
    await expect(findModel('')).rejects.toThrow(ConfigError);
  });
});

describe('publishedConfig', () => {
  it('knows files by their names, and others not', async () => {
    const { config } = await findModel('rtmo-s_8xb32-600e_coco-640x640');
    expect(await publishedConfig('/home/me/rtmo-s_8xb32-600e_coco-640x640-8db55a59_20231211.pth')).toEqual(config);
    for (const name of ['checkpoint', 'model.pth', '']) expect(await publishedConfig(name)).toBeNull();
  });
});

describe('initDetector', () => {
  it('knows published files, too', async () => {
    const { config, inputSize, weights } = await findModel('rtmdet_nano_320-8xb32_coco-person');
    const detector = await buildDetector(config.model);
    const file = new File([await zeroWeights(detector)], weights.slice(weights.lastIndexOf('/') + 1));
    const model = await initDetector(null, file, { backend: 'cpu' });
    expect(model.letterbox.inputSize).toEqual(inputSize);
    await model.dispose();
  });
});

describe('initModel', () => {
  it('says of a published detector that it is one', async () => {
    const { config } = await findModel('rtmdet_nano_320-8xb32_hand');
    await expect(initModel(config, null, { backend: 'cpu' })).rejects.toThrow(/found "RTMDet", a detector/);
  });

  const NAME = 'td-hm_vipnas-mbv3_8xb64-210e_coco-256x192';

  it('takes the config of the model whose file it is, where the file says nothing, and tells so', async () => {
    const published = await findModel(NAME);
    const fileName = published.weights.slice(published.weights.lastIndexOf('/') + 1);
    const bytes = await zeroWeights(await buildPoseEstimator(published.config.model));
    const inferencer = await Pose2DInferencer.create({ checkpoint: new File([bytes], fileName), backend: 'cpu' });
    expect(inferencer.model.config).toEqual(published.config);
    expect(inferencer.metainfo).toEqual(await loadPoseMetainfo('coco'));
    expect(inferencer.model.notices).toEqual([
      `${fileName} has no config; MMPose's config of the published model of this name is used.`,
    ]);
    await inferencer.dispose();
    await expect(initModel(null, new File([bytes], 'mine.safetensors'), { backend: 'cpu' })).rejects.toThrow(
      /^config: found none, neither given nor in mine\.safetensors/,
    );
    const other = new File([bytes], 'td-hm_vipnas-res50_8xb64-210e_coco-256x192-35d4bff9_20220917.pth');
    await expect(initModel(null, other, { backend: 'cpu' })).rejects.toThrow(CheckpointError);
  });

  it('gives the keypoints that come out their own names, of a network that knows more', async () => {
    const { config } = await findModel('cspnext-tiny_udp_8xb256-210e_aic-coco-256x192');
    const model = await initModel(config, null, { backend: 'cpu', metainfo: 'coco_aic' });
    const coco = await loadPoseMetainfo('coco');
    expect(model.metainfo.keypointId2name).toEqual(coco.keypointId2name);
    expect(model.metainfo.flipIndices).toEqual(coco.flipIndices);
    expect(model.estimator.metainfo).toEqual(await loadPoseMetainfo('coco_aic'));
    await model.dispose();
  });

  it('takes coordinates for what they are, in a lifter whose dataset is known', async () => {
    const { config } = await findModel('human3d');
    const small = { ...config.model, backbone: { ...(config.model.backbone as object), depth: 1 } };
    const model = await initModel({ ...config, model: small }, null, { backend: 'cpu' });
    expect(model.metainfo.datasetName).toBe('h36m');
    await model.dispose();
  });
});

describe('selectKeypoints', () => {
  it('keeps links and colours whose ends stay, under their new numbers', async () => {
    const coco = await loadPoseMetainfo('coco');
    // left and right shoulder, left elbow, left hip
    const some = selectKeypoints(coco, [6, 5, 7, 11]);
    expect(some).toMatchObject({
      ...{ numKeypoints: 4, keypointId2name: ['right_shoulder', 'left_shoulder', 'left_elbow', 'left_hip'] },
      keypointName2id: { right_shoulder: 0, left_shoulder: 1, left_elbow: 2, left_hip: 3 },
      ...{
        flipIndices: [1, 0, 2, 3],
        flipPairs: [
          [0, 1],
          [1, 0],
        ],
        upperBodyIds: [1, 0, 2],
        lowerBodyIds: [3],
      },
    });
    expect(some.skeletonLinks).toEqual([
      [1, 3],
      [1, 0],
      [1, 2],
    ]);
    const colorOf = (info: typeof coco, a: string, b: string) => {
      const ids = [a, b].map((name) => info.keypointName2id[name]);
      const link = info.skeletonLinks.findIndex((ends) => ends.every((end) => ids.includes(end)));
      return info.skeletonLinkColors.slice(3 * link, 3 * link + 3);
    };
    const ends = ['left_shoulder', 'left_elbow'] as const;
    expect(colorOf(some, ...ends)).toEqual(colorOf(coco, ...ends));
    expect([...some.sigmas]).toEqual([6, 5, 7, 11].map((i) => coco.sigmas[i]));
    expect(() => selectKeypoints(coco, [0, 17])).toThrow(/found 17; expected indices below 17/);
  });
});
