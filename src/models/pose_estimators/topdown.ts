/** One person per crop (MMPose: `mmpose/models/pose_estimators/topdown.py`). */
import { ConfigError, InputError } from '../../errors.js';
import { sizeOf, type NdArray, type TypedArray } from '../../ndarray.js';
import type { InstanceData, PoseDataSample, SampleMetainfo } from '../../structures/pose_data_sample.js';
import * as tf from '../../tf.js';
import type { Tensor, Tensor4D } from '../../tf.js';
import type { BaseHead, HeadPrediction } from '../heads/base_head.js';
import { BasePoseEstimator } from './base.js';

export class TopdownPoseEstimator extends BasePoseEstimator {
  /**
   * @param x - [N, h, w, 3], normalised crops
   * @param samples - one per crop, with inputCenter, inputScale [1, 2] px image, inputSize and flipIndices; gtInstances holds the box
   * @returns the samples with predInstances in image space and, with `outputHeatmaps`, predFields
   * @throws InputError when their numbers differ, ConfigError for a model without head or decoder
   */
  override async predict(x: Tensor4D, samples: readonly PoseDataSample[]): Promise<PoseDataSample[]> {
    return this.readPredictions(this.predictTensors(x, samples), samples);
  }

  /** The part of `predict` that runs on the backend: the head's outputs, with a flip test the mean of both. The caller owns them. */
  predictTensors(x: Tensor4D, samples: readonly PoseDataSample[]): Tensor[] {
    const { testCfg } = this;
    const head = this.#requireHead();
    if (x.shape[0] !== samples.length || samples.length === 0) {
      throw new InputError(`predict: found ${samples.length} samples for ${x.shape[0]} crops; expected one per crop.`);
    }
    const batch = samples.map((sample) => this.#withMetainfo(sample));
    return tf.tidy(() => {
      // In eval mode one forward of both equals MMPose's two.
      const input = testCfg.flipTest ? tf.concat([x, tf.reverse(x, 2)]) : x;
      return head.predictTensors(this.extractFeat(input), batch, testCfg);
    });
  }

  /** The part of `predict` on the CPU: reads `outputs` back, disposes them, decodes, and maps to image space. */
  async readPredictions(outputs: readonly Tensor[], samples: readonly PoseDataSample[]): Promise<PoseDataSample[]> {
    const predictions = await this.#requireHead().readPredictions(outputs, this.testCfg);
    return this.addPredToDataSample(predictions, samples);
  }

  /** `readPredictions` for outputs that are numbers already, in the tensors' own layout. */
  decodeOutputs(outputs: readonly NdArray[], samples: readonly PoseDataSample[]): PoseDataSample[] {
    return this.addPredToDataSample(this.#requireHead().decodeOutputs(outputs, this.testCfg), samples);
  }

  /** Maps predictions from input to image space and puts them into copies of the samples. */
  addPredToDataSample(predictions: readonly HeadPrediction[], samples: readonly PoseDataSample[]): PoseDataSample[] {
    return samples.map((sample, i) => this.#addPrediction(predictions[i], this.#withMetainfo(sample)));
  }

  #requireHead(): BaseHead {
    if (this.head) return this.head;
    throw new ConfigError('model.head: found none; predict needs a head, or call forward(x, "tensor").');
  }

  #addPrediction(prediction: HeadPrediction, sample: PoseDataSample): PoseDataSample {
    const { keypointScores, keypointsVisible, columns, fields } = prediction;
    const numKeypoints = prediction.keypoints.shape[1];
    const indices = this.testCfg.outputKeypointIndices;
    // Copies throughout: columns that share a buffer could not be transferred to another thread.
    const pick = (column: NdArray): NdArray => selectKeypoints(column, indices);
    const predInstances: InstanceData = {
      ...boxesOf(sample, prediction.keypoints.shape[0]),
      keypoints: pick(toImageSpace(prediction.keypoints, sample.metainfo)),
      keypointScores: pick(keypointScores),
      keypointsVisible: pick(keypointsVisible ?? keypointScores),
      ...columns,
      ...(fields?.keypointXLabels && { keypointXLabels: pick(fields.keypointXLabels) }),
      ...(fields?.keypointYLabels && { keypointYLabels: pick(fields.keypointYLabels) }),
    };
    if (!fields) return { ...sample, predInstances };
    const { heatmaps } = fields;
    const selected = indices && heatmaps.shape[0] === numKeypoints ? selectRows(heatmaps, indices) : heatmaps;
    return { ...sample, predInstances, predFields: { heatmaps: selected } };
  }

  #withMetainfo(sample: PoseDataSample): PoseDataSample {
    if (!this.metainfo) return sample;
    return { ...sample, metainfo: { ...sample.metainfo, flipIndices: this.metainfo.flipIndices } };
  }
}

/** keypoints / inputSize * inputScale + inputCenter - inputScale / 2, in float64 as NumPy computes it; further columns stay. */
function toImageSpace(keypoints: NdArray<Float32Array | Float64Array>, meta: SampleMetainfo): NdArray {
  const { inputSize, inputScale, inputCenter } = meta;
  const dims = keypoints.shape[2];
  const data = Float32Array.from(keypoints.data);
  for (let axis = 0; axis < 2; axis++) {
    const [size, scale, center] = [inputSize[axis], inputScale.data[axis], inputCenter.data[axis]];
    for (let i = axis; i < data.length; i += dims) data[i] = (keypoints.data[i] / size) * scale + center - 0.5 * scale;
  }
  return { data, shape: keypoints.shape };
}

/** Boxes of the ground truth or detection; without any, the crop itself. */
function boxesOf(sample: PoseDataSample, count: number): Pick<InstanceData, 'bboxes' | 'bboxScores'> {
  const { gtInstances, metainfo } = sample;
  if (gtInstances) return { bboxes: copy(gtInstances.bboxes), bboxScores: copy(gtInstances.bboxScores) };
  const [[cx, cy], [w, h]] = [metainfo.inputCenter.data, metainfo.inputScale.data];
  const box = [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2];
  return {
    bboxes: { data: Float32Array.from({ length: 4 * count }, (_, i) => box[i % 4]), shape: [count, 4] },
    bboxScores: { data: new Float32Array(count).fill(1), shape: [count] },
  };
}

function copy<T extends TypedArray>(array: NdArray<T>): NdArray<T> {
  return { data: array.data.slice() as T, shape: array.shape };
}

/** [N, K, ...] -> [N, indices.length, ...]. */
function selectKeypoints(column: NdArray, indices: readonly number[] | null): NdArray {
  if (!indices) return copy(column);
  const [n, k, ...rest] = column.shape;
  const size = k * sizeOf(rest);
  const data = new Float32Array(n * indices.length * sizeOf(rest));
  for (let i = 0; i < n; i++) {
    const person = { data: column.data.subarray(i * size, (i + 1) * size), shape: [k, ...rest] };
    data.set(selectRows(person, indices).data, i * indices.length * sizeOf(rest));
  }
  return { data, shape: [n, indices.length, ...rest] };
}

/** array[indices] along the first axis. */
function selectRows(array: NdArray, indices: readonly number[]): NdArray {
  const [count, ...rest] = array.shape;
  const size = sizeOf(rest);
  const data = new Float32Array(indices.length * size);
  for (const [to, from] of indices.entries()) {
    if (from >= count) {
      throw new ConfigError(`model.test_cfg.output_keypoint_indices: found ${from}; expected indices below ${count}.`);
    }
    data.set(array.data.subarray(from * size, (from + 1) * size), to * size);
  }
  return { data, shape: [indices.length, ...rest] };
}
