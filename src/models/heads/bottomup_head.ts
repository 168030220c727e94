/**
 * What the heads of bottom-up models share: outputs of a whole picture in, everybody in it out. Outputs are decoded on the CPU, since
 * how many people there are shows only there; a head whose last layers run per person takes the backend once more for these.
 */
import type { KeypointCodec } from '../../codecs/base.js';
import { ConfigError, InputError } from '../../errors.js';
import type { NdArray } from '../../ndarray.js';
import type { PoseDataSample, SampleMetainfo } from '../../structures/pose_data_sample.js';
import type { Tensor } from '../../tf.js';
import type { TestCfg } from '../test_cfg.js';
import { BaseHead, type HeadPrediction } from './base_head.js';

/** Everybody in one picture, input space. */
export interface PicturePrediction extends HeadPrediction {
  /** [N, 4] xyxy px, from heads that predict boxes. */
  readonly bboxes?: NdArray<Float32Array | Float64Array>;
  /** [N], from heads that score persons. */
  readonly bboxScores?: NdArray;
}

/** The model's backend, as far as a head needs it beyond the tensors it is given. */
export interface PictureBackend {
  /** Runs a synchronous section on it. */
  run<T>(section: () => T): T;
  /**
   * The compiled form of layers that run per person, for inputs of this shape; null where there is none.
   *
   * @param name - unique within the head
   */
  compiled?(
    name: string,
    shape: readonly number[],
    forward: (x: Tensor) => Tensor,
  ): Promise<((x: Float32Array) => Promise<NdArray>) | null>;
}

/** A picture's outputs, to be decoded. */
export interface PictureOutputs {
  /** Each with a leading 1, in the tensors' own layout. */
  readonly outputs: readonly NdArray[];
  readonly sample: PoseDataSample;
  readonly testCfg: TestCfg;
  readonly backend: PictureBackend;
}

export abstract class BottomupHead extends BaseHead {
  /** Path of the head's config, for messages. */
  protected readonly where: string;

  constructor(decoder: KeypointCodec | null, where: string) {
    super(decoder, where);
    this.where = where;
  }

  /** Whether pictures may come with margins of the preprocessor. */
  get takesMargins(): boolean {
    return true;
  }

  /** Decodes what `predictTensors` gave for one picture. */
  abstract predictPicture(picture: PictureOutputs): Promise<PicturePrediction>;

  /** Runs what `predictPicture` runs on the backend once for nobody, so that the first real person does not wait for shaders. */
  warmUp(_backend: PictureBackend): Promise<void> {
    return Promise.resolve();
  }

  protected override unflip(): Tensor[] {
    throw new ConfigError(`${this.where}: found a flip test; this head has none, here as in MMPose.`);
  }

  override decodeOutputs(): never {
    throw new ConfigError(`${this.where}: found in a model for single persons; expected BottomupPoseEstimator.`);
  }
}

/** @throws InputError when a flip test does not know which keypoints are partners */
export function requireFlipIndices({ flipIndices }: SampleMetainfo, where: string): readonly number[] {
  if (flipIndices) return flipIndices;
  throw new InputError(
    `${where}: found no flipIndices in the samples; a flip test needs the dataset's meta-info, or set test_cfg.flip_test to false.`,
  );
}
