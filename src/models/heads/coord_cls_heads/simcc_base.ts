/** What the heads that classify coordinates share: outputs are x [N, K, Wx] and y [N, K, Wy]. */
import { getSimccNormalized } from '../../../codecs/utils/post_processing.js';
import { ConfigError } from '../../../errors.js';
import type { NdArray } from '../../../ndarray.js';
import type { SampleMetainfo } from '../../../structures/pose_data_sample.js';
import * as tf from '../../../tf.js';
import type { Tensor3D, Tensor4D } from '../../../tf.js';
import { flipVectors } from '../../utils/tta.js';
import { BaseHead, type DenseFields } from '../base_head.js';

export abstract class SimCCBaseHead extends BaseHead {
  protected override unflip([x, y]: [Tensor3D, Tensor3D], meta: SampleMetainfo): Tensor3D[] {
    return flipVectors(x, y, meta.flipIndices);
  }

  /** Divisors of the vectors in `denseFields`, bins; null for none. */
  protected displaySigmas(): readonly [x: number | null, y: number | null] {
    return [null, null];
  }

  /** Normalised vectors and their outer product as heatmaps [K, Wy, Wx]: for looking at, the scores are another matter. */
  protected override denseFields([x, y]: readonly NdArray[]): DenseFields {
    const [sigmaX, sigmaY] = this.displaySigmas();
    const keypointXLabels = getSimccNormalized(x, sigmaX);
    const keypointYLabels = getSimccNormalized(y, sigmaY);
    return { heatmaps: outerProduct(keypointXLabels, keypointYLabels), keypointXLabels, keypointYLabels };
  }
}

/** `input_size * simcc_split_ratio`, truncated: the numbers of bins. */
export function binCounts(inputSize: readonly number[], splitRatio: number): [wx: number, wy: number] {
  return [Math.trunc(inputSize[0] * splitRatio), Math.trunc(inputSize[1] * splitRatio)];
}

/** `torch.flatten(x, 2)` of NCHW: [N, h, w, K] -> [N, K, h * w]. */
export function flattenMaps(x: Tensor4D): Tensor3D {
  const [n, h, w, k] = x.shape;
  return tf.transpose(tf.reshape(x, [n, h * w, k]), [0, 2, 1]);
}

/** @throws ConfigError unless `value` is `[w, h]` in whole numbers */
export function checkSize(value: unknown, where: string): asserts value is readonly [w: number, h: number] {
  if (Array.isArray(value) && value.length === 2 && value.every((v) => Number.isInteger(v) && v > 0)) return;
  throw new ConfigError(`${where}: found ${JSON.stringify(value)}; expected [w, h] in whole numbers.`);
}

/** x [1, K, Wx], y [1, K, Wy] -> [K, Wy, Wx]. */
function outerProduct(x: NdArray, y: NdArray): NdArray {
  const [, k, wx] = x.shape;
  const wy = y.shape[2];
  const data = new Float32Array(k * wy * wx);
  let to = 0;
  for (let row = 0; row < k * wy; row++) {
    const first = Math.floor(row / wy) * wx;
    for (let col = first; col < first + wx; col++) data[to++] = y.data[row] * x.data[col];
  }
  return { data, shape: [k, wy, wx] };
}
