/**
 * CID (MMPose: `mmpose/models/heads/heatmap_heads/cid_head.py`, https://arxiv.org/abs/2204.13903): the middles of persons from one heatmap,
 * then for each person found a set of heatmaps of its own. What does not depend on who was found is computed for the whole map; the
 * rest runs per person.
 */
import { readTensor } from '../../../backend/readback.js';
import type { KeypointCodec } from '../../../codecs/base.js';
import { readConfig, REQUIRED, type ConfigDict } from '../../../config.js';
import { ConfigError } from '../../../errors.js';
import { zeros, type NdArray } from '../../../ndarray.js';
import { Conv2d } from '../../../nn/conv.js';
import { Linear } from '../../../nn/linear.js';
import { Module } from '../../../nn/module.js';
import { AvgPool2d } from '../../../nn/pool.js';
import type { PoseDataSample, SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor, Tensor2D, Tensor4D } from '../../../tf.js';
import type { TestCfg } from '../../test_cfg.js';
import { checkCount } from '../../utils/conv_layer.js';
import { sampleOf, type HeadFeats } from '../base_head.js';
import { BottomupHead, requireFlipIndices, type PictureOutputs, type PicturePrediction } from '../bottomup_head.js';

/** Persons whose heatmaps are made together: what they need on the backend is bounded then. */
const MAX_BATCH = 8;

/** MMPose clamps all heatmaps to this distance from 0 and 1. */
const CLAMP_DELTA = 1e-4;

/** Pixels that the offsets from a person's middle are measured in. */
const OFFSET_UNIT = 32;

function truncSigmoid(x: Tensor4D): Tensor4D {
  return tf.clipByValue(tf.sigmoid(x), CLAMP_DELTA, 1 - CLAMP_DELTA);
}

/** Mean of maps and of maps blurred by a box. */
function smoothHeatmaps(maps: Tensor4D, kernel: number): Tensor4D {
  const blur = new AvgPool2d(kernel, { stride: 1, padding: Math.floor((kernel - 1) / 2) });
  return tf.mul(tf.add(maps, blur.forward(maps)), 0.5);
}

/** Where persons are. */
class IIAModule extends Module {
  readonly keypoint_root_conv: Conv2d;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.keypoint_root_conv = new Conv2d(inChannels, outChannels, 1);
  }

  /** Features -> heatmap of middles [N, h, w, 1]; the others only matter to training. */
  override forward(feats: Tensor4D): Tensor4D {
    const maps = this.keypoint_root_conv.forward(feats);
    return truncSigmoid(tf.slice(maps, [0, 0, 0, maps.shape[3] - 1], [-1, -1, -1, 1]));
  }
}

class ChannelAttention extends Module<Tensor, Tensor> {
  readonly atn: Linear;

  constructor(inChannels: number, outChannels: number) {
    super();
    this.atn = new Linear(inChannels, outChannels);
  }

  override forward(x: Tensor): Tensor {
    return this.atn.forward(x);
  }
}

class SpatialAttention extends ChannelAttention {
  readonly conv: Conv2d;

  constructor(inChannels: number, outChannels: number) {
    super(inChannels, outChannels);
    this.conv = new Conv2d(3, 1, 5, { padding: 2 });
  }
}

/** What persons need of one picture. */
interface Persons {
  /** [N, C] features of channel and spatial attention. */
  readonly channel: NdArray;
  readonly spatial: NdArray;
  /** [N, 2] x, y, pixels of the map. */
  readonly coords: NdArray;
}

/** Heatmaps of each person. */
class GFDModule extends Module<Tensor4D, Tensor4D[]> {
  readonly conv_down: Conv2d;
  readonly channel_attention: ChannelAttention;
  readonly spatial_attention: SpatialAttention;
  readonly fuse_attention: Conv2d;
  readonly heatmap_conv: Conv2d;

  constructor(inChannels: number, outChannels: number, gfdChannels: number) {
    super();
    this.conv_down = new Conv2d(inChannels, gfdChannels, 1);
    this.channel_attention = new ChannelAttention(inChannels, gfdChannels);
    this.spatial_attention = new SpatialAttention(inChannels, gfdChannels);
    this.fuse_attention = new Conv2d(gfdChannels * 2, gfdChannels, 1);
    this.heatmap_conv = new Conv2d(gfdChannels, outChannels, 1);
  }

  /** Features -> features of the whole map, and what both attentions make of a person at each pixel: three times [N, h, w, C]. */
  override forward(feats: Tensor4D): Tensor4D[] {
    const attentions = [this.channel_attention, this.spatial_attention];
    return [this.conv_down.forward(feats), ...attentions.map((attention) => attention.forward(feats) as Tensor4D)];
  }

  /** @returns [N, h, w, K]; in the caller's tidy */
  heatmapsOf(globalFeats: NdArray, { channel, spatial, coords }: Persons): Tensor4D {
    const [, h, w, channels] = globalFeats.shape;
    const n = coords.shape[0];
    const feats = tf.tensor4d(globalFeats.data, [1, h, w, channels]);
    const byChannel = tf.mul(feats, tf.tensor4d(channel.data, [n, 1, 1, channels])) as Tensor4D;
    const flat = tf.reshape(feats, [h * w, channels]) as Tensor2D;
    const sums = tf.matMul(tf.tensor2d(spatial.data, [n, channels]), flat, false, true);
    const places = tf.tensor4d(relativeCoords(coords, h, w), [n, h, w, 2]);
    const seen = tf.concat([tf.reshape(sums, [n, h, w, 1]), places], 3) as Tensor4D;
    const mask = tf.sigmoid(this.spatial_attention.conv.forward(seen));
    const fused = this.fuse_attention.forward(tf.concat([byChannel, tf.mul(feats, mask)], 3) as Tensor4D, 'relu');
    return truncSigmoid(this.heatmap_conv.forward(fused));
  }
}

/** From each pixel's middle to the person, [N, h, w, 2]. */
function relativeCoords({ data, shape: [n] }: NdArray, h: number, w: number): Float32Array {
  const out = new Float32Array(n * h * w * 2);
  for (let i = 0, at = 0; i < n; i++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++, at += 2) {
        out[at] = (data[i * 2] - (x + 0.5)) / OFFSET_UNIT;
        out[at + 1] = (data[i * 2 + 1] - (y + 0.5)) / OFFSET_UNIT;
      }
    }
  }
  return out;
}

interface CIDHeadConfig {
  readonly in_channels: number;
  readonly gfd_channels: number;
  readonly num_keypoints: number;
}

const SPEC = {
  ...{ in_channels: REQUIRED, gfd_channels: REQUIRED, num_keypoints: REQUIRED, prior_prob: 0.01 },
  ...{ coupled_heatmap_loss: null, decoupled_heatmap_loss: null, contrastive_loss: null, decoder: null },
};

/**
 * Features [N, h, w, C] (the last of the list) -> heatmap of middles, features of the map, attention to channels and to places at each
 * pixel; with a flip test the latter three of the mirrored picture follow in the channels.
 */
export class CIDHead extends BottomupHead {
  readonly iia_module: IIAModule;
  readonly gfd_module: GFDModule;
  readonly #numKeypoints: number;

  constructor(config: ConfigDict, decoder: KeypointCodec | null = null, where = 'model.head') {
    super(decoder, where);
    const cfg = readConfig<CIDHeadConfig>(config, where, SPEC);
    const { in_channels: inChannels, gfd_channels: gfdChannels, num_keypoints: k } = cfg;
    checkCount(inChannels, `${where}.in_channels`);
    checkCount(gfdChannels, `${where}.gfd_channels`);
    checkCount(k, `${where}.num_keypoints`);
    this.#numKeypoints = k;
    this.iia_module = new IIAModule(inChannels, k + 1);
    this.gfd_module = new GFDModule(inChannels, k, gfdChannels);
  }

  override forward(feats: HeadFeats): Tensor4D[] {
    const x = feats[feats.length - 1] as Tensor4D;
    return tf.tidy(() => [this.iia_module.forward(x), ...this.gfd_module.forward(x)]);
  }

  override predictTensors(feats: HeadFeats, _samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const outputs = this.forward(feats);
    if (!testCfg.flipTest) return outputs;
    // All layers so far look at one pixel, so their outputs can be turned back instead of the features.
    const [[middles, mirrored], ...others] = outputs.map((maps) => {
      const [original, flipped] = tf.split<Tensor4D>(maps, 2, 0);
      return [original, tf.reverse(flipped, 2)];
    });
    return [tf.mul(tf.add(middles, mirrored), 0.5), ...others.map((pair) => tf.concat(pair, 3))];
  }

  override async predictPicture(picture: PictureOutputs): Promise<PicturePrediction> {
    const { outputs, sample, testCfg } = picture;
    if (!this.decoder) {
      throw new ConfigError(`${this.where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const [, h, w] = outputs[0].shape;
    const { coords, scores } = findMiddles(outputs[0], testCfg);
    const n = scores.length;
    const heatmaps = await this.#heatmaps(picture, coords);
    const decoded = this.decoder.decode(heatmaps, { data: scores, shape: [n, 1] });
    const { inputSize } = sample.metainfo;
    const keypoints = Float32Array.from(decoded.keypoints.data, (v, i) => {
      const axis = i % 2;
      return v + inputSize[axis] / [w, h][axis] / 2;
    });
    return {
      keypoints: { data: keypoints, shape: [n, this.#numKeypoints, 2] },
      keypointScores: decoded.scores,
      ...(testCfg.outputHeatmaps && {
        fields: { heatmaps: { data: heatmaps.data, shape: [n * this.#numKeypoints, h, w] } },
      }),
    };
  }

  /** [N, K, h, w] */
  async #heatmaps({ outputs, sample, testCfg, backend }: PictureOutputs, coords: NdArray): Promise<NdArray> {
    const [, h, w] = outputs[0].shape;
    const [n, k] = [coords.shape[0], this.#numKeypoints];
    const all = zeros([n, k, h, w]);
    for (let first = 0; first < n; first += MAX_BATCH) {
      const count = Math.min(MAX_BATCH, n - first);
      const maps = backend.run(() =>
        tf.tidy(() => this.#batch(outputs, rowsOf(coords, first, count), sample.metainfo, testCfg)),
      );
      try {
        const data = await readTensor(maps);
        for (let i = 0; i < count; i++) all.data.set(sampleOf(data, maps.shape, i).data, (first + i) * k * h * w);
      } finally {
        maps.dispose();
      }
    }
    return all;
  }

  #batch(outputs: readonly NdArray[], coords: NdArray, meta: SampleMetainfo, testCfg: TestCfg): Tensor4D {
    const kernel = testCfg.blurKernelSize ?? 3;
    if (!testCfg.flipTest) return smoothHeatmaps(this.#ofPicture(outputs, coords, 0, 1), kernel);
    const original = this.#ofPicture(outputs, coords, 0, 2);
    const partners = tf.tensor1d(requireFlipIndices(meta, this.where) as number[], 'int32');
    const mirrored = tf.gather(this.#ofPicture(outputs, coords, 1, 2), partners, 3);
    return smoothHeatmaps(tf.mul(tf.add(original, mirrored), 0.5) as Tensor4D, kernel);
  }

  /** Heatmaps from the picture (0) or its mirror image (1), of which the outputs have `parts` side by side. */
  #ofPicture([, ...maps]: readonly NdArray[], coords: NdArray, part: number, parts: number): Tensor4D {
    const [globalFeats, channel, spatial] = maps.map((map) => channelsOf(map, part, parts));
    const persons = { channel: pixelsOf(channel, coords), spatial: pixelsOf(spatial, coords), coords };
    return this.gfd_module.heatmapsOf(globalFeats, persons);
  }
}

/** Peaks of the smoothed heatmap, best first. */
function findMiddles({ data, shape: [, h, w] }: NdArray, testCfg: TestCfg): { coords: NdArray; scores: Float32Array } {
  const smoothed = smoothed1(data, h, w, testCfg.blurKernelSize ?? 3);
  const size = (h + w) / 2;
  const reach = size > 300 ? 3 : size > 200 ? 2 : 1;
  const threshold = Math.fround(testCfg.scoreThreshold ?? 0.01);
  const peaks: number[] = [];
  for (let i = 0; i < smoothed.length; i++) {
    if (smoothed[i] > threshold && isPeak(smoothed, h, w, i, reach)) peaks.push(i);
  }
  peaks.sort((a, b) => smoothed[b] - smoothed[a] || a - b);
  const found = peaks.slice(0, testCfg.maxNumPeople ?? 30);
  return {
    coords: { data: Float32Array.from(found.flatMap((i) => [i % w, Math.floor(i / w)])), shape: [found.length, 2] },
    scores: Float32Array.from(found, (i) => smoothed[i]),
  };
}

/** `smoothHeatmaps` of one map; pixels outside count as zeros. */
function smoothed1(map: Float32Array, h: number, w: number, kernel: number): Float32Array {
  const radius = Math.floor((kernel - 1) / 2);
  return map.map((value, i) => {
    const [y, x] = [Math.floor(i / w), i % w];
    let sum = 0;
    for (let row = Math.max(0, y - radius); row <= Math.min(h - 1, y + radius); row++) {
      for (let column = Math.max(0, x - radius); column <= Math.min(w - 1, x + radius); column++) {
        sum = Math.fround(sum + map[row * w + column]);
      }
    }
    return Math.fround(value + Math.fround(sum / kernel ** 2)) / 2;
  });
}

function isPeak(map: Float32Array, h: number, w: number, i: number, reach: number): boolean {
  const [y, x] = [Math.floor(i / w), i % w];
  for (let row = Math.max(0, y - reach); row <= Math.min(h - 1, y + reach); row++) {
    for (let column = Math.max(0, x - reach); column <= Math.min(w - 1, x + reach); column++) {
      if (map[row * w + column] > map[i]) return false;
    }
  }
  return true;
}

/** Part `part` of `parts` equal ones of the channels of a map [1, h, w, C]. */
function channelsOf({ data, shape: [one, h, w, all] }: NdArray, part: number, parts: number): NdArray {
  if (parts === 1) return { data, shape: [one, h, w, all] };
  const channels = all / parts;
  const out = new Float32Array(h * w * channels);
  for (let pixel = 0; pixel < h * w; pixel++) {
    const from = pixel * all + part * channels;
    out.set(data.subarray(from, from + channels), pixel * channels);
  }
  return { data: out, shape: [one, h, w, channels] };
}

/** Vectors of a map [1, h, w, C] at coords [N, 2] -> [N, C]. */
function pixelsOf({ data, shape: [, , w, channels] }: NdArray, coords: NdArray): NdArray {
  const n = coords.shape[0];
  const out = new Float32Array(n * channels);
  for (let i = 0; i < n; i++) {
    const pixel = coords.data[i * 2 + 1] * w + coords.data[i * 2];
    out.set(data.subarray(pixel * channels, (pixel + 1) * channels), i * channels);
  }
  return { data: out, shape: [n, channels] };
}

/** Coords `first` to `first + count`, filled up to a power of two: on GPUs each new number compiles its own shaders. */
function rowsOf({ data }: NdArray, first: number, count: number): NdArray {
  const rows = 2 ** Math.ceil(Math.log2(count));
  const out = Float32Array.from(
    { length: rows * 2 },
    (_, i) => data[(first + Math.min(i >> 1, count - 1)) * 2 + (i % 2)],
  );
  return { data: out, shape: [rows, 2] };
}
