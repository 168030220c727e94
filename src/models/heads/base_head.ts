/**
 * What all heads share (MMPose: `mmpose/models/heads/base_head.py`): features in, outputs as tensors, and from those to decoded
 * keypoints. The codec decodes either on the backend (`batchDecode`), so that only keypoints are read back, or the outputs are read
 * and decoded on the CPU, one person at a time; the turn from NHWC maps to MMPose's (K, h, w) happens here and nowhere else. Losses are left out.
 */
import { readTensor } from '../../backend/readback.js';
import type { KeypointCodec } from '../../codecs/base.js';
import type { ConfigDict } from '../../config.js';
import { ConfigError, InputError } from '../../errors.js';
import { sizeOf, type NdArray } from '../../ndarray.js';
import { Module } from '../../nn/module.js';
import type { InstanceData, PoseDataSample, SampleMetainfo } from '../../structures/pose_data_sample.js';
import * as tf from '../../tf.js';
import type { Tensor } from '../../tf.js';
import type { TestCfg } from '../test_cfg.js';

/** Features of a backbone or neck: maps [N, h, w, C], or vectors [N, C] after global pooling. */
export type HeadFeats = readonly Tensor[];

/** Decoded outputs of one sample, before they are mapped to the image. */
export interface HeadPrediction {
  /** [N, K, D] px, input space; N is 1 for top-down heads. */
  readonly keypoints: NdArray<Float32Array | Float64Array>;
  /** [N, K] */
  readonly keypointScores: NdArray;
  /** [N, K], only from heads with a visibility branch. */
  readonly keypointsVisible?: NdArray;
  /** What a head says of its persons beside that. */
  readonly columns?: Pick<InstanceData, 'relRootDepth' | 'handType'>;
  /** Dense outputs, when `outputHeatmaps` asks for them. */
  readonly fields?: DenseFields;
}

export interface DenseFields {
  /** [C, h, w] */
  readonly heatmaps: NdArray;
  /** [1, K, Wx] and [1, K, Wy], from SimCC heads. */
  readonly keypointXLabels?: NdArray;
  readonly keypointYLabels?: NdArray;
}

/** How the builder makes a head; the decoder comes built, since codecs load lazily. */
export type HeadClass = new (config: ConfigDict, decoder?: KeypointCodec | null, where?: string) => BaseHead;

export abstract class BaseHead extends Module<HeadFeats, Tensor[]> {
  readonly decoder: KeypointCodec | null;
  /** Path of the head's config, for messages. */
  readonly #where: string;

  constructor(decoder: KeypointCodec | null, where: string) {
    super();
    this.decoder = decoder;
    this.#where = where;
  }

  /** Raw outputs: maps [N, h, w, C] (rank 4) or columns per person [N, K, ...] (rank 3). Gives new tensors. */
  abstract override forward(feats: HeadFeats): Tensor[];

  /** Turns outputs of the mirrored pictures back into the frame of the original. */
  protected abstract unflip(outputs: Tensor[], meta: SampleMetainfo, testCfg: TestCfg): Tensor[];

  /** Those of `forward`'s outputs that `predict` decodes; heads of several stages run no more than the last. */
  protected predictOutputs(feats: HeadFeats): Tensor[] {
    return this.forward(feats);
  }

  /** What `predict` does to raw outputs first, such as a sigmoid. */
  protected activate(outputs: Tensor[]): Tensor[] {
    return outputs;
  }

  /** Dense outputs of one sample for `predFields`; called before `decode`, which may change its input. */
  protected denseFields(_encoded: readonly NdArray[]): DenseFields | undefined {
    return undefined;
  }

  /**
   * Decodes features to keypoints in input space. Everything that needs the backend happens before the first await.
   *
   * @param feats - of N pictures; with `flipTest` of 2 N, the mirrored ones last
   * @param samples - N; the first one's meta-info gives flipIndices and inputSize, as in MMPose
   */
  predict(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Promise<HeadPrediction[]> {
    return this.readPredictions(
      tf.tidy(() => this.predictTensors(feats, samples, testCfg)),
      testCfg,
    );
  }

  /**
   * The part of `predict` on tensors: raw outputs, with `flipTest` the mean of both; with `batchDecode` the codec's packed keypoints.
   * Borrows feats.
   */
  predictTensors(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const outputs = this.#merged(feats, samples, testCfg);
    return this.#isPacked(testCfg) ? [this.decoder!.batchDecode!(...outputs)] : outputs;
  }

  #isPacked({ batchDecode, outputHeatmaps }: TestCfg): boolean {
    return Boolean(batchDecode && !outputHeatmaps && this.decoder?.batchDecode);
  }

  #merged(feats: HeadFeats, samples: readonly PoseDataSample[], testCfg: TestCfg): Tensor[] {
    const outputs = this.activate(this.predictOutputs(feats));
    if (!testCfg.flipTest) return outputs;
    const meta = this.#flipMeta(samples);
    const halves = outputs.map((output) => tf.split(output, 2, 0));
    const mirrored = this.unflip(
      halves.map(([, flipped]) => flipped),
      meta,
      testCfg,
    );
    return halves.map(([original], i) => tf.mul(tf.add(original, mirrored[i]), 0.5));
  }

  /** The part of `predict` on numbers. Disposes `outputs`. */
  async readPredictions(outputs: readonly Tensor[], testCfg: TestCfg): Promise<HeadPrediction[]> {
    try {
      // All reads start here, while the caller's backend is still the active one.
      const arrays = await Promise.all(outputs.map((output) => readTensor(output)));
      return this.decodeOutputs(
        arrays.map((data, i) => ({ data, shape: outputs[i].shape })),
        testCfg,
      );
    } finally {
      for (const output of outputs) output.dispose();
    }
  }

  /** Decodes what `predictTensors` gave, as numbers in the tensors' own layout. */
  decodeOutputs(outputs: readonly NdArray[], testCfg: TestCfg): HeadPrediction[] {
    if (this.#isPacked(testCfg)) return unpack(outputs[0], this.decoder!.decodeVisibility ?? false);
    return Array.from({ length: outputs[0].shape[0] }, (_, n) =>
      this.decode(
        outputs.map(({ data, shape }) => sampleOf(data, shape, n)),
        testCfg,
      ),
    );
  }

  /** Decodes one sample's outputs, in the layout that codecs take: maps [C, h, w], columns [1, K, ...]. */
  protected decode(encoded: NdArray[], testCfg: TestCfg): HeadPrediction {
    if (!this.decoder) {
      throw new ConfigError(`${this.#where}.decoder: found none; expected the config of a codec, to decode keypoints.`);
    }
    const fields = testCfg.outputHeatmaps ? this.denseFields(encoded) : undefined;
    const { keypoints, scores, visible } = this.decoder.decode(...encoded);
    return { keypoints, keypointScores: scores, keypointsVisible: visible, fields };
  }

  #flipMeta(samples: readonly PoseDataSample[]): SampleMetainfo {
    const meta = samples[0]?.metainfo;
    if (!meta?.flipIndices) {
      throw new InputError(
        `${this.#where}: found no flipIndices in the samples; a flip test needs the dataset's meta-info, or set test_cfg.flip_test to false.`,
      );
    }
    return meta;
  }
}

/** What `batchDecode` packed, [N, K, D + 1] or, with a visibility, [N, K, D + 2]. */
function unpack({ data, shape: [n, k, columns] }: NdArray, hasVisibility: boolean): HeadPrediction[] {
  const dims = columns - (hasVisibility ? 2 : 1);
  return Array.from({ length: n }, (_, i) => {
    const take = (first: number, count: number) => {
      const taken = new Float32Array(k * count);
      for (let j = 0; j < taken.length; j++) {
        taken[j] = data[(i * k + Math.floor(j / count)) * columns + first + (j % count)];
      }
      return taken;
    };
    return {
      keypoints: { data: take(0, dims), shape: [1, k, dims] },
      keypointScores: { data: take(columns - 1, 1), shape: [1, k] },
      ...(hasVisibility && { keypointsVisible: { data: take(dims, 1), shape: [1, k] } }),
    };
  });
}

/** Sample `n` of a batch: NHWC maps turned to [C, h, w], columns with a leading 1. */
export function sampleOf(batch: Float32Array, shape: readonly number[], n: number): NdArray {
  const inner = shape.slice(1);
  const size = sizeOf(inner);
  const values = batch.subarray(n * size, (n + 1) * size);
  if (inner.length !== 3) return { data: values.slice(), shape: [1, ...inner] };
  const [h, w, channels] = inner;
  const data = new Float32Array(size);
  for (let c = 0, to = 0; c < channels; c++) {
    for (let from = c; from < size; from += channels) data[to++] = values[from];
  }
  return { data, shape: [channels, h, w] };
}
