/**
 * DEKR (MMPose: `mmpose/models/heads/hybrid_heads/dekr_head.py`, https://arxiv.org/abs/2104.02300): heatmaps of keypoints and of the
 * middles of persons, and from each pixel the way to the keypoints.
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { nearbyJointsNms } from '../../../evaluation/functional/nms.js';
import { row, type NdArray } from '../../../ndarray.js';
import { Conv2d } from '../../../nn/conv.js';
import { ConvModule } from '../../../nn/conv_module.js';
import { DeformConv2d } from '../../../nn/deform_conv.js';
import { foldBatchNorm } from '../../../nn/fold.js';
import { chain, Module, Parameter } from '../../../nn/module.js';
import { BatchNorm2d, type NormCfg } from '../../../nn/norm.js';
import type { PoseDataSample, SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor4D } from '../../../tf.js';
import { BasicBlock } from '../../backbones/resnet.js';
import type { TestCfg } from '../../test_cfg.js';
import { checkCount } from '../../utils/conv_layer.js';
import { FixedParameter } from '../../utils/transformer.js';
import { flipHeatmaps } from '../../utils/tta.js';
import { sampleOf, type HeadFeats } from '../base_head.js';
import { BottomupHead, requireFlipIndices, type PictureOutputs, type PicturePrediction } from '../bottomup_head.js';

const BN: NormCfg = { type: 'BN' };

/** Rows and columns of the nine taps, and ones. */
const REGULAR = [
  [-1, -1, -1, 0, 0, 0, 1, 1, 1],
  [-1, 0, 1, -1, 0, 1, -1, 0, 1],
  [1, 1, 1, 1, 1, 1, 1, 1, 1],
];

/** A convolution whose nine taps are moved by an affine matrix that each pixel predicts, per group; norm, shortcut, ReLU. */
class AdaptiveActivationBlock extends Module {
  readonly regular_matrix: Parameter = new FixedParameter(Float32Array.from(REGULAR.flat()), [3, 9]);
  readonly transform_matrix_conv: Conv2d;
  readonly adapt_conv: DeformConv2d;
  readonly norm: BatchNorm2d;
  readonly #groups: number;

  constructor(channels: number, groups: number) {
    super();
    this.#groups = groups;
    this.transform_matrix_conv = new Conv2d(channels, 6 * groups, 3, { padding: 1, groups });
    this.adapt_conv = new DeformConv2d(channels, channels, groups);
    this.norm = new BatchNorm2d(channels);
  }

  override prepare(): void {
    foldBatchNorm(this.adapt_conv, this.norm);
  }

  override forward(x: Tensor4D): Tensor4D {
    return tf.tidy(() => {
      const [n, h, w] = x.shape;
      const matrices = tf.reshape(this.transform_matrix_conv.forward(x), [n * h * w * this.#groups, 6]);
      const offsets = tf.reshape(tf.matMul(matrices, tapsOfMatrix()), [n, h, w, this.#groups * 18]) as Tensor4D;
      return tf.relu(tf.add(this.adapt_conv.forward(x, offsets), x));
    });
  }
}

/** [6, 18]: from a matrix of two rows to y and x of each tap. */
function tapsOfMatrix(): tf.Tensor2D {
  const data = new Float32Array(6 * 18);
  for (let axis = 0; axis < 2; axis++) {
    for (let column = 0; column < 3; column++) {
      for (let tap = 0; tap < 9; tap++) data[(axis * 3 + column) * 18 + tap * 2 + axis] = REGULAR[column][tap];
    }
  }
  return tf.tensor2d(data, [6, 18]);
}

/** `torch.nn.Linear` for a few rows at a time, on the CPU: its parameters stay where they are. */
class HostLinear extends Module<Float32Array, Float32Array> {
  readonly weight: Parameter;
  readonly bias: Parameter;

  constructor(inFeatures: number, outFeatures: number) {
    super();
    this.weight = new Parameter([outFeatures, inFeatures]);
    this.bias = new Parameter([outFeatures]);
  }

  override forward(x: Float32Array): Float32Array {
    const weight = this.weight.value;
    return this.bias.value.map((bias, o) => {
      let sum = bias;
      for (let i = 0; i < x.length; i++) sum += weight[o * x.length + i] * x[i];
      return sum;
    });
  }
}

interface RescoreConfig {
  readonly in_channels: number;
  readonly norm_indexes: readonly [number, number];
}

/** How much of a person a pose looks like, from the directions and lengths of its limbs. */
class RescoreNet extends Module<never, never> {
  readonly l1: HostLinear;
  readonly l2: HostLinear;
  readonly l3: HostLinear;
  readonly #normIndexes: readonly [number, number];
  readonly #features: number;

  constructor(config: Readonly<Record<string, unknown>>, where: string) {
    super();
    const cfg = readConfig<RescoreConfig>(config, where, { in_channels: REQUIRED, norm_indexes: REQUIRED });
    checkCount(cfg.in_channels, `${where}.in_channels`);
    this.#features = cfg.in_channels;
    this.#normIndexes = cfg.norm_indexes;
    this.l1 = new HostLinear(cfg.in_channels, 256);
    this.l2 = new HostLinear(256, 256);
    this.l3 = new HostLinear(256, 1);
  }

  override forward(): never {
    throw new ConfigError('RescoreNet: has no forward; call score().');
  }

  /**
   * @param keypoints - [K, 2] of one person, px
   * @param scores - [K]
   */
  score(
    keypoints: NdArray<Float32Array | Float64Array>,
    scores: NdArray,
    links: readonly (readonly [number, number])[],
  ): number {
    const { data } = keypoints;
    const ways = links.map(([a, b]) => [data[a * 2] - data[b * 2], data[a * 2 + 1] - data[b * 2 + 1]]);
    const lengths = ways.map(([x, y]) => Math.hypot(x, y));
    const [i, j] = this.#normIndexes;
    const torso = Math.max((lengths[i] + lengths[j]) / 2, 1);
    const features = [...ways.flat().map((v) => v / torso), ...lengths.map((v) => v / torso), ...scores.data];
    if (features.length !== this.#features) {
      throw new ConfigError(
        `rescore_cfg.in_channels: found ${this.#features} for ${links.length} limbs and ${scores.data.length} keypoints; expected ${features.length}.`,
      );
    }
    const relu = (x: Float32Array) => x.map((v) => Math.max(v, 0));
    const hidden = relu(this.l2.forward(relu(this.l1.forward(Float32Array.from(features)))));
    const score = this.l3.forward(hidden)[0];
    return Number.isNaN(score) ? 0 : score;
  }
}

interface DEKRHeadConfig {
  readonly in_channels: number;
  readonly num_keypoints: number;
  readonly num_heatmap_filters: number;
  readonly num_displacement_filters_per_keypoint: number;
  readonly rescore_cfg: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  num_keypoints: REQUIRED,
  num_heatmap_filters: 32,
  num_displacement_filters_per_keypoint: 15,
  ...{ heatmap_loss: null, displacement_loss: null, decoder: null, rescore_cfg: null },
};

/** Features [N, h, w, C] (the last of the list) -> heatmaps [N, h, w, K + 1], persons last, and displacements [N, h, w, 2 K]. */
export class DEKRHead extends BottomupHead {
  readonly heatmap_conv_layers: readonly [ConvModule, BasicBlock, Conv2d];
  readonly displacement_conv_layers: readonly [ConvModule, AdaptiveActivationBlock, AdaptiveActivationBlock, Conv2d];
  readonly rescore_net: RescoreNet | null;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<DEKRHeadConfig>(config, where, SPEC);
    const { in_channels: inChannels, num_keypoints: k, num_heatmap_filters: filters } = cfg;
    for (const key of ['in_channels', 'num_keypoints', 'num_heatmap_filters'] as const)
      checkCount(cfg[key], `${where}.${key}`);
    const displaced = k * cfg.num_displacement_filters_per_keypoint;
    checkCount(displaced, `${where}.num_displacement_filters_per_keypoint`);
    this.heatmap_conv_layers = [
      new ConvModule(inChannels, filters, 1, { normCfg: BN }),
      new BasicBlock(filters, filters, {
        stride: 1,
        dilation: 1,
        normCfg: BN,
        expansion: 1,
        style: 'pytorch',
        downsample: null,
      }),
      new Conv2d(filters, k + 1, 1),
    ];
    this.displacement_conv_layers = [
      new ConvModule(inChannels, displaced, 1, { normCfg: BN }),
      new AdaptiveActivationBlock(displaced, k),
      new AdaptiveActivationBlock(displaced, k),
      new Conv2d(displaced, 2 * k, 1, { groups: k }),
    ];
    this.rescore_net = cfg.rescore_cfg && new RescoreNet(cfg.rescore_cfg, `${where}.rescore_cfg`);
  }

  override forward(feats: HeadFeats): [heatmaps: Tensor4D, displacements: Tensor4D] {
    const x = feats[feats.length - 1] as Tensor4D;
    return [chain(this.heatmap_conv_layers, x), chain(this.displacement_conv_layers, x)];
  }

  override predictTensors(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const outputs = this.forward(feats);
    if (!testCfg.flipTest) return outputs;
    const [heatmaps, displacements] = outputs.map((maps) => tf.split<Tensor4D>(maps, 2, 0));
    const { metainfo } = samples[0];
    const mean = (original: Tensor4D, mirrored: Tensor4D) => tf.mul(tf.add(original, mirrored), 0.5) as Tensor4D;
    return [
      mean(heatmaps[0], this.#unflipHeatmaps(heatmaps[1], metainfo, testCfg)),
      mean(displacements[0], this.#unflipDisplacements(displacements[1], metainfo)),
    ];
  }

  #unflipHeatmaps(heatmaps: Tensor4D, meta: SampleMetainfo, { shiftHeatmap }: TestCfg): Tensor4D {
    const partners = requireFlipIndices(meta, this.where);
    return flipHeatmaps(heatmaps, { flipIndices: [...partners, partners.length], shiftHeatmap });
  }

  /** A pixel's mirror image lies one input pixel off, which is part of a pixel of the map. */
  #unflipDisplacements(displacements: Tensor4D, meta: SampleMetainfo): Tensor4D {
    const flipIndices = requireFlipIndices(meta, this.where);
    const flipped = flipHeatmaps(displacements, { flipIndices, flipMode: 'offset', shiftHeatmap: false });
    const scale = meta.inputSize[0] / displacements.shape[2];
    const amendment = Float32Array.from({ length: flipped.shape[3] }, (_, c) =>
      c % 2 === 0 ? (scale - 1) / scale : 0,
    );
    return tf.add(flipped, tf.tensor1d(amendment));
  }

  override predictPicture({ outputs, sample, testCfg }: PictureOutputs): Promise<PicturePrediction> {
    if (!this.decoder) {
      throw new ConfigError(`${this.where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const [heatmaps, displacements] = outputs.map(({ data, shape }) => sampleOf(data, shape, 0));
    const decoded = this.decoder.decode(heatmaps, displacements);
    const { rootScores } = decoded as typeof decoded & { readonly rootScores: NdArray };
    const { keypoints, scores: keypointScores } = decoded;
    const persons = this.#rescored(keypoints, keypointScores, rootScores.data, sample.metainfo);
    const keep = suppressed(keypoints, keypointScores, testCfg);
    const [, k] = keypoints.shape;
    const scores = Float32Array.from({ length: keep.length * k }, (_, i) => {
      const person = keep[Math.floor(i / k)];
      return persons[person] * keypointScores.data[person * k + (i % k)];
    });
    const points = keep.flatMap((person) => Array.from(row(keypoints, person).data));
    return Promise.resolve({
      keypoints: { data: Float32Array.from(points), shape: [keep.length, k, 2] },
      keypointScores: { data: scores, shape: [keep.length, k] },
      ...(testCfg.outputHeatmaps && { fields: { heatmaps } }),
    });
  }

  #rescored(
    keypoints: NdArray<Float32Array | Float64Array>,
    scores: NdArray,
    roots: Float32Array,
    { skeletonLinks }: SampleMetainfo,
  ): Float32Array {
    const net = this.rescore_net;
    if (!net || !skeletonLinks?.length) return roots;
    return roots.map((root, i) => root * net.score(row(keypoints as NdArray, i), row(scores, i), skeletonLinks));
  }
}

/** Persons that are left, best first where something was suppressed. */
function suppressed(
  keypoints: NdArray<Float32Array | Float64Array>,
  scores: NdArray,
  { nmsDistThr, nmsJointsThr, maxNumPeople }: TestCfg,
): number[] {
  const n = keypoints.shape[0];
  if (n === 0 || !(nmsDistThr !== null && nmsDistThr > 0)) return Array.from({ length: n }, (_, i) => i);
  const candidates = Array.from({ length: n }, (_, i) => ({
    keypoints: row(keypoints as NdArray, i),
    score: row(scores, i).data,
  }));
  return nearbyJointsNms(candidates, {
    ...{ distThr: nmsDistThr, numNearbyJointsThr: nmsJointsThr, scorePerJoint: true, maxDets: maxNumPeople ?? 30 },
  });
}
