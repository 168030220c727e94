/** Everybody in a whole picture (MMPose: `mmpose/models/pose_estimators/bottomup.py`). */
import { EngineSwitch } from '../../backend/engine_switch.js';
import { readTensor } from '../../backend/readback.js';
import { ConfigError, InputError } from '../../errors.js';
import { full, zeros, type NdArray } from '../../ndarray.js';
import type { InstanceData, PoseDataSample, SampleMetainfo } from '../../structures/pose_data_sample.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor4D } from '../../tf.js';
import { BottomupHead, type PicturePrediction, type PictureBackend } from '../heads/bottomup_head.js';
import type { TestCfg } from '../test_cfg.js';
import { BasePoseEstimator, type PoseEstimatorParts } from './base.js';

export class BottomupPoseEstimator extends BasePoseEstimator {
  constructor(parts: PoseEstimatorParts) {
    super(parts);
    if (parts.head && !(parts.head instanceof BottomupHead)) {
      throw new ConfigError(
        'model.head: found a head for single persons; expected one for whole pictures, or type "TopdownPoseEstimator".',
      );
    }
    const divisor = this.dataPreprocessor.padSizeDivisor;
    if (parts.head && !parts.head.takesMargins && divisor !== 1) {
      throw new ConfigError(
        `model.data_preprocessor.pad_size_divisor: found ${divisor}; expected 1: the head would take the margins for picture.`,
      );
    }
  }

  /**
   * @param x - [N, h, w, 3], normalised pictures
   * @param samples - one per picture, with inputCenter, inputScale [1, 2] px image, inputSize and, for a flip test, flipIndices
   * @returns the samples with everybody in the picture in predInstances, image space
   * @throws InputError when their numbers differ, ConfigError for a model without head
   */
  override async predict(x: Tensor4D, samples: readonly PoseDataSample[]): Promise<PoseDataSample[]> {
    const engine = new EngineSwitch(tf.getBackend());
    const { testCfg } = this;
    const outputs = this.predictTensors(x, samples);
    try {
      const arrays = await Promise.all(outputs.map((output) => readTensor(output)));
      const numbers = arrays.map((data, i) => ({ data, shape: outputs[i].shape }));
      return await this.decodePictures(numbers, samples, { run: (section) => engine.run(section) }, testCfg);
    } finally {
      for (const output of outputs) output.dispose();
    }
  }

  /** The part of `predict` that runs on the backend before it is known who is there. The caller owns the tensors. */
  predictTensors(x: Tensor4D, samples: readonly PoseDataSample[]): Tensor[] {
    const { testCfg } = this;
    const head = this.#requireHead();
    if (x.shape[0] !== samples.length || samples.length === 0) {
      throw new InputError(`predict: found ${samples.length} samples for ${x.shape[0]} pictures; expected one each.`);
    }
    const batch = samples.map((sample) => this.#withMetainfo(sample));
    return tf.tidy(() => {
      // In eval mode one forward of both equals MMPose's two.
      const input = testCfg.flipTest ? tf.concat([x, tf.reverse(x, 2)]) : x;
      return head.predictTensors(this.extractFeat(input), batch, testCfg);
    });
  }

  /**
   * The rest of `predict`.
   *
   * @param outputs - of `predictTensors`, as numbers in the tensors' own layout
   * @param backend - the model's; some heads go there once more
   */
  async decodePictures(
    outputs: readonly NdArray[],
    samples: readonly PoseDataSample[],
    backend: PictureBackend,
    testCfg: TestCfg = this.testCfg,
  ): Promise<PoseDataSample[]> {
    const head = this.#requireHead();
    const results: PoseDataSample[] = [];
    for (const [i, given] of samples.entries()) {
      const sample = this.#withMetainfo(given);
      const own = outputs.map((output) => entry(output, i));
      const prediction = await head.predictPicture({ outputs: own, sample, testCfg, backend });
      results.push(addPrediction(prediction, sample));
    }
    return results;
  }

  #requireHead(): BottomupHead {
    if (this.head) return this.head as BottomupHead;
    throw new ConfigError('model.head: found none; predict needs a head, or call forward(x, "tensor").');
  }

  #withMetainfo(sample: PoseDataSample): PoseDataSample {
    if (!this.metainfo) return sample;
    return { ...sample, metainfo: { ...sample.metainfo, flipIndices: this.metainfo.flipIndices } };
  }
}

/** Entry `i` along the first axis, with a leading 1. */
function entry({ data, shape: [count, ...rest] }: NdArray, i: number): NdArray {
  const size = data.length / count;
  return { data: data.subarray(i * size, (i + 1) * size), shape: [1, ...rest] };
}

/** Copies throughout: columns that share a buffer could not be transferred to another thread. */
function addPrediction(prediction: PicturePrediction, sample: PoseDataSample): PoseDataSample {
  const { keypoints, keypointScores, keypointsVisible, bboxes, bboxScores, fields } = prediction;
  const n = keypoints.shape[0];
  const predInstances: InstanceData = {
    bboxes: bboxes ? toImageSpace(bboxes, sample.metainfo) : boxesAround(toImageSpace(keypoints, sample.metainfo)),
    bboxScores: bboxScores ? copy(bboxScores) : full([n], 1),
    keypoints: toImageSpace(keypoints, sample.metainfo),
    keypointScores: copy(keypointScores),
    keypointsVisible: copy(keypointsVisible ?? keypointScores),
  };
  return { ...sample, predInstances, ...(fields && { predFields: { heatmaps: fields.heatmaps } }) };
}

/** Points (x, y, x, y, ...) / inputSize * inputScale + inputCenter - inputScale / 2, in float64 as NumPy computes it. */
function toImageSpace({ data, shape }: NdArray<Float32Array | Float64Array>, meta: SampleMetainfo): NdArray {
  const { inputSize, inputScale, inputCenter } = meta;
  const points = Float32Array.from(data, (value, i) => {
    const axis = i % 2;
    const scale = inputScale.data[axis];
    return (value / inputSize[axis]) * scale + inputCenter.data[axis] - 0.5 * scale;
  });
  return { data: points, shape };
}

/** Smallest box around each person's keypoints: MMPose leaves boxes out where a model has none, but drawing and tracking want them. */
function boxesAround({ data, shape: [n, k, dims] }: NdArray): NdArray {
  const boxes = zeros([n, 4]);
  for (let i = 0; i < n; i++) {
    for (const axis of [0, 1]) {
      const values = Array.from({ length: k }, (_, j) => data[(i * k + j) * dims + axis]);
      boxes.data[i * 4 + axis] = Math.min(...values);
      boxes.data[i * 4 + 2 + axis] = Math.max(...values);
    }
  }
  return boxes;
}

function copy(array: NdArray): NdArray {
  return { data: array.data.slice(), shape: array.shape };
}
