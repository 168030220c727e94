/**
 * RTMO's last layers (MMPose: `DCC` in `heads/hybrid_heads/rtmo_head.py`): keypoints of a person as probabilities over bins that lie
 * across the person's own box. They run only for the few candidates that are left.
 */
import { readConfig, REQUIRED } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { Linear } from '../../../nn/linear.js';
import { Module, Parameter } from '../../../nn/module.js';
import { BatchNorm2d } from '../../../nn/norm.js';
import type { NdArray } from '../../../ndarray.js';
import * as tf from '../../../tf.js';
import type { Tensor2D, Tensor3D } from '../../../tf.js';
import { checkCount } from '../../utils/conv_layer.js';
import { Scale, RTMCCBlock } from '../../utils/rtmcc_block.js';
import { FixedParameter, SinePositionalEncoding } from '../../utils/transformer.js';

interface DccConfig {
  readonly in_channels: number;
  readonly feat_channels: number;
  readonly num_bins: readonly [x: number, y: number];
  readonly spe_channels: number;
  readonly spe_temperature: number;
  readonly gau_cfg: Readonly<Record<string, unknown>> | null;
}

const SPEC = {
  in_channels: REQUIRED,
  feat_channels: REQUIRED,
  num_bins: REQUIRED,
  spe_channels: 128,
  spe_temperature: 300,
  // Set by the head.
  num_keypoints: null,
  gau_cfg: { s: 128, expansion_factor: 2, act_fn: 'SiLU', pos_enc: 'add' },
};

interface GauConfig {
  readonly s: number;
  readonly expansion_factor: number;
  readonly act_fn: string;
  readonly bias: boolean;
  readonly pos_enc: string;
}

const GAU_SPEC = {
  ...{ s: 128, expansion_factor: 2, eps: 1e-5, dropout_rate: 0, drop_path: 0, act_fn: 'SiLU', bias: false },
  ...{ pos_enc: 'none', spatial_dim: 1, use_rel_bias: false },
};

/** What is known of the candidates, N each. px, input space */
export interface DccInput {
  /** [N, C] */
  readonly poseVecs: NdArray;
  /** [N, 2] middles and sizes of the padded boxes, and the cells that found them. */
  readonly centers: NdArray;
  readonly scales: NdArray;
  readonly grids: NdArray;
}

/** Dynamic coordinate classifier. */
export class DCC extends Module<Tensor2D, Tensor3D> {
  readonly gau: RTMCCBlock | null;
  readonly pos_enc: Parameter | null;
  readonly pose_to_kpts: readonly [Linear, BatchNorm2d];
  readonly x_fc: Linear;
  readonly y_fc: Linear;
  readonly x_bins: Parameter;
  readonly y_bins: Parameter;
  readonly spe: SinePositionalEncoding;
  /** Sigmas are for the loss. */
  readonly sigma_fc: readonly [Linear, null, Scale];
  /** Length of a pose vector. */
  readonly inChannels: number;
  readonly #numKeypoints: number;
  readonly #featChannels: number;
  readonly #speChannels: number;

  constructor(config: Readonly<Record<string, unknown>>, numKeypoints: number, where: string) {
    super();
    const cfg = readConfig<DccConfig>(config, where, SPEC);
    const { in_channels: inChannels, feat_channels: feat, spe_channels: spe } = cfg;
    checkCount(inChannels, `${where}.in_channels`);
    checkCount(feat, `${where}.feat_channels`);
    checkCount(spe / 2, `${where}.spe_channels / 2`);
    for (const bins of cfg.num_bins) checkCount(bins, `${where}.num_bins`);
    const gau = cfg.gau_cfg && readGauConfig(cfg.gau_cfg, `${where}.gau_cfg`);
    this.inChannels = inChannels;
    this.#numKeypoints = numKeypoints;
    this.#featChannels = feat;
    this.#speChannels = spe;
    this.gau = gau && buildGau(numKeypoints, feat, gau);
    this.pos_enc = gau?.pos_enc === 'add' ? new Parameter([numKeypoints, gau.s]) : null;
    this.pose_to_kpts = [new Linear(inChannels, feat * numKeypoints), new BatchNorm2d(feat * numKeypoints)];
    this.x_fc = new Linear(spe, feat);
    this.y_fc = new Linear(spe, feat);
    [this.x_bins, this.y_bins] = cfg.num_bins.map((count) => new FixedParameter(linspace(count)));
    this.spe = new SinePositionalEncoding(spe, { temperature: cfg.spe_temperature });
    this.sigma_fc = [new Linear(inChannels, numKeypoints), null, new Scale(null)];
  }

  override prepare(): void {
    const [linear, norm] = this.pose_to_kpts;
    foldNorm(linear, norm);
    const [sigma, , scale] = this.sigma_fc;
    for (const unused of [sigma.weight, sigma.bias!, scale.scale, this.x_fc.bias!, this.y_fc.bias!]) unused.drop();
    this.pos_enc?.upload();
  }

  /** What `forward` takes, [N, length]: each candidate's pose vector and its encoded bins, one after the other. */
  pack({ poseVecs, centers, scales, grids }: DccInput): NdArray {
    const [n, width] = poseVecs.shape;
    const axes = [this.x_bins, this.y_bins].map(({ value }) => value.length);
    const length = width + (axes[0] + axes[1]) * this.#speChannels;
    const data = new Float32Array(n * length);
    for (let i = 0, to = 0; i < n; i++) {
      data.set(poseVecs.data.subarray(i * width, (i + 1) * width), to);
      to += width;
      for (const [axis, bins] of axes.entries()) {
        const at = i * 2 + axis;
        const scale = scales.data[at];
        const start = Math.fround(centers.data[at] - grids.data[at]) - scale / 2;
        this.spe.line(start, scale / (bins - 1), bins, data, to);
        to += bins * this.#speChannels;
      }
    }
    return { data, shape: [n, length] };
  }

  /**
   * @param packed - from `pack`
   * @returns [N, K, 2]: place in the padded box, from -0.5 (left, top) to 0.5; in the caller's tidy
   */
  override forward(packed: Tensor2D): Tensor3D {
    const n = packed.shape[0];
    const axes = [
      { bins: this.x_bins.value, fc: this.x_fc },
      { bins: this.y_bins.value, fc: this.y_fc },
    ];
    const sizes = axes.map(({ bins }) => bins.length * this.#speChannels);
    const [poseVecs, ...encodings] = tf.split<Tensor2D>(packed, [this.inChannels, ...sizes], 1);
    const vecs = this.pose_to_kpts[0].forward(poseVecs);
    const tokens = tf.reshape(vecs, [n, this.#numKeypoints, this.#featChannels]) as Tensor3D;
    const mixed = this.gau ? this.gau.forward(tokens, this.pos_enc?.tensor ?? null) : tokens;
    const places = axes.map(({ bins, fc }, i) => {
      const encoded = tf.reshape(encodings[i], [n, bins.length, this.#speChannels]) as Tensor3D;
      return expectedBin(mixed, fc.weight.tensor as Tensor2D, encoded, bins);
    });
    return tf.concat(places, 2);
  }
}

/**
 * Scores of keypoints [N, K, F] for bins are products with the bins' encodings [N, B, C] after a linear layer. The layer is applied to
 * the keypoints instead, which are fewer; its bias adds the same to all bins of a keypoint, which the softmax does not see.
 *
 * @param weight - of the layer, [C, F]
 * @returns mean of the bins by probability, [N, K, 1]
 */
function expectedBin(keypoints: Tensor3D, weight: Tensor2D, encoded: Tensor3D, bins: Float32Array): Tensor3D {
  const [n, k, feat] = keypoints.shape;
  const flat = tf.reshape(keypoints, [n * k, feat]);
  const projected = tf.reshape(tf.matMul(flat, weight, false, true), [n, k, weight.shape[0]]) as Tensor3D;
  const probabilities = tf.softmax(tf.matMul(projected, encoded, false, true) as Tensor3D, 2);
  const rows = tf.reshape(probabilities, [n * k, bins.length]);
  return tf.reshape(tf.matMul(rows, tf.tensor2d(bins, [bins.length, 1])), [n, k, 1]);
}

function readGauConfig(config: Readonly<Record<string, unknown>>, where: string): GauConfig {
  const gau = readConfig<GauConfig>(config, where, GAU_SPEC);
  if (gau.pos_enc === 'add' || gau.pos_enc === 'none') return gau;
  throw new ConfigError(`${where}.pos_enc: found ${JSON.stringify(gau.pos_enc)}; expected "add" or "none".`);
}

/** MMPose's `GAUEncoder` is RTMPose's unit without learned distances, with positions added. */
function buildGau(numKeypoints: number, feat: number, gau: GauConfig): RTMCCBlock {
  const { s, expansion_factor: expansionFactor, act_fn: actFn, bias } = gau;
  return new RTMCCBlock(numKeypoints, feat, feat, { s, expansionFactor, actFn, bias, useRelBias: false });
}

/** -0.5 to 0.5. */
function linspace(count: number): Float32Array {
  return Float32Array.from({ length: count }, (_, i) => i / (count - 1) - 0.5);
}

function foldNorm(linear: Linear, norm: BatchNorm2d): void {
  const { scale, shift } = norm.affine();
  const [weight, bias] = [linear.weight.value, linear.bias!.value];
  const width = weight.length / bias.length;
  for (let i = 0; i < weight.length; i++) weight[i] *= scale[Math.floor(i / width)];
  for (let o = 0; o < bias.length; o++) bias[o] = bias[o] * scale[o] + shift[o];
  norm.markFolded();
}
