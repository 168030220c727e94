/**
 * An application's own backbone, head, codec, metric and meta-info, from outside: everything here comes from the library's index
 * and from tfjs, and nothing of the library is changed.
 */
import * as tf from '@tensorflow/tfjs-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  BACKBONES,
  BaseHead,
  buildBackbone,
  buildCodec,
  buildHead,
  buildMetric,
  chain,
  ConfigError,
  ConvModule,
  Conv2d,
  createBackend,
  DATASET_METAINFO,
  encodeSafetensors,
  HEADS,
  KEYPOINT_CODECS,
  loadPoseMetainfo,
  METRICS,
  Module,
  namedParameters,
  ndarray,
  Pose2DInferencer,
  prepareModule,
  disposeModule,
  type Backend,
  type ConfigDict,
  type DatasetInfo,
  type DecodedKeypoints,
  type EncodedLabels,
  type EvalSample,
  type Feats,
  type HeadFeats,
  type KeypointCodec,
  type NdArray,
  type StateDict,
} from '../../src/index.js';

/** Two strided convolutions: [N, h, w, 3] -> one map [N, h / 4, w / 4, channels]. */
class TwoStepNet extends Module<tf.Tensor4D, Feats> {
  readonly layers: readonly ConvModule[];

  constructor(config: Readonly<Record<string, unknown>>, where = 'TwoStepNet') {
    super();
    const { channels } = config;
    if (typeof channels !== 'number') throw new ConfigError(`${where}.channels: found nothing; expected a number.`);
    const options = { stride: 2, padding: 1, normCfg: { type: 'BN' } };
    this.layers = [new ConvModule(3, channels, 3, options), new ConvModule(channels, channels, 3, options)];
  }

  override forward(x: tf.Tensor4D): Feats {
    return [chain(this.layers, x)];
  }
}

/** One point per keypoint, the centre of mass of its map: [N, h, w, C] -> [N, K, 2] as fractions of the map. */
class CentreHead extends BaseHead {
  readonly conv: Conv2d;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'CentreHead') {
    super(decoder, where);
    this.conv = new Conv2d(config.in_channels as number, config.num_joints as number, 1);
  }

  override forward(feats: HeadFeats): [coords: tf.Tensor3D] {
    const maps = this.conv.forward(feats[0] as tf.Tensor4D);
    const [n, h, w, k] = maps.shape;
    const weights = tf.softmax(tf.transpose(tf.reshape(maps, [n, h * w, k]), [0, 2, 1]));
    const centres = Array.from({ length: h * w }, (_, i) => [((i % w) + 0.5) / w, (Math.floor(i / w) + 0.5) / h]);
    const coords = tf.matMul(tf.reshape(weights, [n * k, h * w]), tf.tensor2d(centres as [number, number][]));
    return [tf.reshape(coords, [n, k, 2])];
  }

  protected override unflip([coords]: [tf.Tensor3D], meta: { flipIndices: readonly number[] }): [tf.Tensor3D] {
    const [x, y] = tf.split(coords, 2, 2);
    return [tf.gather(tf.concat([tf.sub(1, x), y], 2), [...meta.flipIndices], 1) as tf.Tensor3D];
  }
}

/** Coordinates as fractions of the input; every keypoint is certain. */
class FractionLabel implements KeypointCodec {
  readonly inputSize: readonly [number, number];
  readonly encodedNames = ['fractions'];

  constructor(config: Readonly<Record<string, unknown>>) {
    this.inputSize = config.input_size as [number, number];
  }

  encode(keypoints: NdArray): EncodedLabels {
    return {
      fractions: ndarray(
        keypoints.data.map((v, i) => v / this.inputSize[i % 2]),
        keypoints.shape,
      ),
    };
  }

  decode(fractions: NdArray): DecodedKeypoints {
    const [n, k] = fractions.shape;
    return {
      keypoints: ndarray(
        fractions.data.map((v, i) => v * this.inputSize[i % 2]),
        fractions.shape,
      ),
      scores: ndarray(new Float32Array(n * k).fill(1), [n, k]),
    };
  }
}

/** Share of persons whose first keypoint lies within 5 px. */
class FirstPointHit {
  readonly #hits: number[] = [];

  process(samples: readonly EvalSample[]): void {
    for (const { predInstances, gtInstances } of samples) {
      const [found, truth] = [predInstances.keypoints.data, gtInstances!.keypoints!.data];
      this.#hits.push(Math.hypot(found[0] - truth[0], found[1] - truth[1]) < 5 ? 1 : 0);
    }
  }

  evaluate(): Record<string, number> {
    return { hit: this.#hits.reduce((a, b) => a + b, 0) / this.#hits.length };
  }
}

const KITE = {
  dataset_name: 'kite',
  paper_info: {},
  keypoint_info: {
    0: { name: 'top', id: 0, color: [255, 0, 0], type: 'upper', swap: '' },
    1: { name: 'left_wing', id: 1, color: [0, 255, 0], type: 'upper', swap: 'right_wing' },
    2: { name: 'right_wing', id: 2, color: [0, 0, 255], type: 'upper', swap: 'left_wing' },
  },
  skeleton_info: { 0: { link: ['left_wing', 'right_wing'], id: 0, color: [9, 9, 9] } },
  joint_weights: [1, 1, 1],
  sigmas: [0.05, 0.05, 0.05],
} as const satisfies DatasetInfo;

const CODEC = { type: 'FractionLabel', input_size: [32, 48] };
const MODEL = {
  type: 'TopdownPoseEstimator',
  data_preprocessor: { type: 'PoseDataPreprocessor', mean: [0, 0, 0], std: [255, 255, 255], bgr_to_rgb: true },
  backbone: { type: 'TwoStepNet', channels: 4 },
  head: { type: 'CentreHead', in_channels: 4, num_joints: 3, decoder: CODEC },
  test_cfg: { flip_test: true },
};

let backend: Backend;
beforeAll(async () => {
  BACKBONES.register('TwoStepNet', () => TwoStepNet);
  HEADS.register('CentreHead', () => Promise.resolve(CentreHead));
  KEYPOINT_CODECS.register('FractionLabel', () => FractionLabel);
  METRICS.register('FirstPointHit', () => FirstPointHit);
  DATASET_METAINFO.register('kite', () => KITE);
  backend = await createBackend('cpu');
});
afterAll(() => backend.dispose());

describe('an application brings its own', () => {
  it('backbone', async () => {
    const net = (await buildBackbone({ type: 'TwoStepNet', channels: 4 })) as TwoStepNet;
    expect([...namedParameters(net).keys()]).toContain('layers.0.conv.weight');
    const shape = backend.run(() => {
      prepareModule(net);
      return tf.tidy(() => net.forward(tf.zeros([2, 48, 32, 3]))[0].shape);
    });
    expect(shape).toEqual([2, 12, 8, 4]);
    backend.run(() => disposeModule(net));
    await expect(buildBackbone({ type: 'TwoStepNet' })).rejects.toThrow(/backbone.channels/);
    expect(() => BACKBONES.register('TwoStepNet', () => TwoStepNet)).toThrow(/registered already/);
  });

  it('head, which gets its decoder built', async () => {
    const head = await buildHead({ ...MODEL.head });
    expect(head.decoder).toBeInstanceOf(FractionLabel);
    const [values] = backend.run(() => {
      prepareModule(head);
      return tf.tidy(() => head.forward([tf.zeros([1, 4, 2, 4])]).map((x) => [...x.shape]));
    });
    expect(values).toEqual([1, 3, 2]);
    backend.run(() => disposeModule(head));
  });

  it('codec', async () => {
    const codec = await buildCodec(CODEC);
    const keypoints = ndarray(Float32Array.of(16, 12, 8, 48), [1, 2, 2]);
    const encoded = codec.encode(keypoints);
    expect([...encoded.fractions.data]).toEqual([0.5, 0.25, 0.25, 1]);
    expect([...codec.decode(encoded.fractions as NdArray).keypoints.data]).toEqual([...keypoints.data]);
  });

  it('metric', async () => {
    const metric = await buildMetric({ type: 'FirstPointHit' });
    const at = (x: number) => ({ keypoints: ndarray(Float32Array.of(x, 0), [1, 1, 2]) });
    metric.process([
      { predInstances: at(10), gtInstances: at(12) },
      { predInstances: at(10), gtInstances: at(90) },
    ]);
    expect(metric.evaluate()).toEqual({ hit: 0.5 });
  });

  it('meta-info', async () => {
    const meta = await loadPoseMetainfo('kite');
    expect(meta).toMatchObject({ datasetName: 'kite', numKeypoints: 3, flipIndices: [0, 2, 1] });
  });

  it('and a picture goes through all of them', async () => {
    const inferencer = await Pose2DInferencer.create({
      config: MODEL,
      checkpoint: await weights(),
      metainfo: 'kite',
      backend,
      warmup: false,
    });
    const pixels = new Uint8ClampedArray(64 * 64 * 4).fill(255);
    const image = { data: pixels, width: 64, height: 64, channels: 4 } as const;
    const { predInstances } = await inferencer.infer(image, { bboxes: [[8, 8, 40, 56]] });
    const { keypoints, keypointScores } = predInstances!;
    expect(keypoints.shape).toEqual([1, 3, 2]);
    expect([...keypointScores.data]).toEqual([1, 1, 1]);
    // A flip test makes the centre of mass symmetric: the middle of the box, and the wings at equal distance from it.
    expect(keypoints.data[0]).toBeCloseTo(24, 3);
    expect(keypoints.data[2] + keypoints.data[4]).toBeCloseTo(48, 3);
    expect(keypoints.data[2]).not.toBeCloseTo(keypoints.data[4], 3);
    await inferencer.dispose();
  });
});

/** Weights for all parameters, different for each. */
async function weights(): Promise<Uint8Array<ArrayBuffer>> {
  const parts = [
    ['backbone', await buildBackbone(MODEL.backbone)],
    ['head', await buildHead({ ...MODEL.head })],
  ] as const;
  const stateDict: StateDict = new Map(
    parts.flatMap(([part, module]) =>
      [...namedParameters(module)].map(([name, { shape }]) => {
        const size = shape.reduce((a, b) => a * b, 1);
        const positive = name.endsWith('running_var');
        const data = Float32Array.from({ length: size }, (_, i) => (positive ? 1 : Math.sin(1 + i * 1.7)));
        return [`${part}.${name}`, { dtype: 'float32', shape, read: async () => data }] as const;
      }),
    ),
  );
  return encodeSafetensors(stateDict);
}
