/** Cutting one person out of a picture (MMPose: `mmpose/datasets/transforms/topdown_transforms.py`). */
import { readConfig, REQUIRED } from '../../config.js';
import { InputError } from '../../errors.js';
import { ndarray, type NdArray } from '../../ndarray.js';
import { getUdpWarpMatrix, getWarpMatrix, transformPoints } from '../../structures/bbox/transforms.js';
import { checkSize, requireField, type Transform, type TransformResults } from './base.js';
import { warpAffine, type PixelImage } from './warp_affine.js';

/**
 * Grows boxes to a fixed ratio of width to height.
 *
 * @param bboxScale - [N, 2] px
 */
export function fixAspectRatio(bboxScale: NdArray, aspectRatio: number): NdArray {
  const ratio = Math.fround(aspectRatio);
  const out = bboxScale.data.slice();
  for (let i = 0; i < out.length; i += 2) {
    const [w, h] = [out[i], out[i + 1]];
    const widened = Math.fround(h * ratio);
    if (w > widened) out[i + 1] = w / ratio;
    else out[i] = widened;
  }
  return { data: out, shape: bboxScale.shape };
}

/**
 * Crops the box of one person to the network's input by an affine transform, and takes the keypoints along. Colour pictures
 * come out with 3 channels, also from RGBA.
 *
 * Needs bboxCenter and bboxScale [1, 2]; uses bboxRotation [1] degrees and keypoints where given. Sets img, bboxScale,
 * transformedKeypoints, inputSize, inputCenter, inputScale, warpMat.
 */
export class TopdownAffine implements Transform {
  readonly inputSize: readonly [w: number, h: number];
  readonly useUdp: boolean;

  constructor(config: Readonly<Record<string, unknown>>) {
    const spec = { input_size: REQUIRED, use_udp: false };
    const { input_size, use_udp } = readConfig<{ input_size: unknown; use_udp: boolean }>(
      config,
      'TopdownAffine',
      spec,
    );
    this.inputSize = checkSize(input_size, 'TopdownAffine.input_size');
    this.useUdp = use_udp;
  }

  transform(results: TransformResults): TransformResults {
    const placed = this.place(results);
    return { ...placed, img: this.#warp(requireField(results, 'img', 'TopdownAffine'), placed.warpMat!) };
  }

  /** All of `transform` but the picture: where the crop lies. For a crop that is made elsewhere, such as on the GPU. */
  place(results: TransformResults): TransformResults {
    const [w, h] = this.inputSize;
    const bboxCenter = requireField(results, 'bboxCenter', 'TopdownAffine');
    if (bboxCenter.shape[0] !== 1) {
      throw new InputError(`TopdownAffine: found ${bboxCenter.shape[0]} boxes; expected 1, one sample per person.`);
    }
    const bboxScale = fixAspectRatio(requireField(results, 'bboxScale', 'TopdownAffine'), w / h);
    const warpMat = this.warpMatrix(bboxCenter.data, bboxScale.data, results.bboxRotation?.data[0] ?? 0);
    return {
      ...results,
      ...this.#transformKeypoints(results, warpMat),
      bboxScale,
      warpMat,
      inputSize: this.inputSize,
      inputCenter: ndarray(bboxCenter.data.slice(), [2]),
      inputScale: ndarray(bboxScale.data.slice(), [2]),
    };
  }

  /**
   * The matrix from a box of the right aspect ratio to the input.
   *
   * @param center - [2] px
   * @param scale - [2] px
   * @param rotation - degrees
   */
  warpMatrix(center: ArrayLike<number>, scale: ArrayLike<number>, rotation = 0): Float64Array {
    const matrix = this.useUdp ? getUdpWarpMatrix : getWarpMatrix;
    // `bbox_rotation` is a float32 array in MMPose, and a crop shows the difference.
    return matrix(center, scale, rotation, this.inputSize, { float32Rotation: true });
  }

  #warp(img: PixelImage | readonly PixelImage[], matrix: Float64Array): PixelImage | PixelImage[] {
    const [width, height] = this.inputSize;
    const one = (image: PixelImage): PixelImage => ({
      data: warpAffine(image, matrix, this.inputSize),
      width,
      height,
      channels: image.channels === 1 ? 1 : 3,
    });
    return Array.isArray(img) ? img.map(one) : one(img as PixelImage);
  }

  #transformKeypoints(results: TransformResults, matrix: Float64Array): Partial<TransformResults> {
    if (!results.keypoints) return { keypointsVisible: ndarray(Float32Array.of(1), [1, 1, 1]) };
    return { transformedKeypoints: transformPoints(results.keypoints, matrix) };
  }
}
