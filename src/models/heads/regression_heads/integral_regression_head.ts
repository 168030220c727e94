/**
 * Integral pose regression (Sun et al. 2018, https://arxiv.org/abs/1711.08229; MMPose:
 * `mmpose/models/heads/regression_heads/integral_regression_head.py`): a softmax over each heatmap, and the mean position under it.
 * `debias` takes off the pull towards the picture's origin (Gu et al. 2021).
 */
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError, InputError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import type { Conv2d } from '../../../nn/conv.js';
import { Parameter } from '../../../nn/module.js';
import type { PoseDataSample, SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor3D, Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { buildFinalLayer, checkCount } from '../../utils/conv_layer.js';
import { flipCoordinates, flipHeatmaps } from '../../utils/tta.js';
import { BaseHead, type DenseFields, type HeadFeats } from '../base_head.js';
import { HEATMAP_LAYERS_SPEC, HeatmapHead } from '../heatmap_heads/heatmap_head.js';

interface IntegralRegressionHeadConfig {
  readonly in_channels: number;
  readonly in_featuremap_size: readonly [w: number, h: number];
  readonly num_joints: number;
  readonly debias: boolean;
  readonly beta: number;
  readonly deconv_out_channels: readonly number[] | null;
  readonly deconv_kernel_sizes: readonly number[] | null;
  readonly conv_out_channels: readonly number[] | null;
  readonly conv_kernel_sizes: readonly number[] | null;
  readonly final_layer: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  in_featuremap_size: REQUIRED,
  num_joints: REQUIRED,
  debias: false,
  beta: 1,
  ...HEATMAP_LAYERS_SPEC,
  decoder: null,
};

/**
 * Features [N, h, w, C] (the last of the list) -> coordinates [N, K, 2], as fractions of the input, and the heatmaps
 * [N, h', w', K] that they are the means of.
 */
export class IntegralRegressionHead extends BaseHead {
  readonly linspace_x: GridAxis;
  readonly linspace_y: GridAxis;
  /** Present when there are deconvolutions; without them `final_layer` makes the heatmaps. */
  readonly simplebaseline_head: HeatmapHead | null;
  readonly final_layer: Conv2d | null;
  readonly #heatmapSize: readonly [w: number, h: number];
  readonly #debias: boolean;
  readonly #beta: number;

  /** @param spec - further keys of subclasses, with their defaults */
  constructor(
    config: ConfigDict,
    decoder: KeypointCodec | null = null,
    where = 'model.head',
    spec: Readonly<Record<string, unknown>> = {},
  ) {
    super(decoder, where);
    const cfg = readConfig<IntegralRegressionHeadConfig>(config, where, { ...SPEC, ...spec });
    checkCount(cfg.in_channels, `${where}.in_channels`);
    checkCount(cfg.num_joints, `${where}.num_joints`);
    const numDeconvs = cfg.deconv_out_channels?.length ?? 0;
    const [w, h] = readSize(cfg.in_featuremap_size, where);
    this.#heatmapSize = [w * 2 ** numDeconvs, h * 2 ** numDeconvs];
    this.linspace_x = new GridAxis(this.#heatmapSize, 'x');
    this.linspace_y = new GridAxis(this.#heatmapSize, 'y');
    this.simplebaseline_head = numDeconvs > 0 ? heatmapHeadOf(cfg, where) : null;
    const ownLayer = numDeconvs > 0 ? null : cfg.final_layer;
    this.final_layer = buildFinalLayer(ownLayer, cfg.in_channels, cfg.num_joints, `${where}.final_layer`);
    this.#debias = cfg.debias;
    this.#beta = cfg.beta;
  }

  override prepare(): void {
    this.linspace_x.upload();
    this.linspace_y.upload();
  }

  override forward(feats: HeadFeats): [coords: Tensor3D, heatmaps: Tensor4D] {
    const maps = this.#maps(feats);
    const [n, h, w, k] = maps.shape;
    this.#checkSize([w, h]);
    // One row per keypoint, since softmax runs over the last axis: [N, K, h w].
    const rows = tf.transpose(tf.reshape(maps, [n, h * w, k]), [0, 2, 1]) as Tensor3D;
    const shares = tf.softmax(this.#beta === 1 ? rows : tf.mul(rows, this.#beta), 2) as Tensor3D;
    const mean = tf.concat([this.linspace_x.mean(shares), this.linspace_y.mean(shares)], 2);
    const heatmaps = tf.reshape(tf.transpose(shares, [0, 2, 1]), [n, h, w, k]) as Tensor4D;
    return [this.#debias ? debiased(mean, rows) : mean, heatmaps];
  }

  #maps(feats: HeadFeats): Tensor4D {
    if (this.simplebaseline_head) return this.simplebaseline_head.forward(feats)[0];
    const x = feats[feats.length - 1] as Tensor4D;
    return this.final_layer ? this.final_layer.forward(x) : x;
  }

  /** @throws InputError when the heatmaps are not of the size that the config speaks of */
  #checkSize([w, h]: readonly [w: number, h: number]): void {
    const [expectedW, expectedH] = this.#heatmapSize;
    if (w === expectedW && h === expectedH) return;
    throw new InputError(
      `IntegralRegressionHead: found heatmaps of ${w} x ${h}; expected ${expectedW} x ${expectedH}: pictures of another size need another in_featuremap_size.`,
    );
  }

  /** Heatmaps only where they are asked for: they are far larger than the coordinates. */
  override predictTensors(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const outputs = super.predictTensors(feats, samples, testCfg);
    return testCfg.outputHeatmaps ? outputs : outputs.slice(0, 1);
  }

  protected override unflip(
    [coords, heatmaps]: [Tensor3D, Tensor4D],
    meta: SampleMetainfo,
    { shiftCoords, shiftHeatmap }: TestCfg,
  ): [Tensor3D, Tensor4D] {
    const { flipIndices, inputSize } = meta;
    return [
      flipCoordinates(coords, flipIndices, shiftCoords, inputSize),
      flipHeatmaps(heatmaps, { flipIndices, shiftHeatmap }),
    ];
  }

  protected override denseFields([, heatmaps]: readonly NdArray[]): DenseFields | undefined {
    return heatmaps && { heatmaps: { data: heatmaps.data.slice(), shape: heatmaps.shape } };
  }
}

/** The head that makes the heatmaps; it decodes nothing. */
function heatmapHeadOf(cfg: IntegralRegressionHeadConfig, where: string): HeatmapHead {
  const { in_channels, num_joints: out_channels, deconv_out_channels, deconv_kernel_sizes } = cfg;
  const { conv_out_channels, conv_kernel_sizes, final_layer } = cfg;
  const layers = { deconv_out_channels, deconv_kernel_sizes, conv_out_channels, conv_kernel_sizes, final_layer };
  return new HeatmapHead({ type: 'HeatmapHead', in_channels, out_channels, ...layers }, null, where);
}

/** @throws ConfigError unless `size` is two whole numbers from 1 */
function readSize(size: unknown, where: string): readonly [w: number, h: number] {
  const at = `${where}.in_featuremap_size`;
  if (!Array.isArray(size) || size.length !== 2) {
    throw new ConfigError(`${at}: found ${JSON.stringify(size)}; expected [width, height] of the features.`);
  }
  for (const side of size) checkCount(side, at);
  return [size[0], size[1]];
}

/** mean [N, K, 2] of logits [N, K, h w] without what the pixels outside the peak add: C / (C - 1) (mean - 1 / 2 C). */
function debiased(mean: Tensor3D, logits: Tensor3D): Tensor3D {
  const c = tf.sum(tf.exp(logits), 2, true);
  return tf.mul(tf.div(c, tf.sub(c, 1)), tf.sub(mean, tf.div(0.5, c)));
}

/**
 * `linspace_x` or `linspace_y`: where each column or row lies, as a fraction of the map; a `Parameter` in the checkpoint. On the
 * device it is one value per pixel, [h w].
 */
class GridAxis extends Parameter {
  readonly #size: readonly [w: number, h: number];
  readonly #isX: boolean;

  constructor(size: readonly [w: number, h: number], axis: 'x' | 'y') {
    const [w, h] = size;
    const count = axis === 'x' ? w : h;
    const value = Float32Array.from({ length: count }, (_, i) => i / count);
    super(axis === 'x' ? [1, 1, 1, w] : [1, 1, h, 1], { value });
    this.#size = size;
    this.#isX = axis === 'x';
  }

  override upload(): void {
    const [[w, h], steps] = [this.#size, this.value];
    const grid = Float32Array.from({ length: w * h }, (_, i) => steps[this.#isX ? i % w : Math.floor(i / w)]);
    this.uploadAs(grid, [w * h]);
  }

  /** Mean coordinate under shares [N, K, h w]: [N, K, 1]. */
  mean(shares: Tensor3D): Tensor3D {
    return tf.sum(tf.mul(shares, this.tensor), 2, true);
  }
}
